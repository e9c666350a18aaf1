"""What the folder of a run says: what was asked for, on which data, how far it is.

config.json                    what was asked for, with what was left open decided
source.json                    where the data came from, how they were read and what was said of it, their fingerprint, the run that it
                               started from, and versions
chain.json, chain.safetensors  the averaged, calibrated chain, with its encoding of the data
metrics.jsonl                  one JSON object a line, from the first update to the last
checkpoints                    what the training needs to go on
"""

from __future__ import annotations

from pathlib import Path
from types import NoneType
from typing import Any

from saltus.chain import Chain
from saltus.data import TEXT, Columns, DataSet, Encoding, Preparation, TableKind, is_dtype, load, table_ending
from saltus.errors import SaltusError
from saltus.files import check_regular, parse_json, read_json, to_json
from saltus.levels import Levels
from saltus.registry import describe
from saltus.training.config import Config

__all__ = [
    "CHECKPOINTS",
    "METRICS",
    "PLAN",
    "SOURCE",
    "check_data",
    "encoding_of",
    "load_config",
    "load_data",
    "load_encoding",
    "metrics_of",
    "planned_levels",
    "recipe",
    "source_of",
    "table_of",
    "updates_done",
]

METRICS, SOURCE, CHECKPOINTS = "metrics.jsonl", "source.json", "checkpoints"
PLAN = "plan.json"
"""What `saltus plan` keeps in a run's folder."""
_SOURCE: dict[str, tuple[type, ...]] = {
    "source": (str, NoneType),
    "fingerprint": (str,),
    "conditions": (str, NoneType),
    "label": (str, NoneType),
    "start": (dict, NoneType),
    "versions": (dict, NoneType),
}
"""What may stand in source.json."""


def load_encoding(folder: str | Path) -> Encoding:
    """How values of a run map to the data and back.

    Raises:
        SaltusError: if the folder holds no run.
    """
    return encoding_of(Chain.load(folder), folder)


def encoding_of(chain: Chain, folder: str | Path) -> Encoding:
    """The encoding that the chain of a folder carries.

    Raises:
        SaltusError: if it has none.
    """
    if not isinstance(chain.encoding, Encoding):
        raise SaltusError(f"the chain in {folder} has no encoding of data; give the folder of a training run")
    return chain.encoding


def load_data(folder: str | Path, given: str | Path | None = None) -> DataSet:
    """The data set of a run: from where it was trained from, or from where it is now.

    Args:
        folder: of the run.
        given: the data, if they have moved.

    Raises:
        SaltusError: if the folder does not say where its data are, they are not there, or they are others.
    """
    source = source_of(Path(folder))
    place = given or source.get("source")
    if not place:
        raise SaltusError(f"{folder} does not say where its data are; give them with --data")
    condition, encoding = load_config(folder).condition, load_encoding(folder)
    preparation = Preparation.of(source.get("preparation", {}))
    try:
        # by which an older version may have read them otherwise
        data = load(place, condition=condition, encoding=encoding, preparation=preparation)
        check_data(folder, data)
    except SaltusError:
        data = load(place, condition=condition, preparation=preparation)
        check_data(folder, data)
    return data


def check_data(folder: str | Path, data: DataSet) -> None:
    """Whether a run was trained on these data, by their fingerprint, or where it has none by their encoding.

    Raises:
        SaltusError: if it was not.
    """
    source = source_of(Path(folder))
    same = data.fingerprint == source["fingerprint"] if source else describe(data.encoding)[0] == describe(load_encoding(folder))[0]
    if not same:
        raise SaltusError(f"{data.source or data.name} holds other data than those that {folder} was trained on; give the same data")
    if (told := source.get("conditions")) and data.condition_fingerprint not in (None, told):
        raise SaltusError(f"{data.source or data.name} holds other conditions than those that {folder} was trained on; give the same data")


def table_of(folder: str | Path, encoding: Encoding) -> TableKind | None:
    """How the table was written that a run was trained on; None for other data.

    Raises:
        SaltusError: if they are not those of the run's encoding.
    """
    source = source_of(Path(folder))
    if not (ending := table_ending(str(source.get("source")))):
        return None
    names, dtypes = source.get("columns") or [], source.get("dtypes") or []
    whole = [*encoding.shape] == [len(dtypes)] and len(names) in (0, len(dtypes)) and {*map(type, [*names, *dtypes])} <= {str}
    categories = encoding.categories if isinstance(encoding, Columns) else ((),) * len(dtypes)
    if (
        not whole
        or not all(map(is_dtype, dtypes))
        or any((dtype == TEXT) != bool(own) for dtype, own in zip(dtypes, categories, strict=True))
    ):
        raise SaltusError(f"{Path(folder) / SOURCE} is damaged; train again, or take the file from a copy of the run")
    return TableKind(ending, names, dtypes, categories, source.get("label") or "label")


