"""What closed forms would have in the place of a trained chain: one Gaussian with full covariance, and a mixture of low-rank ones.

They are fitted to training items in seconds, need no network, and are exact at every time.  A learned step that costs more nats than
theirs is no achievement, and neither are samples that are further from the data.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from saltus.chain import Bound, Chain, OraclePrior, bits_per_dim, like
from saltus.data import DataSet, subsample
from saltus.evaluation.cache import cached
from saltus.kernels import OracleKernel
from saltus.levels import Levels
from saltus.likelihoods import Head
from saltus.oracles import GaussianMixture, LowRankMixture, Oracle, choose_mixture

__all__ = [
    "GAUSSIAN",
    "MIXTURE",
    "ClosedForm",
    "bound_beside",
    "closed_forms",
    "closed_oracles",
    "closed_samples",
    "fitted_gaussian",
    "remarks",
    "start_mixture",
    "takes_gaussian",
]

GAUSSIAN, MIXTURE = "one Gaussian", "mixture"
_ITEMS = 1000  # whose nats are measured
_RECIPE = 1  # raise it with every change of the fits: they are kept
_LEAST = 1e-6  # of the covariance along every dimension, as a share of the mean variance: columns may depend on each other
_DIGEST = 8  # bytes of a key
_MOST_DIMENSIONS = 4096  # of a full covariance: 128 MiB
_EARLIEST = 0.05  # of the times that mixtures are fitted for: at cleaner ones they differ little
_ALMOST_CLEAN = 0.01  # the time from which samples take the step to values


@dataclass(frozen=True, eq=False)
class ClosedForm:
    """A closed form and its nats on the grid of a chain.

    Attributes:
        oracle: the distribution.
        what: it, in words.
        prior: cost of z_L, nats an item.
        per_level: cost of each step, cleanest first, nats an item.
        total: the sum with the log-Jacobian of the data's encoding, nats an item.
        bits_per_dim: the total.
        items: number of items that the nats are of.
    """

    oracle: Oracle
    what: str
    prior: float
    per_level: list[float]
    total: float
    bits_per_dim: float
    items: int


def closed_oracles(chain: Chain, data: DataSet) -> dict[str, Oracle]:
    """One Gaussian, unless items have so many numbers that its covariance would fill the memory, and a mixture, the chain's own if it
    starts from one; by name."""
    return ({GAUSSIAN: fitted_gaussian(data)} if takes_gaussian(data) else {}) | {MIXTURE: _mixture(chain, data)}


def takes_gaussian(data: DataSet) -> bool:
    """Whether a full covariance of the items is small enough."""
    return math.prod(data.event_shape) <= _MOST_DIMENSIONS


def bound_beside(chain: Chain, y: Tensor, condition: Tensor | None = None, *, seed: int = 0) -> Bound:
    """The chain's own bound, on the items and the paths that `closed_forms` measures: its means may be compared step by step."""
    return chain.bound(subsample(y, _ITEMS).to(like(chain)), condition=_few(condition), seed=seed)


def closed_forms(
    chain: Chain,
    data: DataSet,
    y: Tensor,
    *,
    condition: Tensor | None = None,
    oracles: Mapping[str, Oracle] | None = None,
    seed: int = 0,
) -> dict[str, ClosedForm]:
    """Closed forms with their nats on the grid of a chain, by name.

    Args:
        chain: gives the grid.
        data: whose training items are fitted.
        y: items (N, *E) that nats are measured on, the first 1000 of a subsample.
        condition: of the items; a closed form that knows classes is told them, another is not.
        oracles: the closed forms; those of `closed_oracles` unless given.
        seed: of the paths, the same as those of a bound with this seed.
    """
    oracles = closed_oracles(chain, data) if oracles is None else oracles
    told = _few(condition)
    return {
        name: _measured(oracle, chain, data, subsample(y, _ITEMS), told if oracle.labelled else None, seed)
        for name, oracle in oracles.items()
    }


