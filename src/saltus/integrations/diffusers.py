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

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Protocol

import torch
from torch import Tensor

from saltus.chain import StandardNormal, evaluating, like
from saltus.errors import SaltusError
from saltus.kernels import Last
from saltus.levels import Levels
from saltus.process import Noise, OrnsteinUhlenbeck, Time

__all__ = ["LATEST", "Denoiser", "SchedulerSampler", "Solver"]

_process = OrnsteinUhlenbeck()
LATEST = 20.0
"""The last time of a grid, at most: alpha = 2e-9, schedulers divide by it, and float64 keeps seven digits of yhat."""
_ALMOST_CLEAN = 1e-10  # sigma / alpha at the end of DEIS, which takes its logarithm


class Denoiser(Protocol):
    """What is asked of a network: `GaussianKernel` and `DeterministicKernel` are denoisers."""

    @property
    def event_shape(self) -> Sequence[int]:
        """E, the shape of one item."""
        ...

    def predict(self, z_t: Tensor, t: Time) -> Tensor:
        """yhat(z_t, t), (B, *E)."""
        ...


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

    Raises:
        SaltusError: for a later last level.
        ValueError: for an unknown solver.
    """

    def __init__(self, denoiser: Denoiser, levels: Levels, solver: Solver | str) -> None:
        if levels.last > LATEST:
            raise SaltusError(
                f"the last level is t = {levels.last:g}, where diffusers' schedulers lose y to rounding; "
                f"give levels that end at {LATEST:g} or earlier"
            )
        self.denoiser, self.levels, self.solver = denoiser, levels, Solver(solver)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """E."""
        return tuple(self.denoiser.event_shape)

    @property
    def calls(self) -> int:
        """How often the network is called for one sample."""
        return self.solver.calls(self.levels.L)

    @torch.no_grad()
    def sample(self, n: int, *, seed: int, first_item: int = 0, last: Last = "median", batch: int = 256) -> Tensor:
        """Generate items `first_item` ... `first_item + n - 1` of a seed, from the noise that `Chain.sample` gives them.

        Args:
            n: how many, >= 1.
            seed: >= 0; item i of a seed is the same whatever n, `first_item` and `batch` are.
            first_item: number of the first item.
            last: "median" or "mean": every scheduler's last step gives the network's own prediction.
            batch: how many items at a time.

        Returns:
            (n, *E), in the dtype and on the device of the parameters; float64 on the CPU where there is none.  No head has
            a part in it, so that values may leave the range of the data.

        Raises:
            SaltusError: for `last="draw"`.
            ValueError: if n or batch is below 1, or seed or first_item below 0.
        """
        if last == "draw":
            raise SaltusError(f"last = {last!r} was given, but the last step of a scheduler is a prediction; leave it out")
        if n < 1 or batch < 1:
            raise ValueError(f"n = {n}, batch = {batch}; expected at least 1")
        with evaluating(self.denoiser):
            return torch.cat([self._solve(Noise(seed, first_item + i, min(batch, n - i))) for i in range(0, n, batch)])

    def _solve(self, noise: Noise) -> Tensor:
        scheduler, times, kind = _scheduler(self.solver, self.levels), self.levels.times, like(self.denoiser)
        x: Tensor = StandardNormal().sample(self.event_shape, self.levels.last, noise.at(self.levels.L)) * scheduler.init_noise_sigma
        for timestep in scheduler.timesteps:
            level = int(timestep) + 1
            z, t = scheduler.scale_model_input(x, timestep), float(times[level])
            yhat = self.denoiser.predict(z.to(kind), t).to(z)
            eps = (z - _process.alpha(t) * yhat) / _process.sigma(t)
            x = scheduler.step(eps, timestep, x, **self._draws(noise.at(level - 1))).prev_sample
        return x.to(kind)

    def _draws(self, noise: Noise) -> dict[str, Any]:
        """What a stochastic scheduler draws at a step."""
        return {"eta": 1.0, "variance_noise": noise.normal("decoder", self.event_shape)} if self.solver is Solver.DDPM else {}


def _scheduler(solver: Solver, levels: Levels) -> Any:
    """A fresh scheduler whose schedule is the grid, in float64.

    Built from betas, a schedule is a float32 product of L factors, which loses the noise next to data: sigma at a log-SNR
    of 14 is off by up to 3%, and at 20 it is 0.  So no betas are given, and the two arrays that schedulers step by are set
    here: alpha-bar, and sigma / alpha at each of their timesteps and at the end.
    """
    import diffusers

    name, options = _SCHEDULERS[solver]
    times = levels.times[1:]
    scheduler = getattr(diffusers, name)(num_train_timesteps=levels.L, prediction_type="epsilon", **options)
    scheduler.alphas_cumprod = _process.alpha(times) ** 2
    scheduler.set_timesteps(levels.L)
    ratio = torch.expm1(2 * times).sqrt()[scheduler.timesteps.long()]
    end = _ALMOST_CLEAN if solver is Solver.DEIS else 0.0
    scheduler.sigmas = torch.cat([ratio, ratio.new_tensor([end])])
    return scheduler
