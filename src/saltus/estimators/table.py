"""A model of a table: fitted to rows as they are, and rows of the same kind back."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np

from saltus.chain import Chain
from saltus.data import AS_GIVEN, Columns, DataSet, as_arrow, table_parts
from saltus.data.layout import Array
from saltus.errors import SaltusError
from saltus.estimators.frames import Frame, to_arrow
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
        seed = int(np.random.default_rng().integers(2**31)) if self.random_state is None else self.random_state
        self.model_ = Model.train(data, Config(kernel="flow", levels=1, prior="normal", time=self.time, seed=seed), quiet=True)
        self.columns_, self.notes_, self._dtypes, self._drawn = list(parts.columns), data.notes, parts.dtypes, 0
        others = (name for name in table.column_names if name not in parts.columns)
        self._constants = {name: values[0].as_py() for name in others if len(values := table.column(name).unique()) == 1}
        return self

    def sample(self, n: int = 1) -> Any:
        """n new rows, as those that were given; other ones at every call."""
        encoding, frame = self._encoding(), self._frame
        self._drawn += 1
        cells = self.model_.sample(n, seed=None if self.random_state is None else self.random_state + self._drawn, batch=4096)
        columns = [as_arrow(*column) for column in zip(cells.T, self._dtypes, encoding.categories, strict=True)]
        whole = dict(zip(self.columns_, columns, strict=True)) | {name: [value] * n for name, value in self._constants.items()}
        order = [k for k, name in enumerate(frame.names) if str(name) in whole]
        table = needs("pyarrow", extra="tables").table({str(frame.names[k]): whole[str(frame.names[k])] for k in order})
        return frame.of(table, order)

    def score_samples(self, X: Any) -> Array:
        """A lower bound on ln p of each row, (N,) nats: the mass of counted values, categories and missing cells, times the density of
        other numbers in their units.

        Raises:
            SaltusError: if a column is missing, or holds what it never did.
        """
        encoding = self._encoding()
        table, _ = to_arrow(X)
        wanted = dict(zip(self.columns_, encoding.categories, strict=True))
        return self.model_.log_prob_bound(table_parts([table, None, None], ["the table", "", ""], wanted=wanted).train)

    def score(self, X: Any, y: None = None) -> float:
        """The mean of `score_samples`."""
        return float(self.score_samples(X).mean())

    def save(self, folder: str | Path) -> None:
        """Write everything that `load` needs; `saltus sample` takes the folder too."""
        self._encoding()
        self.model_.save(folder)
        frame = {"library": self._frame.library, "names": [*map(str, self._frame.names)], "dtypes": [*map(str, self._frame.dtypes)]}
        kept = {"columns": self.columns_, "dtypes": self._dtypes, "constants": self._constants, "frame": frame}
        write_atomically(Path(folder) / _KEPT, to_json(kept | {"time": self.time, "random_state": self.random_state}))

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
            made, frame = cls(time=kept["time"], random_state=kept["random_state"]), kept["frame"]
            made.columns_, made._dtypes, made._constants = list(kept["columns"]), tuple(kept["dtypes"]), dict(kept["constants"])
            library = "pyarrow" if frame["library"] == "polars" else str(frame["library"])
            made._frame = Frame(library, tuple(frame["names"]), tuple(frame["dtypes"]))
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
        assert isinstance(encoding, Columns)
        return encoding
