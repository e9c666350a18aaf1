"""Columns of a pyarrow table in the types that a model learned them in: what tells a wrong column from one that was read otherwise.

A file of CSV tells no units of times, and pandas has units of its own: counts of them are compared only once they are of one unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from saltus.data import TEXT
from saltus.data.layout import Array
from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.terminal import in_one_line

__all__ = ["aligned", "without_unknown"]


def aligned(table: Any, columns: Sequence[str], dtypes: Sequence[str]) -> Any:
    """The table with these columns, as far as they are there, as they were learned.

    Raises:
        SaltusError: if one is of another kind, such as text in place of numbers.
    """
    arrow = needs("pyarrow", extra="tables")
    for name, dtype in zip(columns, dtypes, strict=True):
        if table.column_names.count(name) != 1 or arrow.types.is_null(table.column(name).type):
            continue  # which is told elsewhere, or has no kind
        column = table.column(name)
        wanted = _family(arrow.type_for_alias(dtype)) if "[" in dtype else "text" if dtype == TEXT else "numbers"
        if _family(column.type) != wanted:
            raise SaltusError(
                f"the column {in_one_line(name)} holds {column.type} where {dtype} was expected; write it as in the rows that were learned"
            )
        if "[" in dtype and str(column.type) != dtype:
            plain = column.cast(arrow.timestamp(column.type.unit)) if arrow.types.is_timestamp(column.type) else column  # in UTC
            table = table.set_column(table.column_names.index(name), name, plain.cast(arrow.type_for_alias(dtype), safe=False))
    return table


def _family(kind: Any) -> str:
    types = needs("pyarrow", extra="tables").types
    plain = kind.value_type if types.is_dictionary(kind) else kind
    if types.is_timestamp(plain) or types.is_date(plain):
        return "dates"
    if types.is_boolean(plain) or types.is_integer(plain) or types.is_floating(plain) or types.is_decimal(plain):
        return "numbers"
    if types.is_string(plain) or types.is_large_string(plain) or types.is_string_view(plain):
        return "text"
    return "times" if types.is_time(plain) else "durations" if types.is_duration(plain) else "others"


def without_unknown(table: Any, wanted: Mapping[str, Sequence[str]]) -> tuple[Any, Array]:
    """The table without texts that are none of their columns' categories, and where these are, (n, d) bool.

    Args:
        table: as `aligned` gives it.
        wanted: the categories that each column may have, by its name; none where it has no categories.
    """
    arrow, compute = needs("pyarrow", extra="tables"), needs("pyarrow.compute", extra="tables")
    unknown = np.zeros((table.num_rows, len(wanted)), dtype=bool)
    for j, (name, categories) in enumerate(wanted.items()):
        if categories and name in table.column_names:
            texts = table.column(name).cast(arrow.string())
            known = compute.is_in(texts, arrow.array(categories, arrow.string()))
            unknown[:, j] = compute.and_(texts.is_valid(), compute.invert(known)).to_numpy()
            table = table.set_column(table.column_names.index(name), name, compute.if_else(known, texts, None))
    return table, unknown
