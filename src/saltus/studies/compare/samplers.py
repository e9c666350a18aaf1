"""Who takes part in a comparison: every sampler around a trained network, or around a perfect one.

A sampler is a kind of step around a network: one of our kernels, or a scheduler of diffusers.  A chain that was trained
for its own levels takes part on these alone; a network for any step takes part on any grid.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from saltus.chain import Chain, OraclePrior, Prior, StandardNormal
from saltus.data import subsample
from saltus.evaluation import TEMPERATURES, ChainSampler, Sampler, drawn_conditions, words_of
from saltus.integrations import LATEST, SchedulerSampler, Solver
from saltus.kernels import DEFAULT, Denoiser, Final, GaussianKernel, Kernel, OracleDenoiser, OracleKernel, Sampling
from saltus.levels import Levels
from saltus.likelihoods import Head
from saltus.oracles import LowRankMixture, Oracle
from saltus.process import Noise, OrnsteinUhlenbeck

__all__ = ["STARTED", "Choice", "NamedSampler", "grids", "of_chain", "of_closed_forms", "of_oracle"]

STARTED = ", mixture start"
"""What the name of a sampler ends with that starts from a mixture."""

_SOLVERS = {
    Solver.DDPM: "DDPM",
    Solver.DDIM: "DDIM",
    Solver.DPM_2: "DPM-Solver++ 2M",
    Solver.UNIPC: "UniPC",
    Solver.HEUN: "Heun",
    Solver.DEIS: "DEIS",
}
"""DPM-Solver++ of order 1 is DDIM, to rounding: it would be the same row twice."""
_CALIBRATED = 64  # times, even in log-SNR: between them the squared error of a prediction is interpolated
_CLEANEST = 12.0  # the log-SNR where they start: beyond it a step to data is smaller than a grey value
_CALIBRATION_ITEMS = 512
_LOG_SNR_STARTS = (4.0, 8.0)
_ETAS = (1.0, 0.5, 0.0)
_STARTS = (0.2, 0.3, 0.5, 0.8)  # times of mixture starts
_CLOSED_STEPS = (0.05, 0.1, 0.2, 0.3)  # from where a closed form steps to data: all that its chain is not exact in
_FREE = (DEFAULT,)  # ways to sample a closed form
_FINALS: tuple[Final, ...] = ("auto", "mode")


@dataclass(frozen=True)
class Choice:
    """What is chosen on validation items: the levels, and how steps are sampled; None for a scheduler's own way, and for a bound."""

    levels: Levels
    sampling: Sampling | None = None

    @property
    def key(self) -> dict[str, Any]:
        """What names it in a folder of figures."""
        return {"levels": list(self.levels)} | (asdict(self.sampling) if self.sampling else {})


@dataclass(frozen=True, eq=False)
class NamedSampler:
    """One sampler of one network.

    Attributes:
        name: such as "DDIM".
        own: the only grid that it is made for; None for any.
        last: t_L that its network was trained up to.
        starts: earlier times that it may start from instead, with a mixture; none for a sampler that starts from noise.
        on: the sampler on a grid; a `Chain` where it has a bound.  What has to be calibrated is so when it is first asked for.
        samplings: how its steps may be sampled; None for a scheduler, which has its own way.
        has_bound: whether it has a bound.
        steps: the most steps that a number of calls pays for.
        network_calls: what a number of steps costs.
        conditions: of held-out items, among which those of samples are drawn; None for a network without a condition.
    """

    name: str
    own: Levels | None
    last: float
    on: Callable[[Levels], Sampler]
    has_bound: bool = False
    samplings: Sequence[Sampling | None] = (None,)
    steps: Callable[[int], int] = lambda calls: calls
    network_calls: Callable[[int], int] = lambda steps: steps
    conditions: Tensor | None = None
    starts: Sequence[float] = ()

    def choices(self, calls: int, *, bound: bool = False) -> dict[str, Choice]:
        """What it may choose from at so many calls, by name, for samples or the bound; nothing where it does not take part."""
        if self.own:
            named = {"own": self.own} if calls == self.own.L else {}
        elif not self.network_calls(calls):
            named = {f"to data from t = {t:g}": Levels([0.0, t, self.last]) for t in _CLOSED_STEPS}
        elif self.starts:
            named = {f"{name} to t = {t:g}": grid for t in self.starts for name, grid in grids(self.steps(calls), t).items()}
        else:
            named = grids(self.steps(calls), self.last)
        samplings = [None] if bound else self.samplings
        return {f"{name}{_changed(sampling)}": Choice(grid, sampling) for name, grid in named.items() for sampling in samplings}

    def sampler(self, choice: Choice) -> Sampler:
        """The sampler of a choice; a plain chain for a bound."""
        sampler = self.on(choice.levels)
        if isinstance(sampler, Chain) and choice.sampling is not None:
            return ChainSampler(sampler, choice.sampling, self.conditions)
        return sampler if isinstance(sampler, Chain) or self.conditions is None else _Conditioned(sampler, self.conditions)


