r"""A network that predicts what a mixture misses.

With a mixture of low-rank Gaussians that was fitted to the data, :math:`m(z_t)` its posterior mean and :math:`v_i(z_t)` its posterior
variance along each dimension,

.. math:: \hat y_i = m_i(z_t) + s_i(z_t)\, f_i(z_t), \qquad s_i^2 = \max(v_i, \tfrac{1}{400} c_{out}^2),

in place of EDM's linear skip and its one output scale c_out for all dimensions.  The least scale, a twentieth of EDM's, leaves a way to
items that the mixture thinks impossible.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from saltus.errors import SaltusError
from saltus.kernels.denoiser import Preconditioned, Prediction, prediction_around
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

    def _read(
        self, outputs: Tensor, z: Tensor, log_snr: Tensor, condition: Tensor | None, factors: tuple[Tensor, ...], to_data: bool
    ) -> Prediction:
        if not to_data:
            raise SaltusError("a residual to the mixture predicts data, and a direct kernel does not; take parametrisation bridge")
        known = condition if self.mixture.labelled else None
        with torch.autocast(z.device.type, enabled=False):
            mean, variance = self.mixture.posterior_moments(z, _process.time_at_log_snr(log_snr[:, 0]), known)
        return prediction_around(outputs.to(z.dtype), mean, torch.maximum(variance.sqrt(), _LEAST * factors[2]))
