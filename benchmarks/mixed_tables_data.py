"""The tables of `mixed_tables.py`: where they are read from, how they are split, and their rows as numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mixed_tables_cells import Array, Cells, cells_of

TRAIN = 0.8  # of the rows: what a model may see; it takes validation rows from these
TIMED_ROWS = 10_000
GENERATED = ("two_sample", "utility", "privacy", "density", "imputation", "planted")
"""What is measured on a table of one kind of rows."""


@dataclass(frozen=True)
class Schema:
    """What is known of a table.

    Attributes:
        names: of its columns.
        categories: of the columns that hold such.
        cells: of the columns of numbers, by all rows.
        target: what a classifier or a regression learns from the others; "" for none.
    """

    names: Sequence[str]
    categories: Mapping[str, Sequence[str]]
    cells: Mapping[str, Cells]
    target: str

    @property
    def numbers(self) -> list[str]:
        """The columns that hold numbers."""
        return [name for name in self.names if name not in self.categories]


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        name: of its files.
        rows: all that models learn or are measured on.
        target: as in `Schema`.
        measures: what is measured.
        anomalies: rows of another kind.
    """

    name: str
    rows: Any
    target: str
    measures: tuple[str, ...] = GENERATED
    anomalies: Any = None

    @property
    def schema(self) -> Schema:
        """What is known of it."""
        texts = [name for name in self.rows if not pd.api.types.is_numeric_dtype(self.rows[name])]
        categories = {name: sorted(self.rows[name].dropna().unique()) for name in texts}
        cells = {name: cells_of(self.rows[name].to_numpy()) for name in self.rows if name not in categories}
        return Schema(list(self.rows), categories, cells, self.target)

    @property
    def is_numeric(self) -> bool:
        """Whether its rows have a density: all there, and numbers but for the target."""
        return not self.rows.isna().any().any() and set(self.schema.categories) <= {self.target}


@dataclass(frozen=True)
class Split:
    """Rows to learn from and rows to measure on."""

    train: Any
    test: Any


def split(table: Table, seed: int) -> Split:
    """By chance; test rows with a category that no training row has are left out."""
    order = np.random.default_rng(seed).permutation(len(table.rows))
    n = round(TRAIN * len(order))
    train, test = (table.rows.iloc[part].reset_index(drop=True) for part in (order[:n], order[n:]))
    for name in table.schema.categories:
        test = test[test[name].isna() | test[name].isin(train[name].unique())]
    return Split(train, test.reset_index(drop=True))


def stored(file: str, target: str, folder: Path) -> Table:
    """A file of numbers or of mixed columns."""
    path = folder / file
    name = path.stem.partition("_")[2]
    if path.suffix == ".csv":
        return Table(name, pd.read_csv(path), target)
    with np.load(path) as stored:
        rows = np.concatenate([stored[part] for part in ("train", "validation", "test")])
        return Table(name, pd.DataFrame(rows, columns=[str(column) for column in stored["columns"]]), target)


def of_sklearn(name: str, _: Path | None) -> Table:
    """A table that comes with scikit-learn; classes have their names."""
    from sklearn import datasets

    found = getattr(datasets, f"load_{name}")(as_frame=True)
    rows = found.frame.copy()
    if hasattr(found, "target_names"):
        rows["target"] = pd.Series(found.target_names[rows["target"]], dtype=object).astype(str)
    return Table(name, rows, "target")


def one_kind(whole: Callable[[Path], Table], name: str, kind: str, folder: Path) -> Table:
    """The rows of one class, to learn, and those of the others, which are anomalies."""
    table = whole(folder)
    is_kind = table.rows[table.target] == kind
    rows = table.rows.drop(columns=table.target)
    others = rows[~is_kind].reset_index(drop=True)
    return Table(name, rows[is_kind].reset_index(drop=True), "", ("anomalies",), others)


def first_rows(whole: Callable[[Path], Table], folder: Path) -> Table:
    """10,000 rows of 10 columns, which time is measured on."""
    table = whole(folder)
    chosen = np.random.default_rng(0).permutation(len(table.rows))[: round(TIMED_ROWS / TRAIN)]
    return replace(table, name="diamonds_10000", rows=table.rows.iloc[chosen].reset_index(drop=True), measures=("time",))