def planned_levels(folder: str | Path, chain: Chain, calls: int) -> Levels:
    """The grid of so many calls that `saltus plan` found for a run; the cosine grid where it was not asked, or the chain's own."""
    if not chain.any_step and calls == chain.levels.L:
        return chain.levels
    planned = _planned(Path(folder), calls) if chain.any_step else None
    return Levels.cosine(calls, chain.levels.last) if planned is None else planned  # which a chain of one grid refuses


def _planned(folder: Path, calls: int) -> Levels | None:
    file = folder / PLAN
    if not file.exists():
        return None
    try:
        found = _json(file)["plans"].get(str(calls))
        if found is None:
            return None
        if not isinstance(found["times"], list) or len(found["times"]) != calls + 1:
            raise ValueError("a grid of another number of calls")
        return Levels(found["times"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SaltusError(f"{file} is damaged; remove it, or plan again with: saltus plan {folder}") from error


def load_config(folder: str | Path) -> Config:
    """What a run was asked for.

    Raises:
        SaltusError: if the folder holds no run, or the file is damaged.
    """
    file = Path(folder) / "config.json"
    try:
        return Config.from_saved(_json(file))
    except SaltusError as error:
        raise error if str(file) in str(error) else SaltusError(f"{file} is damaged: {error}") from error


def recipe(folder: str | Path) -> str:
    """What made a run, in everything but its seeds: runs with one recipe differ by chance alone.

    Raises:
        SaltusError: as `load_config`.
    """
    start = source_of(Path(folder)).get("start")
    begun = start and [start["config"] | {"seed": 0}, start["updates"]]
    config = load_config(folder).model_copy(update={"seed": 0})
    return to_json([config.model_dump(mode="json"), updates_done(folder), begun])


def updates_done(folder: str | Path) -> int:
    """How many updates a run has reached: fewer than its configuration asks for if it was stopped."""
    lines = metrics_of(Path(folder) / METRICS)
    return int(lines[-1]["update"]) if lines else 0


def metrics_of(file: Path) -> list[dict[str, Any]]:
    """The lines of a file of metrics that are whole, with the number of the update and the seconds up to it; none if it is not there."""
    if not file.exists():
        return []
    check_regular(file)
    lines = (_line(text, file) for text in file.read_text(errors="replace").splitlines())
    return [line for line in lines if line is not None]


def _line(text: str, file: Path) -> dict[str, Any] | None:
    try:
        found = parse_json(text, file)
    except SaltusError:  # cut short
        return None
    if not isinstance(found, dict):
        return None
    found.setdefault("update", found.get("step"))  # as older runs call it
    found.setdefault("seconds", 0.0)
    whole = type(found["update"]) is int and found["update"] >= 0 and type(found["seconds"]) in (int, float)
    return found if whole else None


def source_of(folder: Path) -> dict[str, Any]:
    """What a run remembers of its data and its beginning; nothing where it has no file of it.

    Raises:
        SaltusError: if the file says what no run remembers.
    """
    file = folder / SOURCE
    if not file.exists():
        return {}
    found = _json(file)
    start = found.get("start") or {"config": {}, "updates": 0}
    wrong = [name for name, kinds in _SOURCE.items() if not isinstance(found.get(name), kinds)]
    if wrong or not isinstance(start.get("config"), dict) or type(start.get("updates")) is not int:
        name = (wrong or ["start"])[0]
        raise SaltusError(f"{file} is damaged: its {name} is {found.get(name)!r:.60}; train again, or take the file from a copy of the run")
    return found


def _json(file: Path) -> dict[str, Any]:
    try:
        content = read_json(file)
    except FileNotFoundError:
        raise SaltusError(f"{file} is not there; give the folder that training wrote") from None
    if not isinstance(content, dict):
        raise SaltusError(f"{file} is damaged; train again, or take the file from a copy of the run")
    return content
