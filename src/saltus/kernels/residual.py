r"""A network that predicts what a mixture misses.

With a mixture of low-rank Gaussians that was fitted to the data, :math:`m(z_t)` its posterior mean and :math:`v_i(z_t)` its posterior
variance along each dimension,

.. math:: \hat y_i = m_i(z_t) + s_i(z_t)\, f_i(z_t), \qquad s_i^2 = \max(v_i, \tfrac{1}{400} c_{out}^2),

in place of EDM's linear skip and its one output scale c_out for all dimensions.  The least scale, a twentieth of EDM's, leaves a way to
items that the mixture thinks impossible.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from saltus.errors import SaltusError
from saltus.kernels.denoiser import Preconditioned, Prediction
from saltus.networks import positive
from saltus.oracles import LowRankMixture
from saltus.process import OrnsteinUhlenbeck

__all__ = ["MixtureResidual"]

_process = OrnsteinUhlenbeck()
_LEAST = 1 / 20  # of EDM's output scale


class MixtureResidual(Preconditioned):
    """A backbone around the posterior mean of a mixture.

    Args:
        backbone: as for `Preconditioned`; its input is scaled as there.
        variance: of the data, averaged over dimensions.
        mixture: that was fitted to the data.
    """

    def __init__(self, backbone: nn.Module, variance: float, mixture: LowRankMixture) -> None:
        super().__init__(backbone, variance)
        self.mixture = mixture

    def forward(self, z: Tensor, log_snr: Tensor, latent: Tensor | None = None, condition: Tensor | None = None) -> Prediction:
        """Predict y, see `Denoiser`."""
        c_in = self._scales(z, log_snr[:, 0])[0]
        return self._around(self.backbone((c_in * z)[:, None], log_snr, latent, condition), z, log_snr, condition)

    def predict_z_s(self, z: Tensor, log_snr: Tensor, latent: Tensor | None = None, condition: Tensor | None = None) -> NoReturn:
        """Raises SaltusError: the mixture predicts data."""
        raise SaltusError("a residual to the mixture predicts data, and a direct kernel does not; take parametrisation bridge")

    def posterior_pass(
        self,
        z: Tensor,
        log_snr: Tensor,
        eps: Tensor,
        features: Sequence[Tensor],
        condition: Tensor | None = None,
        *,
        to_data: bool = True,
    ) -> tuple[Prediction, Tensor, Normal]:
        """As of `Preconditioned`, to the data."""
        c_in = self._scales(z, log_snr[:, 0])[0]
        outputs, latent, mean, raw = self.backbone((c_in * z)[:, None], log_snr, eps, condition, features=features)
        return self._around(outputs, z, log_snr, condition), latent, Normal(mean, positive(raw), validate_args=False)

    def _around(self, outputs: Tensor, z: Tensor, log_snr: Tensor, condition: Tensor | None) -> Prediction:
        outputs, number = outputs.to(z.dtype), outputs.shape[1]
        least = _LEAST * self._scales(z, log_snr[:, 0])[2]
        known = condition if self.mixture.labelled else None
        with torch.autocast(z.device.type, enabled=False):
            mean, variance = self.mixture.posterior_moments(z, _process.time_at_log_snr(log_snr[:, 0]), known)
        scale = torch.maximum(variance.sqrt(), least)
        raw, extra = (outputs[:, 1] if number > 1 else None), (outputs[:, 2:] if number > 2 else None)
        return Prediction(mean + scale * outputs[:, 0], raw, scale, extra)
