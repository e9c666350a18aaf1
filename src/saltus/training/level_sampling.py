r"""How many items of a batch each level gets, and how much its loss counts, by the root mean square of the loss so far.

For the bound every nat counts equally.  A level with sampling probability p_l has weight 1 / (L p_l), so every choice of probabilities
has the same expected loss.  What matters is the noise of its gradient, which is least for probabilities in proportion to the size of an
item's gradient there; the root mean square of the loss L_l stands in for that (https://arxiv.org/abs/2102.09672, section 3.3):

.. math:: p_l = \frac{1}{10} \frac{1}{L} + \frac{9}{10} \frac{\mathrm{rms}_l}{\sum_m \mathrm{rms}_m}

A tenth of the items go in equal parts, so that no level is left without any.

Yet the nats of a noisy level, few as they are, decide what an image is of.  Where levels are to count equally, items go in equal
parts, and the losses of all levels are brought to one size:

.. math:: \mathrm{factor}_l = \overline{\mathrm{size}} / \mathrm{size}_l, \qquad \mathrm{size}_l = \max(\mathrm{rms}_l, \sqrt{d / 2})

sqrt(d / 2) is the standard deviation of -ln p(z_s) over draws of z_s alone, d numbers with Gaussian noise.  The root mean square of a
noisy level hardly falls below it; where the loss is a closed form and can, a level of no nats is not to count for all.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from saltus.chain import Loss

__all__ = ["LevelSampling", "level_sums"]

_EVEN = 0.1
_MEMORY = 0.98  # of the mean square, from one update to the next


class LevelSampling:
    """The sampling probabilities of L levels and the factors of their losses, which follow the loss as it falls.

    Args:
        L: how many levels.
        d: numbers in an item.
        equal: whether levels count equally, rather than nats.

    Attributes:
        probabilities: of the levels, cleanest first, > 0, summing to 1; equal until every level has been seen, and where levels
            count equally.
        factors: what the loss of each level is multiplied by, > 0; 1 until every level has been seen, and where nats count equally.
    """

    def __init__(self, L: int, d: int, *, equal: bool = False) -> None:
        self._squares = np.full(L, np.nan)
        self._least, self._equal = math.sqrt(d / 2), equal
        self.probabilities, self.factors = [1 / L] * L, [1.0] * L

    def update(self, loss: Loss) -> None:
        """Take in the loss of a batch that had the current probabilities, before it was multiplied by factors."""
        self.take(level_sums(loss, len(self.probabilities)))

    def take(self, sums: NDArray[np.float64]) -> None:
        """The same of a batch whose `level_sums` are known."""
        with np.errstate(divide="ignore", invalid="ignore"):
            found = sums[0] / sums[1]  # NaN for a level without an item
        seen, new = np.isfinite(found), np.isnan(self._squares)
        followed = np.where(new, found, found + _MEMORY * (self._squares - found))
        self.follow(np.where(seen, followed, self._squares))

    @property
    def least(self) -> float:
        """The smallest share of the items that a level ever gets."""
        return (1 if self._equal else _EVEN) / len(self.probabilities)

    @property
    def squares(self) -> NDArray[np.float64]:
        """The mean square of each level's loss so far; NaN before its first item."""
        return self._squares

    def follow(self, squares: NDArray[np.float64]) -> None:
        """Take mean squares (L,) as what was seen so far."""
        self._squares, L = squares, len(squares)
        rms = np.sqrt(self._squares)
        if not rms.sum() > 0:  # NaN while a level has no figure
            return
        if self._equal:
            size = np.maximum(rms, self._least)
            self.factors = (size.mean() / size).tolist()
        else:
            self.probabilities = (_EVEN / L + (1 - _EVEN) * rms / rms.sum()).tolist()


def level_sums(loss: Loss, L: int) -> NDArray[np.float64]:
    """Over the items of each of L levels the sum of the squared losses, before they were weighted for how often the level comes,
    and their count, (2, L)."""
    squares = (loss.total.detach() / loss.weight).double().square().cpu().numpy()
    level = loss.level.numpy() - 1
    return np.stack([np.bincount(level, squares, L), np.bincount(level, minlength=L)])
