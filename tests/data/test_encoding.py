"""Encodings invert, can be written down, and know their Jacobian."""

from __future__ import annotations

import json
import math
from pathlib import Path

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import MultivariateNormal, Normal

from saltus.data import Binned, Encoding, Layout, Listed, Standardised, load
from saltus.data.parts import Parts
from saltus.data.split import split
from saltus.errors import SaltusError
from saltus.likelihoods import DiscretisedHead, GaussianHead
from saltus.registry import build, describe
from tests.helpers.raw import ENCODINGS, EVENTS, SHAPES, floats, integers

RANGES = [("uint8", 0, 255), ("bool", 0, 1), ("int8", -128, 127), ("int64", 10**12, 10**12 + 16), ("uint16", 0, 2**16 - 1)]


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize(("dtype", "low", "high"), RANGES)
def test_binned_inverts_exactly_and_lies_on_its_bins(layout: Layout, dtype: str, low: int, high: int) -> None:
    encoding = Binned(layout, SHAPES[layout], low, high, dtype)
    raw = np.random.default_rng(0).integers(low, high, (40, *SHAPES[layout]), endpoint=True).astype(dtype)
    raw.flat[:2] = low, high
    y = encoding.encode(raw)
    assert y.dtype == torch.float32
    assert y.shape == (40, *EVENTS[layout]) == (40, *encoding.event_shape)
    assert (y.min(), y.max()) == (-1, 1)
    encoding.head().check(y)
    back = encoding.decode(y)
    assert back.dtype == raw.dtype
    np.testing.assert_array_equal(back, raw)


@settings(max_examples=50)
@given(st.data())
def test_binned_inverts_whatever_the_range(data: st.DataObject) -> None:
    low = data.draw(st.integers(-(2**31), 2**31 - 2))
    high = data.draw(st.integers(low + 1, min(low + 2**16 - 1, 2**31 - 1)))
    raw = data.draw(arrays.arrays(np.int32, (3, 5), elements=st.integers(low, high)))
    encoding = Binned("vector", (5,), low, high, "int32")
    np.testing.assert_array_equal(encoding.decode(encoding.encode(raw)), raw)


@settings(max_examples=50)
@given(st.data())
def test_listed_inverts_whatever_the_values(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(["uint8", "int64", "float32", "float64"]))
    values = sorted(data.draw(st.sets(st.integers(0, 255), min_size=2, max_size=20)))
    listed = np.array(values, dtype=np.float64) / (255 if dtype.startswith("float") else 1)
    raw = data.draw(arrays.arrays(np.int64, (3, 8, 9), elements=st.sampled_from(range(len(values)))))
    encoding = Listed("gray", (8, 9), torch.from_numpy(listed), dtype)
    y = encoding.encode(listed[raw].astype(dtype))
    encoding.head().check(y)
    back = encoding.decode(y)
    assert back.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(back, listed[raw].astype(dtype))
    again = build(*describe(encoding))
    assert torch.equal(again.encode(back), y)  # type: ignore[attr-defined]


def test_listed_values_are_in_the_key() -> None:
    one, other = (Listed("gray", (8, 8), torch.tensor([0.0, 0.5, top]), "float32") for top in (1.0, 2.0))
    assert one.key != other.key


def test_values_that_are_not_listed_are_refused() -> None:
    encoding = Listed("gray", (8, 8), torch.tensor([0.0, 85.0, 170.0, 255.0]), "uint8")
    for raw, says in ((np.full((1, 8, 8), 84, np.uint8), "84 is none of the 4 from 0 to 255"), (np.full((1, 8, 8), np.nan), "NaN")):
        with pytest.raises(SaltusError, match=says):
            encoding.encode(raw)
    for values, dtype in ([1.0], "uint8"), ([2.0, 1.0], "uint8"), ([0.5, 1.0], "uint8"):
        with pytest.raises(SaltusError):
            Listed("gray", (8, 8), torch.tensor(values), dtype)


def test_axes_are_moved_and_values_are_not_mixed_up() -> None:
    raw = integers(3, (9, 8, 3))
    y = Binned("channels_last", (9, 8, 3), 0, 255, "uint8").encode(raw)
    for item, row, column, channel in [(0, 0, 0, 0), (1, 8, 2, 1), (2, 3, 7, 2)]:
        assert y[item, channel, row, column] == pytest.approx(raw[item, row, column, channel] / 127.5 - 1, abs=1e-6)


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_standardised_inverts_within_rounding(layout: Layout, dtype: str) -> None:
    raw = floats(layout).astype(dtype)
    encoding = Standardised.fit(layout, raw)
    y = encoding.encode(raw)
    back = encoding.decode(y)
    assert y.dtype == torch.float32
    assert y.shape == (60, *EVENTS[layout])
    assert back.dtype == raw.dtype
    spread = raw.astype(np.float64).std(axis=None if layout.is_image else 0)
    rounding = np.finfo(dtype).eps * np.abs(raw.astype(np.float64)) + 1e-6 * spread
    assert (np.abs(back.astype(np.float64) - raw.astype(np.float64)) <= rounding).all()
    over = None if layout.is_image else 0
    np.testing.assert_allclose(y.double().numpy().mean(axis=over), 0, atol=1e-6)
    np.testing.assert_allclose(y.double().numpy().std(axis=over), 1, atol=1e-6)


