r"""The Gaussian reverse step of current diffusion models (the first equation of Problem 3).

    p(z_s | z_t) = N(A z_t + B yhat(z_t, t), variance I)

    posterior    variance = S                        sure of yhat: ruins the bound when steps are large
    transition   variance = sigma(t - s)^2           the width of the forward step
    optimal      variance = S + B^2 c(t)             c the mean squared error of yhat per dimension: the best
                                                     isotropic choice, calibrated on data held out of the updates

On isotropic Gaussian data the optimal step is exact; elsewhere the true reverse step is not Gaussian.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar

import torch
from torch import Tensor

from saltus.kernels.kernel import Kernel, Terms, Weights, call_times, refuse_condition, weighted
from saltus.kernels.step import Bridge, GaussianStep
from saltus.likelihoods.heads import Head
from saltus.networks import Scaled
from saltus.process import Noise, OrnsteinUhlenbeck, Time, as_time, per_item, sum_items

__all__ = ["GaussianKernel", "Variance"]

_process = OrnsteinUhlenbeck()
_BATCH = 256  # items in one call while calibrating


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

    def __init__(self, network: Scaled, head: Head, *, variance: Variance | str = Variance.OPTIMAL, any_step: bool = True) -> None:
        super().__init__()
        self.network, self.head, self.variance, self.any_step = network, head, Variance(variance), any_step
        self.register_buffer("calibrated_log_snr", torch.zeros(0, dtype=torch.float64))
        self.register_buffer("calibrated_error", torch.zeros(0, dtype=torch.float64))

    @property
    def event_shape(self) -> Sequence[int]:
        return self.network.event_shape

    def predict(self, z_t: Tensor, t: Time) -> Tensor:
        """yhat(z_t, t), (B, *E)."""
        yhat: Tensor = self.network(z_t, call_times(0.0, t, z_t))[0]
        return yhat

    def check(self, y: Tensor) -> None:
        self.head.check(y)

    def terms(self, y: Tensor, z_s: Tensor, z_t: Tensor, s: Time, t: Time, *, noise: Noise, condition: Tensor | None = None) -> Terms:
        """{"decoder": the closed-form KL, or -ln p(y | z_t) at s = 0}, (B,) nats."""
        refuse_condition(condition)
        bridge = Bridge.between(s, t, z_t)
        return {"decoder": self._around(bridge, z_t, s, t).divergence(y, z_t, bridge)}

    def loss(
        self, y: Tensor, z_s: Tensor, z_t: Tensor, s: Time, t: Time, *, noise: Noise, condition: Tensor | None = None, weights: Weights
    ) -> Terms:
        """{"error": |y - yhat|^2 / (2 c_out^2)}, (B,): EDM's weight, the same effort at every time."""
        refuse_condition(condition)
        yhat, _, c_out = self.network(z_t, call_times(0.0, t, z_t))
        return weighted({"error": 0.5 * sum_items(((y - yhat) / c_out).square())}, weights)

    @torch.no_grad()
    def calibrate(self, y: Tensor, times: Sequence[float], *, seed: int) -> None:
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
                clean = y[start : start + _BATCH]
                unit = Noise(seed, start, len(clean), index).normal("calibration", clean.shape[1:], like=clean)
                total += float((clean - self.predict(_process.noised(clean, t, unit), t)).double().square().sum())
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
        tiny = torch.finfo(torch.float64).tiny
        grid, values = self.calibrated_log_snr.cpu(), self.calibrated_error.cpu().clamp_min(tiny).log()  # an error may be 0
        at = _process.log_snr(t).clamp(grid[0], grid[-1])
        right = torch.searchsorted(grid, at).clamp(1, max(1, len(grid) - 1))
        left, right = right - 1, right.clamp_max(len(grid) - 1)
        gap = (grid[right] - grid[left]).clamp_min(tiny)
        return torch.lerp(values[left], values[right], (at - grid[left]) / gap).exp()

    def step(self, latent: Tensor, z_t: Tensor, s: Time, t: Time, *, eta: float = 1.0) -> GaussianStep:
        """N(A z_t + B yhat, variance I); there is no latent to look at."""
        return self._around(Bridge.between(s, t, z_t, eta), z_t, s, t, eta)

    def _around(self, bridge: Bridge, z_t: Tensor, s: Time, t: Time, eta: float = 1.0) -> GaussianStep:
        yhat = self.predict(z_t, t)
        if self.variance is Variance.TRANSITION:
            width = eta**2 * per_item(_process.sigma(as_time(t) - as_time(s, "s")) ** 2, z_t)
            step = bridge.step(z_t, yhat, 0.0, self.head)
            return GaussianStep(step.mean, width.expand_as(step.mean), step.final, self.head)
        c = per_item(self.error(t), z_t) if self.variance is Variance.OPTIMAL else 0.0
        return bridge.step(z_t, yhat, c, self.head)
