r"""diffusers' schedulers as rivals: the same network, the same levels, the same noise, another way to step.

A scheduler counts alpha-bar_0 ... alpha-bar_{L-1} from clean to noisy.  Here that whole schedule is the grid,

    alpha-bar_{l-1} = e^{-2 t_l},  l = 1 ... L,       timesteps L-1 ... 0,       the last step to alpha-bar = 1,

so that no level is skipped or interpolated.  The network predicts data; schedulers are told the noise,

    eps = (z_t - alpha yhat) / sigma,

the one prediction that all of them take in every version.  Nothing is clipped.  With (s, t) a step of the grid,

    ddim, dpm++1m   z_s = alpha_s yhat + sigma_s eps                           Song et al. 2021; Lu et al. 2022, order 1
    ddpm            q(z_s | z_t, yhat) = N(A z_t + B yhat, S I)                Ho et al. 2020: DDIM with eta = 1
    dpm++2m         order 2, multistep, in yhat and log-SNR                    Lu et al. 2022
    unipc           the same with a corrector that makes it order 3            Zhao et al. 2023
    deis            order 2, multistep, in eps and ln(sigma / alpha)           Zhang & Chen 2023
    heun            order 2, two calls a step, in x = z / alpha                Karras et al. 2022

All but ddpm follow the probability flow, dx / d(sigma / alpha) = eps.  The first step of a multistep method and the
last of every one but `deis` are of order 1; with 15 steps or more diffusers takes the last step of `deis` at order 2.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import torch
from torch import Tensor

from saltus.chain import Prior, StandardNormal, descend, evaluating, like
from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.kernels import Denoiser, Transition, predict
from saltus.levels import Levels
from saltus.process import Noise, OrnsteinUhlenbeck

__all__ = ["LATEST", "SchedulerSampler", "Solver"]

_process = OrnsteinUhlenbeck()
LATEST = 20.0
"""The last time of a grid, at most: alpha = 2e-9, schedulers divide by it, and float64 keeps seven digits of yhat."""
_ALMOST_CLEAN = 1e-10  # sigma / alpha at the end of DEIS, which takes its logarithm


class Solver(StrEnum):
    """A way to step, see the module."""

    DDPM = "ddpm"
    DDIM = "ddim"
    DPM_1 = "dpm++1m"
    DPM_2 = "dpm++2m"
    UNIPC = "unipc"
    HEUN = "heun"
    DEIS = "deis"

    def calls(self, steps: int) -> int:
        """Network calls of that many steps: Heun calls twice a step, but once at the last."""
        return 2 * steps - 1 if self is Solver.HEUN else steps

    def steps(self, calls: int) -> int:
        """The most steps that so many calls, >= 1, pay for."""
        return (calls + 1) // 2 if self is Solver.HEUN else calls


_PLAIN = {"thresholding": False, "timestep_spacing": "trailing"}
_SINGLE = {**_PLAIN, "clip_sample": False, "set_alpha_to_one": True}
_MULTI = {**_PLAIN, "lower_order_final": True}
_SCHEDULERS: dict[Solver, tuple[str, dict[str, object]]] = {
    Solver.DDPM: ("DDIMScheduler", _SINGLE),
    Solver.DDIM: ("DDIMScheduler", _SINGLE),
    Solver.DPM_1: ("DPMSolverMultistepScheduler", {**_MULTI, "solver_order": 1, "final_sigmas_type": "zero"}),
    Solver.DPM_2: ("DPMSolverMultistepScheduler", {**_MULTI, "solver_order": 2, "final_sigmas_type": "zero"}),
    Solver.UNIPC: ("UniPCMultistepScheduler", {**_MULTI, "solver_order": 2, "final_sigmas_type": "zero"}),
    # "trailing" would start Heun with variance sigma_L^2 in place of 1
    Solver.HEUN: ("HeunDiscreteScheduler", {"clip_sample": False, "timestep_spacing": "leading"}),
    Solver.DEIS: ("DEISMultistepScheduler", {**_MULTI, "solver_order": 2}),
}
"""The class of each solver and its options, those of the grid aside."""


class SchedulerSampler:
    """A scheduler of diffusers around a network that predicts data.

    The scheduler computes on the CPU in float64, the network in the dtype and on the device of its parameters.

    Args:
        denoiser: predicts y from (z_t, t).
        levels: the grid, which ends at 20 or earlier.
        solver: see the module.
        prior: what z at the last level is drawn from; N(0, I) unless given.
        noise_version: of the random numbers, see `saltus.process.Noise`.

    Raises:
        SaltusError: for a later last level.
        ValueError: for an unknown solver.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        levels: Levels,
        solver: Solver | str,
        *,
        prior: Prior | None = None,
        noise_version: int = Noise.LATEST,
    ) -> None:
        if levels.last > LATEST:
            raise SaltusError(
                f"the last level is t = {levels.last:g}, where diffusers' schedulers lose y to rounding; "
                f"give levels that end at {LATEST:g} or earlier"
            )
        self.denoiser, self.levels, self.solver, self.noise_version = denoiser, levels, Solver(solver), noise_version
        self.prior = StandardNormal() if prior is None else prior

    @property
    def event_shape(self) -> tuple[int, ...]:
        """E."""
        return tuple(self.denoiser.event_shape)

    @property
    def calls(self) -> int:
        """How often the network is called for one sample."""
        return self.solver.calls(self.levels.L)

    @torch.no_grad()
    def sample(self, n: int, *, seed: int, first_item: int = 0, condition: Tensor | None = None, batch: int = 256) -> Tensor:
        """Generate items `first_item` ... `first_item + n - 1` of a seed, from the noise that `Chain.sample` gives them.

        Args:
            n: how many, >= 1.
            seed: >= 0; item i of a seed is the same whatever n, `first_item` and `batch` are.
            first_item: number of the first item.
            condition: of each item, (n, ...); unless given, classes are drawn as `Chain.sample` draws them.
            batch: how many items at a time.

        Returns:
            (n, *E), in the dtype and on the device of the parameters; float64 on the CPU where there is none.  The last step of every
            scheduler gives the network's own prediction.  No head has a part in it, so that values may leave the range of the data.

        Raises:
            ValueError: if n or batch is below 1, or seed or first_item below 0.
        """
        if n < 1 or batch < 1:
            raise ValueError(f"n = {n}, batch = {batch}; expected at least 1")
        if condition is None and self.denoiser.condition is not None:
            condition = self.denoiser.condition.draw(Noise(seed, first_item, n).uniform("condition")).to(like(self.denoiser).device)
        with evaluating(self.denoiser):
            return torch.cat([self._solve(start, min(batch, n - start), seed, first_item, condition) for start in range(0, n, batch)])

    def _solve(self, start: int, n: int, seed: int, first_item: int, conditions: Tensor | None) -> Tensor:
        """Items `start` ... `start + n - 1` of a call; states are the scheduler's own, z times its scale."""
        noise = Noise(seed, first_item + start, n, version=self.noise_version)
        condition = None if conditions is None else conditions[start : start + n]
        scheduler, kind = _scheduler(self.solver, self.levels), like(self.denoiser)
        timesteps = iter(scheduler.timesteps)

        def step(level: int, transition: Transition) -> Tensor:
            x: Tensor = transition.z_t
            for _ in range(2 if self.solver is Solver.HEUN and level > 1 else 1):  # Heun calls at both ends of a step
                timestep = next(timesteps)
                z, t = scheduler.scale_model_input(x, timestep), float(self.levels.times[int(timestep) + 1])
                yhat = predict(self.denoiser, z.to(kind), t, transition.condition).to(z)
                eps = (z - _process.alpha(t) * yhat) / _process.sigma(t)
                x = scheduler.step(eps, timestep, x, **self._draws(noise.at(level - 1))).prev_sample
            return x

        z_L = self.prior.sample(self.event_shape, self.levels.last, noise.at(self.levels.L), condition)
        *_, x_0 = descend(z_L.double() * scheduler.init_noise_sigma, self.levels, step, condition=condition)
        return x_0.to(kind)

    def _draws(self, noise: Noise) -> dict[str, Any]:
        """What a stochastic scheduler draws at a step."""
        return {"eta": 1.0, "variance_noise": noise.normal("decoder", self.event_shape)} if self.solver is Solver.DDPM else {}


def _scheduler(solver: Solver, levels: Levels) -> Any:
    """A fresh scheduler whose schedule is the grid, in float64.

    Built from betas, a schedule is a float32 product of L factors, which loses the noise next to data: sigma at a log-SNR
    of 14 is off by up to 3%, and at 20 it is 0.  So no betas are given, and the two arrays that schedulers step by are set
    here: alpha-bar, and sigma / alpha at each of their timesteps and at the end.
    """
    diffusers = needs("diffusers", extra="compare")
    name, options = _SCHEDULERS[solver]
    times = levels.times[1:]
    scheduler = getattr(diffusers, name)(num_train_timesteps=levels.L, prediction_type="epsilon", **options)
    scheduler.alphas_cumprod = _process.alpha(times) ** 2
    scheduler.set_timesteps(levels.L)
    ratio = torch.expm1(2 * times).sqrt()[scheduler.timesteps.long()]
    end = _ALMOST_CLEAN if solver is Solver.DEIS else 0.0
    scheduler.sigmas = torch.cat([ratio, ratio.new_tensor([end])])
    return scheduler
