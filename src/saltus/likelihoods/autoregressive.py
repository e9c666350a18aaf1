r"""p(y | .) of the last step whose pixels are drawn in a few groups, each around its neighbours in the groups before.

Pixels at multiples of 2^S are the first group.  Then, for k = S, ..., 1 and with h = 2^(k - 1), come the middles of squares of side 2 h,
whose neighbours are the four corners (h away along both axes), and the middles of their sides, whose neighbours are h away along one axis.
Each group is the inner head around

.. math:: \mu'_x = \mu_x + \sum_{n = 1}^4 k_{xn}\, (y_{x_n} - \mu_{x_n})

where the x_n are the neighbours of x, those outside of the image left out, and k comes from the network.  Masses and densities are products
of conditional ones, so that they sum to 1, and one call of the network gives all of them: 2 S + 1 groups, however large the image.
What a network leaves at 0 is the inner head (grouping as in Reed et al. 2017, https://arxiv.org/abs/1703.03664; linear in what came
before as the channels of Salimans et al. 2017, https://arxiv.org/abs/1701.05517).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from saltus.likelihoods.heads import Choose, Head

__all__ = ["AutoregressiveHead"]

NEIGHBOURS = 4
_MOST_SCALES = 8  # the first group is then 256 pixels apart
_Draw = Callable[[Tensor, Tensor, Tensor, "_Lattice"], Tensor]
"""Values of some pixels from their mean, variance, arrays for the inner head, and which pixels they are."""


class AutoregressiveHead(Head):
    """A head of pixels on their own, put in sequence over an image (C, H, W).

    Args:
        head: of images, which treats pixels alike and on their own.
        scales: S, from 1 to 8.

    Raises:
        ValueError: for fewer or more scales.
    """

    def __init__(self, head: Head, *, scales: int = 2) -> None:
        if not 1 <= scales <= _MOST_SCALES:
            raise ValueError(f"scales = {scales}; expected 1 to {_MOST_SCALES}")
        self.head, self.scales = head, scales

    @property
    def discrete(self) -> bool:  # type: ignore[override]
        return self.head.discrete

    @property
    def bins(self) -> int:  # type: ignore[override]
        return self.head.bins

    @property
    def arrays(self) -> int:  # type: ignore[override]
        """Those of the inner head, and four couplings."""
        return self.head.arrays + NEIGHBOURS

    @property
    def ends_in(self) -> Literal["mode", "sample"]:
        """A sample: neighbours agree, so that it is texture and no grain."""
        return "sample"

    @property
    def convention(self) -> str:
        return f"{self.head.convention}, pixels in sequence"

    def log_prob_each(self, y: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        inner, coupling = self._parts(mean, extra)
        return self.head.log_prob_each(y, mean + self._added(y - mean, coupling), variance, inner)

    def eps(self, y: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        inner, coupling = self._parts(mean, extra)
        return self.head.eps(y, mean + self._added(y - mean, coupling), variance, inner)

    def mean(self, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        """Exact where the inner head's mean moves as far as the one that it is given."""
        return self._in_turn(mean, variance, extra, lambda mean, variance, inner, _: self.head.mean(mean, variance, inner))

    def mode(self, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        """Of each group given the modes of those before."""
        return self._in_turn(mean, variance, extra, lambda mean, variance, inner, _: self.head.mode(mean, variance, inner))

    def sample(self, mean: Tensor, variance: Tensor, eps: Tensor, extra: Tensor | None = None) -> Tensor:
        return self._in_turn(
            mean, variance, extra, lambda mean, variance, inner, lattice: self.head.sample(mean, variance, lattice.of(eps), inner)
        )

    def fill(self, y: Tensor, known: Tensor, mean: Tensor, variance: Tensor, eps: Tensor, extra: Tensor | None = None) -> Tensor:
        def drawn(mean: Tensor, variance: Tensor, inner: Tensor, lattice: _Lattice) -> Tensor:
            return self.head.fill(lattice.of(y), lattice.of(known), mean, variance, lattice.of(eps), inner)

        return self._in_turn(mean, variance, extra, drawn)

    def chosen(self, choose: Choose, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        def drawn(mean: Tensor, variance: Tensor, inner: Tensor, lattice: _Lattice) -> Tensor:
            return self.head.chosen(lambda masses, of: choose(masses, lambda items: of(lattice.of(items))), mean, variance, inner)

        return self._in_turn(mean, variance, extra, drawn)

    def index(self, y: Tensor) -> Tensor:
        return self.head.index(y)

    def spread(self, variance: Tensor) -> Tensor:
        return self.head.spread(variance)

    def settled(self, y: Tensor) -> Tensor:
        return self.head.settled(y)

    def check(self, y: Tensor) -> None:
        self.head.check(y)

    def _parts(self, mean: Tensor, extra: Tensor | None) -> tuple[Tensor, Tensor]:
        """The inner head's arrays (B, arrays, *E) and couplings (B, 4, *E)."""
        if extra is None:
            extra = mean.new_zeros(mean.shape[0], self.arrays, *mean.shape[1:])
        inner, coupling = extra.to(mean.dtype).split((self.head.arrays, NEIGHBOURS), dim=1)
        return inner, coupling

    def _added(self, off: Tensor, coupling: Tensor) -> Tensor:
        """What neighbours that are `off` their means (B, C, H, W) add to the mean of each pixel."""
        added, padded = torch.zeros_like(off), self._padded(off)
        for lattice in _lattices(self.scales)[1:]:
            lattice.of(added).copy_(lattice.added(padded, coupling))
        return added

    def _padded(self, off: Tensor) -> Tensor:
        """With zeros around it, as far as neighbours are away."""
        return nn.functional.pad(off, (2 ** (self.scales - 1),) * 4)

    def _in_turn(self, mean: Tensor, variance: Tensor, extra: Tensor | None, draw: _Draw) -> Tensor:
        """Group after group by `draw`."""
        inner, coupling = self._parts(mean, extra)
        y = mean.clone()
        for lattice in _lattices(self.scales):
            if not lattice.of(y).numel():  # the image is smaller than the lattice is wide
                continue
            centre = lattice.of(mean) + lattice.added(self._padded(y - mean), coupling)
            lattice.of(y).copy_(draw(centre, lattice.of(variance), lattice.of(inner), lattice))
        return y


class _Lattice(NamedTuple):
    """Every `step`-th pixel from a row and a column on, and how far away its neighbours are, in rows and columns; none for the first."""

    row: int
    column: int
    step: int
    away: Sequence[tuple[int, int]] = ()

    def of(self, values: Tensor) -> Tensor:
        """Its pixels of images (..., H, W), a view."""
        return values[..., self.row :: self.step, self.column :: self.step]

    def added(self, padded: Tensor, coupling: Tensor) -> Tensor:
        """What neighbours that are `padded` off their means add to the means of its pixels."""
        mine = self.of(coupling)
        reach, shape, added = (padded.shape[-1] - coupling.shape[-1]) // 2, mine.shape[-2:], torch.zeros_like(mine[:, 0])
        for n, (down, right) in enumerate(self.away):
            there = self._replace(row=self.row + reach + down, column=self.column + reach + right).of(padded)
            added = added + mine[:, n] * there[..., : shape[0], : shape[1]]
        return added


def _lattices(scales: int) -> list[_Lattice]:
    """The groups in turn; the middles of sides as two lattices, neither of which has neighbours in the other."""
    found = [_Lattice(0, 0, 2**scales)]
    for h in (2 ** (k - 1) for k in range(scales, 0, -1)):
        corners, sides = tuple(itertools.product((-h, h), (-h, h))), ((-h, 0), (h, 0), (0, -h), (0, h))
        found += [_Lattice(h, h, 2 * h, corners), _Lattice(0, h, 2 * h, sides), _Lattice(h, 0, 2 * h, sides)]
    return found
