"""A model of a table: fitted to rows as they are, and rows of the same kind back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from saltus.chain import Chain, complete, given_others
from saltus.data import AS_GIVEN, Columns, DataSet, as_arrow, cells_in, in_unit, table_parts
from saltus.data.layout import Array
from saltus.errors import SaltusError
from saltus.estimators.anomaly import Ordinary
from saltus.estimators.conditions import asked
from saltus.estimators.frames import to_arrow, with_cells
from saltus.estimators.kept import KEPT, kept_of, read_kept
from saltus.estimators.model import Model
from saltus.extras import needs
from saltus.files import to_json, write_atomically
from saltus.training import Config

__all__ = ["TableModel"]

_MOST_SEEDS = 2**31
_HELD_OUT = 1000  # rows by which anomalies are told
_AT_ONCE = 4096
_TOGETHER = 64  # rows that are drawn from the same proposals where a condition is asked for


class TableModel:
    """Numbers, categories, dates and missing cells of rows, drawn one column after another by one reverse step.

    Args:
        time: of a fit, such as "60s" or "10m".
        random_state: the same one gives the same model and the same rows on one machine; of `sample` and `impute` the first of its seeds.

    Attributes:
        model_: the trained `Model`, whose `chain` and `encoding` it is made of.
        columns_: the names of the columns that are learned.
        notes_: what was left out, and why.

    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(200, 2))
    >>> TableModel(time="1s", random_state=0).fit(rows).sample(3).shape
    (3, 2)
    """

    def __init__(self, *, time: str | float = "60s", random_state: int | None = None) -> None:
        self.time, self.random_state = time, random_state

    def fit(self, X: Any, y: None = None) -> Self:
        """Learn from rows of a table: a pandas, polars or pyarrow one, or an array (N, d).

        Raises:
            SaltusError: if it is no table, has too few rows, or no column that can be learned.
        """
        table, self._frame = to_arrow(X)
        parts = table_parts([table, None, None], ["the table", "", ""])
        data = DataSet.from_parts(parts, name="the table", preparation=AS_GIVEN)
        seed = int(np.random.default_rng().integers(_MOST_SEEDS)) if self.random_state is None else self.random_state
        self.model_ = Model.train(data, Config(time=self.time, seed=seed), quiet=True)
        self.columns_, self.notes_, self._dtypes, self._drawn = list(parts.columns), data.notes, parts.dtypes, 0
        self.n_features_in_ = table.num_columns
        others = (name for name in table.column_names if name not in parts.columns)
        self._constants = {name: values[0].as_py() for name in others if len(values := table.column(name).unique()) == 1}
        ordinary = data.validation[:_HELD_OUT]
        self._ordinary = Ordinary(self._given_others(self._encoding().decode(ordinary), ordinary))
        return self

    def sample(self, n: int = 1, condition: Mapping[str, Any] | None = None) -> Any:
        """n new rows, as those that were given; other ones at every call.

        Args:
            n: how many, >= 1.
            condition: what they are to be, by the names of columns: a value, a pair (low, high) with None for an open end, a list of
                values, or None for a missing cell.

        Raises:
            SaltusError: for fewer rows than one, a condition on an unknown column, or one that no row can meet.
        """
        encoding, frame = self._encoding(), self._frame
        if n < 1:
            raise SaltusError(f"n = {n} rows were asked for; expected at least 1: give another n")
        if condition is None:
            cells = self.model_.sample(n, seed=self._seed(), batch=_AT_ONCE)
        else:
            given = asked(encoding, self.columns_, self._dtypes, condition)
            y, known = (value.expand(-(-n // _TOGETHER), -1) for value in (given.y, given.known))
            drawn = complete(self.model_.chain, y, known, draws=_TOGETHER, within=given.within, seed=self._seed())
            cells = given.kept_to(encoding.decode(drawn.flatten(0, 1)[:n]))
        columns = [as_arrow(*column) for column in zip(cells.T, self._dtypes, encoding.categories, strict=True)]
        whole = dict(zip(self.columns_, columns, strict=True)) | {name: [value] * n for name, value in self._constants.items()}
        order = [k for k, name in enumerate(frame.names) if str(name) in whole]
        table = needs("pyarrow", extra="tables").table({str(frame.names[k]): whole[str(frame.names[k])] for k in order})
        return frame.of(table, order)

    def impute(self, X: Any, n_draws: int | None = None) -> Any:
        """The rows with their missing cells drawn, given all that is there; what is there stays as it is.

        Args:
            X: rows with the columns that were learned; others stay as they are.
            n_draws: how many tables, >= 1; their spread is that of what could have been there.  One table, and no list, unless given.

        Raises:
            SaltusError: if a column is not there, or holds what it never did.
        """
        encoding, draws = self._encoding(), 1 if n_draws is None else n_draws
        if draws < 1:
            raise SaltusError(f"n_draws = {draws} tables were asked for; expected at least 1: leave it out for one")
        table = self._learned(X)
        cells = cells_in(table, self._wanted())
        y, known = encoding.partial(cells)
        holes: Array = np.asarray(np.isnan(cells).any(1))
        rows = torch.from_numpy(np.flatnonzero(holes))
        filled = complete(self.model_.chain, y[rows], known[rows], draws=draws, seed=self._seed())
        drawn = encoding.decode(filled.flatten(0, 1)).astype(np.float64).reshape(-1, draws, cells.shape[1])
        tables = [self._filled(X, cells, holes, drawn[:, k]) for k in range(draws)]
        return tables[0] if n_draws is None else tables

    def _filled(self, X: Any, cells: Array, holes: Array, drawn: Array) -> Any:
        """A table whose missing cells are those drawn, and nothing else is another."""
        new = {}
        for j, (name, dtype, categories) in enumerate(zip(self.columns_, self._dtypes, self._encoding().categories, strict=True)):
            missing = np.isnan(cells[:, j])
            if missing.any():
                new[name] = missing, as_arrow(drawn[missing[holes], j], dtype, categories)
        return with_cells(X, new)

    def score_samples(self, X: Any) -> Array:
        """A lower bound on ln p of each row, (N,) nats: the mass of counted values, categories and missing cells, times the density of
        other numbers in their units.

        Raises:
            SaltusError: if a column is missing, or holds what it never did.
        """
        return self.model_.log_prob_bound(self._rows(X))

    def score(self, X: Any, y: None = None) -> float:
        """The mean of `score_samples`."""
        return float(self.score_samples(X).mean())

    def anomaly_score(self, X: Any) -> Array:
        """How strange each row is, (N,): -ln of the share of ordinary rows that are at least as strange, so 3 is one in twenty.

        Cells that their column never held, such as a new category, are strange too.

        Raises:
            SaltusError: if a column is not there, or holds another type.
        """
        costs = self._costs(X)
        return self._ordinary.score(costs)

    def anomaly_columns(self, X: Any) -> dict[str, Array]:
        """How strange each cell is, given the rest of its row, for each column (N,): -ln of the share of ordinary rows whose cell is at
        least as strange.

        Raises:
            SaltusError: as `anomaly_score`.
        """
        costs = self._costs(X)
        strange = self._ordinary.by_column(costs)
        return dict(zip(self.columns_, strange.T, strict=True))

    def save(self, folder: str | Path) -> None:
        """Write everything that `load` needs; `saltus sample` takes the folder too."""
        self._encoding()
        self.model_.save(folder)
        kept = kept_of(self._frame, self.columns_, self._dtypes, self._constants, self._ordinary)
        write_atomically(Path(folder) / KEPT, to_json(kept | {"time": self.time, "random_state": self.random_state}))

    @classmethod
    def load(cls, folder: str | Path) -> TableModel:
        """The model that `save` wrote; tables of polars come as pyarrow's.

        Raises:
            SaltusError: if there is none, or its file is damaged.
        """
        kept, model = read_kept(Path(folder)), Model(Chain.load(folder))
        made = cls(time=kept.time, random_state=kept.random_state)
        made.model_, made.columns_, made.notes_, made._drawn = model, kept.columns, (), 0
        made._frame, made._dtypes, made._constants, made._ordinary = kept.frame, kept.dtypes, kept.constants, kept.ordinary
        made.n_features_in_ = len(kept.frame.names)
        kept.check(made._encoding())
        return made

    def _seed(self) -> int:
        """Another one at every call."""
        self._drawn += 1
        return int(torch.randint(_MOST_SEEDS, ())) if self.random_state is None else self.random_state + self._drawn

    def _wanted(self) -> dict[str, tuple[str, ...]]:
        categories = self._encoding().categories
        return dict(zip(self.columns_, categories, strict=True))

    def _rows(self, X: Any) -> Array:
        rows: Array = table_parts([self._learned(X), None, None], ["the table", "", ""], wanted=self._wanted()).train
        return rows

    def _learned(self, X: Any) -> Any:
        """A pyarrow table, its dates and times in the units that were learned."""
        table = to_arrow(X)[0]
        for name, dtype in zip(self._wanted(), self._dtypes, strict=True):
            if "[" in dtype and name in table.column_names:
                table = table.set_column(table.column_names.index(name), name, in_unit(table.column(name), dtype, name))
        return table

    def _costs(self, X: Any) -> Array:
        """-ln p of each cell given the others, (n, d) nats; infinite for one that its column never held."""
        cells = cells_in(self._learned(X), self._wanted(), others=True)
        y, known, strange = self._encoding().tolerant(cells)
        return np.where(strange, np.inf, self._given_others(cells, y, known))

    def _given_others(self, cells: Array, y: torch.Tensor, known: torch.Tensor | None = None) -> Array:
        encoding, each = self._encoding(), given_others(self.model_.chain, y, known).double().numpy()
        costs: Array = np.stack([each[:, list(places)].sum(1) for places in encoding.places], axis=1)
        return costs + encoding.surprise_by_column(cells)

    def _encoding(self) -> Columns:
        if not hasattr(self, "model_"):
            raise SaltusError("this model has not been fitted; call fit with rows first")
        encoding = self.model_.encoding
        assert isinstance(encoding, Columns)
        return encoding
