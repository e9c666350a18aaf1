"""The cells of a column of text: places in its list of categories, NaN for missing ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from saltus.data.column_cells import ColumnCells, Expected
from saltus.data.declared import Declared
from saltus.data.declaring import MOST_CATEGORIES
from saltus.data.dtypes import TEXT, family_of
from saltus.data.layout import Array
from saltus.data.parsing import looks_like
from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.terminal import in_one_line

__all__ = ["places_of", "values_of"]

_MOST_CATEGORIES = 1000
_OWN = 0.5  # share of rows with a text that no other row has: names, ids and free text
_CONSTANT = "constant"
_LONGEST = 60  # letters of a cell in a message


def values_of(columns: Sequence[Any]) -> tuple[Any, ...]:
    """The values of dictionaries, in their order, those of later pieces after those of the first; none of other columns."""
    if not needs("pyarrow", extra="tables").types.is_dictionary(columns[0].type):
        return ()
    listed = (value for part in columns for chunk in part.chunks for value in chunk.dictionary.to_pylist() if value is not None)
    return tuple(dict.fromkeys(listed))


def places_of(columns: Sequence[Any], name: str, declared: Declared | None, expected: Expected | None, *, said: bool) -> ColumnCells:
    """The cells of text; arguments as for `saltus.data.cells.cells_of`.

    Args:
        columns: of text, some of which is there.
        name: in one line.
        declared: category, ordinal, or None.
        expected: of samples.
        said: whether a user declared it, so that it is learned in any case.

    Raises:
        SaltusError: for a text that is none of the known categories.
    """
    arrow, compute = needs("pyarrow", extra="tables"), needs("pyarrow.compute", extra="tables")
    plain = [part.cast(arrow.string()) for part in columns]
    if expected is not None and expected.dtype not in ("", TEXT):
        row, text = next((row, text) for row, text in enumerate(_texts(plain)) if text is not None)
        raise SaltusError(
            f'the column {name} holds "{in_one_line(text)[:_LONGEST]}" in row {row} where {family_of(expected.dtype)} were expected; '
            "give rows of the same kind"
        )
    counts = compute.value_counts(arrow.chunked_array([chunk for part in plain for chunk in part.chunks], arrow.string()).drop_null())
    texts, often = counts.field("values").to_pylist(), counts.field("counts").to_numpy()
    missing = any(part.null_count for part in plain)
    looks = "" if said or expected else _looks(plain, texts)
    if expected is None and (unfit := _unfit(texts, often, name, said=said, missing=missing)):
        return ColumnCells(unfit=f"of text that looks like {looks}" if looks and unfit != _CONSTANT else unfit)
    known = tuple(expected.categories) if expected else tuple(map(str, declared.order)) if declared else ()
    exact = bool(known) or (expected is not None and expected.dtype == TEXT)
    categories = known if exact else values_of(columns) or tuple(sorted(texts))
    unknown = sorted(set(texts) - set(categories))
    if unknown and not (expected is not None and expected.others):
        row = _row(plain, unknown[0])
        lacking = f"which is none of its {len(categories)} categories; give rows of the same kind"
        if expected is None:
            lacking = "which its order lacks; add it there"
        raise SaltusError(f'the column {name} holds "{in_one_line(unknown[0])[:_LONGEST]}" in row {row}, {lacking}')
    order = arrow.array(categories, arrow.string())
    places = [compute.index_in(part, order) for part in plain]
    whole = not any(part.null_count for part in places)
    cells = tuple(part.to_numpy().astype(np.int64 if whole else np.float64) for part in places)
    return ColumnCells(cells, TEXT, categories, declared=declared, looks=looks)


def _texts(columns: Sequence[Any]) -> Any:
    return (text for part in columns for text in part.to_pylist())


def _row(columns: Sequence[Any], text: str) -> int:
    return next(row for row, own in enumerate(_texts(columns)) if own == text)


def _looks(columns: Sequence[Any], texts: Sequence[str]) -> str:
    """What text looks like, with the cell that does not."""
    found = looks_like(texts)
    if not found.except_for:
        return f"{found.kind}s" if found.kind else ""
    return f'{found.kind}s except for "{in_one_line(found.except_for)[:_LONGEST]}" in row {_row(columns, found.except_for)}'


def _unfit(texts: Sequence[str], often: Array, name: str, *, said: bool, missing: bool) -> str:
    """Why text is not learned; "" where it is."""
    if said:
        if len(texts) > MOST_CATEGORIES:
            raise SaltusError(
                f"the column {name} has {len(texts):,} different texts where categories are at most {MOST_CATEGORIES:,}; "
                'give the kind "skip"'
            )
        return ""
    if len(texts) == 1 and not missing:
        return _CONSTANT
    many, own = len(texts) > _MOST_CATEGORIES, (often == 1).sum() > _OWN * often.sum()
    return f"of text with more than {_MOST_CATEGORIES:,} different values" if many else "of text of its own in most rows" if own else ""
