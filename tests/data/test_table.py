"""Tables: types, values and ranges come back; likelihoods are in the units of the file."""

from __future__ import annotations

import json
from collections.abc import Callable

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from saltus.data import Columns, DataSet, NumberColumn, StepColumn, load
from saltus.data.detect import columns_of
from saltus.errors import SaltusError
from saltus.likelihoods import ColumnsHead, GaussianHead, Number
from saltus.registry import build, describe
from tests.helpers.checks import assert_one_sentence

TYPES = ["bool", "uint8", "int8", "uint16", "int32", "int64", "uint64", "float16", "float32", "float64"]


def people(n: int = 2000, seed: int = 0) -> np.ndarray:
    """An age, a flag that goes with it, and a count."""
    rng = np.random.default_rng(seed)
    age = np.clip(rng.gamma(9, 4.5, n), 17, 90).astype(int)
    return np.stack([age, rng.random(n) < 0.25 + 0.4 * (age > 45), rng.poisson(0.7, n)], 1)


def mixed(n: int = 2000, seed: int = 0) -> np.ndarray:
    """Counts, a tail, a tail with zeros, decimals, a flag, plain numbers, and one value."""
    rng = np.random.default_rng(seed)
    tail = rng.lognormal(0, 2.5, (2, n))
    zeros = np.where(rng.random(n) < 0.4, 0, tail[1])
    columns = [
        rng.poisson(9, n),
        tail[0],
        zeros,
        np.round(rng.normal(5, 1, n), 1),
        rng.integers(0, 2, n),
        rng.normal(size=n),
        np.full(n, 2),
    ]
    return np.stack(columns, 1)


@pytest.mark.parametrize("dtype", TYPES)
def test_a_type_comes_back(dtype: str) -> None:
    raw = (people() % 2 if dtype == "bool" else people()).astype(dtype)
    encoding = load(raw).encoding
    back = encoding.decode(encoding.encode(raw))
    assert back.dtype == raw.dtype
    np.testing.assert_array_equal(back, raw)
    anything = encoding.decode(3 * torch.randn(500, 3, generator=torch.Generator().manual_seed(0)))
    assert (anything.min(0) >= raw.min(0)).all()
    assert (anything.max(0) <= raw.max(0)).all()
    np.testing.assert_array_equal(anything, np.rint(anything.astype(np.float64)))


@settings(max_examples=40, deadline=None)
@given(arrays.arrays(np.int64, (60, 2), elements=st.integers(-(2**20), 2**20)), st.sampled_from([0, 2**40, -(2**52)]))
def test_whole_numbers_come_back_wherever_they_lie(raw: np.ndarray, offset: int) -> None:
    raw = raw + offset
    encoding = columns_of([raw], raw)
    np.testing.assert_array_equal(encoding.decode(encoding.encode(raw)), raw)


@settings(max_examples=40, deadline=None)
@given(arrays.arrays(np.float64, (80, 2), elements=st.just(0.0) | st.floats(1e-3, 1e6) | st.floats(-1e6, -1e-3)))
def test_floats_come_back_within_rounding(raw: np.ndarray) -> None:
    encoding = columns_of([raw], raw[:50])
    y = encoding.encode(raw)
    encoding.head().check(y)
    back = encoding.decode(y)
    spread = raw.max(0) - raw.min(0)
    assert (np.abs(back - raw) <= 1e-5 * (np.abs(raw) + spread)).all()


def test_draws_end_where_data_do() -> None:
    raw = mixed()
    encoding = load(raw).encoding
    for far in (-1e6, 1e6):
        found = encoding.decode(torch.full((1, 7), far))[0]
        np.testing.assert_array_equal(found, raw.min(0) if far < 0 else raw.max(0))
    assert (encoding.decode(10 * torch.randn(1000, 7))[:, 1:3] >= 0).all()


