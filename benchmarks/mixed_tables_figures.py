"""The figures of `mixed_tables.py`'s page: which they are, and their means over seeds and over tables, from the runs that are kept."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mixed_tables_run import MODELS, OWN
from saltus.files import read_json

Record = Mapping[str, Any]
SALTUS, REAL, GAUSSIAN = "saltus", "training rows", "Gaussian"
NUMERIC = ("wine", "diabetes", "breast_cancer", "ccpp", "california")
"""Tables of numbers, all of which are there; a target may be a class."""
MIXED = ("penguins", "credit", "diamonds")
ANOMALIES = ("breast_cancer_benign", "credit_good")
GENERATED = (*NUMERIC, *MIXED)
COVERAGE = 0.9


@dataclass(frozen=True)
class Figure:
    """One figure of a run.

    Attributes:
        title: for people.
        tables: that have it.
        of: what a run has, if it does.
        loss: how bad a value is: 0 is best, or the lower the better.
        digits: decimal places.
    """

    title: str
    tables: Sequence[str]
    of: Callable[[Record], float | None]
    loss: Callable[[float], float]
    digits: int = 3


def dug(*keys: str) -> Callable[[Record], float | None]:
    """The number at these keys of the measures of a run."""

    def found(record: Record) -> float | None:
        place: Any = record.get("measures", {})
        for key in keys:
            place = place.get(key) if isinstance(place, Mapping) else None
        return float(place) if isinstance(place, int | float) else None

    return found


def first_of(*ways: Callable[[Record], float | None]) -> Callable[[Record], float | None]:
    """The first of these that a run has."""
    return lambda record: next((found for way in ways if (found := way(record)) is not None), None)


def score_of(measure: str) -> Callable[[Record], float | None]:
    """The area under the curve of a model's score of anomalies."""
    return first_of(*(dug(measure, name) for name in ("anomaly_score", "-score_samples", "-log density", "score")))


def more_copies(record: Record) -> float | None:
    """The share of copies of training rows among samples, beyond that among test rows."""
    copies, usual = dug("privacy", "copies")(record), dug("privacy", "copies of test rows")(record)
    return None if copies is None or usual is None else copies - usual


def sampling(record: Record) -> float | None:
    """CPU seconds for 1000 rows."""
    seconds, rows = dug("sampling", "cpu")(record), dug("sampling", "rows")(record)
    return None if seconds is None or not rows else 1000 * seconds / rows


def cpu(record: Record) -> float | None:
    """CPU seconds of the fit."""
    return float(record["fit"]["cpu"]) if "fit" in record else None


def low(value: float) -> float:
    """The lower the better."""
    return value


def high(value: float) -> float:
    """The higher the better."""
    return -value


TWO_SAMPLE = Figure("two-sample accuracy", GENERATED, dug("two_sample", "accuracy"), lambda a: max(a, 0.5))
UTILITY = Figure("utility", GENERATED, first_of(dug("utility", "auroc"), dug("utility", "r2")), high)
NATS = Figure("nats a row", NUMERIC, dug("density", "nats"), high)
CRPS = {kind: Figure(f"CRPS, missing {kind}", GENERATED, dug("imputation", kind, "crps"), low) for kind in ("at random", "by a rule")}
BRIER = {kind: Figure(f"Brier score, missing {kind}", GENERATED, dug("imputation", kind, "brier"), low) for kind in CRPS}
COVERED = {
    kind: Figure(f"coverage of 90 %, missing {kind}", GENERATED, dug("imputation", kind, "coverage"), lambda a: abs(a - COVERAGE))
    for kind in CRPS
}
PLANTED = Figure("AUROC, planted anomalies", GENERATED, score_of("planted"), high)
REAL_ANOMALIES = Figure("AUROC, real anomalies", ANOMALIES, score_of("anomalies"), high)
COPIES = Figure("copies of training rows beyond those of test rows", GENERATED, more_copies, low, 4)
NEAREST = Figure("nearest training row, samples over test rows", GENERATED, dug("privacy", "distance ratio"), lambda a: abs(a - 1))
FIT = Figure("CPU seconds of the fit", (*GENERATED, "diamonds_10000"), cpu, low, 1)
SAMPLING = Figure("CPU seconds for 1,000 rows", GENERATED, sampling, low)
MANY = Figure("seconds for 100,000 rows of 10 columns", ("diamonds_10000",), dug("time", "wall"), low, 1)
RANKED = (TWO_SAMPLE, UTILITY, NATS, *CRPS.values(), *BRIER.values(), *COVERED.values(), PLANTED, REAL_ANOMALIES, COPIES)


class Runs:
    """Those of one budget, and of models that take the time that they need.

    Args:
        kept: the folder that they are in.
        budget: such as 60s.
    """

    def __init__(self, kept: Path, budget: str) -> None:
        found = [read_json(file) for file in sorted(kept.glob("*/*.json"))]
        self.all: list[Record] = [record for record in found if record["budget"] in (budget, OWN)]
        self.models = [name for name in MODELS if any(record["model"] == name for record in self.all)]

    def of(self, model: str, table: str) -> list[Record]:
        """The runs of a model on a table, one a seed."""
        return [record for record in self.all if (record["model"], record["table"]) == (model, table)]

    def values(self, figure: Figure, model: str, table: str) -> list[float]:
        """One a seed."""
        found = (figure.of(record) for record in self.of(model, table))
        return [value for value in found if value is not None and math.isfinite(value)]

    def mean(self, figure: Figure, model: str, table: str) -> float | None:
        """Over seeds."""
        return mean(self.values(figure, model, table))

    def having(self, figure: Figure) -> list[str]:
        """The models that have a figure on any table."""
        return [name for name in self.models if any(self.values(figure, name, table) for table in figure.tables)]

    def tables(self, figure: Figure) -> list[str]:
        """The tables that any model has a figure on."""
        return [table for table in figure.tables if any(self.values(figure, name, table) for name in self.models)]

    def over_tables(self, model: str, figure: Figure, tables: Sequence[str], value: Callable[[str], float | None]) -> str:
        """The mean of a value over tables, and how many they are if some are wanting."""
        found = [one for one in map(value, tables) if one is not None]
        if not found or model not in self.having(figure):
            return ""
        wanting = f" ({len(found)} of {len(tables)})" if len(found) < len(tables) else ""
        return f"{statistics.fmean(found):.{figure.digits}f}{wanting}"

    def gap(self, figure: Figure, model: str, other: str, table: str) -> float | None:
        """How much higher the figure of a model is than that of another one, over seeds."""
        one, base = self.mean(figure, model, table), self.mean(figure, other, table)
        return None if one is None or base is None else one - base


def mean(values: Iterable[float]) -> float | None:
    """None of none."""
    found = [*values]
    return statistics.fmean(found) if found else None


def shown(values: Sequence[float], digits: int) -> str:
    """A mean over seeds ± the standard deviation; "" for none."""
    if not values:
        return ""
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.{digits}f}{spread}"
