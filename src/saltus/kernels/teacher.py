r"""A network of another library's discrete schedule, read at real times.

A variance-preserving schedule of T steps is the process at :math:`t_i = -\frac12 \ln \bar\alpha_i`, so a network that was trained at
the numbers i = 0 ... T - 1 is one of log-SNR.  Between two of its times the number of the step is interpolated, linearly in log-SNR,
and the network is asked at that number, which is no whole one: what interpolates is its own embedding of the step.  Beyond the first
and the last of its times it is asked at these.  The scales are always those of the time that was asked for:

| prediction | of | data |
|---|---|---|
| epsilon | the noise (Ho et al. 2020, https://arxiv.org/abs/2006.11239) | :math:`\hat y = (z_t - \sigma_t\, \epsilon) / \alpha_t` |
| sample | the data | :math:`\hat y` |
| v_prediction | :math:`\alpha_t \epsilon - \sigma_t y` (https://arxiv.org/abs/2202.00512) | :math:`\hat y = \alpha_t z_t - \sigma_t v` |
"""

from __future__ import annotations

import hashlib
from enum import StrEnum

import torch
from torch import Tensor

from saltus.errors import SaltusError
from saltus.kernels.denoiser import Preconditioned, Prediction
from saltus.networks import TeacherUNet

__all__ = ["Target", "Teacher"]


class Target(StrEnum):
    """What a network was trained to predict, by diffusers' names."""

    EPSILON = "epsilon"
    SAMPLE = "sample"
    V = "v_prediction"


class Teacher(Preconditioned):
    """A network that was trained at the steps of a variance-preserving schedule.

    Args:
        backbone: called as `backbone(z, step, log_snr, latent, condition)`.
        log_snrs: of its steps 0 ... T - 1, float64 (T,), strictly falling, finite.
        target: what it predicts.
        variance: of the data, averaged over dimensions: the scale of what a second output says.
        clip: the largest value of a prediction of the data, as its own scheduler has it; None for no bound.
    """

    log_snrs: Tensor

    def __init__(
        self, backbone: TeacherUNet, log_snrs: Tensor, target: Target | str, *, variance: float = 1.0, clip: float | None = None
    ) -> None:
        super().__init__(backbone, variance)
        self.backbone: TeacherUNet
        self.target, self.clip = Target(target), clip
        self.register_buffer("log_snrs", log_snrs)

    def step_at(self, log_snr: Tensor) -> Tensor:
        """The number of the step of each log-SNR (B,), a real one from 0 to T - 1, float64."""
        known = -self.log_snrs
        at = (-log_snr.double()).clamp(known[0], known[-1])
        right = torch.searchsorted(known, at).clamp(1, len(known) - 1)
        left = right - 1
        return left + (at - known[left]) / (known[right] - known[left])

    def widened(self, outputs: int, latent: int, variance: float) -> Teacher:
        """The same network with a latent and further outputs, which begins as this one does: unbounded, so that it can learn."""
        return Teacher(self.backbone.widened(outputs, latent), self.log_snrs.clone(), self.target, variance=variance)

    @property
    def digest(self) -> str:
        """What tells its weights and its schedule from others."""
        found = hashlib.blake2b(self.target.encode(), digest_size=8)
        for _, value in sorted(self.state_dict().items()):
            found.update(value.detach().cpu().contiguous().numpy().tobytes())
        return found.hexdigest()

    def _predicted(self, z: Tensor, log_snr: Tensor, latent: Tensor | None, condition: Tensor | None, *, to_data: bool) -> Prediction:
        if not to_data:
            raise SaltusError("a network of another library predicts data, and a direct kernel does not; take parametrisation bridge")
        at = log_snr[:, 0]
        outputs = self.backbone(z, self.step_at(at), log_snr[:, 1], latent, condition).to(z.dtype)
        alpha, sigma = (
            scale.to(z.dtype).reshape(-1, *(1,) * (z.ndim - 1)) for scale in (at.double().sigmoid().sqrt(), (-at.double()).sigmoid().sqrt())
        )
        match self.target:
            case Target.EPSILON:
                mean = (z - sigma * outputs[:, 0]) / alpha
            case Target.V:
                mean = alpha * z - sigma * outputs[:, 0]
            case Target.SAMPLE:
                mean = outputs[:, 0]
        if self.clip is not None:
            mean = mean.clamp(-self.clip, self.clip)
        number = outputs.shape[1]
        spread = self._scales(z, at)[2]
        return Prediction(mean, outputs[:, 1] if number > 1 else None, spread, outputs[:, 2:] if number > 2 else None)
