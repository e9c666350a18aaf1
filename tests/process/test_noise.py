"""Random numbers belong to (seed, item, level, role): not to batches, and to nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from saltus.process import Noise
from tests.helpers.checks import follows, mean_is, normal_cdf

MANY = 100_000


@settings(max_examples=50)
@given(st.integers(0, 30), st.integers(1, 12), st.integers(0, 12), st.integers(1, 9))
def test_an_item_keeps_its_noise_whatever_the_batch(first: int, n: int, split: int, size: int) -> None:
    split = min(split, n)
    whole = Noise(5, 0, first + n).normal("role", (size,))[first:]
    parts = [Noise(5, first, split), Noise(5, first + split, n - split)]
    assert torch.equal(torch.cat([part.normal("role", (size,)) for part in parts]), whole)
    assert torch.equal(torch.cat([part.uniform("role") for part in parts]), Noise(5, 0, first + n).uniform("role")[first:])


def test_every_part_of_the_key_counts() -> None:
    base = Noise(1, 0, MANY)
    x = base.normal("a", ())
    others = [base.normal("b", ()), base.at(1).normal("a", ()), Noise(2, 0, MANY).normal("a", ()), Noise(1, MANY, MANY).normal("a", ())]
    for other in others:
        assert not (x == other).any()
        assert mean_is(x * other, 0.0)  # uncorrelated
    assert not mean_is(x * base.at(0).normal("a", ()), 0.0)  # the twin: the same key


def test_numbers_of_one_item_are_apart() -> None:
    x = Noise(3, 0, MANY).normal("a", (3,))
    for i, j in [(0, 1), (0, 2), (1, 2)]:
        assert mean_is(x[:, i] * x[:, j], 0.0)
    assert mean_is(x[:-1, 0] * x[1:, 0], 0.0)  # neighbouring items


def test_laws() -> None:
    noise = Noise(7, 0, MANY)
    assert follows(noise.normal("a", ()), normal_cdf())
    assert not follows(noise.normal("a", ()), normal_cdf(variance=1.1))  # the twin
    assert follows(noise.uniform("a"), stats.uniform.cdf)
    assert not follows(noise.uniform("a"), stats.uniform(0, 1.02).cdf)  # the twin


@pytest.mark.parametrize("word", [0, 2**64 - 1])
def test_the_interval_is_open(word: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the generator gives its smallest or its largest word."""

    class Extreme:
        def __init__(self, **_: object) -> None: ...

        def random_raw(self, n: int) -> np.ndarray:
            return np.full(n, word, dtype=np.uint64)

    monkeypatch.setattr(np.random, "Philox", Extreme)
    noise = Noise(0, 0, 1)
    assert 0 < float(noise.uniform("a")) < 1
    assert torch.isfinite(noise.normal("a", (), like=torch.zeros(1))).all()


def test_dtype_and_shape() -> None:
    noise = Noise(0, 0, 4)
    assert noise.normal("a", (2, 3), like=torch.zeros(1)).dtype == torch.float32
    assert noise.normal("a", (2, 3)).dtype == noise.uniform("a").dtype == torch.float64
    assert noise.normal("a", (2, 3)).shape == (4, 2, 3)
    assert noise.normal("a", (0,)).shape == (4, 0)
    assert Noise(0, 0, 0).normal("a", (2,)).shape == (0, 2)
    assert torch.equal(noise.normal("a", (6,)), noise.normal("a", (2, 3)).flatten(1))


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"first_item": -2}, {"n": -3}, {"level": -4}])
def test_negative_keys_are_refused(wrong: dict[str, int]) -> None:
    name, value = next(iter(wrong.items()))
    with pytest.raises(ValueError, match=f"{name}={value}"):
        Noise(**({"seed": 0, "first_item": 0, "n": 1} | wrong))
