"""A trained model of a table, for tables of pyarrow: what missing cells were, how likely and how strange rows are, and new rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from saltus.chain import complete, completes, like
from saltus.data import TEXT, Columns, Declared, Expected, MissingColumn, as_arrow, cells_in, is_dtype, table_parts, with_durations
from saltus.data.layout import Array
from saltus.errors import SaltusError
from saltus.estimators.anomaly import Ordinary, costs_of
from saltus.estimators.conditions import Asked, asked
from saltus.estimators.imputing import imputed
from saltus.estimators.model import Model
from saltus.estimators.ordinary import ordinary_rows
from saltus.extras import needs
from saltus.terminal import in_one_line

__all__ = ["TrainedTable"]

_AT_ONCE = 256  # rows that are drawn together under a condition, whatever their number


@dataclass(frozen=True, eq=False)
class TrainedTable:
    """Of one step that takes a column after another.

    Attributes:
        model: whose encoding is `Columns`, and whose chain takes parts of rows.
        columns, dtypes: the names of the columns, and the types that they have in their file, see `saltus.data.dtypes`.
        constants: the values of other columns that had but one in all rows, pyarrow's, by name.
        declared: what a user said of columns, by name.
        known: what ordinary rows cost, unless it is read from the run, or measured on its data.
        folder: that of the run.

    Raises:
        SaltusError: if the model is another.
    """

    model: Model
    columns: Sequence[str]
    dtypes: Sequence[str]
    constants: Mapping[str, Any] = field(default_factory=dict)
    declared: Mapping[str, Declared] = field(default_factory=dict)
    known: Ordinary | None = None
    folder: Path | None = None

    def __post_init__(self) -> None:
        chain, encoding = self.model.chain, self.model.encoding
        if not isinstance(encoding, Columns):
            raise SaltusError(f"the model is of {encoding.summary()} where rows of a table were expected; give a model of a table")
        if chain.condition is not None:
            raise SaltusError(
                f"the model is conditioned on {chain.condition.summary()}, and whole rows were expected; train one without a condition, "
                "so that it learns the labels as a column"
            )
        if not completes(chain):
            raise SaltusError(
                f"the model draws whole rows ({chain.levels.L} of {chain.kernel(1).label}), and one that takes a column after another was "
                "expected; train one with kernel autoregressive and levels 1"
            )
        if not self._fits(encoding):
            raise SaltusError("the columns are of another model than the chain; copy all files again from one training, or train again")
        encoding.names, encoding.dtypes = self.columns, self.dtypes  # which messages name

    def _fits(self, encoding: Columns) -> bool:
        d = len(encoding.columns)
        if not d == len(self.columns) == len(self.dtypes) or not all(map(is_dtype, self.dtypes)):
            return False
        texts = [(dtype == TEXT) == bool(own) for dtype, own in zip(self.dtypes, encoding.categories, strict=True)]
        return all(texts) and (self.known is None or self.known.costs.shape[1] == d)

    @property
    def encoding(self) -> Columns:
        """How cells become y."""
        assert isinstance(self.model.encoding, Columns)
        return self.model.encoding

    @property
    def wanted(self) -> dict[str, Expected]:
        """What each column has to be, by its name."""
        return dict(zip(self.columns, map(Expected, self.dtypes, self.encoding.categories), strict=True))

    @cached_property
    def ordinary(self) -> Ordinary:
        """What ordinary rows cost: that of the run, or measured on its validation rows.

        Raises:
            SaltusError: if the run does not say it, and its data are not there.
        """
        if self.known is not None:
            return self.known
        assert self.folder is not None  # one of the two is given
        return ordinary_rows(self.folder, self.model.chain)

    def rows(self, table: Any) -> Array:
        """The cells of whole rows (n, d), as the encoding takes them.

        Raises:
            SaltusError: if a column is not there, or holds what it never did.
        """
        found: Array = table_parts(
            [with_durations(table, self.wanted), None, None], ["the table", "", ""], wanted=self.wanted, declared=self.declared
        ).train
        for name, cells, column in zip(self.columns, found.T, self.encoding.columns, strict=True):
            if np.isnan(cells).any() and not isinstance(column, MissingColumn):
                row = int(np.isnan(cells).argmax())
                raise SaltusError(
                    f"the column {in_one_line(name)} holds a missing cell in row {row}, and none of it was missing in the rows that were "
                    "learned; fill it first, by impute"
                )
        return found

    def nats(self, table: Any, seed: int = 0, *, unseen: Array | None = None) -> Array:
        """A lower bound on ln p of each row, (n,); raises as `rows`.

        Args:
            table: the rows.
            seed: of the noise of the bound.
            unseen: which cells never came, (n, d) bool, whose rows have -inf; unless given, such a cell is an error.
        """
        if unseen is None:
            return self.model.log_prob_bound(self.rows(table), seed=seed)
        whole, found = np.logical_not(unseen.any(1)), np.full(len(unseen), -np.inf)
        found[whole] = self.nats(_some(table, whole), seed)
        return found

    def strangeness(self, table: Any, seed: int = 0) -> tuple[Array, Array]:
        """How strange each row and each of its cells is, (n,) and (n, d): -ln of the share of ordinary ones that are at least as strange.

        A cell that its column never held is infinitely strange, and nothing is concluded from it about the others of its row; the row
        has it as one that is rarer than all that ordinary rows are told by.

        Raises:
            SaltusError: if a column is not there, or holds another kind of values.
        """
        cells = self._cells(table, others=True)
        y, told, unseen = self.encoding.tolerant(cells)
        for j, (name, expected) in enumerate(self.wanted.items()):
            if expected.categories:  # a text that never came was read as a missing cell
                unseen[:, j] |= np.isnan(cells[:, j]) & table.column(name).is_valid().to_numpy()
        costs = costs_of(self.model.chain, self.encoding, y, told, seed=seed) + self.encoding.surprise_by_column(cells)
        costs = np.where(unseen, np.inf, costs)
        return self.ordinary.score(costs), np.where(unseen, np.inf, self.ordinary.by_column(costs))

    def _cells(self, table: Any, *, others: bool = False) -> Array:
        """Cells (n, d) float64 of rows that may be whole or not, see `saltus.data.cells_in`."""
        return cells_in(with_durations(table, self.wanted), self.wanted, self.declared, others=others)

    def asked(self, condition: Mapping[str, Any]) -> Asked:
        """What a condition asks of rows, see `TableModel.sample`.

        Raises:
            SaltusError: for an unknown column, or values that it cannot have.
        """
        return asked(self.encoding, self.columns, self.dtypes, condition)

    def drawn(self, condition: Asked, start: int, stop: int, seed: int) -> Array:
        """The cells of rows `start` to `stop` of those of a seed that meet a condition, (stop - start, d): a row is the same however many
        there are.

        Raises:
            SaltusError: if none can meet it, as far as the model knows.
        """
        device = like(self.model.chain)
        y, known = condition.y.to(device), condition.known.to(device.device)
        first = start // _AT_ONCE
        blocks = [
            complete(self.model.chain, y, known, draws=_AT_ONCE, within=condition.within, seed=seed, first_item=block)[0]
            for block in range(first, -(-stop // _AT_ONCE))
        ]
        return condition.kept_to(self.encoding.decode(torch.cat(blocks)[start - first * _AT_ONCE :][: stop - start]))

    def table(self, cells: Array) -> dict[str, Any]:
        """Cells (n, d) as columns of pyarrow by their names, those of one value beside them."""
        arrow = needs("pyarrow", extra="tables")
        columns = [as_arrow(*column) for column in zip(cells.T, self.dtypes, self.encoding.categories, strict=True)]
        others = {name: arrow.repeat(value, len(cells)) for name, value in self.constants.items()}
        return dict(zip(self.columns, columns, strict=True)) | others

    def filled(self, table: Any, draws: int, seed: int) -> list[Any]:
        """Tables with the missing cells of one drawn, given all that is there; what is there stays as it is.

        Args:
            table: with the columns that were learned; others stay as they are, or have their one value.
            draws: how many tables.
            seed: of all noise.

        Raises:
            SaltusError: as `rows`.
        """
        cells = self._cells(table)
        self.encoding.partial(cells)  # which tells rows by their number in the table
        holes = np.flatnonzero(np.isnan(cells).any(1))
        drawn = imputed(self.model.chain, self.encoding, cells[holes], draws, seed)
        return [self._filled(table, cells, holes, drawn[:, k]) for k in range(draws)]

    def _filled(self, table: Any, cells: Array, holes: Array, drawn: Array) -> Any:
        arrow, n = needs("pyarrow", extra="tables"), len(cells)
        new = np.full(cells.shape, np.nan)
        new[holes] = np.where(np.isnan(cells[holes]), drawn, np.nan)
        columns = zip(self.columns, new.T, self.dtypes, self.encoding.categories, strict=True)
        found = {name: as_arrow(column, dtype, own) for name, column, dtype, own in columns}
        found |= {name: arrow.repeat(value, n) for name, value in self.constants.items() if name in table.column_names}
        for name, values in found.items():
            column = _with_nulls(table.column(name))
            if column.null_count:
                table = table.set_column(table.column_names.index(name), name, _joined(column, values))
        return table


def _some(table: Any, which: Array) -> Any:
    """The rows of a mask (n,); all where there are none of them, for what says why."""
    return table.filter(needs("pyarrow", extra="tables").array(which)) if which.any() else table


def _with_nulls(column: Any) -> Any:
    """A column where NaN, which stands for a missing cell too, is null."""
    arrow, compute = needs("pyarrow", extra="tables"), needs("pyarrow.compute", extra="tables")
    return compute.if_else(compute.is_nan(column), None, column) if arrow.types.is_floating(column.type) else column


def _joined(column: Any, values: Any) -> Any:
    """A column whose missing cells are those of an array: in its own type, unless that cannot hold them."""
    arrow, compute = needs("pyarrow", extra="tables"), needs("pyarrow.compute", extra="tables")
    own = column.type
    if arrow.types.is_dictionary(own):
        whole = compute.coalesce(column.cast(own.value_type), values.cast(own.value_type))
        words = column.unify_dictionaries().chunk(0).dictionary
        places = compute.index_in(whole, words).combine_chunks()
        if places.null_count > whole.null_count:  # a word that the column has not
            return whole.dictionary_encode()
        return arrow.chunked_array([arrow.DictionaryArray.from_arrays(places.cast(own.index_type), words, ordered=own.ordered)])
    for kind in (own, values.type):
        try:
            return compute.coalesce(column.cast(kind), arrow.chunked_array([values.cast(kind)]))
        except arrow.ArrowException:
            continue
    return compute.coalesce(column.cast(arrow.string()), values.cast(arrow.string()))