@dataclass(frozen=True, eq=False)
class _Conditioned:
    """A scheduler whose samples are given the conditions of held-out items."""

    sampler: Any
    conditions: Tensor

    def sample(self, n: int, *, seed: int) -> Tensor:
        found: Tensor = self.sampler.sample(n, seed=seed, condition=drawn_conditions(self.conditions, n, seed=seed))
        return found


def _changed(sampling: Sampling | None) -> str:
    """What is not the default."""
    words = words_of(sampling or DEFAULT)
    return f", {words}" if words else ""


def grids(L: int, last: float) -> dict[str, Levels]:
    """The grids among which every rival chooses, all with the same last time; equal ones once."""
    noisiest = float(OrnsteinUhlenbeck().log_snr(last))
    named = {"cosine": Levels.cosine(L, last), "constant alpha": Levels([last * l / L for l in range(L + 1)])}
    named |= {f"log-SNR from {start:g}": Levels.log_snr(L, start, noisiest) for start in _LOG_SNR_STARTS}
    return {name: grid for i, (name, grid) in enumerate(named.items()) if L > 1 or i == 0}


def of_chain(
    chain: Chain, held_out: Tensor, condition: Tensor | None = None, start: Callable[[], LowRankMixture] | None = None
) -> list[NamedSampler]:
    """The samplers of a trained chain.

    Args:
        chain: the chain.
        held_out: items that its updates did not see, (N, *E), to calibrate variances on.
        condition: of these items, which samples are given too; None for a chain without one.
        start: fits a mixture, for samplers that start from it and not from N(0, I); None for no such samplers.
    """
    kernel, last = chain.kernel(1), chain.levels.last
    finals = _finals(kernel.head)
    if not chain.any_step:
        etas = _ETAS if all(part.reuses_noise for part in chain.each_kernel()) and kernel.latent else _ETAS[:1]
        temperatures = TEMPERATURES if kernel.latent else TEMPERATURES[:1]
        samplings = _samplings(etas, temperatures, finals)
        return [NamedSampler(kernel.label, chain.levels, last, lambda _: chain, chain.has_bound, samplings, conditions=condition)]

    def ours(step: Kernel, started: bool) -> NamedSampler:
        made, temperatures = (
            _calibrated(step, last, held_out, condition, chain.noise_version),
            TEMPERATURES if step.latent else TEMPERATURES[:1],
        )
        samplings = _samplings(_ETAS if step.reuses_noise else _ETAS[:1], temperatures, finals)
        on = partial(_on, chain, made, start if started else None)
        name, starts = (step.label + STARTED, _starts(last)) if started else (step.label, ())
        return NamedSampler(name, None, last, on, step.has_bound, samplings, conditions=condition, starts=starts)

    found = []
    for started in (False, True) if start is not None and isinstance(chain.prior, StandardNormal) else (False,):
        found += [ours(step, started) for step in kernel.steps_around().values()]
        if kernel.denoiser is not None:
            found += _rivals(kernel.denoiser, last, condition, chain.noise_version, start if started else None)
    return found


def _starts(last: float) -> list[float]:
    """The times from which a network that was trained up to `last` may start with a mixture."""
    return [t for t in _STARTS if t < last]


def _on(chain: Chain, made: Callable[[], Kernel], start: Callable[[], LowRankMixture] | None, grid: Levels) -> Chain:
    """A chain on another grid, with another kernel around the same network, and perhaps another start."""
    options: dict[str, Any] = {name: getattr(chain, name) for name in ("scaling", "encoding", "importance_samples", "noise_version")}
    return Chain(chain.prior if start is None else OraclePrior(start()), grid, made(), **options)


