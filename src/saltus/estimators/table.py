"""A model of a table: fitted to rows as they are, and rows of the same kind back."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from saltus.chain import Chain
from saltus.data import Columns, DataSet, Expected, Preparation, as_arrow, declarations, table_parts
from saltus.data.layout import Array
from saltus.data.parts import Parts
from saltus.errors import SaltusError
from saltus.estimators.frame import Frame
from saltus.estimators.frames import to_arrow
from saltus.estimators.model import Model
from saltus.extras import needs
from saltus.files import AGAIN, read_json, to_json, write_atomically
from saltus.training import Config
from saltus.words import in_brief

__all__ = ["TableModel"]

_KEPT = "table.json"


class TableModel:
    """Numbers, categories, dates and missing cells of rows, by one reverse step of a spline flow.

    Args:
        time: of a fit, such as "60s" or "10m".
        random_state: the same one gives the same model and the same rows on one machine; of `sample` the first of its seeds.
        columns: what columns are, in place of what is detected: a mapping such as {"grade": "category"}, or a file of TOML; see
            `saltus.data.declared`.

    Attributes:
        model_: the trained `Model`, whose `chain` and `encoding` it is made of.
        columns_: the names of the columns that are learned.
        notes_: what was left out, and why.

    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(200, 2))
    >>> TableModel(time="1s", random_state=0).fit(rows).sample(3).shape
    (3, 2)
    """

    def __init__(
        self,
        *,
        time: str | float = "60s",
        random_state: int | None = None,
        columns: Mapping[str, Any] | str | os.PathLike[str] | None = None,
    ) -> None:
        self.time, self.random_state, self.columns = time, random_state, columns

    def fit(self, X: Any, y: None = None) -> Self:
        """Learn from rows of a table: a pandas, polars or pyarrow one, or an array (N, d).

        Raises:
            SaltusError: if it is no table, has too few rows, or no column that can be learned; and for y, which is a column like others.
        """
        if y is not None:
            raise SaltusError(
                "y was given, and a table model learns the columns of X; expected None: join y to X as a column, or leave it out"
            )
        if not isinstance(self.random_state, int | np.integer | None) or isinstance(self.random_state, bool):
            raise SaltusError(f"random_state is {self.random_state!r:.40} where a whole number or None was expected; give one")
        said = declarations(self.columns)
        table, frame = to_arrow(X, [name for name, kind in said.items() if kind.kind == "skip"])
        parts = table_parts([table, None, None], ["the table", "", ""], declared=said)
        constants = _constants(table, parts)
        if frame.library == "numpy" and (lost := [entry for entry in parts.left_out if entry[0] not in constants]):
            raise SaltusError(
                f"{lost[0][0]} of the array cannot be learned, as it is {lost[0][1]}; take it out, or give a table with names"
            )
        data = DataSet.from_parts(parts, name="the table", preparation=Preparation(columns=said))
        seed = int(np.random.default_rng().integers(2**31)) if self.random_state is None else self.random_state
        self.model_ = Model.train(data, Config(kernel="flow", levels=1, prior="normal", time=self.time, seed=seed), quiet=True)
        self.columns_, self.notes_, self._dtypes, self._drawn = list(parts.columns), data.notes, parts.dtypes, 0
        self._frame, self._constants, self._said = frame, constants, said
        return self

    def sample(self, n: int = 1) -> Any:
        """n new rows, as those that were given; other ones at every call.

        Raises:
            SaltusError: if n is no whole number from 1 up.
        """
        encoding, frame = self._encoding(), self._frame
        seed = None if self.random_state is None else self.random_state + self._drawn + 1
        cells = self.model_.sample(n, seed=seed, batch=4096)
        self._drawn += 1
        drawn = [as_arrow(*column) for column in zip(cells.T, self._dtypes, encoding.categories, strict=True)]
        repeated = {name: needs("pyarrow", extra="tables").repeat(value, n) for name, value in self._constants.items()}
        whole = dict(zip(self.columns_, drawn, strict=True)) | repeated
        kept = [k for k, key in enumerate(frame.keys) if key in whole]
        return frame.of([whole[frame.keys[k]] for k in kept], kept)

    def score_samples(self, X: Any) -> Array:
        """A lower bound on ln p of each row, (N,) nats: the mass of counted values, categories and missing cells, times the density of
        other numbers in their units.

        Raises:
            SaltusError: if a column is missing, or holds what it never did.
        """
        encoding = self._encoding()
        table, frame = to_arrow(X, [name for name, kind in self._said.items() if kind.kind == "skip"])
        if {frame.library, self._frame.library} == {"numpy"} and len(frame.names) != len(self._frame.names):
            raise SaltusError(
                f"the array has {len(frame.names)} columns where {len(self._frame.names)} were expected; give rows of the same kind"
            )
        self._frame.check_periods(frame)
        wanted = dict(zip(self.columns_, map(Expected, self._dtypes, encoding.categories), strict=True))
        rows = table_parts([table, None, None], ["the table", "", ""], wanted=wanted, declared=self._said).train
        return self.model_.log_prob_bound(rows)

    def score(self, X: Any, y: None = None) -> float:
        """The mean of `score_samples`."""
        if y is not None:
            raise SaltusError("y was given, and a table model scores the columns of X; expected None: leave it out")
        return float(self.score_samples(X).mean())

    def save(self, folder: str | Path) -> None:
        """Write everything that `load` needs; `saltus sample` takes the folder too."""
        self._encoding()
        self.model_.save(folder)
        kept = {
            "columns": self.columns_,
            "dtypes": self._dtypes,
            "said": {name: kind.plain for name, kind in self._said.items()},
            "constants": _written(self._constants),
            "frame": self._frame.plain,
            "time": self.time,
            "random_state": self.random_state,
        }
        write_atomically(Path(folder) / _KEPT, to_json(kept))

    @classmethod
    def load(cls, folder: str | Path) -> TableModel:
        """The model that `save` wrote; tables of polars come as pyarrow's.

        Raises:
            SaltusError: if there is none, or its file is damaged.
        """
        file = Path(folder) / _KEPT
        if not file.is_file():
            raise SaltusError(f"{folder} holds no table model; give a folder that TableModel.save wrote")
        kept = read_json(file)
        try:
            made = cls(time=kept["time"], random_state=kept["random_state"], columns=kept["said"] or None)
            made.columns_, made._dtypes = list(kept["columns"]), tuple(kept["dtypes"])
            made._said, made._constants, made._frame = declarations(made.columns), _read(kept["constants"]), Frame.of_plain(kept["frame"])
        except (KeyError, TypeError, ValueError) as error:
            raise SaltusError(f"{file} is damaged ({in_brief(error)}); {AGAIN}") from error
        made.model_, made.notes_, made._drawn = Model(Chain.load(folder)), (), 0
        if len(made._dtypes) != len(made._encoding().columns) or len(made.columns_) != len(made._dtypes):
            raise SaltusError(f"{file} is of another model than the chain beside it; {AGAIN}")
        return made

    def _encoding(self) -> Columns:
        if not hasattr(self, "model_"):
            raise SaltusError("this model has not been fitted; call fit with rows first")
        encoding = self.model_.encoding
        if not isinstance(encoding, Columns):
            raise SaltusError(f"the model is of {encoding.summary()}, which are no table; give one that TableModel.save wrote")
        encoding.names, encoding.dtypes = self.columns_, self._dtypes
        return encoding


def _constants(table: Any, parts: Parts) -> dict[str, Any]:
    """The value of each column that has but one, or none, as pyarrow's scalar."""
    return {name: table.column(name)[0] for name, why in parts.left_out if why in ("constant", "empty")}


def _written(constants: Mapping[str, Any]) -> str:
    """As text: a table of one row, as pyarrow sends it, in base64."""
    arrow = needs("pyarrow", extra="tables")
    row = arrow.Table.from_arrays([arrow.array([value.as_py()], value.type) for value in constants.values()], names=list(constants))
    sink = arrow.BufferOutputStream()
    with arrow.ipc.new_stream(sink, row.schema) as writer:
        writer.write_table(row)
    return base64.b64encode(sink.getvalue()).decode()


def _read(text: str) -> dict[str, Any]:
    """The inverse of `_written`; a ValueError for anything else."""
    arrow = needs("pyarrow", extra="tables")
    row = arrow.ipc.open_stream(base64.b64decode(text, validate=True)).read_all()
    if row.num_columns and row.num_rows != 1:
        raise ValueError(f"constants of {row.num_rows} rows")
    return {name: row.column(name)[0] for name in row.column_names}