def closed_samples(oracle: Oracle, data: DataSet, n: int, *, seed: int) -> Tensor:
    """n items (n, *E) of a closed form, which end as a chain of the data does where these are discrete."""
    head = _head(data)
    if head is None:
        return oracle.sample(n, seed=seed)
    return Chain(OraclePrior(oracle), Levels((0.0, _ALMOST_CLEAN)), OracleKernel(oracle, head)).sample(n, seed=seed)


def remarks(per_level: list[float], floors: Mapping[str, ClosedForm]) -> list[str]:
    """For each step where a closed form costs less, one sentence."""
    words = []
    for level, mine in enumerate(per_level, 1):
        name, best = min(((name, floor.per_level[level - 1]) for name, floor in floors.items()), key=lambda each: each[1])
        if best < mine:
            words.append(f"step {level}: at this level a closed form ({name}) is better by {mine - best:.2g} nats")
    return words


def _head(data: DataSet) -> Head | None:
    """Of discrete data; continuous data have the closed form's own density."""
    head = data.encoding.head()
    return head if head.discrete else None


def _few(condition: Tensor | None) -> Tensor | None:
    return None if condition is None else subsample(condition, _ITEMS)


def _measured(oracle: Oracle, chain: Chain, data: DataSet, y: Tensor, condition: Tensor | None, seed: int) -> ClosedForm:
    told = {name: getattr(chain, name) for name in ("scaling", "encoding", "noise_version")}
    floor = Chain(OraclePrior(oracle), chain.levels, OracleKernel(oracle, _head(data)), **told)
    bound: Bound = floor.bound(y.double(), condition=condition, seed=seed)
    total = float(bound.total.mean())
    what = f"{GAUSSIAN}, full covariance" if isinstance(oracle, GaussianMixture) else "a mixture"
    if isinstance(oracle, LowRankMixture):
        what = f"a mixture of {oracle.K} Gaussians with {oracle.rank} factors{', of each class its own' if oracle.labelled else ''}"
    bits = float(bits_per_dim(torch.tensor(total), chain.event_shape))
    return ClosedForm(oracle, what, float(bound.prior.mean()), bound.per_level.mean(1).tolist(), total, bits, len(y))


def fitted_gaussian(data: DataSet) -> GaussianMixture:
    """One Gaussian whose covariance is shrunk where items are few (Ledoit and Wolf 2004, https://doi.org/10.1016/S0047-259X(03)00096-4)."""
    from sklearn.covariance import LedoitWolf

    x = data.fitting_items.flatten(1).double().numpy()
    fitted = LedoitWolf().fit(x)
    covariance = torch.from_numpy(fitted.covariance_)
    covariance += torch.eye(len(covariance)) * _LEAST * covariance.diagonal().mean()
    mean = torch.from_numpy(fitted.location_).reshape(1, *data.event_shape)
    return GaussianMixture(torch.ones(1), mean, covariance[None])


def _mixture(chain: Chain, data: DataSet) -> LowRankMixture:
    """That of the chain's start, or one for its first level."""
    if isinstance(chain.prior, OraclePrior) and isinstance(chain.prior.oracle, LowRankMixture):
        return chain.prior.oracle
    return start_mixture(data, max(float(chain.levels.times[1]), _EARLIEST))


def start_mixture(data: DataSet, t: float) -> LowRankMixture:
    """The mixture for a time, with components of each class where the data are conditioned on classes; fitted once for each data set and
    kept in the user's cache."""
    labels = data.fitting_labels
    told = "" if labels is None else f" {data.condition_fingerprint}"
    key = hashlib.blake2b(f"{_RECIPE} {data.fingerprint} {t:.6g}{told}".encode(), digest_size=_DIGEST).hexdigest()
    return cached(
        LowRankMixture, "mixture", key, lambda: choose_mixture(data.fitting_items, data.validation, t, labels=labels).mixture.compact()
    )