_DIAMONDS, _CREDIT = partial(stored, "mixed_diamonds.csv", "price"), partial(stored, "mixed_credit.csv", "Status")
_CANCER = partial(of_sklearn, "breast_cancer")
TABLES: Mapping[str, Callable[[Path], Table]] = {
    "penguins": partial(stored, "mixed_penguins.csv", "species"),
    "wine": partial(of_sklearn, "wine"),
    "diabetes": partial(of_sklearn, "diabetes"),
    "breast_cancer": _CANCER,
    "credit": _CREDIT,
    "ccpp": partial(stored, "tabular_ccpp.npz", "PE"),
    "california": partial(stored, "tabular_california.npz", "median_house_value"),
    "diamonds": _DIAMONDS,
    "breast_cancer_benign": partial(one_kind, _CANCER, "breast_cancer_benign", "benign"),
    "credit_good": partial(one_kind, _CREDIT, "credit_good", "good"),
    "diamonds_10000": partial(first_rows, _DIAMONDS),
}
"""Small ones first; the last three are parts of others."""


def matrix(schema: Schema, rows: Any) -> Array:
    """Rows as numbers (n, d), categories by their places; NaN for a missing cell."""
    return np.stack([_numbers(schema, rows, name) for name in schema.names], axis=1)


def _numbers(schema: Schema, rows: Any, name: str) -> Array:
    if name not in schema.categories:
        found: Array = rows[name].to_numpy(dtype=np.float64, na_value=np.nan)
        return found
    codes = np.asarray(pd.Categorical(rows[name], categories=schema.categories[name]).codes, dtype=np.float64)
    return np.where(codes < 0, np.nan, codes)


def frame(schema: Schema, numbers: Array, cells: Mapping[str, Cells]) -> Any:
    """The inverse, of numbers without gaps: those of rounded columns on their values, categories by the nearest place."""
    columns: dict[str, Any] = {}
    for name, column in zip(schema.names, numbers.T, strict=True):
        if name in schema.categories:
            places = np.clip(np.rint(np.nan_to_num(column)), 0, len(schema.categories[name]) - 1).astype(int)
            columns[name] = np.asarray(schema.categories[name], dtype=object)[places]
        else:
            columns[name] = cells[name].settled(column)
    return pd.DataFrame(columns)


def bounds(schema: Schema, numbers: Array) -> tuple[Array, Array]:
    """Where the cells of numbers (n, d) begin, and their widths; those of categories have width 1 around their places."""
    lower, width = np.empty_like(numbers), np.empty_like(numbers)
    for j, name in enumerate(schema.names):
        cells = schema.cells.get(name, Cells(np.arange(2.0), 1.0, True))
        lower[:, j], width[:, j] = cells.bounds(numbers[:, j])
    return lower, width


def typed(schema: Schema, rows: Any) -> Any:
    """Rows for scikit-learn's boosting: float64, and categories as pandas has them."""
    columns = {
        name: pd.Categorical(rows[name], categories=schema.categories[name])
        if name in schema.categories
        else rows[name].to_numpy(dtype=np.float64, na_value=np.nan)
        for name in schema.names
    }
    return pd.DataFrame(columns)


class Plain:
    """Rows as standardised numbers without gaps: medians for missing ones and a column that says so, categories as zeros and ones.

    Args:
        schema: of the table.
        train: rows that medians, means and deviations are of.
    """

    def __init__(self, schema: Schema, train: Any) -> None:
        self.schema, numbers = schema, matrix(schema, train)
        self._gaps = np.asarray(np.isnan(numbers).any(0))
        self._median = np.nanmedian(numbers, axis=0)
        raw = self._raw(numbers)
        self._mean, self._std = raw.mean(0), np.where(raw.std(0) > 0, raw.std(0), 1.0)

    def __call__(self, rows: Any) -> Array:
        """(n, m) of rows (n, d)."""
        found: Array = (self._raw(matrix(self.schema, rows)) - self._mean) / self._std
        return found

    def _raw(self, numbers: Array) -> Array:
        gaps: Array = np.isnan(numbers)
        filled: Array = np.where(gaps, self._median, numbers)
        parts: list[Array] = []
        for j, name in enumerate(self.schema.names):
            if name in self.schema.categories:
                parts.append(numbers[:, [j]] == np.arange(len(self.schema.categories[name])))
            else:
                parts.append(filled[:, [j]])
            if self._gaps[j]:
                parts.append(gaps[:, [j]])
        return np.concatenate([part.astype(np.float64) for part in parts], axis=1)
