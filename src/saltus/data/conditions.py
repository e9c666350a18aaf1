"""Labels and attributes of items, and the conditions that they become.

Labels are one class for each item: integers, floats that are integers, booleans, text, or rows of zeros and a one.  As a
condition, the K classes that the training items have are numbered 0 to K - 1 in their order, and keep their names.

Attributes are anything else that belongs to an item: numbers (N,) or (N, k) become a vector, and images (N, H, W),
(N, H, W, C) or (N, C, H, W) an image whose pixels lie in [-1, 1], which is where bytes and booleans are put.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from saltus.data.checks import checked
from saltus.data.layout import Array, Layout
from saltus.data.parts import PARTS, Parts, together
from saltus.data.values import EXACT
from saltus.errors import SaltusError
from saltus.networks.conditions import ClassCondition, Condition, ImageCondition, VectorCondition

__all__ = ["CONDITIONS", "Conditions", "Labels", "condition_on", "read_attributes", "read_labels"]

CONDITIONS = ("labels", "attributes")
_MOST_CHANNELS = 4
_CHUNK = 1024  # items at a time


@dataclass(frozen=True, eq=False)
class Labels:
    """The classes of the items of the three parts, int64 (N,) each, in the order of the items.

    Attributes:
        names: those of the classes 0, 1, ..., if they have names.
    """

    train: Tensor
    validation: Tensor
    test: Tensor
    names: tuple[str, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The names of the classes that training items have."""
        return tuple(self.names[k] if self.names else str(k) for k in self.train.unique().tolist())


@dataclass(frozen=True, eq=False)
class Conditions:
    """The values of a condition for the items of the three parts, in the order of the items."""

    train: Tensor
    validation: Tensor
    test: Tensor


def read_labels(items: Parts, given: Sequence[Array | None], names: Sequence[str]) -> tuple[Parts, tuple[str, ...]]:
    """The labels of all parts as int64, and the names of the classes if they are text, in their order.

    Args:
        items: what they belong to.
        given: (N,), (N, 1), or one-hot (N, K) for each part.
        names: of what is given, for messages.

    Raises:
        SaltusError: if a part has none, not one for each item, or labels that are neither integers nor text.
    """
    found: list[Array | None] = []
    for part, labels, name in zip(items.each, given, names, strict=True):
        if part is None:
            found.append(None)
        elif labels is None:
            raise SaltusError(f"{name} is missing; expected one label for each of {len(part)} items: add it, or leave the condition out")
        elif _is_one_hot(labels, len(part)):
            found.append(labels.argmax(1).astype(np.int64))
        elif labels.shape not in ((len(part),), (len(part), 1)):
            raise SaltusError(f"{name} has shape {labels.shape} where {len(part)} labels were expected; give one for each item")
        else:
            found.append(_classes(labels.reshape(-1), name))
    there = [labels for labels in found if labels is not None]
    if len({labels.dtype.kind for labels in there}) > 1:
        raise SaltusError("the labels of one part are text and those of another are not; expected one kind: convert them")
    if there[0].dtype.kind != "U":
        return _joined(found), ()
    classes = np.unique(np.concatenate(there))
    return _joined([None if labels is None else np.searchsorted(classes, labels) for labels in found]), tuple(map(str, classes))


def _is_one_hot(labels: Array, n: int) -> bool:
    """Whether they are rows (n, K) of zeros and a one."""
    if labels.ndim != 2 or len(labels) != n or labels.shape[1] < 2 or labels.dtype.kind not in "buif":
        return False
    return bool(((labels == 0) | (labels == 1)).all() and (labels.sum(1) == 1).all())


def _classes(labels: Array, name: str) -> Array:
    """As int64, or as text."""
    if labels.dtype.kind in "US":
        return labels.astype(np.str_)
    whole = labels.dtype.kind in "bui" or (
        labels.dtype.kind == "f" and bool(np.all((np.rint(labels) == labels) & (np.abs(labels) <= EXACT)))
    )
    if not whole:
        raise SaltusError(f"{name} holds {labels.dtype} that are no classes; expected integers or text: round or group them")
    return labels.astype(np.int64)


