r"""K Gaussians whose covariances are a diagonal and r directions: everything that mixtures of them need, in O(d r) an item.

$$\Sigma_k = D_k^{1/2} (I + Q_k\, \mathrm{diag}(\lambda_k)\, Q_k^\top) D_k^{1/2}$$

with r orthonormal columns $Q_k$ and $\lambda_k \ge 0$.  For $\Sigma = F F^\top + D$ they are those of $D^{-1/2} F$, and

$$
\Sigma^{-1} = D^{-1} - W W^\top, \quad W = D^{-1/2} Q \left(\tfrac{\lambda}{1 + \lambda}\right)^{1/2}, \qquad
\ln |\Sigma| = \ln |D| + \sum_i \ln(1 + \lambda_i), \qquad
\Sigma^{1/2} = D^{1/2} (I + Q\, (\sqrt{1 + \lambda} - 1)\, Q^\top),
$$

where the last is a root in the sense that $\Sigma^{1/2} (\Sigma^{1/2})^\top = \Sigma$.  With factors $u \sim \mathcal N(0, I)$,

$$
x \mid u \sim \mathcal N\big(m + D^{1/2} Q \lambda^{1/2} u,\; D\big), \qquad
u \mid x \sim \mathcal N\big(\tfrac{\lambda^{1/2}}{1 + \lambda}\, Q^\top D^{-1/2} (x - m),\; \tfrac{1}{1 + \lambda}\big).
$$
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

__all__ = ["LowRankGaussians", "blocks", "directions", "root"]

_BLOCK = 2**24  # numbers in a temporary array


@dataclass(frozen=True, eq=False)
class LowRankGaussians:
    """N(mean_k, Sigma_k), k = 1 ... K.

    Attributes:
        mean, diagonal: (K, d), the diagonal of D > 0.
        basis: Q, (K, d, r), orthonormal columns, or 0 where the excess is 0.
        excess: lambda, (K, r), >= 0.
    """

    mean: Tensor
    diagonal: Tensor
    basis: Tensor
    excess: Tensor

    @classmethod
    def of(cls, mean: Tensor, factors: Tensor, diagonal: Tensor) -> LowRankGaussians:
        """N(mean, F F^T + D) for means (K, d), factors (K, d, r) and diagonals (K, d)."""
        return cls(mean, diagonal, *directions(factors * diagonal.rsqrt()[..., None]))

    def to(self, device: torch.device | str, dtype: torch.dtype) -> LowRankGaussians:
        """The same elsewhere."""
        return LowRankGaussians(*(x.to(device, dtype) for x in (self.mean, self.diagonal, self.basis, self.excess)))

    @property
    def whitened(self) -> Tensor:
        """W, (K, d, r)."""
        K, d, r = self.basis.shape
        return self._flat.reshape(d, K, r).transpose(0, 1)

    def log_prob(self, x: Tensor) -> Tensor:
        """ln N(x; mean_k, Sigma_k) of x (B, d), (B, K)."""
        d = x.shape[1]
        precision = 1 / self.diagonal
        squares = x.square() @ precision.T - 2 * (x @ (self.mean * precision).T) + (self.mean.square() * precision).sum(1)
        log_det = self.diagonal.log().sum(1) + self.excess.log1p().sum(1)
        return -0.5 * (squares - self._along(x).square().sum(-1) + log_det + d * math.log(2 * math.pi))

    def score(self, x: Tensor, share: Tensor) -> Tensor:
        """-sum_k share_k Sigma_k^{-1} (x - mean_k) for x (B, d) and shares (B, K), (B, d)."""
        precision = 1 / self.diagonal
        low_rank = (share[..., None] * self._along(x)).flatten(1) @ self._flat.T
        return low_rank - x * (share @ precision) + share @ (self.mean * precision)

    def _along(self, x: Tensor) -> Tensor:
        """W_k^T (x - mean_k), (B, K, r)."""
        K, _, r = self.basis.shape
        return (x @ self._flat).reshape(len(x), K, r) - self._means_along

    @cached_property
    def _flat(self) -> Tensor:
        """W of all components beside each other, (d, K r)."""
        white = self.basis * self.diagonal.rsqrt()[..., None] * (self.excess / (1 + self.excess)).sqrt()[:, None]
        return white.transpose(0, 1).flatten(1)

    @cached_property
    def _means_along(self) -> Tensor:
        """W_k^T mean_k, (K, r)."""
        return torch.einsum("kdr,kd->kr", self.whitened, self.mean)

    def solve(self, x: Tensor, k: Tensor) -> Tensor:
        """Sigma_k^{-1} x for x (B, d) and one component each, (B,)."""
        white = self.whitened[k]
        return x / self.diagonal[k] - torch.einsum("bdr,br->bd", white, torch.einsum("bdr,bd->br", white, x))

    def factors_given(self, x: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the factors u (B, r) given x (B, d) and a component each, (B,): as the columns of Q are
        orthonormal, the factors stay independent."""
        along = torch.einsum("bdr,bd->br", self.basis[k], (x - self.mean[k]) * self.diagonal[k].rsqrt())
        total = 1 + self.excess[k]
        return self.excess[k].sqrt() / total * along, total.rsqrt()

    def given_factors(self, u: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of x (B, d), whose numbers are independent given the factors u (B, r) and a component each, (B,)."""
        std = self.diagonal[k].sqrt()
        return self.mean[k] + std * torch.einsum("bdr,br->bd", self.basis[k], self.excess[k].sqrt() * u), std

    def root(self, unit: Tensor, k: Tensor) -> Tensor:
        """Sigma_k^{1/2} unit for unit (B, d) and one component each, (B,)."""
        return root(self.diagonal[k], self.basis[k], self.excess[k], unit)


def directions(factors: Tensor) -> tuple[Tensor, Tensor]:
    """Q (n, d, r) and lambda (n, r) with Q lambda Q^T = F F^T, for F (n, d, r); directions of no length are 0."""
    excess, rotation = torch.linalg.eigh(factors.mT @ factors)
    least = torch.finfo(excess.dtype).eps * excess.amax(-1, keepdim=True).clamp_min(torch.finfo(excess.dtype).tiny)
    inverse = torch.where(excess > least, excess.clamp_min(least).rsqrt(), 0)
    return factors @ rotation * inverse[:, None], torch.where(excess > least, excess, 0)


def root(diagonal: Tensor, basis: Tensor, excess: Tensor, unit: Tensor) -> Tensor:
    """Sigma^{1/2} unit, of one Gaussian for each item: (B, d), (B, d, r), (B, r) and (B, d)."""
    along = torch.einsum("bdr,bd->br", basis, unit) * ((1 + excess).sqrt() - 1)
    return diagonal.sqrt() * (unit + torch.einsum("bdr,br->bd", basis, along))


def blocks(n: int, each: int) -> Iterator[slice]:
    """Slices of n items that make temporary arrays of a bounded size, `each` numbers an item."""
    step = max(1, _BLOCK // max(1, each))
    return (slice(start, min(start + step, n)) for start in range(0, n, step))
