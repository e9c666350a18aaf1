r"""The collapse measured: the deterministic decoder collapses, trained networks do not, and what brings diversity back.

The plain decoder f(z_t, t) is trained by least squares, E|y - f(z_t, t)|^2, and iterated: z_s = f(z_t, t).

(a) The exact optimum E[y | z_t] over the training items, iterated from z_L ~ N(0, I), at several last times t_L: with a late one
    z_{L-1} is E y and all samples coincide; with an early one z_L still tells of y.
(b) Trained networks of several sizes and lengths of training.  What the exact optimum does on the same grid is the part of
    residual information; the rest is the network's, which is not the optimum.  Each length of training is a run of
    its own to the end of its learning-rate schedule; runs of one seed start from the same weights and see the same items
    and noise in the same order.
(c) One network, trained by least squares at all times, in four samplers with as many calls.  They differ by what z_s gets
    besides yhat: what is left of z_t (DDIM), a draw from the bridge q(z_s | z_t, yhat) too, and room for the error of yhat
    too (the Gaussian step).  Every sampler calls the same function yhat(z_t, t).

Spreads are root mean square deviations over items and dimensions, in units of that of the training items.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from saltus.chain import Chain, StandardNormal
from saltus.data import DataSet, subsample
from saltus.evaluation import Step, decoder_path, diversity, measure_collapse, pair_growth, sliced_wasserstein, small_growth, spread
from saltus.integrations import SchedulerSampler, Solver
from saltus.kernels import Denoiser, DeterministicKernel, GaussianKernel, OracleDenoiser, Transition
from saltus.levels import Levels
from saltus.machine import describe_machine
from saltus.oracles import FiniteData
from saltus.process import Noise
from saltus.training import Config, train

__all__ = ["Descent", "Exact", "Job", "Plan", "Record", "Sampled", "SamplerKind", "Source", "Trained", "jobs", "summary"]

_LEVELS = 4
_SHOWN = 16
_CALIBRATION_ITEMS = 256


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        lasts: last times of the exact optimum; `late` and `early` are among them.
        late: last time of the networks, so late that the exact optimum collapses.
        early: last time of the networks of middle width once more, at the longest training: z_L still tells of y.
        widths: widths of the networks, multi-layer perceptrons.
        updates: lengths of training, ascending.
        runs: training seeds.
        paths: samples of the plain decoder that are followed from level to level.
        generated: samples of each sampler of (c).
    """

    lasts: tuple[float, ...] = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 20.0)
    late: float = 8.0
    early: float = 3.0
    widths: tuple[int, ...] = (16, 48, 144)
    updates: tuple[int, ...] = (75, 300, 1200)
    runs: int = 3
    paths: int = 64
    generated: int = 512

    @classmethod
    def quick(cls) -> Plan:
        """Half a minute on the digits: it shows that everything works, and the exact part is as true as ever."""
        return cls(lasts=(1.0, 3.0, 8.0, 20.0), updates=(50, 200), runs=1, paths=32, generated=128)


@dataclass(frozen=True)
class Descent:
    """What the plain decoder does on its way from z_L to z_0.

    Attributes:
        first_from_mean: root mean square distance of z_{L-1} from E y, in spreads of the data.
        between_samples: the largest difference of two final samples in an entry, in units of y.
        spread: spreads of z_0 ... z_L.
        pairs: factors by which the difference of two samples grows at levels 1 ... L.
        small: factors by which a small difference grows at levels 1 ... L.
        diversity: diversity of the final samples, 1 for real items.
    """

    first_from_mean: float
    between_samples: float
    spread: list[float]
    pairs: list[float]
    small: list[float]
    diversity: float


@dataclass(frozen=True, eq=False)
class Exact:
    """The exact optimum on a grid; `prior_cost` is the KL(q(z_L | y) || N(0, I)), nats, a bound on what z_L tells of y."""

    levels: list[float]
    prior_cost: float
    descent: Descent
    images: Tensor