def _joined(arrays: Sequence[Array | None]) -> Parts:
    train, validation, test = arrays
    assert train is not None  # there are always training items
    return Parts(train, validation, test)


def read_attributes(items: Parts, given: Sequence[Array | None], names: Sequence[str]) -> Parts:
    """The attributes of all parts, checked; arguments as for `read_labels`.

    Raises:
        SaltusError: if a part has none, not one for each item, or two differ in shape or type.
    """
    for part, attributes, name in zip(items.each, given, names, strict=True):
        if part is None:
            continue
        if attributes is None:
            raise SaltusError(f"{name} is missing; expected an array with a row for each of {len(part)} items: add it")
        if len(checked(np.atleast_1d(attributes), name)) != len(part):
            raise SaltusError(f"{name} has shape {attributes.shape} where {len(part)} rows were expected; give one for each item")
        if not 1 <= attributes.ndim <= 4:
            raise SaltusError(f"{name} has shape {attributes.shape}; expected rows (N, k) or images (N, H, W) or (N, H, W, C): reshape it")
    return together(given, names)


def condition_on(what: str | None, labels: Labels | None, attributes: Sequence[Array] | None) -> tuple[Condition | None, Conditions | None]:
    """The condition that labels or attributes (of training, validation and test items) become, and its values.

    Args:
        what: "labels", "attributes", or None for no condition.

    Raises:
        SaltusError: if they are not there, all training items have one class, or a class has no training items.
    """
    if what is None:
        return None, None
    if what == "labels" and labels is not None:
        return _on_labels(labels)
    if what == "attributes" and attributes is not None:
        return _on_attributes(attributes)
    if what in CONDITIONS:
        raise SaltusError(f"there are no {what} with these items; expected an array {what}: put it beside them in an .npz file")
    raise SaltusError(f"the condition {what!r} is not known; expected {' or '.join(CONDITIONS)}: give one of them, or none")


def _on_labels(labels: Labels) -> tuple[Condition, Conditions]:
    kinds, counts = torch.unique(labels.train, return_counts=True)
    if len(kinds) < 2:
        raise SaltusError(f"the label of every training item is {labels.kinds[0]}; expected at least two classes: leave the condition out")
    for part in PARTS:
        strange = (values := getattr(labels, part))[~torch.isin(values, kinds)]
        if len(strange):
            first = int(strange[0])
            raise SaltusError(
                f"class {labels.names[first] if labels.names else first} has {part} items but no training items; "
                "expected training items of every class: give more of it, or leave it out"
            )
    values = (torch.bucketize(part, kinds) for part in (labels.train, labels.validation, labels.test))
    return ClassCondition(labels.kinds, counts.tolist()), Conditions(*values)


def _on_attributes(attributes: Sequence[Array]) -> tuple[Condition, Conditions]:
    train = attributes[0]
    condition: Condition
    if train.ndim < 3:
        condition, parts = VectorCondition(train[0].size), [part.reshape(len(part), -1) for part in attributes]
    else:
        layout = _layout(train.shape)
        condition, parts = ImageCondition(layout.event_shape(train.shape[1:])), [layout.to_event(part) for part in attributes]
    return condition, Conditions(*(_values(condition, part) for part in parts))


def _layout(shape: Sequence[int]) -> Layout:
    """Of images of any size, such as small ones that are to be enlarged."""
    if len(shape) == 3:
        return Layout.GRAY
    return Layout.CHANNELS_LAST if shape[-1] <= _MOST_CHANNELS else Layout.CHANNELS_FIRST


def _values(condition: Condition, part: Array) -> Tensor:
    chunks = [part[start : start + _CHUNK] for start in range(0, len(part), _CHUNK)]
    return torch.cat([condition.check(chunk, len(chunk)) for chunk in chunks])
