r"""The exact reverse kernel q(z_s | z_t) of a distribution of data that is known: what a perfect kernel would do.

Around a mixture that was fitted to data it is a closed-form step, without a network.  Its step to data may have a head, for data that
have masses and no density:

.. math:: p(y \mid z_t) = \sum_k q(k \mid z_t) \prod_i \mathrm{head}(y_i; m_{ki}(z_t), v_{ki}(z_t)),

with the mean and the variance of each dimension of y given z_t and the component.  Its bound sums over the most probable components
alone, which can only raise it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from saltus.errors import SaltusError
from saltus.kernels.denoiser import classes_of
from saltus.kernels.kernel import Explanation, Kernel, MixtureStep, Terms, Weights, weighted
from saltus.kernels.proposal import Known, Proposal, along_bridge, pilot, proposal_of
from saltus.kernels.sampling import DEFAULT, Sampling
from saltus.kernels.step import GaussianStep
from saltus.kernels.transition import Pair, Transition
from saltus.likelihoods import Head
from saltus.networks import Condition
from saltus.oracles import Oracle, OracleDistribution
from saltus.oracles.oracle import choose
from saltus.process import Noise, OrnsteinUhlenbeck, as_time

__all__ = ["OracleKernel"]

_MOST = 8  # components that a step to data looks at


class OracleKernel(Kernel):
    """q(z_s | z_t) of an oracle, or q(z_s | z_t, c) of one whose components are labelled with classes.

    Args:
        oracle: the distribution of data; its labels are numbered from 0 without a gap.
        head: of the step to data; unless given it is the oracle's own density.
        condition: what its classes are called and how often they come; unless given, by number and as in the oracle.
    """

    any_step = True

    def __init__(self, oracle: Oracle, head: Head | None = None, condition: Condition | None = None) -> None:
        super().__init__()
        self._condition = condition
        self.oracle, self.head = oracle, head
        self.event_shape = oracle.event_shape

    @property
    def condition(self) -> Condition | None:  # type: ignore[override]  # of the oracle as it is when asked
        return self._condition or classes_of(self.oracle)

    @property
    def label(self) -> str:
        return "exact kernel"

    @property
    def reuses_noise(self) -> bool:
        return True

    @property
    def guided(self) -> bool:
        return False

    @property
    def bounds_eta(self) -> bool:
        return False

    def check(self, y: Tensor) -> None:
        if self.head is not None:
            self.head.check(y)

    def sample(self, transition: Transition, noise: Noise, sampling: Sampling = DEFAULT) -> Tensor:
        """A draw of q(z_s | z_t).  Without a head it is exact at s = 0 too, whatever `sampling.final` says: no noise is to be left out."""
        if transition.is_final is True and self.head is not None:
            return self._to_data(transition, self.head, noise, sampling)
        return self._exact(transition, noise, sampling)

    def _exact(self, transition: Transition, noise: Noise, sampling: Sampling) -> Tensor:
        z_t, s, eta = transition.z_t, transition.s, transition.eta
        exact = self.oracle.reverse(z_t, s if eta == 1 else 0.0, transition.t, transition.condition)  # eta < 1: y first
        if not isinstance(exact, OracleDistribution):
            return z_t
        sample = exact.draw(noise.uniform("reverse component"), noise.normal("decoder", z_t.shape[1:])).to(z_t)
        if eta == 1:
            return sample
        return transition.bridge.sample(z_t, sample, noise.normal("bridge", z_t.shape[1:], like=z_t))

    def _to_data(self, transition: Transition, head: Head, noise: Noise, sampling: Sampling) -> Tensor:
        z_t, each = transition.z_t, torch.arange(len(transition.z_t))
        given = self.oracle.components_given(z_t, transition.t, transition.condition, most=_MOST)
        k = choose(given.log_weights.log_softmax(1), noise.uniform("reverse component").to(given.mean.device))
        mean, variance = (value[each, k].to(z_t) for value in (given.mean, given.variance))
        return GaussianStep(mean, variance, True, head).sample(noise.normal("decoder", z_t.shape[1:], like=z_t), sampling.final)

    def _to_data_cost(self, pair: Pair, head: Head) -> Tensor:
        """-ln p(y | z_t), (B,) nats, at most: without the components that are left out."""
        given = self.oracle.components_given(pair.z_t, pair.t, pair.condition, most=_MOST)
        y = pair.y.double()
        each = [head.log_prob(y, mean, variance) for mean, variance in zip(given.mean.unbind(1), given.variance.unbind(1), strict=True)]
        return -(given.log_weights + torch.stack(each, 1)).logsumexp(1)

    def mixture_step(self, transition: Transition) -> MixtureStep:
        z_t, s, t, condition = transition.z_t, transition.s, transition.t, transition.condition
        if transition.is_final is not True:
            weights, gaussians = self.oracle.factored_reverse(z_t, float(s), float(t), condition)
            return MixtureStep(weights, gaussians)
        if self.head is None:
            raise SaltusError("an exact step to data has a density and no masses, so that it has no code; take one with a head")
        given = self.oracle.components_given(z_t, t, condition, most=_MOST)
        means, variances = (value.to(z_t).unbind(1) for value in (given.mean, given.variance))
        steps = [GaussianStep(*moments, True, self.head) for moments in zip(means, variances, strict=True)]
        return MixtureStep(given.log_weights, None, steps)

    def propose(self, transition: Transition, known: Known, draft: Tensor | None, noise: Noise) -> Proposal:
        """z_s towards an item of which something is known: exact given its measurement, by the mixture's own distribution of it."""
        z_t, measurement = transition.z_t, known.measurement
        expected = self.oracle.posterior_mean(z_t, transition.t, transition.condition)
        pair = pilot(transition, known, expected, noise)
        if pair.is_final is True and self.head is not None:
            return self._propose_data(pair, known, self.head, noise)
        seen = measurement.of(pair.z_s).double()
        given = self.oracle.reverse_given(measurement, seen, z_t, float(pair.s), float(pair.t), noise, pair.condition)
        if pair.is_final is True:
            return Proposal(given.z.to(z_t), given.log_prob, given.log_prob, expected)
        return Proposal(given.z.to(z_t), given.log_prob - along_bridge(pair, measurement, seen), None, expected)

    def _propose_data(self, pair: Pair, known: Known, head: Head, noise: Noise) -> Proposal:
        """By each of the most probable components, of which one is kept by what it weighs."""
        given = self.oracle.components_given(pair.z_t, pair.t, pair.condition, most=_MOST)
        steps = zip(given.mean.unbind(1), given.variance.unbind(1), given.log_weights.unbind(1), strict=True)
        each = [proposal_of(pair, known, GaussianStep(m.to(pair.z_t), v.to(pair.z_t), True, head), share, noise) for m, v, share in steps]
        weights, rows = torch.stack([one.log_weight for one in each], 1), torch.arange(len(pair.z_t))
        k = choose(weights, noise.uniform("component").to(weights.device))
        total = weights.logsumexp(1)
        return Proposal(torch.stack([one.z_s for one in each], 1)[rows, k], total, total, pair.y)

    def explain(self, pair: Pair, noise: Noise, k: int = 1) -> Explanation:
        """{"decoder": ln q(z_s | z_t, y) - ln q(z_s | z_t)}, (B,) nats; its mean over z_s is the KL.  At s = 0 -ln q(y | z_t)."""
        if pair.is_final is True and self.head is not None:
            return Explanation.without_latent({"decoder": self._to_data_cost(pair, self.head)}, pair.z_t)
        z_s, z_t, s, t = pair.z_s, pair.z_t, pair.s, pair.t
        if pair.eta != 1 and pair.is_final is not True:
            raise SaltusError(f"eta = {pair.eta} was asked for, and the bound of an exact step is that of eta 1; leave it at 1")
        bridge = OrnsteinUhlenbeck().bridge(z_t, pair.y, s, t).log_prob(z_s)
        bridge = bridge.where(as_time(s, "s").to(bridge.device) > 0, 0)  # at s = 0 the bridge is y itself
        return Explanation.without_latent({"decoder": bridge - self.oracle.reverse(z_t, s, t, pair.condition).log_prob(z_s)}, z_t)

    def loss(self, pair: Pair, noise: Noise, weights: Weights) -> Terms:
        """Its terms of the bound, which nothing learns from: a chain may have learned steps beside it."""
        return weighted({name: value.to(pair.y) for name, value in self.explain(pair, noise).terms.items()}, weights)
