"""Every kernel and every rival at equal numbers of network calls, on the same networks, with the headroom of a perfect one.

For each network, way to sample and number of calls: the grid is chosen on validation items (by sliced Wasserstein
distance for samples, by the bound for likelihoods), and the figures are then taken once, on test items.  A row's
spread is over training seeds, or over sampling seeds where there are fewer than three runs of a kind.
"""

from __future__ import annotations

import hashlib
import platform
import statistics
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from saltus.chain import Chain, bits_per_dim
from saltus.data import DataSet
from saltus.evaluation import METRICS, Suite
from saltus.levels import Levels
from saltus.mistakes import Mistake
from saltus.oracles import FiniteData
from saltus.storage import to_json
from saltus.studies.cells import Cells
from saltus.studies.contenders import Contender, of_chain, of_oracle

__all__ = ["CHOSEN_BY", "COMPARED", "PERFECT", "Comparison", "Model", "load_models", "perfect_model"]

CHOSEN_BY = "sliced_wasserstein"
"""What grids for samples are chosen by: it needs no features, which are kept for what is reported."""
COMPARED = ("frechet", "kernel_mmd", "sliced_wasserstein", "energy", "precision", "recall", "density", "coverage", "vendi", "diversity")
"""What is measured: all that tells samplers apart; the two-sample test and memorisation are for single runs."""
PERFECT = "perfect denoiser"
_SEEDS = 3  # figures of each row, at least
_CHOICE_ITEMS = 500  # samples for the choice of a grid
_CHOICE_SEED = 2**32  # no reported figure has it
_BOUND_ITEMS = 2000  # test items whose bound is reported
_BOUND_CHOICE_ITEMS = 200
_PICTURED = 16


@dataclass(frozen=True, eq=False)
class Model:
    """Networks that differ in nothing but their training seed, with the ways to sample each.

    Attributes:
        name: for humans.
        hashes: what tells the networks apart, one each.
        contenders: for each network its ways, in the same order.
        calls: at which it takes part; None for all.
    """

    name: str
    hashes: list[str]
    contenders: list[list[Contender]]
    calls: Collection[int] | None = None


def load_models(runs: Sequence[Path], data: DataSet) -> list[Model]:
    """The runs, those that differ only in their seed together.

    Raises:
        Mistake: if a folder holds no run, or one of other data.
    """
    groups: dict[str, Model] = {}
    for run in runs:
        chain = Chain.load(run)
        if chain.event_shape != data.event_shape:
            raise Mistake(
                f"{run} makes items of shape {chain.event_shape}, and those of {data.name} have {data.event_shape}; give runs of these data"
            )
        kind = _kind(run)
        number = sum(model.name.split(" #")[0] == _words(chain) for model in groups.values())
        model = groups.setdefault(kind, Model(_words(chain) + (f" #{number + 1}" if number else ""), [], []))
        model.hashes.append(_digest((run / "chain.json").read_bytes(), (run / "chain.safetensors").read_bytes()))
        model.contenders.append(of_chain(chain, data.validation))
    return list(groups.values())


def perfect_model(data: DataSet, last: float, *, calls: Collection[int] | None = None) -> Model:
    """What a network without error would give: the law that the data were drawn from, or else the training items themselves."""
    oracle = data.law or FiniteData(data.train)
    ways = of_oracle(oracle, data.train, data.encoding.head(), last, exact_bound=data.law is not None)
    return Model(PERFECT, [_digest(data.fingerprint.encode(), repr(last).encode())], [ways], calls)


