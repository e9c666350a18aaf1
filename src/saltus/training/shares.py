r"""How many items of a batch each level gets: more where the loss says that it costs more.

A level with share p_l of the items has weight 1 / (L p_l), so every choice of shares has the same expected loss.  What matters is the
noise of its gradient, which is least for shares in proportion to the size of an item's gradient there; the root mean square of
the loss L_l stands in for that (Nichol and Dhariwal 2021, section 3.3):

    p_l = 1/10 1/L + 9/10 rms_l / sum rms

A tenth of the items go in equal parts, so that no level is left without any.
"""

from __future__ import annotations

import torch

from saltus.chain import Loss

__all__ = ["Shares"]

_EVEN = 0.1
_MEMORY = 0.98  # of the mean square, from one update to the next


class Shares:
    """The shares of L levels, which follow the loss as it falls.

    Attributes:
        current: cleanest level first, > 0, summing to 1; in equal parts until every level has been seen.
    """

    def __init__(self, L: int) -> None:
        self._squares = torch.full((L,), torch.nan, dtype=torch.float64)
        self.current = [1 / L] * L

    def update(self, loss: Loss) -> None:
        """Take in the loss of a batch that had the current shares."""
        L = len(self.current)
        squares = (loss.total.detach() / loss.weight).cpu().double().square()
        for level in loss.level.unique().tolist():
            found, known = squares[loss.level == level].mean(), self._squares[level - 1]
            if found.isfinite():
                self._squares[level - 1] = found if known.isnan() else torch.lerp(found, known, _MEMORY)
        rms = self._squares.sqrt()
        if rms.sum() > 0:  # not while a level has no figure, NaN
            self.current = (_EVEN / L + (1 - _EVEN) * rms / rms.sum()).tolist()