def test_a_table_of_known_distributions_costs_their_entropy() -> None:
    """Columns on their own, each by N(0, 1) on its axis: none costs less than its entropy, and those that the axis fits no more."""
    rng, n = np.random.default_rng(0), 20_000
    raw = np.stack([rng.lognormal(0, 2.5, n), np.round(rng.normal(40, 9, n)), rng.normal(2, 3, n)], 1)
    data = load(raw)
    head, y = data.encoding.head(), data.test
    nats = data.encoding.log_jacobian(y) - head.log_prob(y.double(), torch.zeros_like(y), torch.ones_like(y))
    entropy = stats.lognorm(2.5).entropy() + stats.norm(0, 9).entropy() + stats.norm(0, 3).entropy()  # steps of 1: mass is about density
    error = float(nats.std()) / len(y) ** 0.5
    assert abs(float(nats.mean()) - entropy) < 5 * error + 0.02
    assert float(data.encoding.log_jacobian(y).std()) > 1  # it is an item's own


def test_plain_numbers_have_the_density_that_they_had() -> None:
    rows = np.random.default_rng(0).normal(3, 7, (500, 2))
    encoding = load(rows).encoding
    assert isinstance(encoding.head(), GaussianHead)
    assert isinstance(load(mixed()).encoding.head(), ColumnsHead)
    std = [column.number.std for column in encoding.columns]  # type: ignore[attr-defined]
    jacobian = encoding.log_jacobian(encoding.encode(rows))
    assert torch.allclose(jacobian, torch.tensor(std, dtype=torch.float64).log().sum().expand(500))


def test_it_can_be_written_down_and_shares_its_axes_with_its_head() -> None:
    raw = mixed()
    encoding = load(raw).encoding
    description, tensors = describe(encoding)
    again = build(json.loads(json.dumps(description)), tensors)
    assert isinstance(again, Columns)
    assert again.key == encoding.key != load(mixed(seed=1)).encoding.key
    y = encoding.encode(raw)
    assert torch.equal(again.encode(raw), y)
    np.testing.assert_array_equal(again.decode(y), encoding.decode(y))
    assert torch.equal(again.log_jacobian(y), encoding.log_jacobian(y))
    assert encoding.summary() == "rows of 7 columns: 1 continuous, 4 counted, 1 transformed, 1 with spikes"
    head = encoding.head()
    assert isinstance(head, ColumnsHead)
    assert all(one is column.number for one, column in zip(head.numbers, encoding.columns, strict=True))  # type: ignore[attr-defined]


def test_fresh_rows_are_taken_and_rows_of_other_kinds_are_not() -> None:
    encoding = load(people()).encoding
    beyond = np.array([[95, 0, 11]])
    assert encoding.encode(beyond).isfinite().all()
    np.testing.assert_array_equal(encoding.decode(encoding.encode(beyond)), [[people()[:, 0].max(), 0, people()[:, 2].max()]])
    assert torch.equal(encoding.encode(people(50, 1).astype(np.float32)), encoding.encode(people(50, 1)))
    wrong = [np.array([[38.4, 0, 1]]), np.array([["a", "b", "c"]]), np.array([[np.nan, 0, 1]]), np.zeros((3, 4))]
    for raw, words in zip(
        wrong, ("column 0 holds 38.4 in row 0 where 17 to ", "type <U1", "column 0 holds a missing cell in row 0", "(3, 4)"), strict=True
    ):
        with pytest.raises(SaltusError) as caught:
            encoding.encode(raw)
        assert_one_sentence(caught.value, words)
    with pytest.raises(SaltusError, match="type complex128"):
        Columns([NumberColumn(Number(0, 1))], "complex128")


@pytest.mark.parametrize("mean", [-1.0, 2.5])
def test_masses_of_all_raw_values_sum_to_1_and_those_beyond_the_ends_have_less_than_the_ends(mean: float) -> None:
    """Of a column in lumps under some distribution: what its ends stand for is split among all that is beyond."""
    lumps = np.array([12, 24, 36, 60])[np.random.default_rng(0).choice(4, 900, p=[0.1, 0.2, 0.3, 0.4])]
    encoding = load(np.column_stack([lumps, np.random.default_rng(1).normal(size=900)])).encoding
    assert isinstance(encoding, Columns)
    assert isinstance(encoding.columns[0], StepColumn)
    raw = np.column_stack([np.arange(12.0 - 12 * 40_000, 12 * 40_000, 12), np.zeros(80_000 - 1)])

    def nats(rows: np.ndarray, by: Columns = encoding) -> torch.Tensor:
        y = by.encode(rows)
        return by.log_jacobian(y) - by.head().log_prob(y.double(), torch.full_like(y, mean), torch.ones_like(y))

    hidden = torch.from_numpy(encoding.surprise(raw))
    total = nats(raw) + hidden
    (beside,) = nats(raw[:1, 1:], Columns(encoding.columns[1:], "float64")).tolist()  # the second column's, which is the same in all rows
    assert float(-torch.logsumexp(-total, 0)) == pytest.approx(beside, abs=2e-3)
    assert float(-torch.logsumexp(-nats(raw), 0)) < beside - 5  # the twin: if all that is beyond an end had what the end has
    assert (total[raw[:, 0] > 60].diff() > 0).all()
    assert float(total[raw[:, 0] == 72][0]) > float(total[raw[:, 0] == 60][0]) + 9


