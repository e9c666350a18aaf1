r"""A chain's way from z_L to z_0 in a few calls: the path, what each step expects of the data, and what one latent decides.

A step is :math:`z_s \sim \mathcal N(A z_t + B \hat y(\epsilon, z_t), \cdot)`; :math:`\hat y` is what it expects of y.  With z_t held
fixed, another latent :math:`\epsilon \sim \mathcal N(0, I)` is another draw of p(z_s | z_t): what a Gaussian step around one prediction
does not have.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from saltus.chain import Chain, descend, started, starts
from saltus.errors import SaltusError
from saltus.evaluation import ChainSampler, multiply_adds
from saltus.kernels import Kernel, OracleKernel, Sampling, Transition, denoise
from saltus.kernels.proposal import estimate
from saltus.networks import ImageCondition
from saltus.pretrained import run_folder
from saltus.process import Noise
from saltus.studio.limits import Limits, check_whole
from saltus.studio.runs import Run
from saltus.studio.sheet import Sheet
from saltus.studio.workspace import safe_name
from saltus.training import planned_levels

__all__ = ["Leap", "LeapSettings", "allowed_calls", "allowed_starts", "another_latent", "chain_for", "leap"]

_MOST_SEEDS = 2**62
DRAWS = 8
"""Latents that are drawn again."""


@dataclass(frozen=True)
class LeapSettings:
    """How a run is sampled.

    Attributes:
        n: images.
        seed: of all noise.
        calls: network calls; the run's own unless given.
        condition: a class by its name; "" for classes as often as they came, and for a run without.
        start: "noise" or "mixture"; the run's own unless given.
        guidance, temperature, eta, final: see `Sampling`; all but the first are the run's own unless given.

    Raises:
        SaltusError: for a number of images or a seed outside its range.
    """

    n: int = 8
    seed: int = 0
    calls: int | None = None
    condition: str = ""
    start: str | None = None
    guidance: float = 1.0
    temperature: float | None = None
    eta: float | None = None
    final: str | None = None

    def __post_init__(self) -> None:
        Limits().check_items(self.n)
        check_whole(self.seed, "the seed", _MOST_SEEDS, 0)
        if self.calls is not None:
            Limits().check_calls(self.calls)

    @property
    def words(self) -> str:
        """What is the same for all runs, in words."""
        told = {"class": self.condition, "start": self.start, "guidance": self.guidance if self.guidance != 1 else None}
        told |= {"calls asked for": self.calls}
        return ", ".join([f"seed {self.seed}", *(f"{name} {value}" for name, value in told.items() if value)])

    @property
    def own_words(self) -> str:
        """How the latents and steps are sampled, where that is not a run's own way."""
        told = {name: getattr(self, name) for name in ("temperature", "eta", "final")}
        return ", ".join(
            f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in told.items() if value is not None
        )

    @property
    def suffix(self) -> str:
        """For names of files."""
        return "-".join([f"seed{self.seed}", *([f"class{safe_name(self.condition)}"] if self.condition else [])])

    def sampling(self, chain: Chain) -> Sampling:
        """The way of sampling a chain."""
        given: dict[str, Any] = {"guidance": self.guidance, "temperature": self.temperature, "eta": self.eta, "final": self.final}
        return replace(chain.sampling, **{name: value for name, value in given.items() if value is not None})


@dataclass(frozen=True, eq=False)
class Leap:
    """What was drawn.

    Attributes:
        chain: that drew it.
        path: z_0 ... z_L, (L + 1, n, *E).
        expected: for levels 1 ... L what the step from there expects of y, (n, *E); None where a step says nothing of it.
        seconds: of the sampling.
        calls: of the network, for each image.
        multiply_adds: for each image.
    """

    chain: Chain
    path: Tensor
    expected: list[Tensor | None]
    seconds: float
    calls: int
    multiply_adds: int

    def sheets(self) -> dict[str, Sheet]:
        """The samples; and the path, a row for each level from z_L down, what is expected of y beside it."""
        n, times = self.path.shape[1], list(self.chain.levels)
        L = len(times) - 1
        told = ", ".join(f"{t:.3g}" for t in reversed(times))
        sheets = {
            "samples": Sheet(self._final, f"{n} samples"),
            "path": Sheet(self.path.flip(0).flatten(0, 1), f"the path from z_{L} at the top to z_0, at t = {told}", n),
        }
        known = [(level, y) for level, y in enumerate(self.expected, 1) if y is not None]
        if known:
            rows = torch.cat([y for _, y in reversed(known)])
            words = ", ".join(f"z_{level}" for level, _ in reversed(known))
            sheets["expected"] = Sheet(rows, f"what the step from {words} expects of y, from the top", n)
        return sheets

    @property
    def _final(self) -> Tensor:
        """z_0 on the values that files hold."""
        encoding: Any = self.chain.encoding
        found: Tensor = encoding.encode(encoding.decode(self.path[0]))
        return found


def allowed_calls(runs: Sequence[Run], most: int) -> list[int]:
    """The numbers of calls that all of some runs may be sampled with; none where they have none in common."""
    found = [run.calls(most) for run in runs]
    return [calls for calls in found[0] if all(calls in other for other in found)] if found else []


def allowed_starts(runs: Sequence[Run]) -> list[str]:
    """What all of some runs may start from."""
    found = [starts(run.model.chain) for run in runs]
    return [start for start in found[0] if all(start in other for other in found)] if found else []


