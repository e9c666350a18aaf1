"""Raw items as a file or a user divides them, and what comes with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saltus.data.checks import checked
from saltus.data.declared import Declared
from saltus.data.layout import Array
from saltus.errors import SaltusError

__all__ = ["PARTS", "Parts", "as_array", "together"]

PARTS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Parts:
    """Raw items (N, ...) as they are given: all in `train` if they are not divided.

    Attributes:
        columns: the names of a table's columns.
        dtypes: the types that they have in its file, see `saltus.data.dtypes`.
        categories: for each of them, those that its cells are places of.
        declared: what is said of each of them; None for nothing.
        left_out: the names of other columns, and why they are not learned.
        labels: the classes of the items, int64 (N,), divided as they are.
        classes: the names of the classes 0, 1, ..., if they have names.
        label: the name of a table's column of labels.
        attributes: what else belongs to each item, (N, ...), divided as they are.
        notes: what a user should know about the file, one sentence each.
    """

    train: Array
    validation: Array | None = None
    test: Array | None = None
    columns: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    categories: tuple[tuple[str, ...], ...] = ()
    declared: tuple[Declared | None, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    labels: Parts | None = None
    classes: tuple[str, ...] = ()
    label: str = ""
    attributes: Parts | None = None
    notes: tuple[str, ...] = ()

    @property
    def each(self) -> tuple[Array, Array | None, Array | None]:
        """Training, validation and test items."""
        return self.train, self.validation, self.test

    @property
    def given(self) -> list[Array]:
        """The parts that are there."""
        return [part for part in self.each if part is not None]


def together(arrays: Sequence[Array | None], names: Sequence[str], *, missing: bool = False) -> Parts:
    """Arrays of one type, whose items have one shape, as parts; `names` are for messages, and NaN may stand for `missing` cells.

    Raises:
        SaltusError: if an array is none of finite numbers, or two differ in type or in the shape of their items.
    """
    train, *others = (None if array is None else checked(array, name, missing=missing) for array, name in zip(arrays, names, strict=True))
    if train is None:
        raise SaltusError(f"{names[0]} is missing; expected training items: give them")
    for part, name in zip(others, names[1:], strict=True):
        if part is not None and (part.shape[1:] != train.shape[1:] or part.dtype != train.dtype):
            raise SaltusError(
                f"{names[0]} and {name} hold {train.dtype} items of shape {train.shape[1:]} and {part.dtype} items of shape "
                f"{part.shape[1:]}, where one type and shape was expected; convert one of them"
            )
    return Parts(train, others[0], others[1]) if others else Parts(train)


def as_array(values: Any) -> Array:
    """An array, a tensor or lists of numbers as an array.

    Raises:
        SaltusError: if lists have different lengths.
    """
    if isinstance(values, Tensor):
        whole = values.detach().cpu()
        array: Array = (whole.float() if whole.dtype == torch.bfloat16 else whole).numpy()
        return array
    try:
        return np.asarray(values)
    except ValueError as error:
        raise SaltusError(f"a {type(values).__name__} of unequal lists was given where an array was expected; make them equal") from error
