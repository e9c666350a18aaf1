"""Columns that are sums of others are found, written to the last digit, and told."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from saltus import SaltusError
from saltus.data import Columns, MappedColumn, NumberColumn, SummedColumn
from saltus.data.detect import columns_of
from saltus.likelihoods import Number
from saltus.registry import build, describe
from tests.helpers.checks import assert_one_sentence

N = 1500
RNG = np.random.default_rng(0)
ONE, OTHER, THIRD = np.round(RNG.lognormal(5, 1, N), 2), np.round(RNG.gamma(2, 300, N), 2), RNG.normal(20, 5, N)
KIND = NumberColumn(Number(0, 9))
SUMS = {
    "a total": ([ONE, OTHER, np.round(ONE + OTHER, 2)], 2, "a + b"),
    "a total that stands first": ([np.round(ONE + OTHER, 2), ONE, OTHER], 0, "b + c"),
    "a year of months": ([ONE, np.round(12 * ONE, 2)], 1, "12 a"),
    "a month of years": ([ONE, np.round(ONE / 12, 2), OTHER], 1, "1/12 a"),
    "another unit": ([THIRD, 1.8 * THIRD + 32], 1, "1.8 a + 32"),
    "digits": ([OTHER, THIRD, np.round(1.19 * OTHER + 0.45359 * THIRD, 3)], 2, "1.19 a + 0.45359 b"),
    "three summands": ([ONE, OTHER, THIRD, ONE - OTHER + THIRD / 2], 3, "a - b + 0.5 c"),
    "whole numbers": ([np.rint(ONE), np.rint(OTHER), 2 * np.rint(ONE) + 3 * np.rint(OTHER) - 7], 2, "2 a + 3 b - 7"),
}


@pytest.mark.parametrize("case", SUMS)
def test_sums_are_found_and_written(case: str) -> None:
    columns, target, words = SUMS[case]
    rows = np.stack([*columns, np.random.default_rng(1).normal(size=N)], 1)
    encoding = columns_of([rows], rows)
    assert list(encoding.determined) == [target]
    column = encoding.determined[target]
    assert isinstance(column, SummedColumn)
    assert column.said("abcdef") == f"by {words}"
    sources = rows[:, list(column.sources)]
    np.testing.assert_allclose(column.written(sources), rows[:, target], rtol=1e-12)
    assert column.agrees(rows[:, target], sources).all()
    drawn = encoding.decode(torch.randn(500, *encoding.event_shape, generator=torch.Generator().manual_seed(0)))
    np.testing.assert_array_equal(drawn[:, target], column.written(drawn[:, list(column.sources)]))
    np.testing.assert_allclose(encoding.decode(encoding.encode(rows)), rows, rtol=1e-5, atol=0.011)  # a half may be rounded otherwise


@pytest.mark.parametrize("case", SUMS)
def test_one_row_that_disagrees_is_enough(case: str) -> None:
    columns, target, _ = SUMS[case]
    rows = np.stack([*columns, np.random.default_rng(1).normal(size=N)], 1)
    rows[-1, target] += 100
    assert not columns_of([rows], rows).determined


def test_what_is_nearly_a_sum_is_none() -> None:
    noise = np.random.default_rng(2).normal(size=N)
    rows = np.stack([ONE, OTHER, ONE + OTHER + 0.05 * noise, ONE * OTHER, ONE + OTHER + THIRD + noise], 1)
    assert not columns_of([rows], rows).determined
    odd = np.stack([noise, math.pi * noise + math.e * THIRD, THIRD], 1)  # weights that no one wrote
    assert not columns_of([odd], odd).determined
    four = np.stack([ONE, OTHER, THIRD, noise, ONE + OTHER + THIRD + noise], 1)
    assert not columns_of([four], four).determined


def test_columns_of_float32_are_rounded_as_they_are() -> None:
    one, other = ONE.astype(np.float32), OTHER.astype(np.float32)
    rows = np.stack([one, other, one + other, THIRD.astype(np.float32)], 1)
    encoding = columns_of([rows], rows)
    assert list(encoding.determined) == [2]
    assert not encoding.disagreeing(rows).any()
    assert encoding.decode(encoding.encode(rows)).dtype == np.float32


def test_what_follows_from_a_sum_is_written_after_it() -> None:
    one, other = np.rint(ONE) % 40, np.rint(OTHER) % 60
    total = one + other
    rows = np.stack([total // 25, total, one, other, THIRD], 1)
    encoding = columns_of([rows], rows)
    assert {j: (type(column), column.sources) for j, column in encoding.determined.items()} == {
        1: (SummedColumn, (2, 3)),
        0: (MappedColumn, (1,)),
    }
    drawn = encoding.decode(torch.randn(500, 3, generator=torch.Generator().manual_seed(0)))
    np.testing.assert_array_equal(drawn[:, 1], drawn[:, 2] + drawn[:, 3])
    np.testing.assert_array_equal(drawn[:, 0], drawn[:, 1] // 25)


def test_what_disagrees_costs_nats_and_probabilities_sum_to_one() -> None:
    column = SummedColumn(KIND, [0, 2], [1.0, -2.0], 0.5, 1, 1e-11, 4, 98)
    sources = np.array([[1.0, 0.2]] * 5)
    cells = np.array([1.1, 1.2, 0.0, 7.0, 99.0])
    assert column.agrees(cells, sources).tolist() == [True, False, False, False, False]
    np.testing.assert_allclose(np.exp(-column.surprise(cells, sources)), [0.99, *[0.0025] * 4])
    assert column.known(sources).all()
    assert column.sources_of(1.1).shape == (0, 2)
    assert SummedColumn(KIND, [1], [4.0], 2.0, None, 1e-11, 4, 98).sources_of(10).tolist() == [2]
    with pytest.raises(ValueError, match="a weight for each source"):
        SummedColumn(KIND, [0, 2], [1.0], 0.0, None, 1e-11, 4, 98)


def test_it_is_written_down_and_made_again() -> None:
    rows = np.stack([ONE, OTHER, np.round(ONE + OTHER, 2)], 1)
    encoding = columns_of([rows], rows)
    description, tensors = describe(encoding)
    again = build(json.loads(json.dumps(description)), tensors)
    y = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(again.decode(y), encoding.decode(y))
    np.testing.assert_array_equal(again.surprise(rows), encoding.surprise(rows))


def test_columns_follow_in_no_circle() -> None:
    def of(source: int) -> SummedColumn:
        return SummedColumn(KIND, [source], [2.0], 0.0, None, 1e-11, 4, 98)

    assert Columns([of(1), of(2), KIND], "float64").event_shape == (1,)
    assert list(Columns([of(1), of(2), KIND], "float64").determined) == [1, 0]
    for columns in ([of(1), of(0), KIND], [of(3), KIND, KIND], [of(0), KIND]):
        with pytest.raises(SaltusError) as caught:
            Columns(columns, "float64")
        assert_one_sentence(caught.value, "column 0 follows from what is not known")
