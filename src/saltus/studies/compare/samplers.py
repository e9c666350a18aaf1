"""Who takes part in a comparison: every way to sample with a trained network, or with a perfect one.

A *way* is a kind of step around a network: one of our kernels, or a scheduler of diffusers.  A chain that was trained
for its own levels takes part on these alone; a network that was trained at all times takes part on any grid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from saltus.chain import Chain, OraclePrior, Prior, StandardNormal
from saltus.data import subsample
from saltus.evaluation import ChainSampler, Sampler
from saltus.integrations import LATEST, SchedulerSampler, Solver
from saltus.kernels import (
    DEFAULT,
    DeterministicKernel,
    GaussianKernel,
    Kernel,
    Last,
    OracleDenoiser,
    OracleKernel,
    Parametrisation,
    Sampling,
    VAEKernel,
    Variance,
)
from saltus.levels import Levels
from saltus.likelihoods import GaussianHead, Head
from saltus.networks import Scaled
from saltus.oracles import Oracle
from saltus.process import OrnsteinUhlenbeck

__all__ = ["Choice", "Contender", "grids", "of_chain", "of_oracle"]

_SOLVERS = {
    Solver.DDPM: "DDPM",
    Solver.DDIM: "DDIM",
    Solver.DPM_2: "DPM-Solver++ 2M",
    Solver.UNIPC: "UniPC",
    Solver.HEUN: "Heun",
    Solver.DEIS: "DEIS",
}
"""DPM-Solver++ of order 1 is DDIM, to rounding: it would be the same row twice."""
_GAUSSIAN = "Gaussian step"
_DETERMINISTIC = {"equation (2)": False, "bridge step": True}
_CALIBRATED = 64  # times, even in log-SNR: between them the squared error of a prediction is interpolated
_CLEANEST = 12.0  # the log-SNR where they start: beyond it a step to data is smaller than a grey value
_CALIBRATION_ITEMS = 512
_LOG_SNR_STARTS = (4.0, 8.0)
_ETAS = (1.0, 0.5, 0.0)
_TEMPERATURES = (1.0, 0.85, 1.25, 1.5, 1.75, 2.0)
_LASTS: tuple[Last, ...] = ("median", "draw")


@dataclass(frozen=True)
class Choice:
    """What is chosen on validation items: the levels, and how steps are sampled; None for a scheduler's own way, and for a bound."""

    levels: Levels
    how: Sampling | None = None

    @property
    def key(self) -> dict[str, Any]:
        """What names it in a folder of figures."""
        return {"levels": list(self.levels)} | (asdict(self.how) if self.how else {})


@dataclass(frozen=True, eq=False)
class Contender:
    """One way to sample with one network.

    Attributes:
        way: its name, such as "DDIM".
        own: the only grid that it is made for; None for any.
        last: t_L that its network was trained up to.
        on: the sampler on a grid; a `Chain` where it has a bound.  What has to be calibrated is so when it is first asked for.
        hows: ways to sample its steps that it may choose from; None for a scheduler, which has its own.
        has_bound: whether it has a bound.
        steps: the most steps that a number of calls pays for.
        network_calls: what a number of steps costs.
    """

    way: str
    own: Levels | None
    last: float
    on: Callable[[Levels], Sampler]
    has_bound: bool = False
    hows: Sequence[Sampling | None] = (None,)
    steps: Callable[[int], int] = lambda calls: calls
    network_calls: Callable[[int], int] = lambda steps: steps

    def choices(self, calls: int, *, bound: bool = False) -> dict[str, Choice]:
        """What it may choose from at so many calls, by name, for samples or the bound; nothing where it does not take part."""
        named = {} if self.own and calls != self.own.L else {"own": self.own} if self.own else grids(self.steps(calls), self.last)
        hows = [None] if bound else self.hows
        return {f"{name}{_changed(how)}": Choice(grid, how) for name, grid in named.items() for how in hows}

    def sampler(self, choice: Choice) -> Sampler:
        """The sampler of a choice."""
        sampler = self.on(choice.levels)
        return ChainSampler(sampler, choice.how) if choice.how is not None and isinstance(sampler, Chain) else sampler


def _changed(how: Sampling | None) -> str:
    """What is not plain."""
    changed = {name: value for name, value in asdict(how or DEFAULT).items() if value != getattr(DEFAULT, name)}
    return "".join(f", {name} {value:g}" if isinstance(value, float) else f", {name} {value}" for name, value in changed.items())


def grids(L: int, last: float) -> dict[str, Levels]:
    """The grids among which every rival chooses, all with the same last time; equal ones once."""
    noisiest = float(OrnsteinUhlenbeck().log_snr(last))
    named = {"cosine": Levels.cosine(L, last), "constant alpha": Levels([last * l / L for l in range(L + 1)])}
    named |= {f"log-SNR from {start:g}": Levels.log_snr(L, start, noisiest) for start in _LOG_SNR_STARTS}
    return {name: grid for i, (name, grid) in enumerate(named.items()) if L > 1 or i == 0}


