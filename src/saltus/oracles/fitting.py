r"""Fitting a mixture of low-rank Gaussians to data, for the noisy times at which it is used.

At a time t the noise is a part of every component: $\Sigma_k = \alpha^2 (F_k F_k^\top + \mathrm{diag}(v_k)) + \sigma^2 I$.  With
responsibilities $r_{nk}$ that depend on the item alone, whatever its noise is, EM raises the bound

$$
E \ln q(z_t) \ge \sum_k r_{nk} \big(\ln w_k - \ln r_{nk} + \ln \mathcal N(\alpha y_n; \alpha m_k, \Sigma_k)
                 - \tfrac{\sigma^2}{2}\, \mathrm{tr}\, \Sigma_k^{-1}\big),
$$

in which the noise is averaged exactly: no draw of it is needed, and none is learned.  The solutions for means, factors and diagonals are
those of factor analysis (Ghahramani and Hinton 1996) with $\sigma^2 I$ added to the second moments of $\alpha y$, and the diagonal at t is
at least $\sigma^2$, what the noise alone gives.  The start is k-means with the principal components of every cluster.

A pass over N items costs about 6 N K d r multiply-adds, and memory is K d (r + 4) numbers and a batch, whatever N is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import torch
from torch import Tensor

from saltus.oracles.gaussians import LowRankGaussians
from saltus.oracles.low_rank import LowRankMixture
from saltus.process import Noise, OrnsteinUhlenbeck

__all__ = ["MixtureFit", "choose_mixture", "fit_mixture"]

_process = OrnsteinUhlenbeck()
_BATCH = 4096  # items at a time
_LEAST_VARIANCE = 1e-4  # of y in a dimension, as a share of the mean variance
_LEAST_SHARE = 1e-8  # of an item in a component; less is taken for none, since processors are slow at the smallest numbers
_PSEUDO_ITEMS = 5.0  # that every component's diagonal has seen, with the variances that all components leave
_SIZES = (1, 10, 30, 100, 300)
_RANKS = (10, 20, 40)
_MOST_NUMBERS = 2_500_000  # in factors and variances: 5 MB in float16
_ITEMS_EACH = 20  # training items for each component, at least; and two for each of its factors
_HELD_OUT = 2000  # items that a choice looks at


class _Parameters(NamedTuple):
    """Of K components at the time t: weights (K,), means (K, d), factors (K, d, r), diagonals (K, d)."""

    weights: Tensor
    mean: Tensor
    factors: Tensor
    diagonal: Tensor


@dataclass(frozen=True)
class MixtureFit:
    """A mixture that was chosen on held-out items.

    Attributes:
        mixture: the fit.
        t: the time that it was fitted for.
        train, held_out: mean of -ln q(z_t) of training and of held-out items, nats.
        tried: the same figure of held-out items for every number of components and rank, before EM.
    """

    mixture: LowRankMixture
    t: float
    train: float
    held_out: float
    tried: dict[tuple[int, int], float]

    @property
    def gap(self) -> float:
        """How much more a held-out item costs than a training item, nats: what the fit has learned by heart."""
        return self.held_out - self.train

    def describe(self) -> str:
        """One sentence for humans."""
        return (
            f"a mixture of {self.mixture.K} Gaussians with {self.mixture.rank} factors at t = {self.t:g}, "
            f"{self.gap:.2g} nats better on training items than on held-out ones"
        )


def choose_mixture(
    train: Tensor, held_out: Tensor, t: float, *, labels: Tensor | None = None, passes: int = 3, seed: int = 0
) -> MixtureFit:
    """A mixture for the time t and noisier ones, its number of components and its rank chosen by held-out likelihood before EM.

    Args:
        train: items (N, *E).
        held_out: other items, which only choose.
        t: > 0.
        labels: of the training items, see `fit_mixture`.
        passes: of EM.
        seed: of the fit and of the noise that likelihoods are measured with.
    """
    d, classes = train[0].numel(), 1 if labels is None else len(labels.unique())
    ranks = sorted({min(rank, d) for rank in _RANKS})
    sizes = [
        (K, r)
        for K in _SIZES
        for r in ranks
        if K * d * (r + 2) <= _MOST_NUMBERS and len(train) >= K * max(_ITEMS_EACH, 2 * r) and classes <= K
    ] or [(classes, ranks[0])]
    x, tried, best = train.flatten(1), dict[tuple[int, int], float](), None
    least = _least(x)
    for K, alike in groupby(sizes, lambda size: size[0]):
        of_K = [r for _, r in alike]
        clusters = _clustered(x, K, max(of_K), labels, seed)  # once for all ranks: their factors are the first ones of the largest
        for r in of_K:
            tried[K, r] = _cost(_mixture_of(clusters.at(t, r), clusters.kinds, t, least, train.shape[1:]), held_out, t, seed)
            if min(tried, key=lambda size: tried[size]) == (K, r):
                best = clusters, r
    assert best is not None
    mixture = _raised(best[0].at(t, best[1]), best[0].kinds, train, t, labels, passes)
    return MixtureFit(mixture, t, _cost(mixture, train, t, seed), _cost(mixture, held_out, t, seed), tried)


def _cost(mixture: LowRankMixture, y: Tensor, t: float, seed: int) -> float:
    """The mean of -ln q(z_t), nats."""
    y = y[:_HELD_OUT]
    z = _process.noised(y, t, Noise(seed, 0, len(y)).normal("mixture", y.shape[1:], like=y))
    return -float(mixture.log_prob(z, t).mean())


def fit_mixture(
    y: Tensor, t: float, *, components: int, rank: int, labels: Tensor | None = None, passes: int = 3, seed: int = 0
) -> LowRankMixture:
    """A mixture whose q(z_t) is close to that of the data, for this t and noisier times.

    Args:
        y: items (N, *E), on the device that computes.
        t: the cleanest time that the mixture is for, > 0.
        components: K; with labels, of all classes together.
        rank: r, the columns of a factor.
        labels: the class of each item, int64 (N,), 0 ... C - 1; each class then has components of its own, in proportion to its items.
        passes: of EM over the data, after the start.
        seed: of the start.
    """
    clusters = _clustered(y.flatten(1), components, rank, labels, seed)
    return _raised(clusters.at(t, rank), clusters.kinds, y, t, labels, passes)


def _raised(parameters: _Parameters, kinds: list[int] | None, y: Tensor, t: float, labels: Tensor | None, passes: int) -> LowRankMixture:
    """The mixture of these parameters after so many passes of EM."""
    x, alpha, noise = y.flatten(1), float(_process.alpha(t)), float(_process.sigma(t)) ** 2
    least = _least(x)
    owner = None if kinds is None else torch.tensor(kinds, device=y.device)
    for _ in range(passes):
        total: _Statistics | None = None
        for rows in torch.arange(len(x)).split(_BATCH):
            part = slice(int(rows[0]), int(rows[-1]) + 1)
            allowed = None if owner is None or labels is None else owner == labels[part, None]
            found = _expect(alpha * x[part], noise, parameters, allowed)
            total = found if total is None else _Statistics(*(a + b for a, b in zip(total, found, strict=True)))
        assert total is not None
        parameters = _maximise(total, noise + alpha**2 * least)
    return _mixture_of(parameters, kinds, t, least, y.shape[1:])


def _least(x: Tensor) -> float:
    """The smallest variance of a component's diagonal."""
    return _LEAST_VARIANCE * (float(x.var(0, correction=0).mean()) or 1.0)


