"""What a table model keeps beside its chain: how its tables looked, and what ordinary rows cost."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saltus.data import Encoding, Preparation, TableKind, declarations
from saltus.errors import SaltusError
from saltus.estimators.anomaly import Ordinary
from saltus.estimators.frame import Frame
from saltus.estimators.model import Model
from saltus.estimators.rows import TrainedTable
from saltus.extras import needs
from saltus.files import AGAIN, read_json, to_json, write_atomically
from saltus.pretrained import run_folder
from saltus.training import load_config, table_of
from saltus.training.folder import source_of
from saltus.words import in_brief

__all__ = ["Kept", "kind_of", "read_table", "write_kept"]

_FILE, _ENDING = "table.json", ".csv"


@dataclass(frozen=True, eq=False)
class Kept:
    """A table model as a folder has it.

    Attributes:
        trained: the model.
        frame: how the table looked that it was fitted to.
        params: those of `TableModel` that there are.
    """

    trained: TrainedTable
    frame: Frame
    params: dict[str, Any]


def write_kept(folder: Path, trained: TrainedTable, frame: Frame, params: dict[str, Any]) -> None:
    """Write all that `read_table` needs besides the model."""
    said = {name: kind.plain for name, kind in trained.declared.items()} or None  # a file of them may go
    kept = {
        "columns": trained.columns,
        "dtypes": trained.dtypes,
        "constants": _written(trained.constants),
        "frame": frame.plain,
        "params": params | {"columns": said},
        "ordinary": trained.ordinary.to_json(),
    }
    write_atomically(folder / _FILE, to_json(kept))


def read_table(place: str | Path) -> Kept:
    """The table model that a folder holds, of `TableModel.save` or of `saltus train`.

    Raises:
        SaltusError: if there is none, it is of other data than a table's, or it is damaged.
    """
    folder = run_folder(place)
    if not (folder / "chain.json").is_file():
        raise SaltusError(f"{folder} holds no table model; give a folder that TableModel.save or saltus train wrote")
    model = Model.load(folder)
    try:
        return _saved(folder, model) if (folder / _FILE).is_file() else _trained(folder, model)
    except SaltusError as error:
        raise error if str(error).startswith((f"{folder} ", f"{folder}/")) else SaltusError(f"{folder}: {error}") from error


def kind_of(folder: Path, encoding: Encoding) -> TableKind | None:
    """How samples of a folder's chain are written: as the table was that it learned, or as CSV; None for other data.

    Raises:
        SaltusError: if a file is damaged.
    """
    if not (folder / _FILE).is_file():
        return table_of(folder, encoding)
    kept = read_table(folder).trained
    return TableKind(_ENDING, kept.columns, kept.dtypes, kept.encoding.categories)


def _saved(folder: Path, model: Model) -> Kept:
    file = folder / _FILE
    kept = read_json(file)
    try:
        frame = Frame.of_plain(kept["frame"])
        ordinary, constants = Ordinary.from_json(kept["ordinary"]), _read(kept["constants"])
        columns, dtypes, params = tuple(kept["columns"]), tuple(kept["dtypes"]), dict(kept["params"])
        if not isinstance(params.get("random_state"), int | None):
            raise ValueError("the random state is no whole number")
    except (KeyError, TypeError, ValueError) as error:
        raise SaltusError(f"{file} is damaged ({in_brief(error)}); {AGAIN}") from error
    said = declarations(params.get("columns"))
    return Kept(TrainedTable(model, columns, dtypes, constants, said, ordinary), frame, params)


def _trained(folder: Path, model: Model) -> Kept:
    kind = table_of(folder, model.encoding)
    if kind is None:
        raise SaltusError(
            f"{folder} is of {model.encoding.summary()}, which were not read from a table in CSV or Parquet; give the run of such a table"
        )
    names = tuple(kind.names) or tuple(f"column {j}" for j in range(len(kind.dtypes)))
    config = load_config(folder)
    params = {"updates": config.updates} if config.time is None else {"time": config.time}
    said = Preparation.of(source_of(folder).get("preparation", {})).kinds
    trained = TrainedTable(model, names, tuple(kind.dtypes), declared=said, folder=folder)
    return Kept(trained, Frame("pyarrow", names, tuple(kind.dtypes)), params | {"random_state": config.seed, "columns": said or None})


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
