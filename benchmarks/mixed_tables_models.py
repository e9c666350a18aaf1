"""What a model of `mixed_tables.py` is, saltus's own, and the rows that it learned from as the floor."""

from __future__ import annotations

import math
import os
import time
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from mixed_tables_cells import Array, Cells, cells_of
from mixed_tables_data import Schema

_ALONE = 1  # row: one that cannot be scored has a density of 0


def clock() -> float:
    """Seconds of the processor that this process took, an even share of all threads that it may have."""
    return time.process_time() / int(os.environ.get("OMP_NUM_THREADS", "1"))


class NotFinished(Exception):
    """A fit that takes too long."""


class Model:
    """A model of the rows of one table.

    Attributes:
        needs: the module of its library, if it is none that saltus needs too.
        timed: whether its fit takes the time that it is given; one fit then serves every budget.
        modules: what is imported before its fit is timed.
        numeric: whether it takes tables of numbers without gaps alone.
        can: which of the methods below it has: "sample", "density", "impute", "anomaly".
    """

    needs: ClassVar[str] = ""
    timed: ClassVar[bool] = False
    numeric: ClassVar[bool] = False
    modules: ClassVar[tuple[str, ...]] = ()
    can: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.told: dict[str, Any] = {}  # what else is kept of a fit, such as the number of epochs

    def fit(self, train: Any, seconds: float, seed: int) -> None:
        """Learn from rows, a pandas table, in so many seconds of `clock`."""
        raise NotImplementedError

    def sample(self, n: int) -> Any:
        """n rows, a pandas table."""
        raise NotImplementedError

    def log_density(self, exact: Any, noisy: Array) -> Array:
        """Of rows as they are, and as numbers with the noise of rounded columns (n, d): ln p of each, (n,) nats, of these numbers."""
        raise NotImplementedError

    def impute(self, holes: Any, draws: int) -> list[Any]:
        """So many tables in which missing cells are filled; a single one if they would be the same."""
        raise NotImplementedError

    def anomaly(self, rows: Any) -> dict[str, Array]:
        """How strange each row is, by each score that it has."""
        raise NotImplementedError


class Saltus(Model):
    """`saltus.TableModel`."""

    timed = True
    modules = ("saltus.estimators", "saltus.training", "pyarrow")

    def __init__(self, schema: Schema) -> None:
        from saltus import TableModel

        super().__init__(schema)
        others = {"impute"} if hasattr(TableModel, "impute") else set()
        self.can = frozenset({"sample", "density", "anomaly"} | others)  # type: ignore[misc]

    def fit(self, train: Any, seconds: float, seed: int) -> None:
        from saltus import TableModel

        self.model = TableModel(time=seconds, random_state=seed).fit(train)
        self.told = {"notes": [str(note) for note in self.model.notes_], "columns": {k: c.kind for k, c in self._columns().items()}}

    def sample(self, n: int) -> Any:
        return self.model.sample(n)

    def log_density(self, exact: Any, noisy: Array) -> Array:
        """Counted values by their mass over the width of what they own, the others by their density with the noise."""
        rows, widths = exact.copy(), np.zeros(len(exact))
        for name, column in self._columns().items():
            j = list(self.schema.names).index(name)
            owned = _owned(column, exact[name], self.schema.cells.get(name))
            counted = owned > 0
            widths += np.log(np.where(counted, owned, 1.0))
            if not counted.all():
                rows[name] = np.where(counted, exact[name], noisy[:, j].astype(exact[name].dtype))
        return self._scores(rows) - widths

    def impute(self, holes: Any, draws: int) -> list[Any]:
        model: Any = self.model  # its `impute` need not be there
        return list(model.impute(holes, n_draws=draws))

    def anomaly(self, rows: Any) -> dict[str, Array]:
        model: Any = self.model
        found = {"-score_samples": -self._scores(rows)}
        return found | ({"anomaly_score": np.asarray(model.anomaly_score(rows))} if hasattr(model, "anomaly_score") else {})

    def _columns(self) -> dict[str, Any]:
        encoding: Any = self.model.model_.encoding
        return dict(zip(self.model.columns_, encoding.columns, strict=True))

    def _scores(self, rows: Any) -> Array:
        """-inf for a row that is refused: found by halves."""
        from saltus.errors import SaltusError

        try:
            return np.asarray(self.model.score_samples(rows))
        except SaltusError:
            if len(rows) == _ALONE:
                return np.array([-math.inf])
            half = len(rows) // 2
            return np.concatenate([self._scores(rows.iloc[:half]), self._scores(rows.iloc[half:])])