def allowed_classes(runs: Sequence[Run]) -> list[str]:
    """The classes that all of some runs know."""
    return [name for name in runs[0].classes if all(name in run.classes for run in runs)] if runs else []


def chain_for(run: Run, settings: LeapSettings) -> Chain:
    """The chain of a run with the calls and the start of these settings.

    Raises:
        SaltusError: for calls or a start that the run does not allow.
    """
    chain = run.model.chain
    if settings.calls is not None:
        chain = chain.on(planned_levels(run_folder(run.place), chain, settings.calls))
    return chain if settings.start is None else started(chain, settings.start)


def conditions(chain: Chain, settings: LeapSettings) -> Tensor | None:
    """Of each image, (n, ...); None for a run without a condition."""
    noise = chain.noise(settings.seed, 0, settings.n)
    if not settings.condition:
        return chain.conditions_for(None, noise)
    if chain.condition is None or isinstance(chain.condition, ImageCondition):
        kind = "no condition" if chain.condition is None else chain.condition.summary()
        raise SaltusError(f"the condition {settings.condition!r:.60} was given, and this run has {kind}; leave it out")
    return chain.conditions_for(chain.condition.parse(settings.condition), noise)


def leap(run: Run, settings: LeapSettings) -> Leap:
    """Sample a run.

    Raises:
        SaltusError: for what the run does not allow.
    """
    chain = chain_for(run, settings)
    calls = chain_for(run, replace(settings, start=None)).levels.L
    sampling, given = settings.sampling(chain), conditions(chain, settings)
    first = None if given is None else given[:1]
    chain.sample(1, seed=settings.seed, sampling=sampling, condition=first)  # which pays for what is not there yet
    begun = time.perf_counter()
    path = chain.sample(settings.n, seed=settings.seed, return_path=True, sampling=sampling, condition=given)
    seconds = time.perf_counter() - begun
    expected = _expected(chain, path, chain.noise(settings.seed, 0, settings.n), sampling, given)
    return Leap(chain, path, expected, seconds, calls, multiply_adds(ChainSampler(chain, sampling, first)))


@torch.no_grad()
def _expected(chain: Chain, path: Tensor, noise: Noise, sampling: Sampling, given: Tensor | None) -> list[Tensor | None]:
    """What the step of each level 1 ... L expects of y, along a path that is known."""
    found: list[Tensor | None] = []

    def step(level: int, transition: Transition) -> Tensor:
        found.insert(0, _prediction(chain.kernel(level), transition, noise.at(level - 1), sampling))
        return path[level - 1]

    for _ in descend(path[-1], chain.levels, step, condition=given, guidance=sampling.guidance, eta=sampling.eta):
        pass
    return found


def _prediction(kernel: Kernel, transition: Transition, noise: Noise, sampling: Sampling) -> Tensor | None:
    """yhat of a step, with the latent that it was sampled with."""
    if isinstance(kernel, OracleKernel):
        return kernel.oracle.posterior_mean(transition.z_t, transition.t, transition.condition)
    if kernel.denoiser is not None:
        return denoise(kernel.denoiser, transition, to_data=True).mean
    latent = sampling.temperature * noise.normal("latent", (kernel.latent,), like=transition.z_t)
    try:
        return estimate(transition, kernel.step(transition, latent))
    except SaltusError:  # a flow, say, whose step has no mean in closed form
        return None


@torch.no_grad()
def another_latent(run: Run, settings: LeapSettings, item: int, level: int, draws: int = DRAWS) -> Tensor:
    """One image again and again with z_l held, and another latent in the step from there; all other noise stays.

    Args:
        run: the run.
        settings: how it is sampled.
        item: the number of the image.
        level: l, from 1 to the number of steps.
        draws: how many latents, the first of which is the image's own.

    Returns:
        Images (draws, *E).

    Raises:
        SaltusError: for another image or level, or a step without a latent.
    """
    chain = chain_for(run, settings)
    check_whole(item, "the image", settings.n - 1, 0)
    check_whole(level, "the level", chain.levels.L)
    kernel, sampling, all_given = chain.kernel(level), settings.sampling(chain), conditions(chain, settings)
    if not kernel.latent:
        raise SaltusError(f"the step from z_{level} is a {kernel.label}, which has no latent; choose another level or run")
    given = None if all_given is None else all_given[item : item + 1]
    noise = chain.noise(settings.seed, item, 1)
    path = chain.sample(1, seed=settings.seed, first_item=item, return_path=True, sampling=sampling, condition=given)

    def drawn(k: int) -> Tensor:
        def step(at: int, transition: Transition) -> Tensor:
            own = noise.at(at - 1)
            if at != level or k == 0:
                return chain.kernel(at).sample(transition, own, sampling)
            latent = sampling.temperature * own.normal(f"latent {k}", (kernel.latent,), like=transition.z_t)
            return kernel.step(transition, latent).sample(own.normal("decoder", chain.event_shape, like=transition.z_t), sampling.final)

        options: dict[str, Any] = {"condition": given, "guidance": sampling.guidance, "eta": sampling.eta}
        *_, z_0 = descend(path[level], chain.levels, step, from_level=level, **options)
        return z_0

    return torch.cat([drawn(k) for k in range(draws)])
