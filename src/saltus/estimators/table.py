"""A model of a table: fitted to rows as they are, and rows of the same kind back."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import OneToOneFeatureMixin, TransformerMixin

from saltus.data import MOST_FITTED, DataSet, Declared, Preparation, declarations, table_parts
from saltus.data.layout import Array
from saltus.data.parts import Parts
from saltus.data.split import places
from saltus.errors import SaltusError
from saltus.estimators.anomaly import Ordinary
from saltus.estimators.base import Estimator, check_enough
from saltus.estimators.frame import Frame
from saltus.estimators.frames import to_arrow
from saltus.estimators.kept import read_table, write_kept
from saltus.estimators.model import Model
from saltus.estimators.numbers import check_number
from saltus.estimators.rows import TrainedTable
from saltus.terminal import tell
from saltus.training import FEW_ROWS, Config, Folds, cross_validated

__all__ = ["TableModel"]

_AT_ONCE = 4096
_LEAST = 0.1  # seconds of a training after a cross-validation that found nothing


class TableModel(OneToOneFeatureMixin, TransformerMixin, Estimator):  # type: ignore[misc]
    """Numbers, categories, dates and missing cells of rows, drawn one column after another by one reverse step.

    It is an estimator of scikit-learn: the last step of a pipeline by `score_samples`, or one before others, which fills missing cells.

    Args:
        time: of a fit, such as "60s" or "10m".
        updates: of a fit, in place of a time: fits of one random_state are then equal on one machine.
        random_state: of all random numbers; of `sample` and `impute` the first of their seeds.
        verbose: whether a fit tells how far it is, on stderr.
        columns: what columns are, in place of what is detected: a mapping such as {"grade": "category"}, or a file of TOML; see
            `saltus.data.declared`.

    Attributes:
        model_: the trained `Model`, whose `chain` and `encoding` it is made of.
        columns_: the names of the columns that are learned.
        notes_: what was left out, and why.
        n_features_in_: the number of columns that were given.
        feature_names_in_: their names, where all are text.

    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(200, 2))
    >>> TableModel(time="1s", random_state=0).fit(rows).sample(3).shape
    (3, 2)
    """

    def __init__(
        self,
        *,
        time: str | float = "60s",
        updates: int | None = None,
        random_state: int | None = None,
        verbose: bool = False,
        columns: Mapping[str, Any] | str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(time=time, updates=updates, random_state=random_state, verbose=verbose)
        self.columns = columns

    def fit(self, X: Any, y: Any = None, *, time: str | float | None = None) -> Self:
        """Learn from rows of a table: a pandas, polars or pyarrow one, or an array (N, d) of numbers, or of objects.

        Args:
            X: the rows; missing cells are as the library has them, NaN in arrays.
            y: not looked at.
            time: of this fit, in place of the time or the updates of the model.

        Raises:
            SaltusError: if it is no table, has too few rows, or no column that can be learned; and for y, which is a column like others.
        """
        config, said = self._config(time), declarations(self.columns)
        table, frame = to_arrow(X, _skipped(said))
        if table.num_columns:
            check_enough(table.num_rows)
        parts = table_parts([table, None, None], ["the table", "", ""], declared=said)
        constants = {name: table.column(name)[0] for name, why in parts.left_out if why in ("constant", "empty")}
        if not frame.named and (lost := [entry for entry in parts.left_out if entry[0] not in constants]):
            raise SaltusError(
                f"{lost[0][0]} of the array cannot be learned, as it is {lost[0][1]}; take it out, or give a table with names"
            )
        data, config, folds = _planned(parts, config, Preparation(columns=said))
        for note in data.notes if self.verbose else ():
            tell(note)
        model = Model.train(data, config, quiet=not self.verbose)
        trained = TrainedTable(model, parts.columns, parts.dtypes, constants, said, Ordinary.of(model.chain, data, folds))
        return self._is(trained, frame, data.notes)

    def _is(self, trained: TrainedTable, frame: Frame, notes: tuple[str, ...]) -> Self:
        self._learned(trained.model, notes)
        self._trained, self._frame, self.columns_ = trained, frame, list(trained.columns)
        self.n_features_in_ = len(frame.names)
        self.__dict__.pop("feature_names_in_", None)
        if frame.named and all(isinstance(name, str) for name in frame.names):
            self.feature_names_in_ = np.array(frame.names, dtype=object)
        return self

    def sample(self, n: int = 1, condition: Mapping[str, Any] | None = None) -> Any:
        """n new rows, as those that were given; other ones at every call.

        Args:
            n: how many, >= 1.
            condition: what they are to be, by the names of columns: a value, a pair (low, high) with None for an open end, a list of
                values, or None for a missing cell.

        Raises:
            SaltusError: for a condition on an unknown column, or one that no row can meet.
        """
        self._check_fitted()
        check_number(n, "n")
        trained, frame, seed = self._trained, self._frame, self._seed()
        if condition is None:
            cells = self.model_.sample(n, seed=seed, batch=_AT_ONCE)
        else:
            cells = trained.drawn(trained.asked(condition), 0, n, seed)
        whole = trained.table(cells)
        kept = [k for k, key in enumerate(frame.keys) if key in whole]
        return frame.of([whole[frame.keys[k]] for k in kept], kept)

    def impute(self, X: Any, n_draws: int | None = None) -> Any:
        """The rows with their missing cells drawn, given all that is there; what is there stays as it is.

        Args:
            X: rows with the columns that were learned; others stay as they are, or have the one value that they had in all rows.
            n_draws: how many tables; their spread is that of what could have been there.  One table, and no list, unless given.

        Raises:
            SaltusError: if a column is not there, or holds what it never did.
        """
        self._check_fitted()
        if n_draws is not None:
            check_number(n_draws, "n_draws")
        tables = self._filled(X, n_draws or 1, self._seed())
        return tables if n_draws else tables[0]

    def transform(self, X: Any) -> Any:
        """The rows with their missing cells drawn, as by `impute`, but the same ones at every call: for steps after this one."""
        self._check_fitted()
        return self._filled(X, 1, self._first)[0]

    def _filled(self, X: Any, draws: int, seed: int) -> list[Any]:
        table, frame = self._read(X)
        return [frame.over(filled, table, X) for filled in self._trained.filled(table, draws, seed)]

    def score_samples(self, X: Any) -> Array:
        """A lower bound on ln p of each row, (N,) nats: the mass of counted values, categories and missing cells, times the density of
        other numbers in their units.

        Raises:
            SaltusError: if a column is missing, or holds what it never did.
        """
        self._check_fitted()
        return self._trained.nats(self._read(X)[0])

    def anomaly_score(self, X: Any) -> Array:
        """How strange each row is, (N,): -ln of the share of ordinary rows that are at least as strange, so 3 is one in twenty.

        A cell that never came, such as another category, counts as rarer than all that ordinary rows have.

        Raises:
            SaltusError: if a column is missing, or holds another kind of values.
        """
        self._check_fitted()
        return self._trained.strangeness(self._read(X)[0])[0]

    def anomaly_columns(self, X: Any) -> dict[str, Array]:
        """How strange each cell is, given the rest of its row, for each column (N,): -ln of the share of ordinary rows whose cell is at
        least as strange; infinite for one that never came.

        Raises:
            SaltusError: as `anomaly_score`.
        """
        self._check_fitted()
        _, strange = self._trained.strangeness(self._read(X)[0])
        return dict(zip(self.columns_, strange.T, strict=True))

    def save(self, folder: str | Path) -> None:
        """Write everything that `load` needs; the command line takes the folder too."""
        self._check_fitted()
        self.model_.save(folder)
        write_kept(Path(folder), self._trained, self._frame, self.get_params())

    @classmethod
    def load(cls, folder: str | Path) -> TableModel:
        """The model that `save` wrote, or that of a run of `saltus train`; tables of polars, and of runs, come as pyarrow's.

        Raises:
            SaltusError: if there is none, or its file is damaged.
        """
        kept = read_table(folder)
        try:
            made = cls(**kept.params)
        except TypeError as error:
            raise SaltusError(f"{folder} was saved by another version of saltus; fit the model again") from error
        made._first = made.random_state or 0
        return made._is(kept.trained, kept.frame, ())

    def _read(self, X: Any) -> tuple[Any, Frame]:
        table, frame = to_arrow(X, _skipped(self._trained.declared))
        if not frame.named and len(frame.names) != self.n_features_in_:
            raise SaltusError(
                f"X has {len(frame.names)} features, but TableModel is expecting {self.n_features_in_} features as input; give rows with "
                "the columns that were learned"
            )
        self._frame.check_periods(frame)
        return table, frame

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _skipped(said: Mapping[str, Declared]) -> list[str]:
    """The columns that are not looked at."""
    return [name for name, kind in said.items() if kind.kind == "skip"]


def _planned(parts: Parts, config: Config, preparation: Preparation) -> tuple[DataSet, Config, Folds | None]:
    """The rows, how they are learned, and what cross-validation found: few rows are all learned, for as long as it says."""
    made = partial(DataSet.from_parts, name="the table", preparation=preparation)
    if (n := len(parts.train)) >= FEW_ROWS:
        return made(_untested(parts)), config, None
    data, began = made(replace(parts, validation=parts.train, test=parts.train)), time.monotonic()
    if (folds := cross_validated(data, config)) is not None:
        return replace(data, notes=(*data.notes, folds.words)), folds.config(config), folds
    if config.time is not None:
        config = config.model_copy(update={"time": max(_LEAST, config.time - (time.monotonic() - began))})
    try:
        return made(_untested(parts)), config, None
    except SaltusError:
        note = f"no row is held out, as {n} rows are too few or too similar: nothing tells whether they are learned by heart"
        return replace(data, notes=(*data.notes, note)), config, None


def _untested(parts: Parts) -> Parts:
    """Rows, of which a tenth is held out to choose by; nothing is reported, so the others are all learned.

    Raises:
        SaltusError: where they are too few, or too similar.
    """
    if len(parts.train) > MOST_FITTED:  # more rows hardly help, and would be copied
        return parts
    found = places(replace(parts, test=parts.train[:0]))
    validation = parts.train[found.validation]
    return replace(parts, train=parts.train[~found.validation], validation=validation, test=validation, notes=(*parts.notes, *found.notes))
