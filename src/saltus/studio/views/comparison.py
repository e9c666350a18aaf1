"""The curves and tables of a comparison that `saltus compare` kept in compare.json, which may come from anybody: it is checked first."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from saltus.errors import SaltusError
from saltus.evaluation import METRICS
from saltus.files import read_json
from saltus.studies.compare.page import bound_figure, cell, curves, plus_minus, tabulated
from saltus.studio.equivalents import Equivalent, command
from saltus.studio.html import heading, page, paragraph, plot, table
from saltus.terminal import in_one_line

__all__ = ["FILE", "as_page", "equivalent", "measured", "read_comparison"]

FILE = "compare.json"
_MOST_ROWS, _MOST_CALLS, _LETTERS = 1000, 100_000, 200
Text = Annotated[str, Field(max_length=_LETTERS)]
Calls = Annotated[int, Field(ge=0, le=_MOST_CALLS)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


class _Figure(_Part):
    mean: float | None
    spread: float | None = None
    above_floor: float | None = None


class _Bound(_Part):
    value: _Figure
    unit: Text
    importance_samples: int = 1


class _Row(_Part):
    model: Text
    sampler: Text
    calls: Calls
    network_calls: Calls
    metrics: dict[Text, _Figure]
    multiply_adds: int | None = None
    seconds_per_1000: float
    bound: _Bound | None = None


class _Network(_Part):
    run: Text


class _Summary(_Part):
    data: Annotated[str, Field(max_length=10 * _LETTERS)]
    n_generated: int
    floor: dict[Text, _Figure]
    rows: Annotated[list[_Row], Field(min_length=1, max_length=_MOST_ROWS)]
    models: dict[Text, list[_Network]] = {}


def read_comparison(file: Path) -> dict[str, Any]:
    """What a compare.json says, as far as it is shown.

    Raises:
        SaltusError: if it is not there, or no such file.
    """
    name = in_one_line(file.name[-_LETTERS:])
    try:
        found = _Summary.model_validate(read_json(file))
    except OSError as error:
        raise SaltusError(f"{name} cannot be read; give a {FILE} that saltus compare wrote") from error
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise SaltusError(
            f"{name} is no comparison (at {in_one_line(where[:_LETTERS])}); give a {FILE} that saltus compare wrote"
        ) from error
    summary = found.model_dump()
    if not measured(summary):
        raise SaltusError(f"{name} has no figure that is known here; give a {FILE} of this version of saltus")
    return summary


def measured(summary: dict[str, Any]) -> list[str]:
    """The names of the metrics that every row has, and the floor too."""
    return [name for name in METRICS if name in summary["floor"] and all(name in row["metrics"] for row in summary["rows"])]


def as_page(summary: dict[str, Any], name: str) -> str:
    """One metric over network calls with the floor, its table, and tables of the bound and of the work.

    Raises:
        SaltusError: for a metric that was not measured.
    """
    if name not in measured(summary):
        raise SaltusError(f"{name!r:.60} was not measured; expected one of: {', '.join(measured(summary))}")
    title, floor = METRICS[name].title, plus_minus(summary["floor"][name])
    parts = [
        paragraph(
            f"{summary['data']}. {summary['n_generated']:,} samples a figure. Floor, which real items have in place of samples: {floor}."
        ),
        plot(curves(summary, name), words=f"{title} over network calls; dotted: real items", file=name),
        _table(summary, f"{title}; in brackets what is above the floor", partial(_cell, name)),
    ]
    if any(row["bound"] for row in summary["rows"]):
        unit = next(row["bound"]["unit"] for row in summary["rows"] if row["bound"])
        parts += [heading(f"Bound on the negative log-likelihood, {unit}"), _table(summary, "bound", bound_figure)]
    parts += [heading("Multiply-adds for one sample"), _table(summary, "multiply-adds", _work)]
    return page(parts, title)


def _cell(name: str, row: dict[str, Any]) -> str:
    return cell(row, name)


def _work(row: dict[str, Any]) -> str:
    return "" if row["multiply_adds"] is None else f"{row['multiply_adds']:,}"


def _table(summary: dict[str, Any], words: str, value: Any) -> Any:
    headings, *rows = tabulated(summary, value)
    return table([str(text) for text in headings], rows, words)


def equivalent(summary: dict[str, Any], name: str, folder: str) -> Equivalent:
    """What makes such a comparison, and the same curves of it."""
    runs = [network["run"] for networks in summary["models"].values() for network in networks if network["run"]]
    calls = ",".join(str(n) for n in sorted({row["calls"] for row in summary["rows"]}))
    return Equivalent(
        command("compare", *runs, calls=calls, n=summary["n_generated"], out=folder),
        f"""from pathlib import Path

from saltus.studies.compare.page import curves
from saltus.studio.views.comparison import read_comparison

summary = read_comparison(Path({folder!r}) / {FILE!r})
curves(summary, {name!r}).savefig({f"{name}.svg"!r})
""",
    )
