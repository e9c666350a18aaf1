"""Every kernel and every rival at equal numbers of network calls, on the same networks, with the headroom of a perfect one.

For each network, sampler and number of calls: the grid is chosen on validation items (by `saltus.evaluation.chosen_by`
distance for samples, by the bound for likelihoods), and the figures are then taken, at least three times, on test items.
Network i is sampled with seed i, so a row's spread is of training and of sampling; where there are fewer than three
networks of a kind, they take turns.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from saltus.chain import Chain
from saltus.data import DataSet, subsample
from saltus.errors import SaltusError
from saltus.evaluation import CHOICE_ITEMS, CHOICE_SEED, METRICS, Evaluator, Likelihood, Sampler, chosen_by, likelihood, multiply_adds
from saltus.machine import describe_machine
from saltus.studies.cache import ResultCache
from saltus.studies.compare.models import Model
from saltus.studies.compare.samplers import Choice, NamedSampler

__all__ = ["COMPARED", "Comparison", "spread_of"]

COMPARED = ("frechet", "kernel_mmd", "sliced_wasserstein", "energy", "precision", "recall", "density", "coverage", "vendi", "diversity")
"""What is measured: all that tells samplers apart; the two-sample test and memorisation are for single runs."""
_FIGURES = 3  # of each row, at least
_BOUND_ITEMS = 2000  # test items whose bound is reported
_BOUND_CHOICE_ITEMS = 200
_PICTURED = 16
_RECIPE = 2  # to be raised when the same key would give another figure


@dataclass(frozen=True, eq=False)
class _Part:
    """Items whose bound is measured, with their conditions and what y does not tell of them."""

    y: torch.Tensor
    condition: torch.Tensor | None
    surprise: torch.Tensor | None

    @classmethod
    def of(cls, data: DataSet, part: str, n: int) -> _Part:
        condition = None if data.conditions is None else subsample(getattr(data.conditions, part), n)
        surprise = None if data.surprise is None else subsample(getattr(data.surprise, part), n)
        return cls(subsample(getattr(data, part), n), condition, surprise)


class Comparison:
    """All figures of some models, kept one by one in a folder.

    Args:
        models: see `load_models`.
        data: the runs' data set.
        n: samples of each figure.
        folder: where finished figures are kept.
        evaluator: measures samples against test items.
        progress: called with a line before each figure that has to be made.
        samplers: names of those that take part; all unless given.

    Raises:
        SaltusError: for a name that no model's sampler has.
    """

    def __init__(
        self,
        models: Sequence[Model],
        data: DataSet,
        *,
        n: int,
        folder: Path,
        evaluator: Evaluator,
        progress: Callable[[str], None] = lambda _: None,
        samplers: Collection[str] = (),
    ) -> None:
        known = list(dict.fromkeys(sampler.name for model in models for sampler in model.networks[0].samplers))
        if unknown := [name for name in samplers if name not in known]:
            raise SaltusError(f"no run has a sampler named {unknown[0]}; expected names among: {', '.join(known)}")
        self._names = samplers or known
        self.models, self.data, self.n, self.evaluator, self._progress = models, data, n, evaluator, progress
        self._cache = ResultCache(folder)
        self._choice = Evaluator(data, min(CHOICE_ITEMS, len(data.validation)), part="validation", metrics=(chosen_by(data),))
        self._test, self._validation = _Part.of(data, "test", _BOUND_ITEMS), _Part.of(data, "validation", _BOUND_CHOICE_ITEMS)
        self._machines: set[str] = set()

    def rows(self, calls: int) -> Iterator[dict[str, Any]]:
        """One row for each model and sampler that takes part at so many calls, as soon as it is measured."""
        yield from (self._row(model, index, calls) for model, index in self.parts(calls))

    def parts(self, calls: int) -> list[tuple[Model, int]]:
        """The models that take part at so many calls, each with the numbers of its samplers that do."""
        models = [model for model in self.models if model.calls is None or calls in model.calls]
        samplers = [(model, index, sampler) for model in models for index, sampler in enumerate(model.networks[0].samplers)]
        return [(model, index) for model, index, sampler in samplers if sampler.name in self._names and sampler.choices(calls)]

    def _row(self, model: Model, index: int, calls: int) -> dict[str, Any]:
        first = model.networks[0].samplers[index]
        grid = self._chosen(model, index, calls, "samples")
        turns = _turns(len(model.networks))
        cells = [self._sampled(model, i, index, calls, grid, seed) for i, seed in turns]
        return {
            "model": model.name,
            "sampler": first.name,
            "calls": calls,
            "network_calls": first.network_calls(first.choices(calls)[grid].levels.L),
            "grid": grid,
            "figures": [{"run": model.networks[i].run, "seed": seed} for i, seed in turns],
            "metrics": {name: self._figures(name, [cell["metrics"][name] for cell in cells]) for name in cells[0]["metrics"]},
            "seconds_per_1000": statistics.median(cell["seconds_per_1000"] for cell in cells),
            "multiply_adds": cells[0]["multiply_adds"],
            "bound": self._bounds(model, index, calls) if first.has_bound else None,
            "pictured": self._pictures(model, index, calls, grid),
        }

    @cached_property
    def floor(self) -> dict[str, Any]:
        """Of each metric the figures of real items in place of samples: mean, spread and values."""
        key = {"recipe": _RECIPE, "data": self.data.fingerprint, "floor": self.evaluator.seed, **self._measured}
        return self._cache.get(key, lambda: {name: spread_of(figures.values) for name, figures in self.evaluator.floor.items()})

    @cached_property
    def _measured(self) -> dict[str, Any]:
        """What decides a measurement besides its samples."""
        features = self.evaluator.features.hash if self.evaluator.features else None
        return {"n": self.n, "features": features, "measured": list(self.evaluator.metrics)}

    def _figures(self, name: str, values: Sequence[float]) -> dict[str, Any]:
        """Mean and spread, and for a distance what it has above the floor."""
        found = spread_of(values)
        above = found["mean"] - self.floor[name]["mean"] if METRICS[name].is_distance and found["mean"] is not None else None
        return {**found, "above_floor": above}

    def _key(self, model: Model, network: int, index: int, calls: int, **more: Any) -> dict[str, Any]:
        part = model.networks[network]
        key = {
            "recipe": _RECIPE,
            "data": self.data.fingerprint,
            "told": self.data.condition_fingerprint,
            "network": part.hash,
            "sampler": part.samplers[index].name,
            "calls": calls,
        }
        return key | more

    def _say(self, model: Model, index: int, calls: int, what: str) -> None:
        self._progress(f"{model.name}, {model.networks[0].samplers[index].name}, {calls} calls: {what}")

    def _chosen(self, model: Model, index: int, calls: int, purpose: str) -> str:
        """The name of the best grid, by the first network on validation items."""
        named = model.networks[0].samplers[index]
        candidates = named.choices(calls, bound=purpose != "samples")
        if len(candidates) == 1:
            return next(iter(candidates))

        def make() -> dict[str, float]:
            self._say(model, index, calls, f"choosing for {purpose}")
            judge = self._distance if purpose == "samples" else self._validation_bound
            return {name: judge(named.sampler(choice)) for name, choice in candidates.items()}

        grids = {name: choice.key for name, choice in candidates.items()}
        key = self._key(model, 0, index, calls, choice=purpose, grids=grids)
        values = self._cache.get(key, make)
        return min(values, key=lambda name: math.inf if values[name] is None else values[name])

    def _distance(self, sampler: Sampler) -> float:
        return _measure(self._choice, sampler.sample(self._choice.n, seed=CHOICE_SEED).float())[chosen_by(self.data)]

    def _validation_bound(self, sampler: Sampler) -> float:
        return self._likelihood(sampler, self._validation, CHOICE_SEED).total

    def _likelihood(self, sampler: Sampler, part: _Part, seed: int) -> Likelihood:
        assert isinstance(sampler, Chain)
        condition = None if sampler.condition is None else part.condition
        found = likelihood(sampler, part.y, self.data.encoding, condition=condition, seed=seed, surprise=part.surprise)
        assert found is not None
        return found

    def _sampled(self, model: Model, network: int, index: int, calls: int, grid: str, seed: int) -> dict[str, Any]:
        choice, named = self._choice_of(model, network, index, calls, grid)

        def make() -> dict[str, Any]:
            self._say(model, index, calls, f"samples, network {network + 1} of {len(model.networks)}, seed {seed}")
            sampler, start = named.sampler(choice), time.perf_counter()
            samples = sampler.sample(self.n, seed=seed).float()
            seconds = time.perf_counter() - start
            metrics = _measure(self.evaluator, samples)
            return {"metrics": metrics, "seconds_per_1000": 1000 * seconds / self.n, "multiply_adds": multiply_adds(sampler)}

        return self._kept(self._key(model, network, index, calls, seed=seed, **choice.key, **self._measured), make)

    def _kept(self, key: dict[str, Any], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """A figure, and that it was made on its machine."""
        value = self._cache.get(key, lambda: {**make(), "machine": describe_machine()})
        self._machines.add(value["machine"])
        return value

    def _choice_of(
        self, model: Model, network: int, index: int, calls: int, name: str, *, bound: bool = False
    ) -> tuple[Choice, NamedSampler]:
        named = model.networks[network].samplers[index]
        return named.choices(calls, bound=bound)[name], named

    def _pictures(self, model: Model, index: int, calls: int, grid: str) -> str:
        """The name of the file of the first samples of the first network."""
        choice, named = self._choice_of(model, 0, index, calls, grid)
        key = self._key(model, 0, index, calls, pictured=_PICTURED, **choice.key)
        return self._cache.tensor(key, lambda: named.sampler(choice).sample(_PICTURED, seed=0).float().nan_to_num()).name

    def pictured(self, row: dict[str, Any]) -> torch.Tensor:
        """The first samples of a row, (16, *E)."""
        return self._cache.load(row["pictured"])

    def _bounds(self, model: Model, index: int, calls: int) -> dict[str, Any]:
        """The bound on test items, on the grid that is best for it on validation items."""
        grid = self._chosen(model, index, calls, "the bound")
        cells = [self._bound(model, network, index, calls, grid, seed) for network, seed in _turns(len(model.networks))]
        return {
            "grid": grid,
            "items": len(self._test.y),
            "convention": cells[0]["convention"],
            "unit": cells[0]["unit"],
            "value": spread_of([cell["value"] for cell in cells]),
            "standard_error_over_items": statistics.fmean(cell["error"] for cell in cells),
            "importance_samples": cells[0]["importance_samples"],
            "per_level": [statistics.fmean(level) for level in zip(*(cell["per_level"] for cell in cells), strict=True)],
        }

    def _bound(self, model: Model, network: int, index: int, calls: int, grid: str, seed: int) -> dict[str, Any]:
        choice, named = self._choice_of(model, network, index, calls, grid, bound=True)

        def make() -> dict[str, Any]:
            self._say(model, index, calls, f"bound, network {network + 1} of {len(model.networks)}, seed {seed}")
            found = self._likelihood(named.sampler(choice), self._test, seed)
            value, error, unit = found.figure
            words = {"unit": unit, "convention": found.convention, "importance_samples": found.importance_samples}
            return {"value": value, "error": error, "per_level": found.per_level, **words}

        return self._kept(self._key(model, network, index, calls, bound=len(self._test.y), seed=seed, **choice.key), make)

    def summary(self, rows: Sequence[dict[str, Any]], seconds: float) -> dict[str, Any]:
        """What `compare.json` holds."""
        title = METRICS[chosen_by(self.data)].title
        how = f"by {title} of {self._choice.n} samples, and for the bound by that of {_BOUND_CHOICE_ITEMS} items"
        return {
            "data": self.data.describe(),
            "fingerprint": self.data.fingerprint,
            "n_generated": self.n,
            "n_real": self.evaluator.n_real,
            "part": "test",
            "choice": f"grids, etas, temperatures, and the last step of continuous data (mode or sample), {how}",
            "models": {m.name: [{"run": network.run, "hash": network.hash} for network in m.networks] for m in self.models},
            "floor": self.floor,
            "features": self.evaluator.features_note,
            "rows": list(rows),
            "machines": sorted(self._machines),
            "seconds": round(seconds, 1),
        }


def _turns(networks: int) -> list[tuple[int, int]]:
    """(network, sampling seed) of each figure: every network once, or in turns until there are three figures."""
    return [(number % networks, number) for number in range(max(_FIGURES, networks))]


def _measure(evaluator: Evaluator, samples: torch.Tensor) -> dict[str, float]:
    """The figures of samples; NaN for those of a sampler that has diverged, as the plain decoder does where it amplifies at every step."""
    return evaluator.measure(samples) if bool(samples.isfinite().all()) else dict.fromkeys(evaluator.metrics, math.nan)


def spread_of(values: Sequence[float | None]) -> dict[str, Any]:
    """Mean, standard deviation (None for one value) and the values; no mean where one of them has diverged."""
    finite = [value for value in values if value is not None]
    if len(finite) < len(values):
        return {"mean": None, "spread": None, "values": list(values)}
    return {"mean": statistics.fmean(finite), "spread": statistics.stdev(finite) if len(finite) > 1 else None, "values": finite}