def _owned(column: Any, values: Any, cells: Cells | None) -> Array:
    """The width that each value owns of its column in the model's encoding; 0 for one with a density.

    An atom of a continuous column owns what the rule of `mixed_tables_cells` gives it.

    Raises:
        ValueError: if the rule gives it nothing.
    """
    n, number = len(values), getattr(column, "number", None)
    if hasattr(column, "categories"):
        return np.ones(n)
    x = values.to_numpy(dtype=np.float64)
    if hasattr(column, "listed"):
        return Cells(column.listed, 0.0, True).bounds(x)[1]
    step = getattr(column, "step", 0.0) or getattr(number, "step", 0.0)
    if step:
        return np.full(n, float(step))
    atoms = np.asarray(getattr(number, "atoms", ()), dtype=np.float64)
    if not len(atoms):
        return np.zeros(n)
    if cells is None or not cells.rounded:
        raise ValueError(f"{len(atoms)} values of a column have a mass, and the column is not rounded: its nats do not compare")
    return np.where(np.isin(x, atoms), cells.bounds(x)[1], 0.0)


class TrainRows(Model):
    """The training rows themselves: what a perfect model reaches, and a copier."""

    can = frozenset({"sample"})

    def fit(self, train: Any, seconds: float, seed: int) -> None:
        self.train, self.rng = train, np.random.default_rng(seed)

    def sample(self, n: int) -> Any:
        repeated = [self.rng.permutation(len(self.train)) for _ in range(-(-n // len(self.train)))]
        return self.train.iloc[np.concatenate(repeated)[:n]].reset_index(drop=True)


class Completed:
    """Tables without gaps for libraries that take none: a median and one more column that says so, or one more category.

    Args:
        schema: of the table.
        train: the rows to learn from.
    """

    GAP = "(missing)"

    def __init__(self, schema: Schema, train: Any) -> None:
        self.schema = schema
        self.cells = {name: cells_of(train[name].to_numpy()) for name in schema.numbers}
        self._medians = {name: float(train[name].median()) for name in schema.numbers if train[name].isna().any()}
        self.flags = {name: f"{name} {self.GAP}" for name in self._medians}
        self._dtypes = train.dtypes

    @property
    def discrete(self) -> list[str]:
        """The columns of categories."""
        return [*self.schema.categories, *self.flags.values()]

    def forward(self, rows: Any) -> Any:
        """Rows with all cells there, numbers as float64."""
        columns: dict[str, Any] = {}
        for name in self.schema.names:
            if name in self.schema.categories:
                columns[name] = rows[name].astype(object).where(rows[name].notna(), self.GAP)
            else:
                columns[name] = rows[name].astype(np.float64).fillna(self._medians.get(name, 0.0))
        for name, flag in self.flags.items():
            columns[flag] = np.where(rows[name].isna(), "no", "yes").astype(object)
        return pd.DataFrame(columns)

    def backward(self, rows: Any) -> Any:
        """Rows as they were, numbers in the range and on the values of the training rows."""
        columns: dict[str, Any] = {}
        for name in self.schema.names:
            if name in self.schema.categories:
                columns[name] = rows[name].astype(object).where(rows[name] != self.GAP, None).astype(self._dtypes[name])
                continue
            settled = self.cells[name].settled(rows[name].to_numpy(dtype=np.float64))
            if name in self.flags:
                settled = np.where(rows[self.flags[name]] == "no", np.nan, settled)
            columns[name] = settled.astype(self._dtypes[name])
        return pd.DataFrame(columns)
