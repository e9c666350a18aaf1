"""Missing cells go with all that is there: with cells that follow from what is missing too."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from saltus.chain import Chain, StandardNormal
from saltus.data import AS_GIVEN, Columns, DataSet, table_parts
from saltus.errors import SaltusError
from saltus.estimators.imputing import imputed
from saltus.kernels import AutoregressiveKernel
from saltus.levels import Levels
from tests.helpers.stubs import randomise

pa = pytest.importorskip("pyarrow")

N = 400
STATES = [0, 0, 0, 1, 1, 2]
"""Of six cities."""


def data() -> DataSet:
    """Cities that tell their states, those that tell their coasts; a length that tells another unit; a number; a total."""
    rng = np.random.default_rng(0)
    city, length, rooms, baths = rng.integers(0, 6, N), rng.normal(10, 3, N), rng.integers(0, 9, N), rng.integers(0, 7, N)
    state = np.array(STATES)[city]
    columns = {
        "city": [f"city {k}" for k in city],
        "state": [f"state {k}" for k in state],
        "coast": ["east" if k < 2 else "west" for k in state],
        "length": length,
        "feet": 3.25 * length,
        "rooms": rooms,
        "baths": baths,
        "total": rooms + baths,
    }
    return DataSet.from_parts(table_parts([pa.table(columns), None, None], ["the table", "", ""]), name="t", preparation=AS_GIVEN)


DATA = data()
CITY, STATE, COAST, LENGTH, FEET, ROOMS, BATHS, TOTAL = range(8)
MISSING = np.nan


@pytest.fixture(scope="module")
def chain() -> Chain:
    torch.manual_seed(0)
    assert isinstance(DATA.encoding, Columns)
    assert len(DATA.encoding.determined) == 4
    numbers = [number for column in DATA.encoding.columns for number in column.axes]
    kernel = AutoregressiveKernel((len(numbers),), width=16, numbers=numbers)
    randomise(kernel)
    return Chain(StandardNormal(), Levels((0.0, 3.0)), kernel)


def rows(n: int = 200) -> np.ndarray:
    found: np.ndarray = DATA.encoding.decode(DATA.train[:n]).astype(np.float64)
    return found


def filled(chain: Chain, cells: np.ndarray, draws: int = 3, seed: int = 0) -> np.ndarray:
    assert isinstance(DATA.encoding, Columns)
    found = imputed(chain, DATA.encoding, cells, draws, seed)
    assert found.shape == (len(cells), draws, 8)
    assert np.isfinite(found).all()
    kept = np.broadcast_to(cells[:, None], found.shape)
    np.testing.assert_array_equal(found[~np.isnan(kept)], kept[~np.isnan(kept)])
    return found


def consistent(found: np.ndarray) -> np.ndarray:
    """Of each row, whether what follows from other cells does."""
    assert isinstance(DATA.encoding, Columns)
    flat = found.reshape(-1, 8)
    return ~DATA.encoding.disagreeing(flat).any(1).reshape(found.shape[:-1])


def test_what_follows_is_written_from_what_is_there(chain: Chain) -> None:
    cells = rows()
    cells[:, [STATE, COAST, FEET, TOTAL]] = MISSING
    found = filled(chain, cells)
    assert consistent(found).all()
    np.testing.assert_array_equal(found[:, :, FEET], 3.25 * cells[:, [LENGTH] * 3])  # to the last digit


def test_what_is_missing_is_among_what_can_have_led_to_what_is_there(chain: Chain) -> None:
    """A city of the state that is told, of several; and the city itself where the state has one."""
    cells = rows()
    cells[:, CITY] = MISSING
    found = filled(chain, cells)
    assert consistent(found).all()
    assert len(np.unique(found[cells[:, STATE] == 0, :, CITY])) == 3
    assert len(np.unique(found[cells[:, STATE] == 2, :, CITY])) == 1
    free = filled(chain, np.where(np.arange(8) == CITY, cells, MISSING))  # the twin: nothing tells the state
    assert len(np.unique(free[:, :, CITY])) == 6
    assert consistent(free).all()


def test_what_leads_to_what_leads_is_told_too(chain: Chain) -> None:
    """The coast tells the state in one case, and that the city."""
    cells = rows()
    cells[:, [CITY, STATE]] = MISSING
    found = filled(chain, cells)
    west = cells[:, COAST] == 1
    assert (found[west][:, :, STATE] == 2).all()
    assert (found[west][:, :, CITY] == 5).all()
    assert consistent(found[west]).all()


def test_a_number_is_told_by_another_unit_of_it(chain: Chain) -> None:
    cells = rows()
    cells[:, LENGTH] = MISSING
    found = filled(chain, cells)
    np.testing.assert_allclose(found[:, :, LENGTH], cells[:, [FEET] * 3] / 3.25, rtol=1e-12)


def test_draws_are_others_and_seeds_too(chain: Chain) -> None:
    cells = rows(60)
    cells[:, [LENGTH, FEET]] = MISSING
    one, other = filled(chain, cells), filled(chain, cells, seed=1)
    assert len(np.unique(one[:, :, LENGTH])) > 150  # but for those that end where data do
    assert np.isin(other[:, :, LENGTH], one[:, :, LENGTH]).mean() < 0.1
    np.testing.assert_array_equal(filled(chain, cells), one)
    whole = rows(5)
    np.testing.assert_array_equal(filled(chain, whole), np.repeat(whole[:, None], 3, 1))
    assert imputed(chain, DATA.encoding, whole[:0], 2, 0).shape == (0, 2, 8)  # type: ignore[arg-type]


def test_a_cell_that_its_column_never_holds_is_told(chain: Chain) -> None:
    cells = rows(4)
    cells[2, ROOMS] = 2.5
    with pytest.raises(SaltusError, match=r"the column rooms holds 2\.5 in row 2"):
        filled(chain, cells)
