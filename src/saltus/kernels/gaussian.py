r"""The Gaussian reverse step of current diffusion models (Ho et al. 2020, https://arxiv.org/abs/2006.11239).

.. math:: p(z_s \mid z_t) = \mathcal N(A z_t + B \hat y(z_t, t),\; \mathrm{variance}\, I)

| variance | is |
|---|---|
| posterior | S: sure of yhat; ruins the bound when steps are large |
| transition | sigma(t - s)^2: the width of the forward step |
| optimal | S + B^2 c(t), c the mean squared error of yhat per dimension: the best isotropic choice (https://arxiv.org/abs/2201.06503) |

The error c is calibrated on data held out of the updates.  On isotropic Gaussian data the optimal step is exact; elsewhere the true
reverse step is not Gaussian.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar

import torch
from torch import Tensor

from saltus.kernels.denoiser import Denoiser, denoise, predict
from saltus.kernels.kernel import Explanation, Kernel, Terms, Weights, weighted
from saltus.kernels.setup import Setup
from saltus.kernels.step import GaussianStep
from saltus.kernels.transition import Pair, Transition
from saltus.likelihoods import Head
from saltus.networks import Draw
from saltus.process import Noise, OrnsteinUhlenbeck, Time, as_time, per_item, sum_items

__all__ = ["GaussianKernel", "Variance"]

_process = OrnsteinUhlenbeck()
_BATCH = 256  # items in one call while calibrating
_LEAST = torch.finfo(torch.float64).tiny  # an error, or a distance of calibrated times, may be 0


class Variance(StrEnum):
    """The variance of a Gaussian step: `posterior`, `transition` or `optimal`."""

    POSTERIOR = "posterior"
    TRANSITION = "transition"
    OPTIMAL = "optimal"


class GaussianKernel(Kernel):
    """N(A z_t + B yhat, variance I).

    Args:
        network: predicts y from (z_t, t).
        head: of the step to data.
        variance: see the module; `optimal` needs `calibrate` before it samples or bounds.
        any_step: whether to train at all times, so that any grid can use the network, or at a grid's own.

    Raises:
        ValueError: for an unknown variance.
    """

    resizable_buffers: ClassVar[tuple[str, ...]] = ("calibrated_log_snr", "calibrated_error")
    calibrated_log_snr: Tensor
    calibrated_error: Tensor

    def __init__(self, network: Denoiser, head: Head, *, variance: Variance | str = Variance.OPTIMAL, any_step: bool = True) -> None:
        super().__init__()
        self.head: Head
        self.network, self.head, self.variance, self.any_step = network, head, Variance(variance), any_step
        self.event_shape, self.condition = network.event_shape, network.condition
        self.register_buffer("calibrated_log_snr", torch.zeros(0, dtype=torch.float64))
        self.register_buffer("calibrated_error", torch.zeros(0, dtype=torch.float64))

    @classmethod
    def build(cls, setup: Setup) -> GaussianKernel:
        """As a training is configured."""
        return cls(setup.denoiser(), setup.head, variance=setup.options["variance"], any_step=setup.any_step(True))

    @property
    def label(self) -> str:
        optimal = self.variance is Variance.OPTIMAL
        return "Gaussian step" if optimal else f"Gaussian step, {self.variance} variance"

    @property
    def reuses_noise(self) -> bool:
        return True

    @property
    def denoiser(self) -> Denoiser:
        return self.network

    def check(self, y: Tensor) -> None:
        self.head.check(y)

    def step(self, transition: Transition, latent: Tensor) -> GaussianStep:
        """N(A z_t + B yhat, variance I); there is no latent to look at."""
        yhat = denoise(self.network, transition, to_data=True).mean
        if self.variance is Variance.TRANSITION:
            step = GaussianStep.around(transition, yhat, 0.0, self.head)
            width = transition.eta**2 * per_item(_process.sigma(as_time(transition.t) - as_time(transition.s, "s")) ** 2, yhat)
            return GaussianStep(step.mean, width.expand_as(step.mean), step.is_final, self.head)
        error = per_item(self.error(transition.t), yhat) if self.variance is Variance.OPTIMAL else 0.0
        return GaussianStep.around(transition, yhat, error, self.head)

    def latent_of(self, pair: Pair, draw: Draw) -> Tensor:
        """Empty."""
        return pair.z_t.new_zeros(len(pair.z_t), 0)

    def explain(self, pair: Pair, noise: Noise, k: int = 1) -> Explanation:
        """{"decoder": the closed-form KL, or -ln p(y | z_t) at s = 0}, (B,) nats; without a latent k changes nothing."""
        step = self.step(pair, pair.z_t.new_zeros(len(pair.z_t), 0))
        return Explanation.without_latent({"decoder": step.divergence(pair)}, pair.z_t, step)

    def loss(self, pair: Pair, noise: Noise, weights: Weights) -> Terms:
        """{"error": |y - yhat|^2 / (2 c_out^2)}, (B,): EDM's weight, the same effort at every time."""
        prediction = denoise(self.network, pair, to_data=True)
        return weighted({"error": 0.5 * sum_items(((pair.y - prediction.mean) / prediction.output_scale).square())}, weights)

    @torch.no_grad()
    def calibrate(
        self, y: Tensor, times: Sequence[float], *, seed: int, condition: Tensor | None = None, noise_version: int = Noise.LATEST
    ) -> None:
        """Measure c(t) = E |y - yhat|^2 / d at these times (> 0), on data (N, *E) held out of the updates.

        Raises:
            ValueError: without data, or for a time that is not positive.
        """
        if len(y) == 0 or min(times, default=0.0) <= 0:
            raise ValueError(f"{len(y)} items and times {list(times)}; expected at least one item, and times > 0")
        errors = []
        for index, t in enumerate(times):
            total = 0.0
            for start in range(0, len(y), _BATCH):
                rows = slice(start, start + _BATCH)
                clean = y[rows]
                eps = Noise(seed, start, len(clean), index, noise_version).normal("calibration", clean.shape[1:], like=clean)
                yhat = predict(self.network, _process.noised(clean, t, eps), t, None if condition is None else condition[rows])
                total += float((clean - yhat).double().square().sum())
            errors.append(total / y.numel())
        log_snr, order = _process.log_snr(torch.tensor(times, dtype=torch.float64)).sort()
        device = self.calibrated_error.device
        self.calibrated_log_snr = log_snr.to(device)
        self.calibrated_error = torch.tensor(errors, dtype=torch.float64)[order].to(device)

    def error(self, t: Time) -> Tensor:
        """c(t), the calibrated squared error per dimension, float64, the shape of `t`.

        Between calibrated times ln c is linear in log-SNR; beyond them it is constant.

        Raises:
            RuntimeError: before `calibrate`.
        """
        if not len(self.calibrated_error):
            raise RuntimeError("the optimal variance is not calibrated; call chain.calibrate(y) with data held out of the updates")
        grid, errors = self.calibrated_log_snr, self.calibrated_error.clamp_min(_LEAST).log()
        at = _process.log_snr(t).to(grid.device).clamp(grid[0], grid[-1])
        right = torch.searchsorted(grid, at)
        left = (right - 1).clamp_min(0)
        share = (at - grid.take(left)) / (grid.take(right) - grid.take(left)).clamp_min(_LEAST)
        return torch.lerp(errors.take(left), errors.take(right), share).exp()