def test_columns_of_bytes_have_their_own_ranges() -> None:
    """Each is centred, of variance 1, but for one that is placed by its shares: none is squeezed by the range of another."""
    data = DataSet.from_arrays(people().astype(np.uint8))
    plain = [j for j, column in enumerate(data.encoding.columns) if not column.number.shares]  # type: ignore[attr-defined]
    assert plain == [0, 1]
    assert torch.allclose(data.train[:, plain].mean(0), torch.zeros(2), atol=1e-5)
    assert torch.allclose(data.train[:, plain].std(0, correction=0), torch.ones(2), atol=1e-5)
    assert 0.5 < float(data.train[:, 2].std()) < 1.5


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 9),
    st.floats(0, 0.6),
    st.sampled_from([lambda rng, n: rng.normal(size=n), lambda rng, n: rng.integers(0, 400, n), lambda rng, n: 50.0 * rng.poisson(3, n)]),
)
def test_cells_of_every_kind_come_back(seed: int, categories: int, missing: float, numbers: Callable[..., np.ndarray]) -> None:
    rng = np.random.default_rng(seed)
    cells = np.stack([rng.integers(0, categories, 90), numbers(rng, 90), rng.integers(0, 2, 90)], 1).astype(float)
    cells[rng.random((90, 3)) < [[missing, missing, 0.0]]] = np.nan
    cells[0] = 0
    encoding = columns_of([cells], cells[:60], categories={0: [f"c{k}" for k in range(categories)]})
    y = encoding.encode(cells)
    head = encoding.head()
    head.check(y)
    np.testing.assert_allclose(encoding.decode(y), cells, rtol=1e-5, atol=1e-5)
    assert head.log_prob(y.double(), torch.zeros_like(y).double(), torch.ones_like(y).double()).isfinite().all()
    assert encoding.log_jacobian(y).isfinite().all()
    drawn = encoding.decode(3 * torch.randn(500, *encoding.event_shape, generator=torch.Generator().manual_seed(0)))
    assert set(drawn[~np.isnan(drawn[:, 0]), 0]) <= set(range(categories))
    assert np.isnan(drawn).any(0)[2] == np.False_


def test_missing_cells_cost_what_their_pattern_costs() -> None:
    """A cell that is there one time in four, independent of all: N(0, 1) costs a row the entropy of that and of what is there."""
    rng, n = np.random.default_rng(0), 20_000
    cells = np.stack([np.where(rng.random(n) < 0.25, rng.normal(3, 2, n), np.nan), rng.choice(4, n, p=[0.5, 0.3, 0.15, 0.05])], 1)
    encoding = columns_of([cells], cells, categories={1: "abcd"})
    y = encoding.encode(cells)
    nats = encoding.log_jacobian(y) - encoding.head().log_prob(y.double(), torch.zeros_like(y).double(), torch.ones_like(y).double())
    expected = stats.entropy([0.25, 0.75]) + 0.25 * stats.norm(0, 2).entropy() + stats.entropy([0.5, 0.3, 0.15, 0.05])
    assert abs(float(nats.mean()) - expected) < 5 * float(nats.std()) / n**0.5 + 0.01


