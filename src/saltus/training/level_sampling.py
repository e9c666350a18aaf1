r"""How many items of a batch each level gets, and how much its loss counts, by the root mean square of the loss so far.

For the bound every nat counts alike.  A level with share p_l of the items has weight 1 / (L p_l), so every choice of shares has
the same expected loss.  What matters is the noise of its gradient, which is least for shares in proportion to the size of an
item's gradient there; the root mean square of the loss L_l stands in for that (Nichol and Dhariwal 2021, section 3.3):

    p_l = 1/10 1/L + 9/10 rms_l / sum rms

A tenth of the items go in equal parts, so that no level is left without any.

Yet the nats of a noisy level, few as they are, decide what an image is of.  Where levels are to count alike, items go in equal
parts, and the losses of all levels are brought to one size:

    factor_l = mean size / size_l,      size_l = max(rms_l, sqrt(d / 2))

sqrt(d / 2) is the standard deviation of -ln p(z_s) over draws of z_s alone, d numbers with Gaussian noise.  The root mean square of a
noisy level hardly falls below it; where the loss is a closed form and can, a level of no nats is not to count for all.
"""

from __future__ import annotations

import math

import torch

from saltus.chain import Loss

__all__ = ["LevelSampling"]

_EVEN = 0.1
_MEMORY = 0.98  # of the mean square, from one update to the next


class LevelSampling:
    """The shares of L levels and the factors of their losses, which follow the loss as it falls.

    Args:
        L: how many levels.
        d: numbers in an item.
        alike: whether levels count alike, rather than nats.

    Attributes:
        current: shares of the items, cleanest level first, > 0, summing to 1; in equal parts until every level has been seen, and
            where levels count alike.
        factors: what the loss of each level is multiplied by, > 0; 1 until every level has been seen, and where nats count alike.
    """

    def __init__(self, L: int, d: int, *, alike: bool = False) -> None:
        self._squares = torch.full((L,), torch.nan, dtype=torch.float64)
        self._least, self._alike = math.sqrt(d / 2), alike
        self.current, self.factors = [1 / L] * L, [1.0] * L

    def update(self, loss: Loss) -> None:
        """Take in the loss of a batch that had the current shares, before it was multiplied by factors."""
        L = len(self.current)
        squares = (loss.total.detach() / loss.weight).cpu().double().square()
        for level in loss.level.unique().tolist():
            found, known = squares[loss.level == level].mean(), self._squares[level - 1]
            if found.isfinite():
                self._squares[level - 1] = found if known.isnan() else torch.lerp(found, known, _MEMORY)
        rms = self._squares.sqrt()
        if not rms.sum() > 0:  # NaN while a level has no figure
            return
        if self._alike:
            size = rms.clamp_min(self._least)
            self.factors = (size.mean() / size).tolist()
        else:
            self.current = (_EVEN / L + (1 - _EVEN) * rms / rms.sum()).tolist()
