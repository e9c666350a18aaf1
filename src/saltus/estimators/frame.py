"""What a table was, so that rows are given back as it had them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.terminal import in_one_line

__all__ = ["Frame", "keys_of"]

_PERIOD = "period["


def keys_of(names: Sequence[Any]) -> tuple[str, ...]:
    """Names of columns as text; those without a name are numbered."""
    return tuple(str(name) or f"number {k + 1}" for k, name in enumerate(names))


@dataclass(frozen=True)
class Frame:
    """What a table was.

    Attributes:
        library: whose it was.
        names: those of the columns, as the library has them.
        dtypes: types of the columns, the library's own.
        types: those of the columns as pyarrow's; none where they are not known.
    """

    library: str
    names: Sequence[Any]
    dtypes: Sequence[Any]
    types: Sequence[Any] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """The names as text, as the pyarrow table has them."""
        return keys_of(self.names)

    @property
    def named(self) -> bool:
        """Whether the library has names of columns."""
        return self.library != "numpy"

    def check_periods(self, other: Frame) -> None:
        """Raise SaltusError if the periods of another table are of other lengths: they are counted."""
        own = dict(zip(self.keys, map(str, self.dtypes), strict=True))
        for key, dtype in zip(other.keys, map(str, other.dtypes), strict=True):
            expected = own.get(key, dtype)
            if dtype != expected and (dtype.startswith(_PERIOD) or expected.startswith(_PERIOD)):
                raise SaltusError(
                    f"the column {in_one_line(key)} is of the type {dtype} where {expected} was expected; give it as the data have it"
                )

    @property
    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {"library": self.library, "names": list(map(_plain_name, self.names)), "dtypes": list(map(_plain_dtype, self.dtypes))}

    @classmethod
    def of_plain(cls, given: Any) -> Frame:
        """From what `plain` gave; tables of polars come as pyarrow's.

        Raises:
            KeyError, TypeError, ValueError: if it is something else.
        """
        library = str(given["library"])
        names = tuple(tuple(name) if isinstance(name, list) else name for name in given["names"])
        dtypes = tuple(given["dtypes"])
        if library not in ("pandas", "polars", "pyarrow", "numpy") or len(names) != len(dtypes):
            raise ValueError(f"a table of {library} with {len(names)} names and {len(dtypes)} types")
        if not all(isinstance(dtype, str) or (isinstance(dtype, dict) and isinstance(dtype["categories"], list)) for dtype in dtypes):
            raise TypeError("types that have no names")
        return cls("pyarrow" if library == "polars" else library, names, dtypes)

    def of(self, columns: Sequence[Any], kept: Sequence[int]) -> Any:
        """Pyarrow arrays, of the columns with these numbers, as the library's table."""
        arrow = needs("pyarrow", extra="tables")
        names, dtypes = [self.names[k] for k in kept], [self.dtypes[k] for k in kept]
        if self.types:
            columns = [_text_again(column, self.types[k]) for column, k in zip(columns, kept, strict=True)]
        if self.library == "pandas":
            pandas = _pandas()
            series = {
                place: _as_series(column, _pandas_dtype(dtype)) for place, (column, dtype) in enumerate(zip(columns, dtypes, strict=True))
            }
            found = pandas.DataFrame(series)
            found.columns = pandas.MultiIndex.from_tuples(names) if all(isinstance(name, tuple) for name in names) else pandas.Index(names)
            return found
        if self.library == "polars":
            library = sys.modules["polars"]  # which is there: its table was given
            table = arrow.Table.from_arrays(list(columns), names=list(names))
            return library.from_arrow(table).cast(dict(zip(names, dtypes, strict=True)))
        if self.library == "numpy":
            return np.stack([column.to_numpy(zero_copy_only=False) for column in columns], axis=1).astype(dtypes[0])
        types = [self.types[k] if self.types else column.type for column, k in zip(columns, kept, strict=True)]
        return arrow.Table.from_arrays([_as_type(column, kind) for column, kind in zip(columns, types, strict=True)], names=names)

    def over(self, table: Any, before: Any, given: Any) -> Any:
        """A pyarrow table that `given` has become, as the library's: columns that are as they were are those of `given`.

        Args:
            table: with the same columns and rows as `before`.
            before: what `to_arrow` made of what was given.
            given: what was given, whose index is kept.
        """
        changed = [k for k in range(len(self.names)) if not table.column(k).equals(before.column(k))]
        columns = {k: table.column(k).combine_chunks() for k in changed}
        if self.library == "numpy":
            return self.of([column.combine_chunks() for column in table.columns], range(len(self.names)))
        if self.library == "pyarrow":
            for k, column in columns.items():
                given = given.set_column(k, given.column_names[k], column)
            return given
        own = {k: _is_own(before.column(k).type, column.type) for k, column in columns.items()}
        if self.library == "polars":
            library = sys.modules["polars"]  # which is there: its table was given
            series = (library.Series(self.names[k], library.from_arrow(column)) for k, column in columns.items())
            return given.with_columns(one.cast(self.dtypes[k]) if own[k] else one for k, one in zip(columns, series, strict=True))
        found = given.copy()
        for k, column in columns.items():
            plain = column.cast(column.type.value_type) if _is_dictionary(column.type) else column
            found.isetitem(k, _as_series(plain, self.dtypes[k] if own[k] else None).array)
        return found


