"""Tables as users hold them, as pyarrow's and back: pandas, polars, pyarrow, or an array (N, d)."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from saltus.data.layout import Array
from saltus.errors import SaltusError
from saltus.extras import needs

__all__ = ["Frame", "to_arrow", "with_cells"]


def to_arrow(table: Any) -> tuple[Any, Frame]:
    """A pyarrow table, and what it was.

    Raises:
        SaltusError: if it is no table.
    """
    arrow = needs("pyarrow", extra="tables")
    module = _library(table)
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
            frame = sys.modules["polars"].from_arrow(table)  # which is there, as below: its table was given
            return frame.cast(dict(zip(names, dtypes, strict=True)))
        if self.library == "numpy":
            return np.stack([column.to_numpy() for column in table.columns], axis=1).astype(dtypes[0])
        for k, dtype in enumerate(dtypes):
            table = table.set_column(k, table.column_names[k], _cast(table.column(k), dtype))
        return table


def with_cells(table: Any, cells: Mapping[str, tuple[Array, Any]]) -> Any:
    """A table as it was but for some cells; a column that cannot hold the new ones gets a type that can.

    Args:
        table: as `to_arrow` takes it.
        cells: by the names of columns, which cells are replaced, (n,) bool, and those in their place, pyarrow's.
    """
    plain, frame = to_arrow(table)
    found: Any = np.array(table) if frame.library == "numpy" else table.copy() if frame.library == "pandas" else table
    for name, (where, values) in cells.items():
        k = plain.column_names.index(name)
        old, new = plain.column(k), _cast(values, plain.column(k).type)
        places = np.arange(len(where))  # in the old cells and the new ones after them
        places[where] = len(where) + np.arange(len(new))
        if frame.library == "numpy":
            found[where, k] = new.to_numpy(zero_copy_only=False)
        elif frame.library == "pandas":
            found.isetitem(k, _in_pandas(table.iloc[:, k], new.to_pandas(), places))
        elif frame.library == "polars":
            found = found.with_columns(_in_polars(table[name], new, places))
        else:
            found = found.set_column(k, name, _in_arrow(old, new, places))
    return found


def _library(table: Any) -> str:
    return type(table).__module__.partition(".")[0]


def _cast(column: Any, kind: Any) -> Any:
    """A column of pyarrow in a type, or the type of a name, if it can be in it."""
    arrow = needs("pyarrow", extra="tables")
    try:
        found = arrow.type_for_alias(kind) if isinstance(kind, str) else kind
        safe = not arrow.types.is_temporal(found)  # which may lose digits
        return column if column.type == found else column.cast(found, safe=safe)
    except (arrow.ArrowException, ValueError):
        return column


def _in_pandas(old: Any, new: Any, places: Array) -> Any:
    """Cells of pandas at places in the old ones and the new ones after them; of the old type, if it holds the new ones."""
    pandas, kind = sys.modules["pandas"], old.dtype
    if isinstance(kind, pandas.CategoricalDtype) and not new.isin(kind.categories).all():
        kind = pandas.CategoricalDtype([*kind.categories, *(value for value in new.unique() if value not in kind.categories)], kind.ordered)
    try:
        new = new.astype(kind)
    except (TypeError, ValueError):
        kind = new.dtype if len(new) == len(old) else object
    found = pandas.concat([old.astype(kind), new.astype(kind)] if len(new) < len(old) else [new, new]).iloc[places]
    return found.set_axis(old.index)


def _in_polars(old: Any, new: Any, places: Array) -> Any:
    """The same of polars."""
    polars = sys.modules["polars"]
    made = polars.from_arrow(new)
    try:
        made = made.cast(old.dtype)
    except polars.exceptions.PolarsError:
        old = old.cast(made.dtype)
    return polars.concat([old, made.rename(old.name)]).gather(places)


def _in_arrow(old: Any, new: Any, places: Array) -> Any:
    """The same of pyarrow."""
    arrow = needs("pyarrow", extra="tables")
    plain = old.type.value_type if arrow.types.is_dictionary(old.type) else old.type
    kind = plain if _cast(new, plain).type == plain else new.type
    return _cast(arrow.chunked_array([*old.cast(kind).chunks, new.cast(kind)]).take(arrow.array(places)), old.type)