def test_integer_columns_are_standardised_and_come_back_as_floats() -> None:
    raw = np.random.default_rng(0).integers(0, 10**6, (60, 4))
    encoding = Standardised.fit("vector", raw)
    back = encoding.decode(encoding.encode(raw))
    assert back.dtype == np.float64
    np.testing.assert_allclose(back, raw, atol=1)


def test_samples_are_clipped_and_rounded_to_values() -> None:
    encoding = Binned("vector", (4,), 0, 16, "uint8")
    np.testing.assert_array_equal(encoding.decode(torch.tensor([[-7.0, 9.0, 0.01, -0.9]])), [[0, 16, 8, 1]])
    small = Standardised("vector", (1,), torch.zeros(1), torch.ones(1), "float16")
    assert np.isfinite(small.decode(torch.tensor([[1e9]]))).all()


@pytest.mark.parametrize("encoding", ENCODINGS, ids=Encoding.summary)
def test_an_encoding_can_be_written_down_and_made_again(encoding: Encoding) -> None:
    description, tensors = describe(encoding)
    again = build(json.loads(json.dumps(description)), tensors)
    y = torch.linspace(-1, 1, 2 * math.prod(encoding.event_shape)).reshape(2, *encoding.event_shape)
    assert type(again) is type(encoding)
    assert (again.event_shape, again.summary(), again.key) == (encoding.event_shape, encoding.summary(), encoding.key)
    assert torch.equal(again.log_jacobian(y), encoding.log_jacobian(y))
    np.testing.assert_array_equal(again.decode(y), encoding.decode(y))


def test_the_log_jacobian_is_that_of_a_table() -> None:
    """A Gaussian density of raw rows, and the density of y under the same distribution in y's units."""
    raw = floats("vector").astype(np.float64)
    encoding = Standardised.fit("vector", raw)
    mean, std = torch.tensor(raw.mean(0)), torch.tensor(raw.std(0))
    mix = torch.randn(5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 3 * torch.eye(5)
    covariance = mix @ mix.T
    density_of_y = MultivariateNormal(torch.full((5,), 0.3, dtype=torch.float64), covariance)
    density_of_raw = MultivariateNormal(mean + 0.3 * std, std.diag() @ covariance @ std.diag())
    y = encoding.encode(raw)
    from_y = -density_of_y.log_prob(y.double()) + encoding.log_jacobian(y)
    torch.testing.assert_close(from_y, -density_of_raw.log_prob(torch.tensor(raw)), atol=1e-4, rtol=0)
    assert float(encoding.log_jacobian(y).abs().min()) > 1  # or the test could not fail


def test_the_log_jacobian_is_that_of_images() -> None:
    raw = floats("channels_last").astype(np.float64)
    encoding = Standardised.fit("channels_last", raw)
    y = encoding.encode(raw)
    from_y = -Normal(0, 2).log_prob(y.double()).flatten(1).sum(1) + encoding.log_jacobian(y)
    of_raw = -Normal(raw.mean(), 2 * raw.std()).log_prob(torch.tensor(raw)).flatten(1).sum(1)
    torch.testing.assert_close(from_y, of_raw, atol=1e-2, rtol=1e-5)
    assert not Binned("gray", (8, 8), 0, 255, "uint8").log_jacobian(y).any()


@pytest.mark.parametrize("encoding", ENCODINGS, ids=Encoding.summary)
def test_the_head_gives_likelihoods(encoding: Encoding) -> None:
    y = torch.zeros(3, *encoding.event_shape) + (1 if isinstance(encoding, Binned) else 0.5)
    head = encoding.head()
    head.check(y)
    log_prob = head.log_prob(y, torch.zeros_like(y), torch.ones_like(y))
    assert log_prob.shape == (3,)
    assert log_prob.isfinite().all()
    if isinstance(encoding, Binned):
        assert isinstance(head, DiscretisedHead)
        assert head.bins == encoding.high - encoding.low + 1
        assert (log_prob < 0).all()
    else:
        assert isinstance(head, GaussianHead)


def test_nothing_outside_the_training_items_sets_the_scaling(tmp_path: Path) -> None:
    raw = floats("vector", 400)
    _, _, test = split(Parts(raw))
    changed = {"train": raw, "test": test}
    encodings = []
    for test_values in (test, test * 1000):
        np.savez(tmp_path / "a.npz", **{**changed, "test": test_values})
        encodings.append(load(tmp_path / "a.npz").encoding)
    zeros = torch.zeros(1, 5)
    np.testing.assert_array_equal(encodings[0].decode(zeros), encodings[1].decode(zeros))