class Comparison:
    """All figures of some models, kept one by one in a folder.

    Args:
        models: see `load_models`.
        data: the runs' data set.
        n: samples of each figure.
        folder: where finished figures are kept.
        suite: measures samples against test items.
        progress: called with a line before each figure that has to be made.
    """

    def __init__(
        self,
        models: Sequence[Model],
        data: DataSet,
        *,
        n: int,
        folder: Path,
        suite: Suite,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.models, self.data, self.n, self.suite, self._progress = models, data, n, suite, progress
        self._cells = Cells(folder)
        self._choice = Suite(data, min(_CHOICE_ITEMS, len(data.validation)), part="validation", metrics=(CHOSEN_BY,))

    def rows(self, calls: int) -> Iterator[dict[str, Any]]:
        """One row for each model and way that takes part at so many calls, as soon as it is measured."""
        for model in (model for model in self.models if model.calls is None or calls in model.calls):
            for way, contenders in enumerate(zip(*model.contenders, strict=True)):
                if contenders[0].grids(calls):
                    yield self._row(model, way, calls)

    def _row(self, model: Model, way: int, calls: int) -> dict[str, Any]:
        first = model.contenders[0][way]
        grid = self._chosen(model, way, calls, "samples")
        cells = [self._sampled(model, network, way, calls, grid, seed) for network, seed in _networks_and_seeds(len(model.hashes))]
        part = first.on(first.grids(calls)[grid])
        return {
            "model": model.name,
            "way": first.way,
            "calls": calls,
            "network_calls": part.calls,
            "grid": grid,
            "runs": len(model.hashes),
            "figures": len(cells),
            "metrics": {name: self._figures(name, [cell["metrics"][name] for cell in cells]) for name in cells[0]["metrics"]},
            "seconds_per_1000": statistics.median(cell["seconds_per_1000"] for cell in cells),
            "bound": self._bounds(model, way, calls) if part.bound is not None else None,
            "pictured": self._sample_file(model, way, calls, grid).name,
        }

    def _figures(self, name: str, values: Sequence[float]) -> dict[str, float | None]:
        """Mean and spread, and for a distance what it has above the floor."""
        mean = statistics.fmean(values)
        return {**_spread(values), "above_floor": mean - self.suite.floor[name].mean if METRICS[name].is_distance else None}

    def _key(self, model: Model, network: int, way: int, calls: int, **more: Any) -> dict[str, Any]:
        contender = model.contenders[network][way]
        return {"data": self.data.fingerprint, "network": model.hashes[network], "way": contender.way, "calls": calls, **more}

    def _say(self, model: Model, way: int, calls: int, what: str) -> None:
        self._progress(f"{model.name}, {model.contenders[0][way].way}, {calls} calls: {what}")

    def _chosen(self, model: Model, way: int, calls: int, purpose: str) -> str:
        """The name of the best grid, by the first network on validation items."""
        contender = model.contenders[0][way]
        candidates = contender.grids(calls)
        if len(candidates) == 1:
            return next(iter(candidates))

        def make() -> dict[str, float]:
            self._say(model, way, calls, f"choosing a grid for {purpose}")
            judge = self._distance if purpose == "samples" else self._validation_bound
            return {name: judge(contender, grid) for name, grid in candidates.items()}

        values = self._cells.get(self._key(model, 0, way, calls, choice=purpose, grids={k: list(v) for k, v in candidates.items()}), make)
        return min(values, key=values.__getitem__)

    def _distance(self, contender: Contender, grid: Levels) -> float:
        samples = contender.on(grid).sampler.sample(self._choice.n, seed=_CHOICE_SEED)
        return self._choice.measure(samples)[CHOSEN_BY]

    def _validation_bound(self, contender: Contender, grid: Levels) -> float:
        chain = contender.on(grid).bound
        assert chain is not None
        return float(chain.bound(_typed(self.data.validation[:_BOUND_CHOICE_ITEMS], chain), seed=_CHOICE_SEED).total.mean())

    def _sampled(self, model: Model, network: int, way: int, calls: int, grid: str, seed: int) -> dict[str, Any]:
        contender = model.contenders[network][way]
        levels = contender.grids(calls)[grid]

        def make() -> dict[str, Any]:
            self._say(model, way, calls, f"samples, network {network + 1} of {len(model.hashes)}, seed {seed}")
            start = time.perf_counter()
            samples = contender.on(levels).sampler.sample(self.n, seed=seed).float()
            seconds = time.perf_counter() - start
            if network == 0 and seed == 0:
                np.savez_compressed(self._sample_file(model, way, calls, grid), samples=samples[:_PICTURED].numpy())
            return {"metrics": self.suite.measure(samples), "seconds_per_1000": 1000 * seconds / self.n}

        return self._cells.get(self._key(model, network, way, calls, n=self.n, seed=seed, levels=list(levels)), make)

    def _sample_file(self, model: Model, way: int, calls: int, grid: str) -> Path:
        return self._cells.file(self._key(model, 0, way, calls, grid=grid, pictured=_PICTURED), "npz")

    def _bounds(self, model: Model, way: int, calls: int) -> dict[str, Any]:
        """The bound on test items, on the grid that is best for it on validation items."""
        grid = self._chosen(model, way, calls, "the bound")
        cells = [self._bound(model, network, way, calls, grid) for network in range(len(model.hashes))]
        return {
            "grid": grid,
            "items": min(_BOUND_ITEMS, len(self.data.test)),
            "bits_per_dim": _spread([cell["bits_per_dim"] for cell in cells]),
            "nats": _spread([cell["nats"] for cell in cells]),
            "per_level": [statistics.fmean(level) for level in zip(*(cell["per_level"] for cell in cells), strict=True)],
        }

    def _bound(self, model: Model, network: int, way: int, calls: int, grid: str) -> dict[str, Any]:
        contender = model.contenders[network][way]
        levels = contender.grids(calls)[grid]

        def make() -> dict[str, Any]:
            self._say(model, way, calls, f"bound, network {network + 1} of {len(model.hashes)}")
            chain = contender.on(levels).bound
            assert chain is not None
            bound = chain.bound(_typed(self.data.test[:_BOUND_ITEMS], chain), seed=0)
            nats = bound.total.double().mean()
            bits = float(bits_per_dim(nats, chain.event_shape))
            return {"nats": float(nats), "bits_per_dim": bits, "per_level": bound.per_level.double().mean(1).tolist()}

        return self._cells.get(self._key(model, network, way, calls, bound=_BOUND_ITEMS, levels=list(levels)), make)

    def pictured(self, row: dict[str, Any]) -> torch.Tensor:
        """The first samples of a row, (16, *E)."""
        with np.load(self._cells.folder / row["pictured"]) as file:
            return torch.from_numpy(file["samples"])

    def summary(self, rows: Sequence[dict[str, Any]], seconds: float) -> dict[str, Any]:
        """What `compare.json` holds."""
        return {
            "data": self.data.describe(),
            "fingerprint": self.data.fingerprint,
            "n_generated": self.n,
            "n_real": self.suite.n_real,
            "part": "test",
            "last_step": "mean",
            "choice": f"grids, by {CHOSEN_BY} of {self._choice.n} samples, and for the bound by that of {_BOUND_CHOICE_ITEMS} items",
            "floor": {name: {"mean": floor.mean, "spread": floor.spread} for name, floor in self.suite.floor.items()},
            "features": self.suite.features_note,
            "rows": list(rows),
            "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}",
            "seconds": round(seconds, 1),
        }


def _networks_and_seeds(networks: int) -> list[tuple[int, int]]:
    """At least three figures: each network once, or as often as it takes."""
    return [(network, seed) for seed in range(-(-_SEEDS // networks)) for network in range(networks)]


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"mean": statistics.fmean(values), "spread": statistics.stdev(values) if len(values) > 1 else 0.0}


def _typed(y: torch.Tensor, chain: Chain) -> torch.Tensor:
    """Items in the dtype of the chain: float64 where nothing is learned."""
    return y.to(next(chain.parameters(), torch.zeros(0, dtype=torch.float64)).dtype)


def _kind(run: Path) -> str:
    """What runs have in common that differ only in their seed."""
    import json

    config = json.loads((run / "config.json").read_text())
    return to_json({name: value for name, value in config.items() if name != "seed"})


def _words(chain: Chain) -> str:
    kernel = chain.kernel(1)
    name = type(kernel).__name__.removesuffix("Kernel")
    name = name if name.isupper() else name.lower()
    return name if kernel.any_time and len(chain.kernels) == 1 else f"{name}, {chain.levels.L} levels"


def _digest(*parts: bytes) -> str:
    return hashlib.blake2b(b"".join(parts), digest_size=10).hexdigest()
