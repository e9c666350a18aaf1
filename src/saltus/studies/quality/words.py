"""What was measured, in sentences, in short figures, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from saltus.evaluation.quality import Nearest, TwoSample, Utility, difference
from saltus.studies.quality.measure import Quality
from saltus.words import listed

__all__ = ["Tile", "as_json", "caution", "finding", "number", "plus_minus", "ratio", "score", "share", "telling", "tiles", "worth"]

_ERRORS = 2.0  # standard errors of the difference to training rows from which on rows are told apart
_ERRORS_OF_MANY = 2.5  # the same of one column among many
_PART = 0.25  # of what is above guessing, that is lost without a column that is named
_MANY_COPIES = 0.1  # of held-out rows that are training rows
_NAMED = 3  # columns that a sentence names


@dataclass(frozen=True)
class Tile:
    """A figure that stands out: what it is of, itself, and what it is to be compared with."""

    title: str
    figure: str
    beside: str


def share(value: float, digits: int = 1) -> str:
    """Of 1, in percent.

    >>> share(0.5392)
    '53.9%'
    """
    return f"{100 * value:.{digits}f}%"


def number(value: float, digits: int = 2) -> str:
    """With a minus and not a hyphen.

    >>> number(-0.05)
    '−0.05'
    """
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def plus_minus(value: str, error: str) -> str:
    """A figure and its standard error."""
    return f"{value} ± {error}"


def score(found: TwoSample) -> str:
    """An accuracy and its standard error."""
    return plus_minus(f"{100 * found.accuracy:.1f}", share(found.error))


def ratio(found: Nearest) -> str:
    """A ratio and its interval."""
    if math.isnan(found.ratio):
        return "not defined (held-out rows have distance 0)"
    return f"{found.ratio:.2f} ({found.low:.2f} to {found.high:.2f})"


def _is_told(quality: Quality) -> bool:
    """Whether synthetic rows are told from held-out rows more often than training rows are, and than guessing is right, beyond chance."""
    return _above(quality.synthetic, quality.train) > _ERRORS


def telling(quality: Quality) -> list[int]:
    """The columns that alone tell synthetic rows, more than they tell training rows and beyond chance; that which tells most first."""
    beside = zip(quality.shown, quality.alone_train, strict=True)
    return [j for j, train in beside if _above(quality.alone[j], train) > _ERRORS_OF_MANY]


def _above(found: TwoSample, floor: TwoSample) -> float:
    """By how many standard errors of the difference rows are told more often than training rows are, and than guessing is right."""
    gap, error = found.accuracy - max(0.5, floor.accuracy), math.hypot(found.error, floor.error)
    return gap / error if error else math.copysign(math.inf, gap) if gap else 0.0


def finding(quality: Quality) -> list[str]:
    """Three sentences: how often rows are told apart, by what, and whether any is a copy."""
    return [_told(quality), _given_away(quality), _copies(quality)]


def _told(quality: Quality) -> str:
    measured = (
        f"Boosted trees tell synthetic from held-out rows in {score(quality.synthetic)} of cases, and training rows in their place in "
        f"{score(quality.train)}; guessing has 50%"
    )
    return f"{measured}." if _is_told(quality) else f"{measured}, and with so many rows the difference may be chance."


def _given_away(quality: Quality) -> str:
    names, told = [column.name for column in quality.compared.columns], quality.synthetic
    alone = telling(quality)
    if not (alone or _is_told(quality)):
        return "No column gives them away."
    lost, least = told.importance, _PART * (told.accuracy - 0.5)
    most = [names[j] for j in sorted(range(len(names)), key=lambda j: -lost[j])[:_NAMED] if lost[j] > least]
    together = f"together with others it is most {listed(most, _NAMED)}" if most else "it is how many of them go together"
    if not alone:
        return f"No column gives them away alone; {together}."
    words = [f"{names[j]} ({share(quality.alone[j].accuracy)})" for j in alone]
    first = f"{'Columns that give' if len(words) > 1 else 'The column that gives'} them away alone: {listed(words, _NAMED)}"
    return f"{first}; {together}." if told.accuracy - quality.alone[alone[0]].accuracy > least else f"{first}."


def _copies(quality: Quality) -> str:
    found = quality.privacy
    if found.repeated:
        held_out = f"{share(found.repeated / found.trained)} of training rows equal another one too"
    else:
        others = f"{found.held_out_copies:,}" if found.held_out_copies else "none"
        held_out = f"of {found.held_out:,} held-out rows {others} {_are(found.held_out_copies or 1)}"
    if not found.copies:
        return f"None of {found.rows:,} synthetic rows is a copy of a training row; {held_out}."
    copies = f"{found.copies:,} of {found.rows:,} synthetic rows ({share(found.copies / found.rows)})"
    return f"{copies} {_are(found.copies)} {'a copy of a training row' if found.copies == 1 else 'copies of training rows'}; {held_out}."


def caution(quality: Quality) -> str:
    """What to know where held-out rows may not be held out; nothing where they seem to be."""
    found = quality.privacy
    if found.held_out_copies <= _MANY_COPIES * found.held_out:
        return ""
    equal = f"{found.held_out_copies:,} of {found.held_out:,} held-out rows are equal to training rows"
    return f"{equal}: either rows repeat in this table, or it holds rows that the run was trained on, which are not held out then."


def _are(n: int) -> str:
    return "is" if n == 1 else "are"


def tiles(quality: Quality) -> list[Tile]:
    """The figures that stand out."""
    private, found = quality.privacy, quality.prediction
    made = [
        Tile("Told from held-out rows", score(quality.synthetic), f"training rows: {score(quality.train)}"),
        Tile(
            "Copies of training rows",
            f"{private.copies:,} of {private.rows:,}",
            f"training rows that equal another: {private.repeated:,} of {private.trained:,}",
        ),
        Tile(
            "Median distance to the nearest training row",
            ratio(private.median).partition(" (")[0],
            "times that of held-out rows; new rows have 1",
        ),
    ]
    if found is not None:
        target = quality.compared.columns[found.target]
        what = "Accuracy" if target.categorical else "R²"
        made.append(Tile(f"{what} for {target.name}", worth(found.synthetic), f"trained on real rows: {worth(found.real)}"))
    if quality.bound is not None:
        best = min(quality.bound.floors.values(), key=lambda floor: floor.total)
        mean, error, unit = quality.bound.own.total, quality.bound.own.total_error, "nats a row"
        made.append(Tile("Bound on −ln p", plus_minus(number(mean), number(error)), f"{unit}; best closed form: {number(best.total)}"))
    return made


def worth(found: Utility) -> str:
    """An accuracy or R^2, and its standard error."""
    return plus_minus(number(found.score, 3), number(found.error, 3))


def as_json(quality: Quality) -> dict[str, Any]:
    """All figures, by name."""
    rows, private = quality.compared, quality.privacy
    names = [column.name for column in rows.columns]
    floors = {j: each.accuracy for j, each in zip(quality.shown, quality.alone_train, strict=True)}
    return {
        "finding": finding(quality),
        "caution": caution(quality),
        "rows": {"synthetic": len(rows.synthetic), "held_out": len(rows.held_out), "training": len(rows.train), "part": rows.part},
        "two_sample": {"synthetic": _plain(quality.synthetic), "training": _plain(quality.train)},
        "columns": [
            {
                "name": names[j],
                "accuracy": quality.alone[j].accuracy,
                "error": quality.alone[j].error,
                "training": floors.get(j),
                "importance": quality.synthetic.importance[j],
                "missing": {"held_out": float(quality.missing[0][j]), "synthetic": float(quality.missing[1][j])},
            }
            for j in quality.order
        ],
        "pairs": [
            {"columns": [names[pair.i], names[pair.j]], "held_out": pair.real, "synthetic": pair.synthetic, "training": pair.train}
            for pair in quality.pairs
        ],
        "privacy": {
            "copies": private.copies,
            "held_out_copies": private.held_out_copies,
            "repeated_training_rows": private.repeated,
            "median_ratio": asdict(private.median),
            "near_ratio": asdict(private.near),
        },
        "utility": _prediction(quality, names),
        "bound": _bound(quality),
    }


def _plain(found: TwoSample) -> dict[str, Any]:
    return {name: value for name, value in asdict(found).items() if name != "importance"}


def _prediction(quality: Quality, names: Sequence[str]) -> dict[str, Any]:
    found = quality.prediction
    if found is None:
        return {"refused": quality.unpredicted}
    scores = {
        name: {key: value for key, value in vars(each).items() if key != "points"}
        for name, each in (("synthetic", found.synthetic), ("real", found.real))
    }
    lost, error = difference(found.synthetic, found.real)
    return {"target": names[found.target], **scores, "difference": lost, "difference_error": error}


def _bound(quality: Quality) -> dict[str, Any]:
    found = quality.bound
    if found is None:
        return {"refused": quality.unbounded}
    floors = {name: {"nats": floor.total, "what": floor.what} for name, floor in found.floors.items()}
    return {"nats": found.own.total, "error": found.own.total_error, "rows": found.own.items, "closed_forms": floors}
