r"""p(y | .) of the last step whose pixels are drawn in a few groups, each around its neighbours in the groups before.

Pixels at multiples of 2^S are the first group.  Then, for k = S, ..., 1 and with h = 2^(k - 1), come the middles of squares of side 2 h,
whose neighbours are the four corners (h away along both axes), and the middles of their sides, whose neighbours are h away along one axis.
Each group is the inner head around

.. math:: \mu'_x = \mu_x + \sum_{n = 1}^4 k_{xn}\, (y_{x_n} - \mu_{x_n})

where the x_n are the neighbours of x, those outside of the image left out, and k comes from the network.  Masses and densities are products
of conditional ones, so that they sum to 1, and one call of the network gives all of them: 2 S + 1 groups, however large the image.  What
a network leaves at 0 is the inner head (grouping as in Reed et al. 2017, https://arxiv.org/abs/1703.03664; linear in what came before as the
channels of Salimans et al. 2017, https://arxiv.org/abs/1701.05517).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from saltus.likelihoods.heads import Head

__all__ = ["AutoregressiveHead"]

NEIGHBOURS = 4
_Draw = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""Values of some pixels from their mean, variance, arrays for the inner head, and places (n,) in the flattened image."""


class AutoregressiveHead(Head):
    """A head of pixels on their own, put in sequence over an image (C, H, W).

    Args:
        head: of images, which treats pixels alike and on their own.
        scales: S, >= 1.

    Raises:
        ValueError: for less than one scale.
    """

    def __init__(self, head: Head, *, scales: int = 2) -> None:
        if scales < 1:
            raise ValueError(f"scales = {scales}; expected at least 1")
        self.head, self.scales = head, scales

    @property
    def discrete(self) -> bool:  # type: ignore[override]
        return self.head.discrete

    @property
    def arrays(self) -> int:  # type: ignore[override]
        """Those of the inner head, and four couplings."""
        return self.head.arrays + NEIGHBOURS

    @property
    def convention(self) -> str:
        return f"{self.head.convention}, pixels in sequence"

    def log_prob(self, y: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        inner, coupling = self._parts(mean, extra)
        return self.head.log_prob(y, mean + self._added(y - mean, coupling), variance, inner)

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
            mean, variance, extra, lambda mean, variance, inner, places: self.head.sample(mean, variance, _at(eps, places), inner)
        )

    def check(self, y: Tensor) -> None:
        self.head.check(y)

    def _parts(self, mean: Tensor, extra: Tensor | None) -> tuple[Tensor, Tensor]:
        """The inner head's arrays (B, arrays, *E) and couplings (B, 4, *E)."""
        if extra is None:
            extra = mean.new_zeros(len(mean), self.arrays, *mean.shape[1:])
        inner, coupling = extra.to(mean.dtype).split((self.head.arrays, NEIGHBOURS), dim=1)
        return inner, coupling

    def _added(self, off: Tensor, coupling: Tensor) -> Tensor:
        """What neighbours that are `off` their means (B, C, H, W) add to the mean of each pixel."""
        neighbours, _ = _layout(*off.shape[-2:], self.scales)
        return (coupling * _neighbours(off, neighbours.to(off.device)).reshape(coupling.shape)).sum(1)

    def _in_turn(self, mean: Tensor, variance: Tensor, extra: Tensor | None, draw: _Draw) -> Tensor:
        """Group after group by `draw`."""
        inner, coupling = self._parts(mean, extra)
        neighbours, groups = _layout(*mean.shape[-2:], self.scales)
        y = mean.flatten(-2).clone()
        for places in (group.to(mean.device) for group in groups):
            off = _neighbours(y.unflatten(-1, mean.shape[-2:]) - mean, neighbours[:, places.cpu()].to(mean.device))
            centre = _at(mean, places) + (_at(coupling, places) * off[..., None]).sum(1)
            y[..., places] = draw(centre, _at(variance, places), _at(inner, places), places).squeeze(-1).to(y.dtype)
        return y.unflatten(-1, mean.shape[-2:])


def _at(values: Tensor, places: Tensor) -> Tensor:
    """Some pixels of images (..., H, W) as (..., n, 1)."""
    return values.flatten(-2)[..., places, None]


def _neighbours(off: Tensor, places: Tensor) -> Tensor:
    """Of images (B, C, H, W) the values at places (4, n), 0 where there is none: (B, 4, C, n)."""
    padded = torch.cat([off.flatten(-2), off.new_zeros(*off.shape[:2], 1)], -1)
    found = padded.index_select(-1, places.flatten()).unflatten(-1, places.shape)
    return found.movedim(2, 1)


@lru_cache(maxsize=8)
def _layout(height: int, width: int, scales: int) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Places of the neighbours of each pixel, (4, H W), in the flattened image, H W for none; and the places of each group."""
    neighbours = torch.full((NEIGHBOURS, height, width), height * width)
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    step = 2**scales
    groups = [(row % step == 0) & (column % step == 0)]
    for k in range(scales, 0, -1):
        step, h = 2**k, 2 ** (k - 1)
        off_row, off_column = row % step == h, column % step == h
        even_row, even_column = row % step == 0, column % step == 0
        for group, away in (
            (off_row & off_column, ((-h, -h), (-h, h), (h, -h), (h, h))),
            ((off_row & even_column) | (even_row & off_column), ((-h, 0), (h, 0), (0, -h), (0, h))),
        ):
            groups.append(group)
            for n, (down, right) in enumerate(away):
                there_row, there_column = row + down, column + right
                inside = group & (there_row >= 0) & (there_row < height) & (there_column >= 0) & (there_column < width)
                neighbours[n][inside] = (there_row * width + there_column)[inside]
    return neighbours.flatten(1), tuple(group.flatten().nonzero().squeeze(1) for group in groups)
