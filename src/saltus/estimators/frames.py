"""Tables as users hold them, as pyarrow's and back: pandas, polars, pyarrow, or an array (N, d)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

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
            why = " ".join(map(str, error.args)).partition("\n")[0]
            raise SaltusError(f"a column holds values of different types ({why:.150}); convert them to one") from error
        return found, Frame("pandas", tuple(table.columns), tuple(table.dtypes))
    if module == "polars":
        return table.to_arrow(), Frame("polars", tuple(table.columns), tuple(table.dtypes))
    if module == "pyarrow":
        return table, Frame("pyarrow", tuple(table.column_names), tuple(table.schema.types))
    array = np.asarray(table)
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise SaltusError(
            f"the table is an array of shape {array.shape} and type {array.dtype}; expected rows (N, d) of numbers: give these"
        )
    names = [f"column {j}" for j in range(array.shape[1])]
    columns = [arrow.array(column, from_pandas=array.dtype.kind == "f") for column in array.T]
    return arrow.table(dict(zip(names, columns, strict=True))), Frame("numpy", tuple(names), (array.dtype,) * array.shape[1])


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

    def of(self, table: Any, kept: Sequence[int]) -> Any:
        """A pyarrow table of the columns with these numbers, as the library's."""
        names, dtypes = [self.names[k] for k in kept], [self.dtypes[k] for k in kept]
        if self.library == "pandas":
            frame = table.to_pandas()
            frame.columns = names
            return frame.astype(dict(zip(names, dtypes, strict=True)))
        if self.library == "polars":
            frame = sys.modules["polars"].from_arrow(table)  # which is there: its table was given
            return frame.cast(dict(zip(names, dtypes, strict=True)))
        if self.library == "numpy":
            return np.stack([column.to_numpy() for column in table.columns], axis=1).astype(dtypes[0])
        return table
