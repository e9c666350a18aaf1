r"""A stack of bits that values are pushed on and popped from by their probabilities: asymmetric numeral systems (Duda 2013,
https://arxiv.org/abs/1311.2540), by the library constriction (Bamler 2022, https://arxiv.org/abs/2201.01741).

push    a value of probability p adds -log2 p bits
pop     takes them off again, and gives the value; of bits that were never pushed it gives a draw of the distribution

Numbers that have densities lie on a grid, k times a width, for the distributions that they are pushed and popped by alike: a finer grid
costs no bits but those that are there first.  A distribution is near where its numbers are popped first: it ends some standard deviations
from its own mean, so that the least mass of a value, 2^-24, does not add up to draws from far away.  Others go as far as numbers may be.
What is popped from an empty stack is lent by random bits that are put below it: they are part of the code.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from saltus.errors import SaltusError
from saltus.extras import needs

__all__ = ["Stack"]

_REACH = 16.0  # of numbers from 0
_NEAR = 7.0  # standard deviations from the mean of a near distribution
_LENT = 16  # words of 32 bits that are put below an empty stack at a time
_FULL = 2  # words of a stack that has not been emptied: the coder's state


class Stack:
    """A stack of bits.

    Args:
        code: that was made of another one; an empty stack, which borrows bits where it has none, unless given.

    Attributes:
        lent: bytes that were borrowed.

    Raises:
        SaltusError: if constriction is not installed; from methods, if distributions are not finite, or the code is not one of such values.
    """

    def __init__(self, code: bytes | None = None) -> None:
        stream = needs("constriction", extra="compress").stream
        self._new, self._models, self._borrows = stream.stack.AnsCoder, stream.model, code is None
        self._random, self.lent = np.random.default_rng(0), 0
        try:
            self._coder = self._new(None if code is None else np.frombuffer(code, "<u4").astype(np.uint32))
        except ValueError as error:
            raise _other() from error
        if code is None:
            self._borrow()

    def code(self) -> bytes:
        """Words of 32 bits, the least byte of each first."""
        return bytes(self._coder.get_compressed().astype("<u4").tobytes())

    @property
    def bits(self) -> int:
        """The length of the code."""
        return int(self._coder.num_valid_bits())

    def push_normal(self, value: Tensor, mean: Tensor, std: Tensor, width: float, *, near: bool = False) -> None:
        """Numbers (B, ...) on the grid of this width, by N(mean, std^2), each of the same shape."""
        distribution, centre, *parameters = self._normal(mean, std, width, near)
        self._push(_flat(value / width).round().astype(np.int32) - centre, distribution, *parameters)

    def pop_normal(self, mean: Tensor, std: Tensor, width: float, *, near: bool = False) -> Tensor:
        """Numbers of the shape and the type of `mean`, which hold them exactly."""
        distribution, centre, *parameters = self._normal(mean, std, width, near)
        places = self._pop(distribution, *parameters) + centre
        return torch.tensor(places * width, dtype=mean.dtype).reshape(mean.shape)

    def push_choice(self, index: Tensor, masses: Tensor) -> None:
        """Which of some values each is, (n,), by their masses (n, values)."""
        if masses.shape[1] > 1:
            self._push(index.numpy().astype(np.int32), self._choice(), self._masses(masses))

    def pop_choice(self, masses: Tensor) -> Tensor:
        """Which of some values each is, (n,) int64."""
        if masses.shape[1] == 1:
            return torch.zeros(len(masses), dtype=torch.int64)
        return torch.tensor(self._pop(self._choice(), self._masses(masses)), dtype=torch.int64)

    def _normal(self, mean: Tensor, std: Tensor, width: float, near: bool) -> tuple[Any, Any, Any, Any]:
        """A distribution on whole numbers around a centre each, the centre, and its means and standard deviations."""
        means, stds, far = _flat(mean) / width, _flat(std) / width, int(_REACH / width)
        if not (np.isfinite(means).all() and np.isfinite(stds).all() and (stds > 0).all()):
            raise SaltusError("the model's numbers are not finite, or have no width, so that nothing can be coded; train it again")
        reach = min(far, int(np.ceil(_NEAR * stds.max(initial=1.0)))) if near else far
        centre = np.clip(np.rint(means), reach - far, far - reach).astype(np.int32)
        return self._models.QuantizedGaussian(-reach, reach), centre, means - centre, stds

    def _choice(self) -> Any:
        return self._models.Categorical(perfect=False)

    @staticmethod
    def _masses(masses: Tensor) -> Any:
        found = np.ascontiguousarray(masses.double().numpy())
        if not np.isfinite(found).all():
            raise SaltusError("the model's masses are not finite, so that nothing can be coded; train it again")
        return found

    def _push(self, places: Any, distribution: Any, *parameters: Any) -> None:
        if not len(places):
            return
        try:
            self._coder.encode_reverse(places, distribution, *parameters)
        except KeyError as error:
            raise _other() from error

    def _pop(self, distribution: Any, *parameters: Any) -> Any:
        n = len(parameters[0])
        if not n:
            return np.zeros(0, dtype=np.int32)
        if self._coder.num_words() > n + _FULL:  # a value takes 24 bits at most
            return self._coder.decode(distribution, *parameters)
        while True:
            coder = self._coder.clone()
            found = coder.decode(distribution, *parameters)
            if coder.num_words() >= _FULL:
                self._coder = coder
                return found
            if not self._borrows:
                raise _other()
            self._borrow()

    def _borrow(self) -> None:
        below = self._random.integers(1, 2**32, _LENT, dtype=np.uint32)
        self._coder = self._new(np.concatenate([below, self._coder.get_compressed()]))
        self.lent += below.nbytes


def _flat(values: Tensor) -> Any:
    return values.double().flatten().numpy()


def _other() -> SaltusError:
    return SaltusError("the code is not one of this model's on this machine; take the model, and a machine, that it was written with")