def of_chain(chain: Chain, held_out: Tensor) -> list[Contender]:
    """The ways to sample with a trained chain; variances are calibrated on items held out of its updates (N, *E)."""
    kernel, last, prior = chain.kernel(1), chain.levels.last, chain.prior
    lasts = _lasts(getattr(kernel, "head", None))
    if len(chain.kernels) > 1 or not kernel.any_step:
        reuses = all(isinstance(part, VAEKernel) and part.parametrisation is Parametrisation.BRIDGE for part in chain.kernels)
        temperatures = _TEMPERATURES if kernel.latent else _TEMPERATURES[:1]
        hows = _hows(_ETAS if reuses else _ETAS[:1], temperatures, lasts)
        return [Contender(_described(kernel), chain.levels, last, lambda _: chain, chain.has_bound, hows)]

    def ours(way: str, step: Callable[[], Kernel], etas: Sequence[float] = _ETAS) -> Contender:
        hows = _hows(etas, lasts=lasts)
        return Contender(way, None, last, lambda grid: Chain(prior, grid, step(), scaling=chain.scaling), kernel.has_bound, hows)

    if isinstance(kernel, DeterministicKernel):
        return [
            ours(way, partial(DeterministicKernel, kernel.network, bridge=bridge), _ETAS if bridge else _ETAS[:1])
            for way, bridge in _DETERMINISTIC.items()
        ]
    assert isinstance(kernel, GaussianKernel)
    if kernel.variance is Variance.OPTIMAL:
        return [ours(_GAUSSIAN, _calibrated(kernel.network, kernel.head, last, held_out)), *_rivals(kernel, last)]
    return [ours(f"{_GAUSSIAN}, {kernel.variance} variance", lambda: kernel), *_rivals(kernel, last)]


def of_oracle(oracle: Oracle, items: Tensor, head: Head, last: float, *, exact_bound: bool) -> list[Contender]:
    """The headroom: the same ways with the perfect denoiser of a law of data, and the exact reverse kernel.

    Args:
        oracle: the law.
        items: drawn from it, to calibrate variances on, (N, *E).
        head: of the step to data.
        last: t_L.
        exact_bound: whether the law is that of the population, so that likelihoods of unseen items mean something.
    """

    def ours(way: str, prior: Prior, step: Callable[[], Kernel], lasts: Sequence[Last] = _LASTS[:1]) -> Contender:
        return Contender(way, None, last, lambda grid: Chain(prior, grid, step()), exact_bound, _hows(_ETAS, lasts=lasts))

    denoiser = OracleDenoiser(oracle)
    exact = ours("exact kernel", OraclePrior(oracle), partial(OracleKernel, oracle))
    gaussian = ours(_GAUSSIAN, StandardNormal(), _calibrated(denoiser, head, last, items.double()), _lasts(head))
    return [exact, gaussian, *_rivals(GaussianKernel(denoiser, head), last)]


def _hows(etas: Sequence[float], temperatures: Sequence[float] = _TEMPERATURES[:1], lasts: Sequence[Last] = _LASTS[:1]) -> list[Sampling]:
    """The plain way first."""
    return [Sampling(last, eta, temperature) for last in lasts for eta in etas for temperature in temperatures]


def _lasts(head: Head | None) -> Sequence[Last]:
    """A draw of continuous data is what the bound is of; on grey values its noise is grain, and the median it is."""
    return _LASTS if isinstance(head, GaussianHead) else _LASTS[:1]


def _rivals(kernel: GaussianKernel, last: float) -> list[Contender]:
    """The schedulers of diffusers; none where the grid ends later than they can."""

    def rival(solver: Solver) -> Contender:
        on = partial(SchedulerSampler, kernel, solver=solver)
        return Contender(_SOLVERS[solver], None, last, on, steps=solver.steps, network_calls=solver.calls)

    return [rival(solver) for solver in _SOLVERS] if last <= LATEST else []


def _calibrated(network: Scaled, head: Head, last: float, held_out: Tensor) -> Callable[[], GaussianKernel]:
    """The optimal Gaussian step for any grid up to the last time, made once, when it is asked for: with an oracle it takes minutes."""

    @cache
    def made() -> GaussianKernel:
        process = OrnsteinUhlenbeck()
        log_snr = torch.linspace(float(process.log_snr(last)), _CLEANEST, _CALIBRATED, dtype=torch.float64)
        kernel = GaussianKernel(network, head)
        kernel.calibrate(subsample(held_out, _CALIBRATION_ITEMS), process.time_at_log_snr(log_snr).tolist(), seed=0)
        return kernel.eval()

    return made


def _described(kernel: Kernel) -> str:
    if isinstance(kernel, VAEKernel):
        return "VAE step" if kernel.latent else f"{_GAUSSIAN}, learned variance"
    return "equation (2)" if isinstance(kernel, DeterministicKernel) else _GAUSSIAN
