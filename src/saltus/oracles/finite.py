r"""A data set as its own distribution: $q(y) = \frac1n \sum_i \delta(y - y_i)$.

$$
\begin{aligned}
q(z_t)          &= \frac1n \sum_i \mathcal N(z_t;\; \alpha y_i,\; \sigma^2 I) \\
q(i \mid z_t)   &\propto \exp\left(-\frac{|z_t - \alpha y_i|^2}{2 \sigma^2}\right) \\
q(z_s \mid z_t) &= \sum_i q(i \mid z_t)\, \mathcal N(A z_t + B y_i,\; S I) \quad (s > 0), \qquad
q(y \mid z_t)    = \sum_i q(i \mid z_t)\, \delta(y - y_i)
\end{aligned}
$$

with the bridge's coefficients $A$, $B$, $S$ of `OrnsteinUhlenbeck.bridge_coefficients`.  Given a class, the sums are over the items
of that class.

This is the infinite-capacity optimum on the data set, which it memorises; it says nothing of unseen items.
Work is streamed, a block of queries against a block of items at a time: 60,000 x 784 needs less than 2 GiB.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from saltus.errors import SaltusError
from saltus.oracles.components import Components
from saltus.oracles.oracle import Oracle, OracleDistribution, choose, none_or_all_equal
from saltus.process import Delta, OrnsteinUhlenbeck, Time, as_time

__all__ = ["FiniteData"]

_process = OrnsteinUhlenbeck()
_ROUNDING = 1e-7  # a variance below this share of |x|^2 turns float64's rounding into 1e-9 nats
_BLOCK = 2**23  # float64 numbers in one block: 64 MiB


class FiniteDistribution(OracleDistribution):
    """sum_i q(i) N(offset + scale y_i, variance I), streamed over queries and items.

    Where `variance` is 0 it is the discrete distribution on the items, and `log_prob` is the log of a probability.

    Args:
        items: (n, d).
        event_shape: E with d numbers.
        scale, variance: () or (B,), the batch shape.
        offset: (B, d), or None for 0.
        log_weights: ln q(i) for a slice of the batch, (rows, n) or (1, n).
    """

    def __init__(
        self,
        items: Tensor,
        event_shape: torch.Size,
        scale: Tensor,
        variance: Tensor,
        offset: Tensor | None,
        log_weights: Callable[[slice], Tensor],
    ) -> None:
        self._items, self._scale, self._variance = items, scale, variance
        self._offset = torch.zeros(1, items.shape[1], dtype=torch.float64) if offset is None else offset
        self._log_weights = log_weights
        super().__init__(scale.shape, event_shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        offset, scale, _ = self._rows(max(1, self.batch_shape.numel()))
        return (offset + scale * self._average(self._items)).reshape(*self.batch_shape, *self.event_shape)

    @property
    def variance(self) -> Tensor:
        _, scale, variance = self._rows(max(1, self.batch_shape.numel()))
        inner = self._average(self._items.double() ** 2) - self._average(self._items) ** 2
        return (variance + scale**2 * inner).reshape(*self.batch_shape, *self.event_shape)

    def _average(self, items: Tensor) -> Tensor:
        """The average of `items` under q(i), (B, d)."""
        n = max(1, self.batch_shape.numel())
        return torch.cat([_average(self._log_weights(r), items).expand(r.stop - r.start, -1) for r in self._slices(n)])

    def log_prob(self, value: Tensor) -> Tensor:
        x = value.to(torch.float64).reshape(-1, self._items.shape[1])
        offset, scale, variance = self._rows(len(x))
        densities = [
            (self._log_weights(r) + _log_density(x[r] - offset[r], self._items, scale[r], variance[r])).logsumexp(1)
            for r in self._slices(len(x))
        ]
        return torch.cat(densities).reshape(value.shape[: value.ndim - len(self.event_shape)])

    def draw(self, uniform: Tensor, normal: Tensor) -> Tensor:
        offset, scale, variance = self._rows(len(uniform))
        unit = normal.to(torch.float64).reshape(len(uniform), -1)
        draws = [
            offset[r] + scale[r] * self._items[choose(self._log_weights(r), uniform[r])].to(torch.float64) + variance[r].sqrt() * unit[r]
            for r in self._slices(len(uniform))
        ]
        return torch.cat(draws).reshape(len(uniform), *self.event_shape)

    def _rows(self, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """offset (n, d), scale and variance (n, 1)."""
        return self._offset.expand(n, -1), self._scale.expand(n)[:, None], self._variance.expand(n)[:, None]

    def _slices(self, n: int) -> Iterator[slice]:
        step = max(1, _BLOCK // len(self._items))
        return (slice(start, min(start + step, n)) for start in range(0, n, step))


def _blocks(items: Tensor) -> Iterator[Tensor]:
    """The items in float64, a block at a time."""
    for block in items.split(max(1, _BLOCK // items.shape[1])):
        yield block.to(torch.float64)


def _average(log_weights: Tensor, items: Tensor) -> Tensor:
    """sum_i q(i) y_i, (rows, d)."""
    weights = log_weights.exp().split(max(1, _BLOCK // items.shape[1]), dim=1)
    total = torch.zeros(len(log_weights), items.shape[1], dtype=torch.float64)
    for weight, block in zip(weights, _blocks(items), strict=True):
        total += weight @ block
    return total


def _log_density(x: Tensor, items: Tensor, scale: Tensor, variance: Tensor) -> Tensor:
    """ln N(x; scale y_i, variance I) of queries x (B, d) for every item, (B, n); ln [x = scale y_i] at variance 0."""
    safe = torch.where(variance > 0, variance, torch.ones_like(variance))
    squares = torch.cat([_squared_distance(x, scale, block, safe) for block in _blocks(items)], dim=1)
    density = -0.5 * (squares / safe + x.shape[1] * torch.log(2 * math.pi * safe))
    for row in torch.nonzero(variance[:, 0] == 0).flatten().tolist():
        hits = torch.cat([(scale[row] * block == x[row]).all(1) for block in _blocks(items)])
        density[row] = hits.to(torch.float64).log()
    return density


def _squared_distance(x: Tensor, scale: Tensor, block: Tensor, safe: Tensor) -> Tensor:
    """|x - scale y_i|^2, (B, n): expanded, which is quick, unless its rounding would show against the variance."""
    squares = (x**2).sum(1, keepdim=True)
    expanded = (squares - 2 * scale * (x @ block.T) + scale**2 * (block**2).sum(1)).clamp_min(0)
    exact = torch.nonzero((safe < _ROUNDING * squares).flatten()).flatten()
    if len(exact):
        apart = torch.cdist(x[exact] / scale[exact], block, compute_mode="donot_use_mm_for_euclid_dist")
        expanded[exact] = (scale[exact] * apart) ** 2
    return expanded


class FiniteData(Oracle):
    """A data set as its own distribution, uniform over its items (give an item twice to weigh it twice).

    Args:
        items: (n, *E), n >= 1, finite, floating point.  Kept in its own dtype; computation is in float64.
        labels: the class of each item, n whole numbers >= 0; None for no classes.

    Raises:
        SaltusError: if there is no item, a value is not finite, or a label is not a whole number >= 0.
    """

    def __init__(self, items: Tensor, labels: Sequence[int] | None = None) -> None:
        if items.ndim < 2 or len(items) == 0 or not items.is_floating_point() or not bool(torch.isfinite(items).all()):
            raise SaltusError(f"items {items.dtype} {tuple(items.shape)}; expected finite floating-point items (n, *E) with n >= 1")
        self.event_shape = items.shape[1:]
        self._items = items.detach().flatten(1)
        self._components = Components(torch.ones(len(items), dtype=torch.float64), labels)

    def marginal(self, t: Time, condition: Tensor | None = None) -> FiniteDistribution:
        """q(z_t) or q(z_t | c), batch shape of `t` and `condition`; at t = 0 the items themselves, a discrete distribution."""
        time, condition = self._with_times(t, condition)
        alpha, variance = _process.alpha(time), _process.sigma(time) ** 2
        return FiniteDistribution(self._items, self.event_shape, alpha, variance, None, self._prior(condition))

    def log_prob(self, z: Tensor, t: Time, condition: Tensor | None = None) -> Tensor:
        """ln q(z_t = z) or ln q(z_t = z | c), (B,) nats.

        Raises:
            SaltusError: at t = 0, where the data set has no density.
        """
        if bool((as_time(t) == 0).any()):
            raise SaltusError("t = 0; a finite data set has a density only at t > 0")
        return super().log_prob(z, t, condition)

    def posterior_mean(self, z: Tensor, t: Time, condition: Tensor | None = None) -> Tensor:
        """E[y | z_t = z] or E[y | z_t = z, c], (B, *E) in the dtype of `z`; at t = 0 it is z.

        Raises:
            SaltusError: if the items' shape differs from that of `z`.
        """
        x, time = self._check(z).flatten(1), as_time(t).expand(len(z))
        ones, given = torch.ones_like(time), self._given(x, time, condition)
        posterior = FiniteDistribution(self._items, self.event_shape, ones, 0 * ones, None, given)  # q(y | z_t)
        clean = (time == 0).reshape(-1, *(1,) * (z.ndim - 1))
        return torch.where(clean, z, posterior.mean.to(z.dtype))

    def reverse(self, z_t: Tensor, s: Time, t: Time, condition: Tensor | None = None) -> Distribution:
        """q(z_s | z_t) or q(z_s | z_t, c), batch shape (B,); discrete on the items at s = 0, a `Delta` where s = t."""
        x = self._check(z_t).flatten(1)
        earlier, time = (value.expand(len(x)) for value in (as_time(s, "s"), as_time(t)))
        if none_or_all_equal(earlier, time):
            return Delta(x.reshape(z_t.shape), z_t.ndim - 1)
        a, b, variance = _process.bridge_coefficients(earlier, time)
        return FiniteDistribution(self._items, self.event_shape, b, variance, a[:, None] * x, self._given(x, time, condition))

    def _prior(self, condition: Tensor | None) -> Callable[[slice], Tensor]:
        """ln q(i | c) of a checked condition, for a slice of the queries."""
        if condition is None:
            everywhere = self._components.log_weights(None)[None]
            return lambda _: everywhere
        return lambda rows: self._components.log_weights(condition[rows])

    def _given(self, x: Tensor, t: Tensor, condition: Tensor | None) -> Callable[[slice], Tensor]:
        """ln q(i | z_t, c) for a slice of the queries."""
        alpha, variance = _process.alpha(t)[:, None], _process.sigma(t)[:, None] ** 2
        prior = self._prior(self._components.check(condition, len(x)))
        return lambda rows: (prior(rows) + _log_density(x[rows], self._items, alpha[rows], variance[rows])).log_softmax(1)
