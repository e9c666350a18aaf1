"""What a model is conditioned on: the kinds of conditions, the values they take, and how a value says "no condition".

| kind | values of B items | no condition |
|---|---|---|
| `ClassCondition` | int64 (B,), 0 to K - 1 | -1 |
| `VectorCondition` | float32 (B, size) | a row of NaN |
| `ImageCondition` | float32 (B, C, H, W), -1 to 1 | an image of NaN |

Classifier-free guidance drops conditions in training (https://arxiv.org/abs/2207.12598), so "no condition" is a value like any other.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from saltus.errors import SaltusError
from saltus.networks.given import as_array, as_tensor, kind, listed
from saltus.registry import Configurable

__all__ = ["ClassCondition", "Condition", "ImageCondition", "VectorCondition"]


class Condition(Configurable, ABC):
    """A kind of condition.

    Attributes:
        shape: that of one value: () for a class.
        dtype: type of values.
        absent: what fills a value that says "no condition".
    """

    dtype: ClassVar[torch.dtype]
    absent: ClassVar[float]
    shape: tuple[int, ...]

    @abstractmethod
    def summary(self) -> str:
        """What the values are, for humans: "10 classes"."""

    @abstractmethod
    def is_absent(self, values: Tensor) -> Tensor:
        """Which of the values (B, *shape) say "no condition": booleans (B,)."""

    @abstractmethod
    def draw(self, uniform: Tensor) -> Tensor:
        """Conditions of n items, drawn from their distribution by inverse CDF of `uniform` (n,) in [0, 1).

        Raises:
            SaltusError: if the distribution of conditions is not known.
        """

    @abstractmethod
    def parse(self, text: str) -> Tensor:
        """The values that a text gives, (1, *shape) or more rows; raises SaltusError if it gives none."""

    @abstractmethod
    def _read(self, values: Any) -> Tensor:
        """The values as (k, *shape) of `dtype`, each in its range; raises SaltusError."""

    def none(self, n: int, like: Tensor | None = None) -> Tensor:
        """Values (n, *shape) that say "no condition", on the device of `like`."""
        return torch.full((n, *self.shape), self.absent, dtype=self.dtype, device=None if like is None else like.device)

    def drop(self, values: Tensor, mask: Tensor) -> Tensor:
        """The values (B, *shape), with "no condition" where `mask` (B,) is true."""
        return values.masked_fill(mask.view(-1, *[1] * len(self.shape)), self.absent)

    def check(self, values: Any, n: int) -> Tensor:
        """The values of n items, (n, *shape), from what a user gives.

        Args:
            values: one for each item, or one that is repeated for all: a tensor, an array, numbers in lists, or names of classes.
                None stands for no condition.
            n: how many items.

        Raises:
            SaltusError: if there are neither 1 nor n values, or their shape, type or range is not that of this condition.
        """
        given = self.none(1) if values is None else self._read(values)
        if len(given) not in (1, n):
            raise SaltusError(
                f"{len(given)} conditions were given for {n} items; expected 1 or {n}: give one for each item, or one for all"
            )
        return given.expand(n, *self.shape).contiguous()


class ClassCondition(Condition):
    """One of K classes.

    Args:
        names: of the classes, all different.
        frequencies: how often each comes, (K,), positive; kept as float64 of sum 1.

    Raises:
        SaltusError: if names repeat, or frequencies are not positive, or not as many as names.

    >>> animals = ClassCondition(["cat", "dog"], [3, 1])
    >>> animals.check("dog", 2), animals.draw(torch.tensor([0.7, 0.8])), animals.none(1)
    (tensor([1, 1]), tensor([0, 1]), tensor([-1]))
    """

    dtype = torch.int64
    absent = -1

    def __init__(self, names: Sequence[str], frequencies: Sequence[float]) -> None:
        self.names = tuple(map(str, names))
        counts = torch.as_tensor(frequencies, dtype=torch.float64)
        if not self.names or len(set(self.names)) < len(self.names):
            raise SaltusError(
                f"the names of the classes are {listed(self.names)}; expected at least one, all different: rename or join them"
            )
        if counts.shape != (len(self.names),) or not bool((counts > 0).all() and counts.isfinite().all()):
            raise SaltusError(
                f"the frequencies of {len(self.names)} classes are {counts.tolist()}; expected one positive number each: leave classes out"
            )
        self.shape = ()
        self.frequencies = counts / counts.sum()

    @property
    def classes(self) -> int:
        """K."""
        return len(self.names)

    @property
    def log_frequencies(self) -> Tensor:
        """ln p(class), float64 (K,) nats."""
        return self.frequencies.log()

    def summary(self) -> str:
        return f"{self.classes} classes"

    def is_absent(self, values: Tensor) -> Tensor:
        return values < 0

    def draw(self, uniform: Tensor) -> Tensor:
        cumulative = self.frequencies.to(uniform.device).cumsum(0)
        return torch.searchsorted(cumulative, uniform.double() * cumulative[-1], right=True).clamp_max(self.classes - 1)

    def parse(self, text: str) -> Tensor:
        """A name, or the number of a class if no name is a number itself; several with commas between them."""
        names = [text] if text in self.names else text.split(",")
        return torch.tensor([self._number(name.strip()) for name in names])

    def _number(self, text: str) -> int:
        if text in self.names:
            return self.names.index(text)
        if text.isdecimal() and int(text) < self.classes and not any(name.isdecimal() for name in self.names):
            return int(text)
        raise self._unknown(text)

    def _unknown(self, given: object) -> SaltusError:
        numbered = self.names == tuple(map(str, range(self.classes)))
        between = f" from 0 to {self.classes - 1}" if numbered or isinstance(given, int) else ""
        return SaltusError(
            f"class {given} was given; expected one of {self.classes} classes{between}: "
            + ("give another" if numbered else listed(self.names))
        )

    def _read(self, values: Any) -> Tensor:
        if not isinstance(values, Tensor):
            array = np.atleast_1d(as_array(values))
            named = array.dtype.kind == "U" or (array.dtype.kind in "iu" and any(name.isdecimal() for name in self.names))
            if named and array.ndim == 1:  # a user's 3 is the class named 3; tensors hold the places of classes
                places = [self.absent if name == self.absent else self._number(str(name)) for name in array.tolist()]
                return torch.tensor(places, dtype=self.dtype)
        given = as_tensor(values)
        if given.is_floating_point() or given.is_complex() or given.ndim > 1:
            raise SaltusError(
                f"the classes are {kind(given)}; expected integers or names, one for each item: give {self.summary()} by number or name"
            )
        numbers = given.to(self.dtype).reshape(-1)
        wrong = numbers[(numbers < self.absent) | (numbers >= self.classes)]
        if len(wrong):
            raise self._unknown(int(wrong[0]))
        return numbers


class _Continuous(Condition):
    """Numbers, of which NaN says "no condition"."""

    dtype = torch.float32
    absent = math.nan

    def is_absent(self, values: Tensor) -> Tensor:
        return values.flatten(1).isnan().any(1)

    def draw(self, uniform: Tensor) -> Tensor:
        raise SaltusError(
            f"items can only be drawn given a condition, as the distribution of {self.summary()} is not known; "
            "give one for each item, or one for all"
        )

    def _finite(self, values: Tensor) -> Tensor:
        """Values (k, *shape), if each is finite or wholly NaN."""
        rows = values.to(self.dtype).flatten(1)
        strange = ~(rows.isfinite().all(1) | rows.isnan().all(1))
        if bool(strange.any()):
            first = int(strange.nonzero()[0])
            raise SaltusError(f"condition {first} holds NaN or infinite values; expected finite numbers: fill them, or leave the item out")
        return rows.reshape(-1, *self.shape)


class VectorCondition(_Continuous):
    """A row of numbers.

    Args:
        size: how many.

    Raises:
        SaltusError: if there is none.
    """

    def __init__(self, size: int) -> None:
        if size < 1:
            raise SaltusError(f"a condition of {size} numbers was asked for; expected at least 1: leave it out")
        self.size, self.shape = int(size), (int(size),)

    def summary(self) -> str:
        return f"vectors of {self.size} number{'s' if self.size > 1 else ''}"

    def parse(self, text: str) -> Tensor:
        """Numbers with commas between them."""
        try:
            numbers = [float(number) for number in text.split(",")]
        except ValueError:
            raise SaltusError(
                f"the condition is {text!r}; expected {self.size} numbers with commas between them: write them as 0.5,-1.25"
            ) from None
        return self._read(numbers)

    def _read(self, values: Any) -> Tensor:
        given = as_tensor(values)
        if given.ndim not in (1, 2) or given.shape[-1] != self.size or given.is_complex():
            raise SaltusError(f"the condition is {kind(given)}; expected {self.size} numbers, or a row of them for each item: reshape it")
        return self._finite(given.reshape(-1, self.size))


class ImageCondition(_Continuous):
    """An image; pixels lie in [-1, 1].

    Args:
        shape: (C, H, W).

    Raises:
        SaltusError: if there are not three axes, or one is empty.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        if len(shape) != 3 or min(shape) < 1:
            raise SaltusError(f"conditions of shape {tuple(shape)} were asked for; expected images (C, H, W), no axis empty: reshape them")
        self.shape = tuple(int(n) for n in shape)

    def summary(self) -> str:
        channels, height, width = self.shape
        return f"images of {height}x{width} pixels" + (f" in {channels} channels" if channels > 1 else "")

    def parse(self, text: str) -> Tensor:
        """The images in a .npy file."""
        try:
            array = np.load(text, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            array = None
        if not isinstance(array, np.ndarray):
            raise SaltusError(f"{text} cannot be read as an image; expected a .npy file: write it with numpy.save")
        return self._read(array)

    def _read(self, values: Any) -> Tensor:
        """Booleans and bytes are put on [-1, 1], and channels first; other values lie there already."""
        given = as_tensor(values)
        channels, height, width = self.shape
        if given.shape[-3:] == self.shape:
            images = given
        elif given.shape[-3:] == (height, width, channels):
            images = given.movedim(-1, -3)
        elif channels == 1 and given.shape[-2:] == (height, width):
            images = given.unsqueeze(-3)
        else:
            images = given[None, None, None, None]  # five axes: refused
        if images.ndim not in (3, 4) or given.is_complex():
            raise SaltusError(
                f"the condition is {kind(given)}; expected {self.summary()}, one or one for each item: resize it, or give {self.shape}"
            )
        scale = {torch.uint8: 255.0, torch.bool: 1.0}.get(given.dtype)
        pixels = images.double() if scale is None else (2 * images.double() - scale) / scale
        if bool((pixels.abs() > 1).any()):
            raise SaltusError(
                f"the pixels of the condition go from {float(pixels.min()):g} to {float(pixels.max()):g}; "
                "expected -1 to 1, or bytes from 0 to 255: rescale them"
            )
        return self._finite(pixels.reshape(-1, *self.shape))
