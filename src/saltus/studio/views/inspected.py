"""What `saltus data` says of data that a reader sent, and the training that can be started on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from saltus.data import table_ending
from saltus.errors import SaltusError
from saltus.studio.equivalents import Equivalent, command
from saltus.studio.html import marked, page, picture, table
from saltus.studio.limits import check_whole
from saltus.terminal import in_one_line
from saltus.words import listed

__all__ = [
    "COLOURS",
    "INVITATION",
    "DataSettings",
    "TrainSettings",
    "as_page",
    "equivalent",
    "inspection",
    "training",
    "training_equivalent",
]

_COLUMNS, _CLASSES, _LETTERS = 60, 40, 60
_SIZES = range(8, 129)
_LEVELS = range(1, 17)
_MOST_SEEDS = 2**62

COLOURS = MappingProxyType({"as they are": 0, "grey": 1, "red green blue": 3})
"""What images may get, and in how many channels: 0 for as they are."""
INVITATION = "Send a zip of images, or a table as CSV or Parquet.  What is in it is told here, before anything is learned."


@dataclass(frozen=True)
class DataSettings:
    """How data are read.

    Attributes:
        size: pixels of a side that images are resized to; 0 for as they are.
        crop: whether images keep their proportions.
        channels: that every image gets, one of `COLOURS`; 0 for as they are.
        labels: whether classes are learned: folders of images, or the column `label` of a table.

    Raises:
        SaltusError: for a size out of range.
    """

    size: int = 0
    crop: bool = False
    labels: bool = False
    channels: int = 0

    def __post_init__(self) -> None:
        if self.size:
            check_whole(self.size, "pixels of a side", _SIZES[-1], _SIZES[0])

    @classmethod
    def chosen(cls, size: float, crop: bool, colours: str, labels: bool) -> Self:
        """As the fields of the page have it.

        Raises:
            SaltusError: for a size or colours that are not offered.
        """
        if not isinstance(colours, str) or colours not in COLOURS:
            raise SaltusError(f"the colours {colours!r:.40} were given; expected one of {', '.join(COLOURS)}: choose one")
        return cls(int(size), bool(crop), bool(labels), COLOURS[colours])

    def lack(self, data: Path) -> str:
        """What a folder of images lacks for this, in a sentence: classes are folders in it; "" if nothing."""
        if not self.labels or not data.is_dir() or any(place.is_dir() for place in data.iterdir()):
            return ""
        return f'{data.name} has no classes; send a zip with a folder of images for each, or switch "Learn classes" off'

    def options(self, data: str) -> dict[str, str | float | bool | None]:
        """Of the commands on these data."""
        size, channels = str(self.size) if self.size else None, str(self.channels) if self.channels else None
        images = {} if table_ending(data) else {"size": size, "crop": self.crop and bool(self.size), "channels": channels}
        return {**images, "condition": "labels" if self.labels else None}

    def python(self, data: str) -> str:
        """The arguments of `saltus.data.load` and `saltus.data.inspect` after the place."""
        given = ', condition="labels"' if self.labels else ""
        of_size = [f"size={self.size}", *["crop=True"] * self.crop] if self.size else []
        prepared = [*of_size, *[f"channels={self.channels}"] * bool(self.channels)]
        if prepared and not table_ending(data):
            given += f", preparation=Preparation({', '.join(prepared)})"
        return given


@dataclass(frozen=True)
class TrainSettings:
    """A training.

    Attributes:
        minutes: its budget.
        levels: network calls of a sample; 0 for as many as are best for such data.
        seed: of all random numbers.

    Raises:
        SaltusError: for levels or a seed out of range.
    """

    minutes: float = 2.0
    levels: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.minutes > 0:
            raise SaltusError(f"{self.minutes:g} minutes were given; expected more than 0: choose another budget")
        if self.levels:
            check_whole(self.levels, "levels", _LEVELS[-1])
        check_whole(self.seed, "the seed", _MOST_SEEDS, 0)

    @property
    def time(self) -> str:
        """The budget, as the command takes it."""
        return f"{round(60 * self.minutes)}s"


def inspection(data: str, settings: DataSettings, picture: str | None = None) -> list[str]:
    """The arguments of the command that looks at data; `picture` is where it puts one of images."""
    return _arguments("data", data, **settings.options(data), out=picture)


def training(data: str, run: str, settings: DataSettings, train: TrainSettings) -> list[str]:
    """The arguments of the command that trains a run."""
    return _arguments("train", **_train_options(data, run, settings, train))


def _train_options(data: str, run: str, settings: DataSettings, train: TrainSettings) -> dict[str, Any]:
    options = {"data": data, **settings.options(data), "out": run, "time": train.time, "seed": train.seed}
    return options | ({"levels": train.levels} if train.levels else {})


def _arguments(*words: str, **options: Any) -> list[str]:
    """As `command`, in parts, without the name of the program."""
    import shlex

    return shlex.split(command(*words, **options))[1:]


def equivalent(data: str, settings: DataSettings, picture: str | None = None) -> Equivalent:
    """What says the same of data, and writes the same picture."""
    return Equivalent(
        command("data", data, **settings.options(data), out=picture),
        f"""from saltus.data import Preparation, inspect

