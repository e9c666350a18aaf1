r"""Low-rank Gaussians of which a measurement is known: their densities, and draws of the rest.

With $z = m + F u + D^{1/2} \delta$, $u \sim \mathcal N(0, I)$, and a measurement $o = M z$ of sums that do not overlap, $M D M^\top$ is
diagonal and $M F$ has as few columns as F:

$$
p(o) = \mathcal N(M m,\; M F (M F)^\top + M D M^\top), \qquad
u \mid o \sim \mathcal N\big(P^{-1} (M F)^\top (M D M^\top)^{-1} (o - M m),\; P^{-1}\big), \quad
P = I + (M F)^\top (M D M^\top)^{-1} M F,
$$

and given u the numbers are on their own, so that a draw of them is moved to the measurement along D (`saltus.process.Measurement`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from saltus.oracles.gaussians import LowRankGaussians
from saltus.oracles.low_rank_distributions import LowRankReverse
from saltus.oracles.oracle import GivenMeasurement, choose
from saltus.process import Measurement, Noise

__all__ = ["marginal_given", "reverse_given"]

_LEAST = -40.0  # ln of the probability of a component that is left out


class _Measured:
    """Components N(mean_k, Sigma_k) and the distribution of their measurement."""

    def __init__(self, components: LowRankGaussians, measurement: Measurement) -> None:
        K, d, r = components.basis.shape
        self._factors = components.diagonal.sqrt()[..., None] * components.basis * components.excess.sqrt()[:, None]
        self._diagonal, self._measurement = components.diagonal, measurement
        self._seen = measurement.of(self._factors.mT.reshape(K * r, d)).reshape(K, r, -1).mT
        self._noise = measurement.spread(self._diagonal)
        self.distribution = LowRankGaussians.of(measurement.of(components.mean), self._seen, self._noise)

    def draw(self, o: Tensor, k: Tensor, mean: Tensor, noise: Noise) -> Tensor:
        """Of the component k of each item, around its mean (B, d)."""
        white = self._seen[k] / self._noise[k][..., None]
        eye = torch.eye(self._seen.shape[2], dtype=o.dtype, device=o.device)
        root = torch.linalg.cholesky(eye + self._seen.mT @ (self._seen / self._noise[..., None]))[k]
        along = torch.einsum("bmr,bm->br", white, o - self._measurement.of(mean))
        unit = noise.normal("factors", along.shape[1:], like=o)
        u = torch.cholesky_solve(along[..., None], root) + torch.linalg.solve_triangular(root.mT, unit[..., None], upper=True)
        free = noise.normal("other numbers", mean.shape[1:], like=o)
        z = mean + (self._factors[k] @ u)[..., 0] + self._diagonal[k].sqrt() * free
        return self._measurement.moved(z, self._diagonal[k], o)


def marginal_given(
    components: LowRankGaussians, log_weights: Tensor, measurement: Measurement, o: Tensor, noise: Noise
) -> GivenMeasurement:
    """z of a mixture with log weights (B, K), given measurements o (B, m)."""
    measured = _Measured(components, measurement)
    joint = log_weights + measured.distribution.log_prob(o)
    k = choose(joint, noise.uniform("component").to(o.device))
    return GivenMeasurement(measured.draw(o, k, components.mean[k], noise), joint.logsumexp(1), k)


def reverse_given(reverse: LowRankReverse, measurement: Measurement, o: Tensor, noise: Noise) -> GivenMeasurement:
    """z_s of q(z_s | z_t), given measurements o (B, m)."""
    there = torch.nonzero((reverse.logits > _LEAST).any(0)).flatten()
    measured = [_Measured(reverse.around(k[None]), measurement) for k in there]
    means = [reverse.mean_given(k.expand(len(o))) for k in there]
    distributions = [own.distribution.log_prob(o - measurement.of(mean)) for own, mean in zip(measured, means, strict=True)]
    joint = reverse.logits[:, there] + torch.cat(distributions, 1)
    which = choose(joint, noise.uniform("component").to(o.device))
    z = torch.empty_like(means[0])
    for index, (own, mean) in enumerate(zip(measured, means, strict=True)):
        rows = which == index
        drawn = own.draw(o, torch.zeros_like(which), mean, noise)
        z[rows] = drawn[rows]
    return GivenMeasurement(z, joint.logsumexp(1), there[which])
