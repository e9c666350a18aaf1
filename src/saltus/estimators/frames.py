"""Tables as users hold them, as pyarrow's and back: pandas, polars, pyarrow, or an array (N, d)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from saltus.data.layout import Array
from saltus.errors import SaltusError
from saltus.extras import needs

__all__ = ["Frame", "to_arrow"]


def to_arrow(table: Any) -> tuple[Any, Frame]:
    """A pyarrow table, and what it was.

    Raises:
        SaltusError: if it is no table.
    """
    arrow = needs("pyarrow", extra="tables")
    module = type(table).__module__.partition(".")[0]
    if module == "pandas":
        if len(set(table.columns)) < len(table.columns):
            raise SaltusError("two columns of the table have one name; expected names that differ: rename all but one")
        named = table.rename(columns=str)
        try:
            found = arrow.Table.from_pandas(named, preserve_index=False)
        except (arrow.ArrowInvalid, arrow.ArrowTypeError) as error:
            raise _mixed(error) from error
        return found, Frame("pandas", tuple(table.columns), tuple(table.dtypes))
    if module == "polars":
        return table.to_arrow(), Frame("polars", tuple(table.columns), tuple(table.dtypes))
    if module == "pyarrow":
        return table, Frame("pyarrow", tuple(table.column_names), tuple(table.schema.types))
    return _of_array(table)


def _of_array(table: Any) -> tuple[Any, Frame]:
    arrow = needs("pyarrow", extra="tables")
    if hasattr(table, "tocoo"):
        raise SaltusError("the table is a sparse matrix; expected rows (N, d) as an array: give its toarray()")
    array = np.asarray(table)
    if array.shape[1:] == (0,):
        raise SaltusError(f"the table has 0 feature(s) (shape={array.shape}) while a minimum of 1 is required; give rows with columns")
    if array.ndim != 2 or array.dtype.kind not in "biufO":
        told = "Complex data not supported: " if array.dtype.kind == "c" else ""
        raise SaltusError(
            f"{told}the table is an array of shape {array.shape} and type {array.dtype}; expected rows (N, d) of numbers: give these"
        )
    names = [f"column {j}" for j in range(array.shape[1])]
    try:
        columns = [arrow.array(column, from_pandas=array.dtype.kind in "fO") for column in array.T]
    except (arrow.ArrowInvalid, arrow.ArrowTypeError, arrow.ArrowNotImplementedError) as error:
        raise _mixed(error) from error
    return arrow.table(dict(zip(names, columns, strict=True))), Frame("numpy", tuple(names), (array.dtype,) * array.shape[1])


def _mixed(error: Exception) -> SaltusError:
    why = " ".join(map(str, error.args)).partition("\n")[0]
    return SaltusError(f"a column holds values of different types ({why:.150}); convert them to one")


@dataclass(frozen=True)
class Frame:
    """What a table was.

    Attributes:
        library: whose it was.
        names: of the columns, as the library has them.
        dtypes: of the columns, the library's own.
    """

    library: str
    names: Sequence[Any]
    dtypes: Sequence[Any]

    @property
    def named(self) -> bool:
        """Whether the library has names of columns."""
        return self.library != "numpy"

    def of(self, table: Any, kept: Sequence[int], *, plain: Sequence[int] = ()) -> Any:
        """A pyarrow table of the columns with these numbers, as the library's; `plain` ones get the type that the library gives them."""
        names = [self.names[k] for k in kept]
        dtypes = {name: self.dtypes[k] for name, k in zip(names, kept, strict=True) if k not in plain}
        if self.library == "pandas":
            frame = table.to_pandas()
            frame.columns = names
            return frame.astype(dtypes)
        if self.library == "polars":
            frame = sys.modules["polars"].from_arrow(table)  # which is there: its table was given
            return frame.cast(dtypes)
        if self.library == "numpy":
            return self._array(table)
        return table

    def over(self, table: Any, before: Any, given: Any) -> Any:
        """A pyarrow table that `given` has become, as the library's.

        Args:
            table: with the same columns and rows as `before`.
            before: what `to_arrow` made of what was given.
            given: what was given, whose index is kept.
        """
        plain = [k for k, (one, other) in enumerate(zip(before.schema.types, table.schema.types, strict=True)) if _widened(one, other)]
        found = self.of(table, range(len(self.names)), plain=plain)
        if self.library == "pandas":
            found.index = given.index
        return found

    def _array(self, table: Any) -> Array:
        columns = [column.to_numpy() for column in table.columns]
        found: Array = np.stack([column.astype(self.dtypes[0]) for column in columns], axis=1)
        return found


def _widened(before: Any, after: Any) -> bool:
    """Whether a column has another type than it had, and not only its own as a dictionary."""
    types = needs("pyarrow", extra="tables").types
    return before != after and not (types.is_dictionary(before) and types.is_dictionary(after))
