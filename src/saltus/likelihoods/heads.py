r"""p(y | .) of the last step, s = 0, around a Gaussian N(mean, variance).

`DiscretisedHead` is for data on known bins.  With bins of half width h around the values v_k,

.. math:: p(y = v_k) = \Phi\left(\frac{v_k + h - \mu}{\sigma}\right) - \Phi\left(\frac{v_k - h - \mu}{\sigma}\right),

where the first and the last bin are open to infinity, so that the masses sum to 1 (Ho et al. 2020, section 3.3,
https://arxiv.org/abs/2006.11239).  Heads of continuous data are in `saltus.likelihoods.continuous`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from saltus.errors import SaltusError
from saltus.likelihoods.normal import log_mass
from saltus.process import sum_items
from saltus.registry import Configurable

__all__ = ["FAR", "BinnedHead", "Choose", "DiscretisedHead", "Head", "between", "check_bins"]

FAR = 1e15
"""Values of y that float32 can square with room to spare are below it; y is of order one."""
_MOST_BINS = 2**24  # that float32 tells apart
_NO_MASSES = "the values of this model's data have densities and no masses, so that they have no code; take a model of whole values"
Choose = Callable[[Tensor, Callable[[Tensor], Tensor]], Tensor]
"""The place of the value (n,), int64, of n numbers: from the masses of all values of each, (n, bins) float64, and which numbers of items
(B, *E) they are, as a function that takes them out of such, (n,)."""


def check_bins(bins: int, low: float, high: float) -> None:
    """Raise ValueError unless there are bins from one value to a higher one."""
    if not 2 <= bins <= _MOST_BINS or not -FAR < low < high < FAR:
        raise ValueError(f"{bins} bins from {low} to {high}; expected at least 2 and at most {_MOST_BINS:,}, and low < high")


class Head(Configurable, ABC):
    """p(y | mean, variance, extra), where `extra` are arrays (B, arrays, *E) that the network gives for this head alone.

    Attributes:
        discrete: whether it gives masses; otherwise a density, which that of a closed form may take the place of.
        arrays: number of arrays that it asks for; a head that is given None takes them to be 0.
        bins: number of values that a number may have; 0 where they are not counted.
    """

    discrete: bool = False
    arrays: int = 0
    bins: int = 0

    @property
    def in_bits(self) -> bool:
        """Whether its nats are told as bits/dim: those of values that all lie on one scale."""
        return self.discrete

    @property
    def ends_in(self) -> Literal["mode", "sample"]:
        """What a step to data returns unless something else is asked for: on values that are counted, noise of each on its own is grain;
        continuous ones their mode would make narrower than they are."""
        return "mode" if self.discrete else "sample"

    @property
    @abstractmethod
    def convention(self) -> str:
        """What its likelihood is of, in words."""

    def log_prob(self, y: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        """ln p(y), summed over dimensions: (B,) nats for arguments (B, *E)."""
        return sum_items(self.log_prob_each(y, mean, variance, extra)).to(y.dtype)

    @abstractmethod
    def log_prob_each(self, y: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        """ln p of each number given those before it, (B, *E); of each pixel, (B, 1, H, W), where its channels go together."""

    @abstractmethod
    def mean(self, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        """E y under the head, (B, *E)."""

    @abstractmethod
    def mode(self, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        """The mode of y under the head, (B, *E)."""

    @abstractmethod
    def sample(self, mean: Tensor, variance: Tensor, eps: Tensor, extra: Tensor | None = None) -> Tensor:
        """A draw (B, *E) from unit Gaussian noise `eps` (B, *E)."""

    def fill(self, y: Tensor, known: Tensor, mean: Tensor, variance: Tensor, eps: Tensor, extra: Tensor | None = None) -> Tensor:
        """y where it is known, (B, *E) bool, whole pixels of images, and a draw by `eps` elsewhere, given those before it."""
        return torch.where(known, y, self.sample(mean, variance, eps, extra))

    def spread(self, variance: Tensor) -> Tensor:
        """About the variance of y, (B, *E)."""
        return variance

    def settled(self, y: Tensor) -> Tensor:
        """The nearest value that there is, (B, *E)."""
        return y

    @abstractmethod
    def eps(self, y: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        """Unit Gaussian noise (B, *E) from which `sample` makes y; where a range of noise makes y, its middle by probability."""

    def chosen(self, choose: Choose, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        """y (B, *E) whose values are chosen, some numbers at a time, each given those before: what an entropy coder asks for.

        Raises:
            SaltusError: if values have densities and no masses.
        """
        raise SaltusError(_NO_MASSES)

    def index(self, y: Tensor) -> Tensor:
        """The place of the nearest value, from 0 on, in the type of y (B, *E).

        Raises:
            SaltusError: as `chosen`.
        """
        raise SaltusError(_NO_MASSES)

    def check(self, y: Tensor) -> None:
        """Raise ValueError if `y` is not data that this head can give a likelihood to."""


class BinnedHead(Head):
    """p(y | .) of values on equal bins.

    Attributes:
        bins: number of values that there are.
        low, high: the first and the last value.
        width: width of a bin.
    """

    discrete = True
    bins: int
    low: float
    high: float
    width: float

    def check(self, y: Tensor) -> None:
        off = (y - (self.low + self.index(y) * self.width)).abs().max()
        if not off <= self.width / 100:  # NaN too
            raise ValueError(
                f"y is up to {float(off):.3g} away from the {self.bins} bins from {self.low} to {self.high}; expected values on the bins"
            )

    def spread(self, variance: Tensor) -> Tensor:
        """With that of a bin, as if values were even in it."""
        return variance + self.width**2 / 12

    def settled(self, y: Tensor) -> Tensor:
        return self.low + self.index(y) * self.width

    def index(self, y: Tensor) -> Tensor:
        return ((y - self.low) / self.width).round().clamp(0, self.bins - 1)

    def edges(self, like: Tensor) -> Tensor:
        """Between the bins, (bins - 1,) float64, on the device of `like`."""
        return self.low + (torch.arange(self.bins - 1, dtype=torch.float64, device=like.device) + 0.5) * self.width

    def value(self, index: Tensor, like: Tensor) -> Tensor:
        """The values at these places, in the type of `like`: those of `settled`."""
        return self.low + index.to(like.dtype) * self.width


class DiscretisedHead(BinnedHead):
    """The Gaussian's mass in each of `bins` equal bins, centred on `low` ... `high`.

    The standard deviation is at least a tenth of a bin: a Gaussian centred there has all but 6e-7 of its mass in
    its bin, so nothing is left to gain below.

    Args:
        bins: number of values that there are, >= 2 (256 for 8-bit images, 17 for the digits).
        low, high: the first and the last value.
        outliers: share of the mass that is spread evenly over the bins, in [0, 1).  A Gaussian that learned that a
            pixel is always black gives a grey one no chance at all, and one such pixel a thousand nats; with a share
            of outliers it costs at most ln(bins / outliers).

    Raises:
        ValueError: for fewer than 2 bins or too many, low >= high or values that float32 cannot square, or a share outside [0, 1);
            from `check`, for values that are not on the bins.
    """

    def __init__(self, bins: int, low: float = -1.0, high: float = 1.0, *, outliers: float = 0.0) -> None:
        check_bins(bins, low, high)
        if not 0 <= outliers < 1:
            raise ValueError(f"outliers {outliers}; expected a share in [0, 1)")
        self.bins, self.low, self.high, self.outliers = bins, low, high, outliers
        self.width = (high - low) / (bins - 1)

    @property
    def convention(self) -> str:
        return f"probability of {self.bins} values, by a discretised Gaussian with an outlier share of {self.outliers:g}"

    @property
    def values(self) -> Tensor:
        """The centres of the bins, (bins,) float64."""
        return torch.linspace(self.low, self.high, self.bins, dtype=torch.float64)

    def log_prob_each(self, y: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        mass: Tensor = log_mass(*self._borders(y, mean, variance))
        if self.outliers:
            even = torch.full_like(mass, math.log(self.outliers / self.bins))
            mass = torch.logaddexp(mass + math.log1p(-self.outliers), even)
        return mass

    def mean(self, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        """low + width * sum_k P(y > value_k): inside the range even where the Gaussian's own mean is not."""
        std, above = self._std(variance), torch.zeros_like(mean)
        for k in range(self.bins - 1):
            above += torch.special.ndtr((mean - (self.low + (k + 0.5) * self.width)) / std)
        return (1 - self.outliers) * (self.low + self.width * above) + self.outliers * (self.low + self.high) / 2

    def mode(self, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        """The Gaussian's mean, on the nearest bin.  Neither outliers nor the open ends of a Gaussian as wide as the range move it."""
        return self.settled(mean)

    def sample(self, mean: Tensor, variance: Tensor, eps: Tensor, extra: Tensor | None = None) -> Tensor:
        if not self.outliers:
            return self.low + self.index(mean + self._std(variance) * eps) * self.width
        # one uniform number serves for both: its lowest share picks an outlier, the rest is the Gaussian's
        uniform = torch.special.ndtr(eps.double())
        even = torch.floor(uniform / self.outliers * self.bins)
        inner = torch.special.ndtri(((uniform - self.outliers) / (1 - self.outliers)).clamp_min(torch.finfo(torch.float64).tiny))
        index = torch.where(uniform < self.outliers, even, self.index(mean + self._std(variance) * inner.to(mean.dtype)).double())
        return self.low + index.to(mean.dtype) * self.width

    def chosen(self, choose: Choose, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        centre, std = mean.double().flatten(), self._std(variance.double()).flatten()
        below = torch.special.ndtr((self.edges(mean) - centre[:, None]) / std[:, None])
        masses = (1 - self.outliers) * between(below) + self.outliers / self.bins
        return self.value(choose(masses, torch.flatten), mean).reshape(mean.shape)

    def eps(self, y: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        below, above = self._borders(y, mean, variance)
        flip = below + above > 0  # in the lower tail, probabilities do not round to 1
        bottom, top = torch.special.ndtr(torch.where(flip, -above, below)), torch.special.ndtr(torch.where(flip, -below, above))
        share, index = 1 - self.outliers, self.index(y).double()
        middle = torch.special.ndtri(share * (bottom + top) / 2 + self.outliers * ~flip)
        number = torch.where(flip, -middle, middle)
        if self.outliers:
            odd = torch.special.ndtri(self.outliers * (index + 0.5) / self.bins)
            return torch.where(share * (top - bottom) > self.outliers / self.bins, number, odd).to(y.dtype)
        centre = (self.low + index * self.width - mean.double()) / self._std(variance.double())  # where probabilities vanish
        return torch.where((below < number) & (number < above), number, centre).to(y.dtype)

    def _borders(self, y: Tensor, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Those of the bin of y, from the mean in standard deviations: float64, since in float32 the tails lose their slope."""
        index, mean, std = self.index(y).double(), mean.double(), self._std(variance.double())
        centre = self.low + index * self.width
        below = torch.where(index == 0, -torch.inf, (centre - self.width / 2 - mean) / std)
        return below, torch.where(index == self.bins - 1, torch.inf, (centre + self.width / 2 - mean) / std)

    def _std(self, variance: Tensor) -> Tensor:
        return variance.clamp_min((self.width / 10) ** 2).sqrt()


def between(below: Tensor) -> Tensor:
    """The masses (..., bins) of bins from the distribution function at the edges between them, (..., bins - 1)."""
    ends = torch.zeros_like(below[..., :1]), torch.ones_like(below[..., :1])
    return torch.cat([ends[0], below, ends[1]], -1).diff(dim=-1).clamp_min(0)
