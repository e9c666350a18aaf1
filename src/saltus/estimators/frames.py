"""Tables as users hold them, as pyarrow's and back: pandas, polars, pyarrow, or an array (N, d)."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from saltus.data.detect import check_width
from saltus.errors import SaltusError
from saltus.estimators.frame import Frame, keys_of
from saltus.extras import needs
from saltus.terminal import in_one_line
from saltus.words import in_brief

__all__ = ["to_arrow"]


def to_arrow(table: Any, skipped: Collection[str] = ()) -> tuple[Any, Frame]:
    """A pyarrow table, and what it was.

    Args:
        table: what a user holds.
        skipped: names of columns that are not looked at.

    Raises:
        SaltusError: if it is no table, or a column cannot be read; the sentence names the column, and the row where it is one cell.
    """
    arrow = needs("pyarrow", extra="tables")
    module, kind = type(table).__module__.partition(".")[0], type(table).__name__
    if module in ("pandas", "polars") and kind != "DataFrame":
        raise SaltusError(f"the table is a {kind} of {module}; expected a DataFrame: make it one")
    shape: Sequence[int] = getattr(table, "shape", ())
    check_width(shape[1] if len(shape) > 1 else 0)
    if module == "pandas":
        return _from_pandas(table, skipped)
    if module == "polars":
        columns = [_read(name, table.get_column(name).to_arrow, skipped, table.height) for name in table.columns]
        frame = Frame("polars", tuple(table.columns), tuple(table.dtypes), tuple(column.type for column in columns))
        return arrow.Table.from_arrays(columns, names=list(frame.keys)), frame
    if module == "pyarrow":
        whole = arrow.Table.from_batches([table]) if kind == "RecordBatch" else table
        if not isinstance(whole, arrow.Table):
            raise SaltusError(f"the table is a {kind} of pyarrow; expected a Table: make it one")
        frame = Frame("pyarrow", tuple(whole.column_names), tuple(whole.schema.types), tuple(whole.schema.types))
        return whole.rename_columns(list(frame.keys)), frame
    return _from_array(table, skipped)


def _from_array(table: Any, skipped: Collection[str]) -> tuple[Any, Frame]:
    arrow = needs("pyarrow", extra="tables")
    if hasattr(table, "tocoo"):
        raise SaltusError("the table is a sparse matrix; expected rows (N, d) as an array: give its toarray()")
    if isinstance(table, np.ma.MaskedArray):
        table = np.ma.filled(table.astype(np.float64), np.nan)
    array = np.asarray(table)
    if not array.ndim:
        raise SaltusError(
            f"the table is a {type(table).__name__}; expected a DataFrame of pandas or polars, a Table of pyarrow, or an array (N, d): "
            "make it one"
        )
    if array.shape[1:] == (0,):
        raise SaltusError(f"the table has 0 feature(s) (shape={array.shape}) while a minimum of 1 is required; give rows with columns")
    if array.ndim != 2 or array.dtype.kind not in "biufO":
        told = "Complex data not supported: " if array.dtype.kind == "c" else ""
        raise SaltusError(
            f"{told}the table is an array of shape {array.shape} and type {array.dtype}; expected rows (N, d) of numbers: give these"
        )
    names = tuple(f"column {j}" for j in range(array.shape[1]))
    columns = [_read(name, _reader(column, name), skipped, len(array)) for name, column in zip(names, array.T, strict=True)]
    frame = Frame("numpy", names, (array.dtype,) * len(names), tuple(column.type for column in columns))
    return arrow.Table.from_arrays(columns, names=list(names)), frame


def _from_pandas(table: Any, skipped: Collection[str]) -> tuple[Any, Frame]:
    arrow, labels = needs("pyarrow", extra="tables"), table.columns
    if twice := [label for label, again in zip(labels, labels.duplicated(), strict=True) if again]:
        raise SaltusError(
            f"two columns of the table have one name, {in_one_line(str(twice[0])) or 'which is empty'}; expected different ones: rename one"
        )
    keys = keys_of(labels)
    columns = [_read(key, _pandas_reader(table.iloc[:, k], key), skipped, len(table)) for k, key in enumerate(keys)]
    frame = Frame("pandas", tuple(labels), tuple(table.dtypes), tuple(column.type for column in columns))
    return arrow.Table.from_arrays(columns, names=list(keys)), frame


def _read(key: str, read: Callable[[], Any], skipped: Collection[str], n: int) -> Any:
    arrow = needs("pyarrow", extra="tables")
    if key in skipped:
        return arrow.nulls(n)
    try:
        return read()
    except SaltusError:
        raise
    except Exception as error:  # pyarrow has several, and polars panics
        raise SaltusError(
            f"the column {in_one_line(key)} cannot be read ({in_brief(error):.120}); expected numbers, text or dates: convert or drop it"
        ) from error


def _pandas_reader(series: Any, key: str) -> Callable[[], Any]:
    arrow, dtype = needs("pyarrow", extra="tables"), series.dtype
    kind = type(dtype).__name__

    def read() -> Any:
        plain = series.sparse.to_dense() if kind == "SparseDtype" else series
        if kind == "CategoricalDtype" and plain.cat.categories.dtype.kind not in "biufM" and not _texts(plain.cat.categories):
            plain = plain.cat.rename_categories(list(map(str, plain.cat.categories)))
        if plain.dtype.kind == "c":
            raise SaltusError(
                f"the column {in_one_line(key)} holds complex numbers; expected real ones: give their parts as two columns, or leave it out"
            )
        found = _reader(plain, key)()
        if plain.dtype == object and arrow.types.is_timestamp(found.type) and (mixed := _zones_differ(plain, key)):
            raise mixed
        return found

    return read


def _reader(values: Any, key: str) -> Callable[[], Any]:
    """Of a series, or of a column of an array."""

    def read() -> Any:
        try:
            return needs("pyarrow", extra="tables").array(values, from_pandas=values.dtype.kind not in "biu")
        except Exception as error:
            raise _differing(values, key) or error from error

    return read


def _texts(values: Sequence[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _differing(series: Any, key: str) -> SaltusError | None:
    """What is wrong with objects: the first that is of another type than those before it."""
    there = [(row, value) for row, value in enumerate(series.tolist()) if value is not None and value == value]
    odd = next(((row, value) for row, value in there if type(value) is not type(there[0][1])), None)
    if odd is None:
        return None
    one, other = there[0][1], odd[1]
    return SaltusError(
        f"the column {in_one_line(key)} holds values of different types, {in_one_line(repr(one)):.40} in row {there[0][0]} and "
        f"{in_one_line(repr(other)):.40} in row {odd[0]}; convert them to one"
    )


def _zones_differ(series: Any, key: str) -> SaltusError | None:
    """Of dates and times some of which have a time zone: which of the others is first."""
    zoned = [
        (row, value.tzinfo is not None)
        for row, value in enumerate(series.tolist())
        if isinstance(value, datetime.datetime) and value == value
    ]
    odd = next((row for row, has in zoned if has != zoned[0][1]), None)
    if odd is None:
        return None
    has = "a time zone" if zoned[0][1] else "no time zone"
    return SaltusError(
        f"the column {in_one_line(key)} holds times with {has} down to row {odd}, which is not so; give all of them a time zone, or none"
    )
