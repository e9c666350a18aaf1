r"""p(y | .) of the rows of a table, whose columns hold counted values, continuous numbers, or both.

Around a continuous distribution F of each column, such as a Gaussian or a mixture of them, with the density f,

.. math::
    p(y_i) = F_i(b) - F_i(a) \text{ where } y_i \text{ is counted and owns the axis from } a \text{ to } b, \qquad
    p(y_i) = f_i(y_i) \text{ elsewhere, and 1 where it is absent.}

What is counted is told in `saltus.likelihoods.numbers`.  A share of outliers is drawn from N(0, 1), which a column's y resemble on the
whole: a distribution that has learned that a value never comes would else pay hundreds of nats for the first one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor

from saltus.likelihoods.axis import AxisTensors
from saltus.likelihoods.continuous import ContinuousHead, GaussianHead
from saltus.likelihoods.heads import Head
from saltus.likelihoods.numbers import Number, Numbers

__all__ = ["ColumnsHead"]

_OUTLIERS = 1e-4  # costs 1e-4 nats a column where there are none; docs/decisions/0007-outliers.md
_INSIDE = (torch.finfo(torch.float64).tiny, 1 - torch.finfo(torch.float64).eps / 2)


class ColumnsHead(Head):
    """A mass or a density of each number of rows (d,).

    Args:
        distribution: of each number, in units of the least standard deviation that its column's likelihood may have: its floor is 1.
        numbers: of each column.
        outliers: share that is drawn from N(0, 1), in (0, 1).

    Raises:
        ValueError: for another share; from `check`, for counted values that are not in the middle of what they own.
    """

    discrete = True
    renamed: ClassVar[Mapping[str, str]] = {"law": "distribution"}

    def __init__(self, distribution: ContinuousHead, numbers: Sequence[Number], *, outliers: float = _OUTLIERS) -> None:
        if not 0 < outliers < 1:
            raise ValueError(f"outliers {outliers}; expected a share in (0, 1)")
        self.distribution, self.numbers, self.outliers = distribution, list(numbers), outliers
        self._numbers = Numbers(numbers)
        self._marginal = GaussianHead(1.0)

    @property
    def arrays(self) -> int:  # type: ignore[override]
        return self.distribution.arrays

    @property
    def in_bits(self) -> bool:
        return False

    @property
    def ends_in(self) -> Literal["mode", "sample"]:
        """A sample: columns are no neighbours of each other, and modes would make them narrower than they are."""
        return "sample"

    @property
    def convention(self) -> str:
        counted = sum(number.counted for number in self.numbers)
        columns = "each column" if counted == len(self.numbers) else f"{counted} of {len(self.numbers)} columns"
        others = "" if counted == len(self.numbers) else ", and density of other numbers in the units of the file"
        return f"probability of the counted values of {columns}{others}, by {self.distribution.label}"

    def log_prob_each(self, y: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        own, marginal = self._each(y.double(), *self._scaled(mean, variance), extra)
        return torch.logaddexp(own + math.log1p(-self.outliers), marginal + math.log(self.outliers))

    def mean(self, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        """Of the distribution before its values are counted, within the range."""
        scaled, least = self._scaled(mean, variance), self._on(mean).least
        found = (1 - self.outliers) * least * self.distribution.mean(*scaled, extra)
        return torch.clamp(found, *self._numbers.ends(mean.device)).to(mean.dtype)

    def mode(self, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        """That of the distribution, where a value is."""
        found = self._on(mean).least * self.distribution.mode(*self._scaled(mean, variance), extra)
        return self._numbers.settled(found).to(mean.dtype)

    def sample(self, mean: Tensor, variance: Tensor, eps: Tensor, extra: Tensor | None = None) -> Tensor:
        """One uniform number serves for both: its lowest share is an outlier's, the rest the distribution's."""
        uniform, share = torch.special.ndtr(eps.double()), self.outliers
        inner, odd = (torch.special.ndtri(place.clamp(*_INSIDE)) for place in ((uniform - share) / (1 - share), uniform / share))
        own = self._on(mean).least * self.distribution.sample(*self._scaled(mean, variance), inner, extra)
        return self._numbers.settled(torch.where(uniform < share, odd, own)).to(mean.dtype)

    def eps(self, y: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        y64, scaled, least = y.double(), self._scaled(mean, variance), self._on(y).least
        cells = self._numbers.cells(y64)
        within = self.distribution.eps_within(cells.below / least, cells.above / least, *scaled, extra)
        inner = torch.where(cells.counted, within, self.distribution.eps(y64 / least, *scaled, extra))
        share = self.outliers
        up = inner > 0  # in the upper tail probabilities would round to 1
        place = (1 - share) * torch.special.ndtr(torch.where(up, -inner, inner)) + share * ~up
        found = torch.special.ndtri(place)
        own, marginal = self._each(y64, *scaled, extra)
        odd = torch.special.ndtri(share * torch.special.ndtr(y64))
        likelier = own + math.log1p(-share) >= marginal + math.log(share)
        return torch.where(likelier, torch.where(up, -found, found), odd).to(y.dtype)

    def check(self, y: Tensor) -> None:
        off = self._numbers.off(y.double())
        if bool(off.any()):
            at = off.nonzero()[0].tolist()
            raise ValueError(
                f"y of column {at[1]} is {float(y[at[0], at[1]]):.4g} in item {at[0]}, which is no counted value's; expected encoded values"
            )

    def _each(self, y: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None) -> tuple[Tensor, Tensor]:
        """ln of the mass or density of each number under the distribution, and under N(0, 1), (B, d) float64."""
        on, cells, absent = self._on(y), self._numbers.cells(y), self._numbers.absent(y)
        own, marginal, least = torch.zeros_like(mean), torch.zeros_like(y), on.least
        dense, counted = on.dense, on.counted
        if len(dense):
            given, units = _columns(dense, mean, variance, extra), least[dense]
            own[:, dense] = self.distribution.log_density(y[:, dense] / units, *given) - units.log()
            marginal[:, dense] = self._marginal.log_density(y[:, dense], *_standard(y[:, dense]))
        if len(counted):
            given, where = _columns(counted, mean, variance, extra), cells.counted[:, counted]
            ends = [torch.where(where, end[:, counted], side) for end, side in ((cells.below, -1.0), (cells.above, 1.0))]
            mass = self.distribution.log_mass(ends[0] / least[counted], ends[1] / least[counted], *given)
            own[:, counted] = torch.where(where, mass, own[:, counted])
            by_marginal = self._marginal.log_mass(ends[0], ends[1], *_standard(ends[0]))
            marginal[:, counted] = torch.where(where, by_marginal, marginal[:, counted])
        return own.masked_fill(absent, 0.0), marginal.masked_fill(absent, 0.0)

    def _on(self, like: Tensor) -> AxisTensors:
        return self._numbers.columns(like.device)

    def _scaled(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """In the units of the distribution, float64."""
        least = self._on(mean).least
        return mean.double() / least, variance.double() / least.square()


def _columns(which: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    return mean[:, which], variance[:, which], None if extra is None else extra[..., which]


def _standard(like: Tensor) -> tuple[Tensor, Tensor]:
    """Mean 0 and variance 1."""
    return torch.zeros_like(like), torch.ones_like(like)
