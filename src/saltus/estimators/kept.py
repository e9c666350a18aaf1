"""What a table model keeps beside its chain: how its tables looked, and what ordinary rows cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saltus.data import Columns
from saltus.errors import SaltusError
from saltus.estimators.anomaly import Ordinary
from saltus.estimators.frames import Frame
from saltus.files import AGAIN, read_json
from saltus.words import in_brief

__all__ = ["KEPT", "Kept", "kept_of", "read_kept"]

KEPT = "table.json"


@dataclass(frozen=True, eq=False)
class Kept:
    """Of a table model, see `TableModel`."""

    file: Path
    frame: Frame
    columns: list[str]
    dtypes: tuple[str, ...]
    constants: dict[str, Any]
    ordinary: Ordinary
    time: Any
    random_state: int | None

    def check(self, encoding: Columns) -> None:
        """Raise SaltusError if it is of another model than the encoding."""
        if not len(self.columns) == len(self.dtypes) == len(encoding.columns) == self.ordinary.costs.shape[1]:
            raise SaltusError(f"{self.file} is of another model than the chain beside it; {AGAIN}")


def kept_of(
    frame: Frame, columns: Sequence[str], dtypes: Sequence[str], constants: Mapping[str, Any], ordinary: Ordinary
) -> dict[str, Any]:
    """What is written, as JSON."""
    told = {"library": frame.library, "names": [*map(str, frame.names)], "dtypes": [*map(str, frame.dtypes)]}
    return {"columns": list(columns), "dtypes": dtypes, "constants": constants, "frame": told, "ordinary": ordinary.to_json()}


def read_kept(folder: Path) -> Kept:
    """What was written.

    Raises:
        SaltusError: if there is nothing, or it is damaged.
    """
    file = folder / KEPT
    if not file.is_file():
        raise SaltusError(f"{folder} holds no table model; give a folder that TableModel.save wrote")
    kept = read_json(file)
    try:
        told = kept["frame"]
        library = "pyarrow" if told["library"] == "polars" else str(told["library"])
        frame = Frame(library, tuple(told["names"]), tuple(told["dtypes"]))
        ordinary = Ordinary.from_json(kept["ordinary"])
        columns, dtypes, constants = list(kept["columns"]), tuple(kept["dtypes"]), dict(kept["constants"])
        return Kept(file, frame, columns, dtypes, constants, ordinary, kept["time"], kept["random_state"])
    except (KeyError, TypeError, ValueError) as error:
        raise SaltusError(f"{file} is damaged ({in_brief(error)}); {AGAIN}") from error