def _is_own(before: Any, after: Any) -> bool:
    """Whether a column has the type that it had, or that its own is kept as."""
    extension = isinstance(before, needs("pyarrow", extra="tables").BaseExtensionType)  # of periods
    return bool(after == (before.storage_type if extension else before)) or after == before or _is_dictionary(before)


def _is_dictionary(kind: Any) -> bool:
    return bool(needs("pyarrow", extra="tables").types.is_dictionary(kind))


def _pandas() -> Any:
    """The library, which is there unless the model was saved elsewhere."""
    try:
        return importlib.import_module("pandas")
    except ModuleNotFoundError as error:
        raise SaltusError("the model gives tables of pandas, which is not installed; install it with: pip install pandas") from error


def _plain_name(name: Any) -> Any:
    if isinstance(name, tuple):
        return [part if isinstance(part, str | int) else str(part) for part in name]
    return name if isinstance(name, str | int) else str(name)


def _plain_dtype(dtype: Any) -> Any:
    if type(dtype).__name__ != "CategoricalDtype":
        return str(dtype)
    categories = dtype.categories.tolist()
    whole = all(isinstance(category, str | int | float) for category in categories)
    return {"categories": categories if whole else list(map(str, categories)), "ordered": bool(dtype.ordered)}


def _pandas_dtype(dtype: Any) -> Any:
    """A dtype of pandas, of what is kept of one; its name where the library does not know that."""
    if isinstance(dtype, dict):
        return _pandas().CategoricalDtype(dtype["categories"], bool(dtype.get("ordered")))
    try:
        return _pandas().api.types.pandas_dtype(dtype)
    except (TypeError, NotImplementedError):
        return None


def _text_again(column: Any, kind: Any) -> Any:
    """What was read of text as text."""
    arrow = needs("pyarrow", extra="tables")
    text = arrow.types.is_string(kind) or arrow.types.is_large_string(kind) or arrow.types.is_string_view(kind)
    return column.cast(arrow.string()) if text and not arrow.types.is_string(column.type) else column


def _as_type(column: Any, kind: Any) -> Any:
    """A pyarrow array in its own type."""
    types = needs("pyarrow", extra="tables").types
    if isinstance(kind, str) or column.type == kind:
        return column
    if types.is_dictionary(kind):
        return column.cast(kind.value_type).dictionary_encode().cast(kind)
    return column.cast(kind, safe=False)


def _as_series(column: Any, dtype: Any) -> Any:
    """A pyarrow array as a series of a dtype of pandas, or of its name."""
    pandas, kind = _pandas(), type(dtype).__name__
    if kind == "CategoricalDtype" and column.type == needs("pyarrow", extra="tables").string():
        places = {str(category): place for place, category in enumerate(dtype.categories)}
        codes = [places.get(text, -1) for text in column.to_pylist()]  # -1 is missing
        return pandas.Series(pandas.Categorical.from_codes(codes, dtype=dtype))
    if kind == "PeriodDtype":
        counts = column.fill_null(pandas.NaT._value).to_numpy(zero_copy_only=False)
        return pandas.Series(pandas.PeriodIndex.from_ordinals(counts, freq=dtype.freq))
    if str(dtype) == "object":
        return pandas.Series(column.to_pylist(), dtype=object)
    return column.to_pandas() if dtype is None else column.to_pandas().astype(dtype)
