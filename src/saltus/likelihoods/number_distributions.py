r"""The distribution of each number of a row, by parameters that a network gives: what a step that takes one number at a time draws from.

Each is a mixture of logistics on the axis of y, about a mean and a standard deviation that may be told.  Its distribution function is a
sum of sigmoids S, and its mass of an interval does not cancel:

.. math:: S(b) - S(a) = S(b)\, S(-a)\, (1 - e^{-(b-a)}).

What is counted, categories too, gets the mass of what it owns of the axis, so that the masses of all values sum to 1; other numbers get a
density, and an absent number costs nothing (`saltus.likelihoods.numbers`).  A small share of outliers is drawn from what a column
resembles on the whole: what never came in training would else cost without limit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from saltus.likelihoods.numbers import Number, Numbers

__all__ = ["Moments", "NumberDistributions", "Row", "Within"]

_COMPONENTS = 12
_OUTLIERS = 1e-4  # docs/decisions/0007-outliers.md
_OUTLIER_WIDTH = math.sqrt(3) / math.pi  # of a logistic whose standard deviation is 1
_FAR = 1e3  # where an open interval ends: no component is as wide
_APART, _OFFSET, _LOG_WIDTH = 1.5, 2.0, -1.5  # how components lie and how wide they are where the network says 0
_MOST_LOG = (-7.0, 3.0)  # of the logarithm of a width
_INSIDE = 1e-12  # of a uniform number from its ends
_LEAST_WIDTH = 2.0**-52  # of what a value owns, where float64 no longer tells its ends apart

Within = Sequence[tuple[float, float]]
"""Intervals of the axis of y, which do not overlap."""


Moments = tuple[Tensor, Tensor]
"""Means and standard deviations."""


class Row(NamedTuple):
    """What the numbers of rows are, (B, E) each.

    Attributes:
        y: on the axis, of the type that is computed in.
        place: that of the value of a counted column, int64.
        below, above, width: where what a counted number owns begins and ends, and its width before these are rounded.
        counted, absent: bool.
    """

    y: Tensor
    place: Tensor
    below: Tensor
    above: Tensor
    width: Tensor
    counted: Tensor
    absent: Tensor

    def of(self, which: slice | Tensor) -> Row:
        """Those of some numbers alone."""
        return Row(*(value[:, which] for value in self))


class NumberDistributions:
    """The distributions of the numbers of a row.

    Args:
        numbers: of each column.
        components: of a mixture.

    Attributes:
        on: the axes of all numbers.
        counts: number of values that each number has; 0 of what is continuous.
        size: parameters of one number.
    """

    def __init__(self, numbers: Sequence[Number], *, components: int = _COMPONENTS) -> None:
        self.numbers, self.components, self.on = list(numbers), components, Numbers(numbers)
        self.counts = [round((number.high - number.low) / number.step) + 1 if number.step else 0 for number in numbers]
        self.size = 3 * components
        self._alone = [Numbers([number.always()]) for number in numbers]
        self._middles: dict[int, Tensor] = {}
        with torch.device("cpu"):  # also where a module is made without memory
            self._least = (self.on.columns(torch.device("cpu")).least * _OUTLIER_WIDTH).to(torch.float32)

    def row(self, y: Tensor) -> Row:
        """What rows (B, E) hold; y is of the type that is computed in."""
        return _row(y, self.on, self.on.absent(y.double()))

    def row_of(self, j: int, y: Tensor, absent: Tensor) -> Row:
        """What the number j of rows is, (B,), where it is not absent."""
        return _row(y[:, None], self._alone[j], absent[:, None])

    def log_prob(self, parameters: Tensor, row: Row, unknown: Tensor | None = None, about: Moments | None = None) -> Tensor:
        """ln of the mass or density of each number that is unknown, (B, E) nats, and 0 of others.

        Args:
            parameters: of all numbers, (B, E * size).
            row: what they are.
            unknown: which are asked for, (B, E) bool, all unless given; absent ones cost nothing.
            about: the moments, (B, E) each, that distributions are about; those of N(0, 1) unless given.
        """
        asked = ~row.absent if unknown is None else unknown & ~row.absent
        rows, columns = asked.nonzero(as_tuple=True)  # half of them, in training
        one = Row(*(value[rows, columns] for value in row))
        moments = None if about is None else (about[0][rows, columns], about[1][rows, columns])
        each = parameters.unflatten(1, (len(self.numbers), 3, -1))[rows, columns]
        own = self._log_mixture(each, self._least.to(row.y)[columns], one, moments)
        return torch.zeros_like(row.y).index_put((rows, columns), own)

    def log_prob_of(self, j: int, parameters: Tensor, one: Row, about: Moments | None = None) -> Tensor:
        """That of the number j, (B,), from its own parameters (B, size)."""
        plain = Row(*(value[:, 0] for value in one))
        found = self._log_mixture(parameters.unflatten(1, (3, -1)), self._least[j].to(one.y), plain, about)
        return found.masked_fill(plain.absent, 0.0)

    def draw(
        self, j: int, parameters: Tensor, uniform: Tensor, within: Within | None = None, about: Moments | None = None
    ) -> tuple[Tensor, Tensor]:
        """The number j of rows, and ln of the probability of what it may be.

        Args:
            j: which.
            parameters: its own, (B, size).
            uniform: in (0, 1), (B,) float64.
            within: where it may be; None for anywhere.
            about: as for `log_prob`, (B,) each.

        Returns:
            y (B,) float64, in the range of the number and on a value where values are counted, and (B,) nats; without a chance y is
            anything, and the logarithm -inf.
        """
        y, log_chance = self._draw_mixture(j, parameters, uniform, within, about)
        return self._alone[j].settled(y[:, None])[:, 0], log_chance

    def middles(self, j: int) -> Tensor:
        """y of the values of a number that is counted, (V,) float64."""
        if j not in self._middles:
            number = self.numbers[j]
            values = number.low + number.step * torch.arange(self.counts[j], dtype=torch.float64)
            self._middles[j] = self._alone[j].forward(values[:, None])[:, 0]
        return self._middles[j]

    def _draw_mixture(
        self, j: int, parameters: Tensor, uniform: Tensor, within: Within | None, about: Moments | None
    ) -> tuple[Tensor, Tensor]:
        exact = None if about is None else (about[0].double(), about[1].double())
        log_share, centre, width = self._mixture(parameters.double().unflatten(1, (3, -1)), self._least[j].double(), exact)
        ends = torch.zeros_like(centre[:, :1])
        log_share = torch.cat([log_share + math.log1p(-_OUTLIERS), ends + math.log(_OUTLIERS)], 1)
        centre, width = torch.cat([centre, ends], 1), torch.cat([width, ends + _OUTLIER_WIDTH], 1)
        intervals = torch.tensor(list(within or [(-_FAR, _FAR)]), dtype=torch.float64, device=parameters.device)
        below, above = (intervals[:, side].clamp(-_FAR, _FAR) - centre[..., None] for side in (0, 1))  # (B, K, R)
        below, above = below / width[..., None], above / width[..., None]
        flip = below + above > 0  # in the upper tail sigmoids would round to 1
        low, high = torch.where(flip, -above, below), torch.where(flip, -below, above)
        start, end = low.sigmoid(), high.sigmoid()
        chances = (log_share.exp()[..., None] * (end - start)).flatten(1)
        k, place = _choose(chances, uniform)
        picked = [value.flatten(1).gather(1, k[:, None])[:, 0] for value in (start, end, flip)]
        unit = torch.logit(picked[0] + place * (picked[1] - picked[0]), eps=1e-300)
        unit = torch.where(picked[2], -unit, unit)
        component = k // len(intervals)
        y = centre.gather(1, component[:, None])[:, 0] + width.gather(1, component[:, None])[:, 0] * unit
        ends = intervals[k % len(intervals)]
        return y.clamp(ends[:, 0], ends[:, 1]), chances.sum(1).log()

    def _log_mixture(self, parameters: Tensor, least: Tensor, one: Row, about: Moments | None) -> Tensor:
        """Of numbers (n,) with parameters (n, 3, K) and least widths (n,) or one of them."""
        log_share, centre, width = self._mixture(parameters, least, about)
        below, above = torch.where(one.counted, one.below, one.y), torch.where(one.counted, one.above, one.y)
        apart = torch.where(one.counted, one.width, 1.0)
        own = log_share + _log_logistic(below[:, None] - centre, above[:, None] - centre, apart[:, None], width, one.counted[:, None])
        odd = _log_logistic(below, above, apart, torch.full_like(apart, _OUTLIER_WIDTH), one.counted)
        return torch.logaddexp(own.logsumexp(-1) + math.log1p(-_OUTLIERS), odd + math.log(_OUTLIERS))

    @staticmethod
    def _mixture(parameters: Tensor, least: Tensor, about: Moments | None) -> tuple[Tensor, Tensor, Tensor]:
        """ln of the shares, the centres and the widths of logistics, (n, K) each."""
        share, offset, width = parameters.unbind(1)
        apart = torch.linspace(-_APART, _APART, share.shape[1], device=share.device, dtype=share.dtype)
        centre = torch.add(apart, offset, alpha=_OFFSET)
        if about is not None:
            centre = torch.addcmul(about[0][:, None], centre, about[1][:, None])
            width = width + about[1][:, None].log()
        return share.log_softmax(-1), centre, (width + _LOG_WIDTH).clamp(*_MOST_LOG).exp() + least.reshape(-1, 1)


def _log_logistic(below: Tensor, above: Tensor, apart: Tensor, width: Tensor, counted: Tensor) -> Tensor:
    """ln of the mass of logistics around 0 between two ends that are `apart`, or of the density where both are the same point."""
    scaled = 1 / width
    rest = torch.where(counted, torch.log(-torch.expm1(-apart * scaled)), scaled.log())
    return functional.logsigmoid(above * scaled) + functional.logsigmoid(-below * scaled) + rest


def _row(y: Tensor, on: Numbers, absent: Tensor) -> Row:
    exact = y.double()
    below, above, counted = on.cells(exact)
    low, high, width = below.clamp(min=-_FAR).to(y), above.clamp(max=_FAR).to(y), (above - below).clamp(_LEAST_WIDTH, 2 * _FAR).to(y)
    return Row(y, on.places(exact), low, high, width, counted, absent)


def _choose(chances: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
    """Which of chances (B, K), that need not sum to 1, a uniform number (B,) picks, and its place (0, 1) within the one it picks."""
    above = chances.cumsum(1)
    aim = uniform[:, None] * above[:, -1:]
    k = (aim > above[:, :-1]).sum(1, keepdim=True)
    own = chances.gather(1, k)
    place = ((aim - (above.gather(1, k) - own)) / own).nan_to_num(0.5).clamp(_INSIDE, 1 - _INSIDE)
    return k[:, 0], place[:, 0]
