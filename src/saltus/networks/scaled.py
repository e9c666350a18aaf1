r"""EDM scaling (Karras et al. 2022, table 1), written for a network that predicts z_s from z_t.

For data of variance v, Gaussian statistics give the best linear prediction and its error; the network learns the rest:

    input   z_t / sqrt(Var_t)                       Var_t = alpha_t^2 v + sigma_t^2
    skip    r Var_s / Var_t                         r = alpha_t / alpha_s
    output  sqrt(Var_s - r^2 Var_s^2 / Var_t)

For s = 0 (the data) this is EDM: skip alpha v / Var_t, output sigma sqrt(v / Var_t).  Networks know scales through
log-SNR alone: alpha^2 = sigmoid(log_snr), sigma^2 = sigmoid(-log_snr).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from saltus.registry import Configurable

if TYPE_CHECKING:
    from saltus.networks.ladder import Climb

__all__ = ["Scaled", "Scales", "positive", "scales"]

_LEAST = -60.0  # float32 and bfloat16 hold the square of 2^-60


class Scales(NamedTuple):
    """Factors for input, skip and output, float64, the shape of the log-SNRs."""

    input: Tensor
    skip: Tensor
    output: Tensor


def scales(log_snr_t: Tensor, log_snr_s: Tensor, variance: float) -> Scales:
    """The factors for predicting z_s from z_t; `log_snr_s` = +inf predicts the data."""
    at, as_ = torch.sigmoid(log_snr_t.double()), torch.sigmoid(log_snr_s.double())
    total_t = at * variance + torch.sigmoid(-log_snr_t.double())
    total_s = as_ * variance + torch.sigmoid(-log_snr_s.double())
    ratio = at / as_
    # Var_s - r^2 Var_s^2 / Var_t = Var_s (Var_t - r^2 Var_s) / Var_t, and Var_t - r^2 Var_s = 1 - r^2
    return Scales(total_t.rsqrt(), ratio.sqrt() * total_s / total_t, (total_s * (1 - ratio) / total_t).sqrt())


class Scaled(Configurable, nn.Module):
    """A backbone in EDM scaling.

    Args:
        backbone: called as `backbone(x, log_snr, latent)`, see `saltus.networks.backbones`.
        variance: v, the mean variance of the data over dimensions, > 0.

    Raises:
        ValueError: if the variance is not positive.
    """

    def __init__(self, backbone: nn.Module, variance: float = 1.0) -> None:
        super().__init__()
        if not variance > 0:
            raise ValueError(f"variance = {variance}; expected a positive number")
        self.backbone, self.variance = backbone, variance

    @property
    def event_shape(self) -> Sequence[int]:
        """E of the backbone."""
        shape: Sequence[int] = self.backbone.event_shape  # type: ignore[assignment]
        return shape

    @property
    def latent(self) -> int:
        """The size of the backbone's latent."""
        return int(self.backbone.latent)  # type: ignore[arg-type]

    def forward(
        self, z: Tensor, log_snr: Tensor, latent: Tensor | Climb | None = None, *, data: bool = True
    ) -> tuple[Tensor, list[Tensor], Tensor]:
        """Predict y (`data`) or z_s from z_t.

        Args:
            z: z_t, (B, *E).
            log_snr: (B, 2), of t and of s.
            latent: (B, latent) or None.
            data: whether to predict y; otherwise z_s.

        Returns:
            The prediction (B, *E), the further outputs of the backbone as they are (each (B, *E)), and the output
            factor (B, 1, ..., 1), which is the standard deviation that Gaussian data would leave unexplained.
        """
        target = torch.full_like(log_snr[:, 1], torch.inf) if data else log_snr[:, 1]
        c_in, c_skip, c_out = (c.to(z.dtype).reshape(-1, *(1,) * (z.ndim - 1)) for c in scales(log_snr[:, 0], target, self.variance))
        first, *rest = self.backbone((c_in * z)[:, None], log_snr, latent).to(z.dtype).unbind(1)
        return c_skip * z + c_out * first, rest, c_out


def positive(raw: Tensor) -> Tensor:
    """A standard deviation from any real number: softplus with beta = ln 2, so that 0 gives 1 (Hazami et al. 2022).

    Its square is never 0, whose logarithm would end a training: encoders are that sure of themselves while the KL's weight is
    still near 0.  The gradient is as if there were no such end, so that the KL pulls them back.
    """
    within = raw + (raw.clamp_min(_LEAST) - raw).detach()
    return nn.functional.softplus(within, beta=math.log(2))
