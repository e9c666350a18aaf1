"""The exact reverse kernel q(z_s | z_t) of a distribution of data that is known: what a perfect kernel would do."""

from __future__ import annotations

from typing import NoReturn

from torch import Tensor

from saltus.errors import SaltusError
from saltus.kernels.denoiser import classes_of
from saltus.kernels.kernel import Explanation, Kernel, Weights
from saltus.kernels.sampling import DEFAULT, Sampling
from saltus.kernels.transition import Pair, Transition
from saltus.networks import Condition
from saltus.oracles import Oracle, OracleDistribution
from saltus.process import Noise, OrnsteinUhlenbeck, as_time

__all__ = ["OracleKernel"]


class OracleKernel(Kernel):
    """q(z_s | z_t) of an oracle, or q(z_s | z_t, c) of one whose components are labelled with classes.

    Args:
        oracle: the distribution of data; its labels are numbered from 0 without a gap.
    """

    any_step = True

    def __init__(self, oracle: Oracle) -> None:
        super().__init__()
        self.oracle = oracle
        self.event_shape = oracle.event_shape

    @property
    def condition(self) -> Condition | None:  # type: ignore[override]  # of the oracle as it is when asked
        return classes_of(self.oracle)

    @property
    def label(self) -> str:
        return "exact kernel"

    @property
    def reuses_noise(self) -> bool:
        return True

    def sample(self, transition: Transition, noise: Noise, sampling: Sampling = DEFAULT) -> Tensor:
        """An exact draw of q(z_s | z_t).  At s = 0 too, whatever `sampling.final` says: the exact step to y has no noise to leave out."""
        z_t, s, eta = transition.z_t, transition.s, sampling.eta
        if transition.guidance != 1:
            raise SaltusError(f"guidance = {transition.guidance} mixes two predictions of a network, and an oracle has none; leave it at 1")
        exact = self.oracle.reverse(z_t, s if eta == 1 else 0.0, transition.t, transition.condition)  # eta < 1: y first
        if not isinstance(exact, OracleDistribution):
            return z_t
        sample = exact.draw(noise.uniform("reverse component"), noise.normal("decoder", z_t.shape[1:])).to(z_t)
        if eta == 1:
            return sample
        return transition.bridge_at(eta).sample(z_t, sample, noise.normal("bridge", z_t.shape[1:], like=z_t))

    def explain(self, pair: Pair, noise: Noise, k: int = 1) -> Explanation:
        """{"decoder": ln q(z_s | z_t, y) - ln q(z_s | z_t)}, (B,) nats; its mean over z_s is the KL.  At s = 0 -ln q(y | z_t)."""
        z_s, z_t, s, t = pair.z_s, pair.z_t, pair.s, pair.t
        bridge = OrnsteinUhlenbeck().bridge(z_t, pair.y, s, t).log_prob(z_s)
        bridge = bridge.where(as_time(s, "s").to(bridge.device) > 0, 0)  # at s = 0 the bridge is y itself
        return Explanation.without_latent({"decoder": bridge - self.oracle.reverse(z_t, s, t, pair.condition).log_prob(z_s)}, z_t)

    def loss(self, pair: Pair, noise: Noise, weights: Weights) -> NoReturn:
        """Raises SaltusError: there is nothing to train."""
        raise SaltusError("an oracle's kernel is exact and has nothing to train; sample it or take its bound")
