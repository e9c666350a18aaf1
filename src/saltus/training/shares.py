r"""How many items of a batch each level gets, and how much its loss counts, by the root mean square of the loss so far.

For the bound every nat counts alike.  A level with share p_l of the items has weight 1 / (L p_l), so every choice of shares has
the same expected loss.  What matters is the noise of its gradient, which is least for shares in proportion to the size of an
item's gradient there; the root mean square of the loss L_l stands in for that (Nichol and Dhariwal 2021, section 3.3):

    p_l = 1/10 1/L + 9/10 rms_l / sum rms

A tenth of the items go in equal parts, so that no level is left without any.

For samples the nats of a noisy level, few as they are, decide what the image is of.  There levels count alike: the loss of each is
divided by its size, as if sum_l ln L_l were minimised (as do the weights of EDM for a denoiser; Karras et al. 2022), and
items go in equal parts.

    importance_l = mean rms / rms_l
"""

from __future__ import annotations

import torch

from saltus.chain import Loss

__all__ = ["Shares"]

_EVEN = 0.1
_MEMORY = 0.98  # of the mean square, from one update to the next


class Shares:
    """The shares and the importance of L levels, which follow the loss as it falls.

    Args:
        L: how many levels.
        alike: whether levels count alike, rather than nats.

    Attributes:
        current: shares of the items, cleanest level first, > 0, summing to 1; in equal parts until every level has been seen.
        importance: what the loss of each level is multiplied by, > 0; 1 where nats count alike.
    """

    def __init__(self, L: int, *, alike: bool = False) -> None:
        self._squares = torch.full((L,), torch.nan, dtype=torch.float64)
        self._alike = alike
        self.current, self.importance = [1 / L] * L, [1.0] * L

    def update(self, loss: Loss) -> None:
        """Take in the loss of a batch that had the current shares and importance."""
        L = len(self.current)
        squares = (loss.total.detach() / loss.weight).cpu().double().square()
        for level in loss.level.unique().tolist():
            found, known = squares[loss.level == level].mean(), self._squares[level - 1]
            if found.isfinite():
                self._squares[level - 1] = found if known.isnan() else torch.lerp(found, known, _MEMORY)
        rms = self._squares.sqrt()
        if self._alike and rms.min() > 0:
            self.importance = (rms.mean() / rms).tolist()
        elif not self._alike and rms.sum() > 0:  # not while a level has no figure, NaN
            self.current = (_EVEN / L + (1 - _EVEN) * rms / rms.sum()).tolist()