@dataclass(frozen=True, eq=False)
class Trained:
    """A network trained for a grid; `first_from_exact` is the distance of its z_{L-1} from the exact optimum's at the same z_L."""

    levels: list[float]
    width: int
    parameters: int
    updates: int
    seed: int
    first_from_exact: float
    descent: Descent
    images: Tensor


class Source(StrEnum):
    """Where items come from."""

    REAL = "real items"
    EXACT = "exact optimum"
    NETWORK = "network"


class SamplerKind(StrEnum):
    """A sampler around a prediction yhat(z_t, t); `none` for real items."""

    NONE = "none"
    PLAIN_DECODER = "plain decoder"
    DDIM = "DDIM"
    BRIDGE = "bridge step"
    GAUSSIAN = "Gaussian step"


@dataclass(frozen=True, eq=False)
class Sampled:
    """Items of a sampler against real ones held out; `seed` is that of the training, None without one."""

    source: Source
    sampler: SamplerKind
    seed: int | None
    calls: int
    diversity: float
    sliced_wasserstein: float
    images: Tensor


Record = Exact | Trained | Sampled


@dataclass(frozen=True)
class Job:
    """A part of the study, not yet done."""

    title: str
    run: Callable[[], list[Record]]


def jobs(data: DataSet, plan: Plan, *, seed: int) -> list[Job]:
    """The study, part by part."""
    scene, seeds, middle = _Scene(data, plan, seed), range(seed, seed + plan.runs), plan.widths[len(plan.widths) // 2]
    exact = [Job(f"exact optimum from t = {last:g}", partial(scene.exact, last)) for last in plan.lasts]
    runs = [(plan.late, width, updates) for width in plan.widths for updates in plan.updates]
    runs.append((plan.early, middle, plan.updates[-1]))
    trained = [
        Job(f"width {width} from t = {last:g}, {updates} updates, seed {run}", partial(scene.trained, last, width, updates, run))
        for run in seeds
        for last, width, updates in runs
    ]
    sampled = [Job(f"four samplers of a network, seed {run}", partial(scene.network_sampled, run)) for run in seeds]
    return [*exact, *trained, Job("four samplers of the exact optimum", scene.exact_sampled), *sampled]


def summary(data: DataSet, plan: Plan, records: list[Record], *, seed: int, seconds: float) -> dict[str, Any]:
    """Every number of the study, for `collapse.json`; images are left out."""
    kinds = {"exact": Exact, "trained": Trained, "sampled": Sampled}
    return {
        "study": "collapse",
        "data": data.describe(),
        "held_out": len(data.test),
        "seed": seed,
        "plan": asdict(plan),
        **{name: [_numbers(record) for record in records if isinstance(record, kind)] for name, kind in kinds.items()},
        "seconds": round(seconds, 1),
        "machine": describe_machine(),
    }


def _numbers(record: Record) -> dict[str, Any]:
    return {name: value for name, value in asdict(record).items() if name != "images"}


class _Scene:
    """What all parts share: the exact optimum, the noise z_L that all samples of (a) and (b) start from, and real items."""

    def __init__(self, data: DataSet, plan: Plan, seed: int) -> None:
        self._data, self._plan, self._seed = data, plan, seed
        self._oracle, self._real = FiniteData(data.fitting_items), subsample(data.test, plan.generated, seed=seed)
        self._z_L = Noise(seed, 0, plan.paths).normal("prior", data.event_shape)

    @cached_property
    def _mean(self) -> Tensor:
        return self._data.fitting_items.double().mean(0)

    def _optimum(self, transition: Transition) -> Tensor:
        return self._oracle.posterior_mean(transition.z_t, transition.t)

    def exact(self, last: float) -> list[Record]:
        levels = Levels.cosine(_LEVELS, last)
        descent, path = self._descend(self._optimum, levels)
        cost = float(levels.prior_cost(self._data.fitting_items).mean())
        return [Exact(list(levels), cost, descent, path[0][:_SHOWN])]

    def trained(self, last: float, width: int, updates: int, seed: int) -> list[Record]:
        levels = Levels.cosine(_LEVELS, last)
        kernel = self._train(levels, width, updates, seed, any_step=False).double()
        with torch.no_grad():
            descent, path = self._descend(kernel.predict, levels)
        apart = self._relative(path[-2] - self._oracle.posterior_mean(path[-1], last))
        parameters = sum(p.numel() for p in kernel.parameters())
        return [Trained(list(levels), width, parameters, updates, seed, apart, descent, path[0][:_SHOWN])]

    def exact_sampled(self) -> list[Record]:
        train = self._data.fitting_items
        real = subsample(train, self._plan.generated, seed=self._seed)
        return [
            self._judged(Source.REAL, SamplerKind.NONE, None, 0, real),
            *self._sampled(Source.EXACT, OracleDenoiser(self._oracle), None, train),
        ]

    def network_sampled(self, seed: int) -> list[Record]:
        levels = Levels.cosine(_LEVELS, self._plan.late)
        kernel = self._train(levels, self._plan.widths[-1], self._plan.updates[-1], seed, any_step=True)
        return self._sampled(Source.NETWORK, kernel.network, seed, self._data.validation)

    def _train(self, levels: Levels, width: int, updates: int, seed: int, *, any_step: bool) -> DeterministicKernel:
        """A network of least squares, told (t, s) at the steps of the grid, or (t, 0) at all times."""
        config = Config(
            kernel="deterministic",
            times=tuple(levels),
            updates=updates,
            seed=seed,
            width=width,
            architecture="mlp",
            any_step=any_step,
        )
        kernel = train(self._data, config, quiet=True).kernel(1)
        assert isinstance(kernel, DeterministicKernel)
        return kernel

    def _descend(self, step: Step, levels: Levels) -> tuple[Descent, Tensor]:
        path = decoder_path(step, levels, self._z_L)
        descent = Descent(
            self._relative(path[-2] - self._mean),
            measure_collapse(path, self._mean).between_samples,
            [value / self._unit for value in spread(path)],
            pair_growth(path),
            small_growth(step, levels, path, seed=self._seed),
            diversity(path[0], self._real),
        )
        return descent, path

    @property
    def _unit(self) -> float:
        return float(self._data.variance**0.5)

    def _relative(self, difference: Tensor) -> float:
        return float(difference.square().mean().sqrt()) / self._unit

    def _sampled(self, source: Source, network: Denoiser, seed: int | None, unbiased: Tensor) -> list[Record]:
        """The four samplers around one prediction, on the same levels and the same noise z_L.

        `unbiased` are the items that its error is measured on: held out for a network, the distribution itself for its optimum.
        """
        levels, n = Levels.cosine(_LEVELS, self._plan.late), self._plan.generated
        gaussian = GaussianKernel(network, self._data.encoding.head())
        gaussian.calibrate(subsample(unbiased, _CALIBRATION_ITEMS, seed=self._seed), list(levels)[1:], seed=self._seed)
        samplers: dict[SamplerKind, Chain | SchedulerSampler] = {
            SamplerKind.PLAIN_DECODER: Chain(StandardNormal(), levels, DeterministicKernel(network)),
            SamplerKind.DDIM: SchedulerSampler(network, levels, Solver.DDIM),
            SamplerKind.BRIDGE: Chain(StandardNormal(), levels, DeterministicKernel(network, bridge=True)),
            SamplerKind.GAUSSIAN: Chain(StandardNormal(), levels, gaussian),
        }
        return [self._judged(source, kind, seed, levels.L, sampler.sample(n, seed=self._seed)) for kind, sampler in samplers.items()]

    def _judged(self, source: Source, kind: SamplerKind, seed: int | None, calls: int, y: Tensor) -> Sampled:
        distance = sliced_wasserstein(y, self._real, seed=self._seed)
        return Sampled(source, kind, seed, calls, diversity(y, self._real), distance, y[:_SHOWN])