def _mixture_of(parameters: _Parameters, kinds: list[int] | None, t: float, least: float, shape: Sequence[int]) -> LowRankMixture:
    """The mixture of data whose parameters at t these are."""
    alpha, noise = float(_process.alpha(t)), float(_process.sigma(t)) ** 2
    weights, mean, factors, diagonal = (value.cpu() for value in parameters)
    variances = ((diagonal - noise) / alpha**2).clamp_min(least)
    return LowRankMixture(weights, (mean / alpha).reshape(-1, *shape), factors / alpha, variances, kinds)


class _Statistics(NamedTuple):
    """Sums over items, for each component, of r, r z, r z^2, r u, r z u^T and r u u^T, averaged over the noise."""

    mass: Tensor
    z: Tensor
    squares: Tensor
    u: Tensor
    zu: Tensor
    uu: Tensor


def _expect(z: Tensor, noise: float, parameters: _Parameters, allowed: Tensor | None) -> _Statistics:
    """From z = alpha y of a batch (B, d); `allowed` says which components an item may belong to, (B, K)."""
    weights, mean, factors, diagonal = parameters
    K, d, r = factors.shape
    here = LowRankGaussians.of(mean, factors, diagonal)
    trace = (1 / diagonal).sum(1) - here.whitened.square().sum((1, 2))
    logits = weights.log() + here.log_prob(z) - 0.5 * noise * trace
    share = (logits if allowed is None else logits.masked_fill(~allowed, -torch.inf)).softmax(1)
    share = torch.where(share > _LEAST_SHARE, share, 0)
    scaled = factors / diagonal[..., None]
    inner = torch.linalg.inv(torch.eye(r, device=z.device) + factors.mT @ scaled)  # Cov[u | z, k]
    gain = scaled @ inner  # E[u | z, k] = gain^T (z - mean)
    u = (z @ gain.transpose(0, 1).reshape(d, K * r)).reshape(len(z), K, r) - torch.einsum("kdr,kd->kr", gain, mean)
    shared, count = share[..., None] * u, share.sum(0)
    added = count[:, None, None] * noise
    zu = (z.T @ shared.flatten(1)).reshape(d, K, r).transpose(0, 1) + added * gain
    uu = torch.einsum("bkr,bkq->krq", shared, u) + count[:, None, None] * inner + added * (gain.mT @ gain)
    return _Statistics(count, share.T @ z, share.T @ z.square() + noise * count[:, None], shared.sum(0), zu, uu)