found, data = inspect({data!r}{settings.python(data)})
print(found)
""",
    )


def training_equivalent(data: str, run: str, settings: DataSettings, train: TrainSettings) -> Equivalent:
    """What trains the same run."""
    given = [f'time="{train.time}"', f"seed={train.seed}", *[f"levels={train.levels}"] * bool(train.levels)]
    given += ['condition="labels"'] * settings.labels
    return Equivalent(
        command("train", **_train_options(data, run, settings, train)),
        f"""import saltus
from saltus.data import Preparation

data = saltus.load({data!r}{settings.python(data)})
model = saltus.Model.train(data, saltus.Config({", ".join(given)}), {run!r})
""",
    )


def as_page(found: Mapping[str, Any], notes: list[str], png: bytes | None = None) -> str:
    """What the tab shows, as markup.

    Args:
        found: what `saltus data --json` said.
        notes: sentences about how the file was received.
        png: a picture of some items.
    """
    counts = ", ".join(f"{n:,} {part}" for part, n in found["items"].items())
    shape = " x ".join(map(str, found["shape"]))
    said = [f"{found['name']}: {counts} items of shape {shape} and type {found['dtype']}"]
    if not found["columns"]:
        different = "more than 65,536" if found["different"] is None else f"{found['different']:,}"
        said.append(f"values from {found['least']:g} to {found['greatest']:g}, {different} different ones")
    if found["copies"]:
        shared = f", {found['shared']:,} of them in the validation or test part to a training item" if found["shared"] else ""
        said.append(f"{found['copies']:,} items are equal to one before them{shared}")
    if found["classes"]:
        told = [f"{_brief(name)}: {count:,}" for name, count in found["classes"].items()]
        said.append(f"{len(told)} classes: {listed(told, _CLASSES)}")
    lines = marked("").join(marked("<li>{}</li>", line) for line in (*said, *notes, *map(str, found["notes"])))
    verdict = f"A training would refuse this: {found['refused']}" if found["refused"] else f"A training learns {found['becomes']}."
    parts = [marked("<p><strong>{}</strong></p>", verdict), marked("<ul>{}</ul>", lines)]
    if png is not None:
        parts.append(picture(png, "some training items", "items.png"))
    if found["columns"]:
        headings = ["column", "type", "kind", "values", "different", "missing", "why"]
        parts.append(table(headings, _rows(found), "what the columns of the table are"))
    return page(parts, f"what is in {found['name']}")


def _rows(found: Mapping[str, Any]) -> list[list[str]]:
    n = sum(found["items"].values())
    rows = [_column(column, n) for column in found["columns"]]
    rows += [[_brief(name), "", "left out", "", "", "", str(why)] for name, why in found["left_out"].items()]
    more = len(rows) - _COLUMNS
    return [*rows[:_COLUMNS], *[[f"{more} columns more", *[""] * 6]] * (more > 0)]


def _column(column: Mapping[str, Any], n: int) -> list[str]:
    plain = column["holds"] or ("" if column["least"] is None else f"{column['least']:.6g} to {column['greatest']:.6g}")
    missing = f"{column['missing'] / n:.2%}" if column["missing"] else ""
    values = [_brief(column["name"]), column["dtype"], column["kind"], _brief(plain), f"{column['different']:,}", missing, column["why"]]
    return [str(value) for value in values]


def _brief(text: str) -> str:
    line = in_one_line(text)
    return line if len(line) <= _LETTERS else f"{line[:_LETTERS]}..."
