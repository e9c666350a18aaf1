r"""The components of an oracle, and the classes that they may belong to.

An oracle is a mixture $q(y) = \sum_k w_k\, q_k(y)$.  Where component $k$ belongs to the class $c_k$, a condition on the class
keeps the components of that class and drops the others:

$$p(c) = \sum_{k : c_k = c} w_k, \qquad q(y \mid c) = \sum_{k : c_k = c} \frac{w_k}{p(c)}\, q_k(y).$$

The noise does not touch the class, so the same weights in place of $w_k$ give every conditional distribution of the process.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from saltus.errors import SaltusError

__all__ = ["Components"]

_MOST_CLASSES = 10**6


class Components:
    """The log weights of K components and, where there are labels, the class of each.

    Args:
        weights: (K,), positive; normalised here.
        labels: the class of each component, K whole numbers >= 0 and below a million; None for components without a class.

    Raises:
        SaltusError: if there are not K labels, or one is not such a number.
    """

    def __init__(self, weights: Tensor, labels: Sequence[int] | None) -> None:
        self._log_weights = (weights / weights.sum()).log()
        self._labels: Tensor | None = None
        if labels is not None:
            if len(labels) != len(weights) or not all(isinstance(c, int) and 0 <= c < _MOST_CLASSES for c in labels):
                raise SaltusError(
                    f"labels are {_short(labels)}; expected {len(weights)} whole numbers >= 0, one for each component or item"
                )
            self._labels = torch.tensor(labels)

    @property
    def labels(self) -> list[int] | None:
        """The class of each component; None without classes."""
        return None if self._labels is None else self._labels.tolist()

    @property
    def labelled(self) -> bool:
        """Whether components have classes."""
        return self._labels is not None

    @property
    def class_frequencies(self) -> Tensor:
        """p(c) of the classes 0, 1, ... up to the largest label, float64; 0 for a class that no component has.

        Raises:
            SaltusError: if there are no labels.
        """
        labels = self._known_labels()
        counts = torch.zeros(int(labels.max()) + 1, dtype=torch.float64)
        return counts.index_add(0, labels, self._log_weights.exp())

    def check(self, condition: Tensor | None, n: int | None) -> Tensor | None:
        """The condition on the CPU.

        Args:
            condition: the class of each item, int64 (B,), -1 for none; None if no item has a condition.
            n: how many items there are; None if any number will do.

        Raises:
            SaltusError: if there are no labels, the condition is of another kind, or it names a class that no component has.
        """
        if condition is None:
            return None
        frequencies = self.class_frequencies
        if condition.dtype != torch.int64 or condition.ndim != 1 or n not in (None, len(condition)):
            expected = "(B,)" if n is None else f"({n},)"
            raise SaltusError(f"the condition is {condition.dtype} {tuple(condition.shape)}; expected torch.int64 {expected}")
        condition = condition.detach().cpu()
        known = torch.cat([torch.nonzero(frequencies).flatten(), torch.tensor([-1])])
        if not bool(torch.isin(condition, known).all()):
            unknown = condition[~torch.isin(condition, known)].unique().tolist()
            raise SaltusError(
                f"the condition names the classes {_short(unknown)}; expected -1 for none or one of {_short(known[:-1].tolist())}"
            )
        return condition

    def log_weights(self, condition: Tensor | None) -> Tensor:
        """ln of the weight of each component given a checked condition, (B, K), -inf for other classes; (K,) without one."""
        if condition is None:
            return self._log_weights
        kept = (condition[:, None] < 0) | (condition[:, None] == self._known_labels())
        return torch.where(kept, self._log_weights, -torch.inf).log_softmax(1)

    def _known_labels(self) -> Tensor:
        if self._labels is None:
            raise SaltusError("the oracle has no classes; give it labels to condition on them")
        return self._labels


def _short(values: Sequence[object]) -> str:
    return f"{list(values)}" if len(values) <= 10 else f"[{', '.join(map(str, values[:10]))}, ...] ({len(values)} of them)"