def _maximise(s: _Statistics, least: float) -> _Parameters:
    """The regression of z on (u, 1) for each component, as if one more item had had factors of 1 each and no others."""
    K, _, r = s.zu.shape
    moments = torch.cat([torch.cat([s.uu, s.u[..., None]], 2), torch.cat([s.u, s.mass[:, None]], 1)[:, None]], 1)
    cross = torch.cat([s.zu, s.z[..., None]], 2)
    ridge = torch.eye(r + 1, device=moments.device)
    ridge[r, r] = torch.finfo(moments.dtype).eps
    solved = torch.linalg.solve(moments + ridge, cross.mT).mT
    left = (s.squares - (solved * cross).sum(-1)).clamp_min(0)
    diagonal = (left + _PSEUDO_ITEMS * left.sum(0) / s.mass.sum()) / (s.mass[:, None] + _PSEUDO_ITEMS)
    weights = (s.mass + 1) / (s.mass.sum() + K)
    return _Parameters(weights, solved[..., r], solved[..., :r], diagonal.clamp_min(least))


class _Clusters(NamedTuple):
    """Of K clusters: their items' number (K,), mean (K, d), principal components (K, d, r), what these leave of variances (K, d), class."""

    size: Tensor
    mean: Tensor
    factors: Tensor
    left: Tensor
    kinds: list[int] | None

    def at(self, t: float, rank: int) -> _Parameters:
        """As components at the time t, with the first factors alone."""
        alpha, noise = float(_process.alpha(t)), float(_process.sigma(t)) ** 2
        left = self.left + self.factors[..., rank:].square().sum(2)
        pooled = (self.size[:, None] * left).sum(0) / self.size.sum()
        variance = (self.size[:, None] * left + _PSEUDO_ITEMS * pooled) / (self.size[:, None] + _PSEUDO_ITEMS)
        return _Parameters(self.size / self.size.sum(), alpha * self.mean, alpha * self.factors[..., :rank], alpha**2 * variance + noise)


def _clustered(x: Tensor, components: int, rank: int, labels: Tensor | None, seed: int) -> _Clusters:
    """Clusters of all items, or of each class's."""
    found, kinds = [], list[int]()
    classes: Sequence[int | None] = [None] if labels is None else labels.unique().tolist()
    for kind in classes:
        items = x if kind is None or labels is None else x[labels == kind]
        which = _clusters(items, max(1, round(components * len(items) / len(x))), seed)
        for k in which.unique().tolist():
            found.append(_principal(items[which == k], rank))
            kinds.append(-1 if kind is None else kind)
    size, mean, factors, left = (torch.stack(parts) for parts in zip(*found, strict=True))
    return _Clusters(size, mean, factors, left, None if labels is None else kinds)


def _clusters(items: Tensor, K: int, seed: int) -> Tensor:
    """The cluster of each item, by k-means."""
    if K == 1:
        return torch.zeros(len(items), dtype=torch.int64, device=items.device)
    from sklearn.cluster import MiniBatchKMeans

    means = MiniBatchKMeans(K, n_init=1, batch_size=_BATCH, random_state=seed % 2**32)
    return torch.from_numpy(means.fit_predict(items.cpu().numpy())).to(items.device).long()


def _principal(items: Tensor, rank: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The number of items (n, d), their mean, leading principal components as factors, and the variances that these leave."""
    n, d = items.shape
    mean, r = items.mean(0), min(rank, n - 1, d)
    centred, factors = items - mean, items.new_zeros(d, rank)
    if r:
        with torch.random.fork_rng(devices=[]):  # a randomised method, which draws from torch's generator
            torch.manual_seed(0)
            _, length, along = torch.svd_lowrank(centred, q=r)
        factors[:, :r] = along * (length / n**0.5)
    left = (centred.square().mean(0) - factors.square().sum(1)).clamp_min(0)
    return items.new_tensor(float(n)), mean, factors, left
