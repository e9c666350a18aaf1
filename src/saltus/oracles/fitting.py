r"""Fitting a mixture of low-rank Gaussians to data, for the noisy times at which it is used.

With $z = \alpha y + \sigma \epsilon$ at a time t, new noise in every pass, and u the r factors of an item's component, stepwise EM
(Cappe and Moulines 2009, https://doi.org/10.1111/j.1467-9868.2009.00698.x) keeps running means of

$$r_k, \quad r_k z, \quad r_k u, \quad r_k z u^\top, \quad r_k u u^\top, \quad r_k z^2, \qquad r_k = q(k \mid z),$$

and after every batch solves for the component's mean, factors and diagonal (Ghahramani and Hinton 1996).  The diagonal at t is at least
$\sigma^2$, what the noise alone gives; the rest divided by $\alpha^2$ is that of y.  So the fit is to the likelihood of z_t, and the noise
keeps it from learning single items.  Memory: K d (r + 4) numbers and a batch, whatever the number of items.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from saltus.oracles.gaussians import LowRankGaussians
from saltus.oracles.low_rank import LowRankMixture
from saltus.process import OrnsteinUhlenbeck

__all__ = ["fit_mixture"]

_process = OrnsteinUhlenbeck()
_BATCH = 4096  # items between two solutions
_LEAST_SHARE = 1e-8  # of an item in a component; less is taken for none, since the processor is slow at very small numbers
_LEAST_VARIANCE = 1e-4  # of y in a dimension, as a share of the mean variance
_PSEUDO_ITEMS = 5.0  # that every component's diagonal has seen, with the variances of all components


@dataclass
class _Statistics:
    """Running means over items of what the next solution needs; with the batch dimension K."""

    count: Tensor  # (K,)
    z: Tensor  # (K, d)
    squares: Tensor  # (K, d)
    u: Tensor  # (K, r)
    zu: Tensor  # (K, d, r)
    uu: Tensor  # (K, r, r)

    def add(self, other: _Statistics) -> None:
        """Those of another batch."""
        for mine, new in zip(vars(self).values(), vars(other).values(), strict=True):
            mine.add_(new)


def fit_mixture(
    y: Tensor,
    t: float,
    *,
    components: int,
    rank: int,
    labels: Tensor | None = None,
    passes: int = 4,
    seed: int = 0,
) -> LowRankMixture:
    """A mixture whose q(z_t) is close to that of the data, for this t and noisier times.

    Args:
        y: items (N, *E), on the device that computes.
        t: the cleanest time that the mixture is for, > 0.
        components: K; with labels, of all classes together.
        rank: r, the columns of a factor.
        labels: the class of each item, int64 (N,), 0 ... C - 1; each class then has components of its own, in proportion to its items.
        passes: over the data.
        seed: of the start, the order of the items and the noise.
    """
    x, generator = y.flatten(1), torch.Generator(y.device).manual_seed(seed)
    start = _start(x, t, components, rank, labels, seed)
    parameters, kinds = start
    weights, factors = parameters
    noise, alpha = float(_process.sigma(t)) ** 2, float(_process.alpha(t))
    least = noise + alpha**2 * _LEAST_VARIANCE * float(x.var(0).mean())
    owner = None if kinds is None else torch.tensor(kinds, device=y.device)
    mean, G, diagonal = factors
    for _ in range(passes):
        total: _Statistics | None = None
        for start_ in range(0, len(x), _BATCH):
            rows = slice(start_, start_ + _BATCH)
            allowed = None if owner is None or labels is None else owner == labels[rows, None]
            found = _expect(alpha * x[rows], noise, weights, mean, G, diagonal, allowed)
            if total is None:
                total = found
            else:
                total.add(found)
        weights, mean, G, diagonal = _maximise(total, least)
    v = ((diagonal.clamp_min(least) - noise) / alpha**2).cpu()
    shape = (len(mean), *y.shape[1:])
    return LowRankMixture(weights.cpu(), (mean / alpha).reshape(shape).cpu(), (G / alpha).cpu(), v, kinds)


def _expect(z: Tensor, noise: float, weights: Tensor, mean: Tensor, G: Tensor, diagonal: Tensor, allowed: Tensor | None) -> _Statistics:
    K, d, r = G.shape
    log_weights = weights.log().expand(len(z), -1)
    if allowed is not None:
        log_weights = log_weights.masked_fill(~allowed, -torch.inf)
    here = LowRankGaussians.of(mean, G, diagonal)
    trace = (1 / diagonal).sum(1) - here.whitened.square().sum((1, 2))
    share = (log_weights + here.log_prob(z) - 0.5 * noise * trace).softmax(1)
    share = torch.where(share > _LEAST_SHARE, share, 0)
    scaled = G / diagonal[..., None]
    inner = torch.linalg.inv(torch.eye(r, device=z.device) + G.mT @ scaled)
    gain = scaled @ inner  # (K, d, r)
    u = (z @ gain.transpose(0, 1).reshape(d, K * r)).reshape(len(z), K, r) - torch.einsum("kdr,kd->kr", gain, mean)
    shared = share[..., None] * u
    count = share.sum(0)
    uu = torch.einsum("bkr,bkq->krq", shared, u) + count[:, None, None] * (inner + noise * gain.mT @ gain)
    zu = (z.T @ shared.flatten(1)).reshape(d, K, r).transpose(0, 1) + count[:, None, None] * noise * gain
    return _Statistics(count, share.T @ z, share.T @ z.square() + noise * count[:, None], shared.sum(0), zu, uu)


def _maximise(s: _Statistics, least: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Weights, means, factors and diagonals, at t, from statistics."""
    K, d, r = s.zu.shape
    both = torch.cat([torch.cat([s.uu, s.u[..., None]], 2), torch.cat([s.u, s.count[:, None]], 1)[:, None]], 1)  # (K, r + 1, r + 1)
    cross = torch.cat([s.zu, s.z[..., None]], 2)
    solved = torch.linalg.solve(both + torch.eye(r + 1, device=both.device), cross.mT).mT
    left = (s.squares - (solved * cross).sum(-1)).clamp_min(0)
    diagonal = (left + _PSEUDO_ITEMS * left.sum(0) / s.count.sum()) / (s.count[:, None] + _PSEUDO_ITEMS)
    weights = (s.count + 1) / (s.count + 1).sum()
    return weights, solved[..., r], solved[..., :r], diagonal.clamp_min(least)