def of_oracle(oracle: Oracle, items: Tensor, head: Head, last: float, *, exact_bound: bool) -> list[NamedSampler]:
    """The headroom: the same samplers with the perfect denoiser of a distribution of data, and the exact reverse kernel.

    Args:
        oracle: the distribution.
        items: drawn from it, to calibrate variances on, (N, *E).
        head: of the step to data.
        last: t_L.
        exact_bound: whether the distribution is that of the population, so that likelihoods of unseen items mean something.
    """

    def ours(prior: Prior, step: Kernel, made: Callable[[], Kernel], finals: Sequence[Final] = _FINALS[:1]) -> NamedSampler:
        samplings = _samplings(_ETAS, finals=finals)
        return NamedSampler(step.label, None, last, lambda grid: Chain(prior, grid, made()), exact_bound, samplings)

    denoiser, exact = OracleDenoiser(oracle), OracleKernel(oracle)
    gaussian = GaussianKernel(denoiser, head)
    calibrated = _calibrated(gaussian, last, items.double(), None)
    first = [ours(OraclePrior(oracle), exact, lambda: exact), ours(StandardNormal(), gaussian, calibrated, _finals(head))]
    return first + _rivals(denoiser, last, None)


def of_closed_forms(oracles: Mapping[str, Callable[[], Oracle]], head: Head, last: float) -> list[NamedSampler]:
    """Distributions that were fitted to the data in closed form: no network, at any number of steps.

    Args:
        oracles: makes each, by its name.
        head: of the step to data; continuous data have the density itself.
        last: t_L.
    """

    def closed(name: str, oracle: Callable[[], Oracle]) -> NamedSampler:
        def on(grid: Levels) -> Chain:
            return Chain(OraclePrior(oracle()), grid, OracleKernel(oracle(), head if head.discrete else None))

        return NamedSampler(name, None, last, on, True, _FREE, network_calls=lambda _: 0)

    return [closed(name, oracle) for name, oracle in oracles.items()]


def _samplings(
    etas: Sequence[float], temperatures: Sequence[float] = TEMPERATURES[:1], finals: Sequence[Final] = _FINALS[:1]
) -> list[Sampling]:
    """The default first."""
    return [Sampling(final, eta, temperature) for final in finals for eta in etas for temperature in temperatures]


def _finals(head: Head | None) -> Sequence[Final]:
    """Where the default is a sample the mode may be nearer to the data."""
    return _FINALS[:1] if head is None or head.ends_in == "mode" else _FINALS


def _rivals(
    denoiser: Denoiser,
    last: float,
    condition: Tensor | None,
    noise_version: int = Noise.LATEST,
    start: Callable[[], LowRankMixture] | None = None,
) -> list[NamedSampler]:
    """The schedulers of diffusers, from N(0, I) or from a mixture; none where the grid ends later than they can."""

    def rival(solver: Solver) -> NamedSampler:
        def on(grid: Levels) -> SchedulerSampler:
            prior = None if start is None else OraclePrior(start())
            return SchedulerSampler(denoiser, grid, solver, prior=prior, noise_version=noise_version)

        name, starts = (_SOLVERS[solver], ()) if start is None else (_SOLVERS[solver] + STARTED, _starts(last))
        return NamedSampler(name, None, last, on, steps=solver.steps, network_calls=solver.calls, conditions=condition, starts=starts)

    return [rival(solver) for solver in _SOLVERS] if last <= LATEST else []


def _calibrated(
    kernel: Kernel, last: float, held_out: Tensor, condition: Tensor | None, noise_version: int = Noise.LATEST
) -> Callable[[], Kernel]:
    """A kernel calibrated for any grid up to the last time, made once, when it is asked for: with an oracle it takes minutes."""

    @cache
    def made() -> Kernel:
        process = OrnsteinUhlenbeck()
        log_snr = torch.linspace(float(process.log_snr(last)), _CLEANEST, _CALIBRATED, dtype=torch.float64)
        calibrated = copy.deepcopy(kernel, {id(kernel.denoiser): kernel.denoiser})
        items = subsample(held_out, _CALIBRATION_ITEMS)
        told = None if condition is None else subsample(condition, _CALIBRATION_ITEMS)
        calibrated.calibrate(items, process.time_at_log_snr(log_snr).tolist(), seed=0, condition=told, noise_version=noise_version)
        return calibrated.eval()

    return made