def every_kind(n: int = 300) -> tuple[np.ndarray, Columns]:
    """A category, a continuous number and a counted one of which some cells are missing, one with a spike; and their encoding."""
    rng = np.random.default_rng(0)
    columns = [
        rng.integers(0, 3, n),
        rng.normal(3, 2, n),
        rng.integers(0, 200, n),
        np.where(rng.random(n) < 0.4, 0, rng.lognormal(0, 2, n)),
    ]
    cells = np.stack(columns, 1).astype(float)
    cells[rng.random(n) < 0.3, 1], cells[rng.random(n) < 0.3, 2] = np.nan, np.nan
    return cells, columns_of([cells], cells, categories={0: "abc"})


def test_columns_know_their_places() -> None:
    _, encoding = every_kind()
    assert [list(own) for own in encoding.places] == [[0], [1, 2], [3, 4], [5]]
    assert [list(own) for own in load(people()).encoding.places] == [[0], [1], [2]]  # type: ignore[attr-defined]


def test_rows_of_which_cells_are_unknown() -> None:
    """What is known is as in the whole row; of what is not, that it is there."""
    cells, encoding = every_kind()
    whole = cells[~np.isnan(cells).any(1)][:50]
    y, rng = encoding.encode(whole), np.random.default_rng(1)
    unknown = rng.random(whole.shape) < 0.4
    found, known = encoding.partial(np.where(unknown, np.nan, whole))
    assert (found.dtype, known.dtype) == (torch.float32, torch.bool)
    expected = ~torch.from_numpy(unknown)[:, [0, 1, 1, 2, 2, 3]]
    expected[:, [1, 3]] = True
    assert torch.equal(known, expected)
    assert torch.equal(found[known], y[known])
    assert found.isfinite().all()
    with pytest.raises(SaltusError, match=r"column 2 holds 3\.5 in row 1 where 1 to 199"):
        encoding.partial(np.array([[0, 1.0, 7, 2.0], [0, 1.0, 3.5, 2.0]]))


def test_rows_with_what_was_never_there() -> None:
    cells, encoding = every_kind()
    rows = cells[:4].copy()
    rows[0], rows[1, 0], rows[2, 2], rows[3, 3] = [1, np.nan, 7, 2.0], np.nan, 3.5, np.inf
    y, known, strange = encoding.tolerant(rows)
    assert np.argwhere(strange).tolist() == [[1, 0], [2, 2], [3, 3]]
    assert known.all(0).tolist() == [False, True, True, False, False, False]
    assert [int(k) for k in (~known).sum(0)] == [1, 0, 0, 1, 1, 1]
    assert torch.equal(y[0], encoding.encode(rows[:1])[0])
    assert encoding._numbers.absent(y.double())[0].tolist() == [False, False, True, False, False, False]


@pytest.mark.parametrize("j", [1, 2, 3])
def test_the_interval_of_a_range_holds_its_cells_and_no_others(j: int) -> None:
    cells, encoding = every_kind()
    there = cells[~np.isnan(cells[:, j])]
    y, rng = encoding.encode(there).double(), np.random.default_rng(0)
    for low, high in np.sort(rng.choice(there[:, j], (50, 2)), axis=1).tolist():
        place, (below, above) = encoding.interval(j, low, high)  # type: ignore[misc]
        assert place == encoding.places[j][-1]
        inside = (there[:, j] >= low) & (there[:, j] <= high)
        own, rounding = y[:, place].numpy(), 2e-6
        assert ((own >= below - rounding) & (own <= above + rounding))[inside].all()
        assert not ((own > below + rounding) & (own < above - rounding))[~inside].any()
        assert encoding.ends(j, low, high) == pytest.approx((low, high), abs=1e-12)
    assert encoding.interval(j, 1e9, 2e9) is None
    assert encoding.ends(j, 1e9, 2e9) is None
    assert encoding.ends(j, -np.inf, np.inf) == (np.nanmin(cells[:, j]), np.nanmax(cells[:, j]))


def test_a_missing_cell_is_that_of_a_row_without_it() -> None:
    cells, encoding = every_kind()
    row = cells[~np.isnan(cells).any(1)][:1].copy()
    for j in (1, 2):
        row[0, j] = np.nan
        assert torch.equal(encoding.missing(j, "b"), encoding.encode(row)[0, list(encoding.places[j])])
    with pytest.raises(SaltusError) as caught:
        encoding.missing(0, "cut")
    assert_one_sentence(caught.value, "a missing cell of cut was asked for, and none is missing in the data")