def _start(
    x: Tensor, t: float, components: int, rank: int, labels: Tensor | None, seed: int
) -> tuple[tuple[Tensor, tuple[Tensor, Tensor, Tensor]], list[int] | None]:
    """Weights, and means, factors and diagonals at t, of clusters; and the class of each."""
    from sklearn.cluster import MiniBatchKMeans

    alpha, noise = float(_process.alpha(t)), float(_process.sigma(t)) ** 2
    found, kinds = [], list[int]()
    classes: Sequence[int | None] = [None] if labels is None else labels.unique().tolist()
    for kind in classes:
        items = x if kind is None or labels is None else x[labels == kind]
        K = max(1, round(components * len(items) / len(x)))
        means = MiniBatchKMeans(K, n_init=1, batch_size=_BATCH, random_state=seed % 2**32)
        which = torch.from_numpy(means.fit_predict(items.cpu().numpy())).to(x.device)
        for k in which.unique().tolist():
            found.append(_principal(items[which == k], rank))
            kinds.append(-1 if kind is None else kind)
    weights, mean, factors, variance = (torch.stack(parts) for parts in zip(*found, strict=True))
    return (weights / weights.sum(), (alpha * mean, alpha * factors, alpha**2 * variance + noise)), None if labels is None else kinds


def _principal(items: Tensor, rank: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The number of items, their mean, leading principal components, and the variances that these leave."""
    n, d = items.shape
    mean = items.mean(0)
    centred, r = items - mean, min(rank, n - 1, d)
    factors = items.new_zeros(d, rank)
    if r:
        _, length, along = torch.svd_lowrank(centred, q=r)
        factors[:, :r] = along * (length / math.sqrt(n))
    left = (centred.square().mean(0) - factors.square().sum(1)).clamp_min(0)
    return items.new_tensor(float(n)), mean, factors, left
