"""Names of types: those that there are, what their cells are, and arrays of them."""

from __future__ import annotations

import decimal

import numpy as np
import pyarrow as pa
import pytest

from saltus.data.dtypes import as_arrow, family_of, is_dtype, type_of, unit_of

FAMILIES = {
    "bool": "numbers",
    "uint64": "numbers",
    "float32": "numbers",
    "decimal128(10, 2)": "numbers",
    "decimal256(70, 0)": "numbers",
    "text": "text",
    "date32[day]": "dates",
    "timestamp[us]": "times",
    "timestamp[s, tz=UTC]": "times with a time zone",
    "timestamp[ns, tz=+05:30]": "times with a time zone",
    "time64[us]": "times of day",
    "duration[ms]": "durations",
}


@pytest.mark.parametrize("name", FAMILIES)
def test_types_by_their_names(name: str) -> None:
    assert is_dtype(name)
    assert family_of(name) == FAMILIES[name]
    if name not in ("text", "bool", "float32", "uint64"):
        assert str(type_of(name)) == name
    assert as_arrow(np.array([1.0, np.nan]), name, ("x", "y") if name == "text" else ()).null_count == 1


@pytest.mark.parametrize("name", ["", "complex128", "timestamp[us, tz=Atlantis/Here]", "timestamp[h]", "decimal128(60, 2)", "list<int64>"])
def test_what_is_no_type(name: str) -> None:
    assert not is_dtype(name)


def test_units_in_nanoseconds() -> None:
    names = ("date32[day]", "timestamp[s]", "timestamp[us, tz=UTC]", "time64[ns]")
    assert [unit_of(name) for name in names] == [86_400 * 10**9, 10**9, 1000, 1]


def test_decimals_have_their_digits() -> None:
    cells = np.array([0.1 + 0.2, -1.005, 99.995, np.nan, 1e300])
    found = as_arrow(cells, "decimal128(5, 2)")
    assert found.type == pa.decimal128(5, 2)
    assert found.to_pylist()[0] == decimal.Decimal("0.30")
    assert found.to_pylist()[3:] == [None, decimal.Decimal("999.99")]
