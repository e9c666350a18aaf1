"""What a perfect network and a perfect kernel would do, for a law of data that is known.

`OracleDenoiser` gives E[y | z_t] in the place of a network: the kind of step is then all that is wrong.
`OracleKernel` is the exact reverse kernel q(z_s | z_t): nothing is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from saltus.kernels.kernel import DEFAULT, Kernel, Sampling, Terms, Weights, refuse_condition
from saltus.kernels.step import Bridge
from saltus.networks import Climb, Scaled
from saltus.oracles import Law, Oracle
from saltus.process import Noise, OrnsteinUhlenbeck, Time, as_time

__all__ = ["OracleDenoiser", "OracleKernel"]


class OracleDenoiser(Scaled):
    """E[y | z_t] of an oracle, to be called as a network is.

    Args:
        oracle: the law of data.
    """

    def __init__(self, oracle: Oracle) -> None:
        super().__init__(nn.Identity())
        self.oracle = oracle

    @property
    def event_shape(self) -> Sequence[int]:
        return tuple(self.oracle.event_shape)

    def forward(
        self, z: Tensor, log_snr: Tensor, latent: Tensor | Climb | None = None, *, data: bool = True
    ) -> tuple[Tensor, list[Tensor], Tensor]:
        """The posterior mean, no further outputs, and scale 1."""
        times = OrnsteinUhlenbeck().time_at_log_snr(log_snr[:, 0])
        return self.oracle.posterior_mean(z, times), [], torch.ones_like(z)


class OracleKernel(Kernel):
    """q(z_s | z_t) of an oracle: what a perfect kernel does.

    Args:
        oracle: the law of data.
    """

    def __init__(self, oracle: Oracle) -> None:
        super().__init__()
        self.oracle = oracle

    @property
    def event_shape(self) -> Sequence[int]:
        return self.oracle.event_shape

    def sample(
        self,
        z_t: Tensor,
        s: Time,
        t: Time,
        *,
        noise: Noise,
        condition: Tensor | None = None,
        how: Sampling = DEFAULT,
    ) -> Tensor:
        """An exact draw of q(z_s | z_t).  At s = 0 too, whatever `how` says: the exact law of y has no noise to leave out."""
        refuse_condition(condition)
        law = self.oracle.reverse(z_t, s if how.eta == 1 else 0.0, t)  # otherwise an exact draw of y first
        if not isinstance(law, Law):
            return z_t
        drawn = law.draw(noise.uniform("reverse component"), noise.normal("decoder", z_t.shape[1:])).to(z_t)
        if how.eta == 1:
            return drawn
        return Bridge.between(s, t, z_t, how.eta).draw(z_t, drawn, noise.normal("bridge", z_t.shape[1:], like=z_t))

    def terms(self, y: Tensor, z_s: Tensor, z_t: Tensor, s: Time, t: Time, *, noise: Noise, condition: Tensor | None = None) -> Terms:
        """{"decoder": ln q(z_s | z_t, y) - ln q(z_s | z_t)}, (B,) nats; its mean over z_s is the KL.  At s = 0 -ln q(y | z_t)."""
        refuse_condition(condition)
        bridge = OrnsteinUhlenbeck().bridge(z_t, y, s, t).log_prob(z_s)
        bridge = bridge.where(as_time(s, "s").to(bridge.device) > 0, 0)  # at s = 0 the bridge is y itself
        return {"decoder": bridge - self.oracle.reverse(z_t, s, t).log_prob(z_s)}

    def loss(
        self, y: Tensor, z_s: Tensor, z_t: Tensor, s: Time, t: Time, *, noise: Noise, condition: Tensor | None = None, weights: Weights
    ) -> Terms:
        """Raises TypeError: there is nothing to train."""
        raise TypeError("OracleKernel is exact and has nothing to train; use chain.sample or chain.bound")
