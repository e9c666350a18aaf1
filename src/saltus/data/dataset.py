"""A data set ready for training: encoded items in three parts, with labels and conditions where there are any."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from saltus.data.conditions import Conditions, Labels, condition_on, read_attributes, read_labels
from saltus.data.declared import declarations
from saltus.data.declaring import arrays_declared
from saltus.data.drawn import draw, fitted_number
from saltus.data.encoding import Encoding
from saltus.data.items import Examples, Items, subsample, variance_of
from saltus.data.layout import Array
from saltus.data.parts import PARTS, Parts, as_array, together
from saltus.data.preparation import AS_GIVEN, Preparation
from saltus.data.rule import check_items, encoding_for
from saltus.data.split import places
from saltus.data.surprise import Surprise, surprise_of
from saltus.data.table import Columns
from saltus.errors import SaltusError
from saltus.networks.conditions import ClassCondition, Condition
from saltus.oracles import Oracle

__all__ = ["DataSet"]

_CHUNK = 1024  # items copied at a time
_DIGEST = 8  # bytes of a fingerprint


@dataclass(frozen=True, eq=False, repr=False)
class DataSet:
    """Three parts of encoded items, float32 (N, *E).

    Attributes:
        name: what humans call it.
        encoding: the way from raw values to y and back.
        train: what parameters are learned from; `Items` where they are too many to be held in memory.
        validation: items for choices, such as level grids, variances and presets.
        test: items for what is reported, and nothing else.
        labels: the items' classes, where the data have them; used to measure, and learned only as the condition.
        source: what `load` was given, as a whole path, or "digits"; "" for data that come from elsewhere.
        distribution: the one that y was drawn from, where it is known.
        condition: what a model of the items is conditioned on, if on anything.
        conditions: its values for the items.
        notes: what a user should know about the file, one sentence each.
        columns, dtypes, categories: the names of a table's columns, the types that they have in its file, and the categories that their
            cells are places of, where it says.
        label: the name of a table's column of labels, where they are a condition.
        preparation: what says how the items were preprocessed.
        surprise: what -ln p of the held-out items has more than y can tell; None where y tells all.

    Raises:
        SaltusError: if a part is empty, or is not of the encoding's event shape and float32; if its labels are not int64, one an
            item; or if its conditions are not values of the condition, one an item.
    """

    name: str
    encoding: Encoding
    train: Examples
    validation: Tensor
    test: Tensor
    labels: Labels | None = None
    source: str = ""
    distribution: Oracle | None = None
    condition: Condition | None = None
    conditions: Conditions | None = None
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    categories: tuple[tuple[str, ...], ...] = ()
    label: str = ""
    preparation: Preparation = AS_GIVEN
    surprise: Surprise | None = None

    def __post_init__(self) -> None:
        for part in PARTS:
            y: Examples = getattr(self, part)
            if not len(y) or y.shape[1:] != self.event_shape or y.dtype != torch.float32:
                raise SaltusError(
                    f"the {part} part of {self.name} is {y.dtype} of shape {tuple(y.shape)}; "
                    f"expected float32 items of shape {self.event_shape}, at least one: make it with the encoding"
                )
            if self.labels is not None:
                self._check_beside(part, "labels", getattr(self.labels, part), (len(y),), torch.int64)
            if self.condition is not None and self.conditions is not None:
                shape = (len(y), *self.condition.shape)
                self._check_beside(part, "conditions", getattr(self.conditions, part), shape, self.condition.dtype)
        if (self.condition is None) != (self.conditions is None):
            raise SaltusError(f"{self.name} has a condition without values or the reverse; expected both or neither: give both")

    def _check_beside(self, part: str, what: str, values: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> None:
        if values.shape != shape or values.dtype != dtype:
            raise SaltusError(
                f"the {part} {what} of {self.name} are {values.dtype} of shape {tuple(values.shape)}; "
                f"expected {dtype} of shape {shape}: give one for each item, or none"
            )

    @classmethod
    def from_arrays(
        cls,
        train: Any,
        validation: Any = None,
        test: Any = None,
        *,
        labels: Any = None,
        condition: Any = None,
        columns: Sequence[str] | Mapping[str, Any] | os.PathLike[str] = (),
        name: str = "arrays",
    ) -> DataSet:
        """A data set of raw items: numpy arrays, torch tensors or lists, by the rules for files (see `saltus.data.sources`).

        Args:
            train: rows (N, d), or images (N, H, W), (N, H, W, C) or (N, C, H, W). Validation and test items are taken from them
                where they are not given.
            validation, test: more of them.
            labels: one class for each item, integers or text: an array for `train`, or a tuple of arrays for (train, validation, test).
            condition: "labels", or attributes of the items, given as `labels` are: numbers (N, k) or images.
            columns: names of a table's columns, for messages; or what they are, by their numbers: a mapping such as {"0": "category"}, or a
                file of TOML (`saltus.data.declared`).
            name: what humans call it.

        Raises:
            SaltusError: if the arrays cannot be used, as for files.

        >>> import numpy as np
        >>> rows = np.random.default_rng(0).normal(size=(500, 3))
        >>> DataSet.from_arrays(rows, labels=rows[:, 0] > 0, condition="labels").condition.summary()
        '2 classes'
        """
        items = together(_three((train, validation, test)), [f"the array of {part} items" for part in PARTS])
        if isinstance(columns, Mapping | str | os.PathLike):
            items = parts = arrays_declared(items, declarations(columns))
        else:
            parts = replace(items, columns=tuple(columns))
        if labels is not None:
            found, classes = read_labels(items, _three(labels), [f"the array of {part} labels" for part in PARTS])
            parts = replace(parts, labels=found, classes=classes)
        if not (condition is None or isinstance(condition, str)):
            attributes = read_attributes(items, _three(condition), [f"the array of {part} attributes" for part in PARTS])
            parts, condition = replace(parts, attributes=attributes), "attributes"
        return cls.from_parts(parts, condition, name=name)

    @classmethod
    def from_parts(
        cls,
        parts: Parts,
        condition: str | None = None,
        *,
        name: str,
        source: str = "",
        encoding: Encoding | None = None,
        preparation: Preparation = AS_GIVEN,
    ) -> DataSet:
        """Split what is not divided, choose an encoding if none is given, and encode; `preparation` is what the parts were read with.

        Raises:
            SaltusError: if the items, or the condition, cannot be used.
        """
        check_items(parts)
        divided = places(parts)
        drawn = draw(divided.rows(parts), parts.train[0].size)
        labels = attributes = None
        if parts.labels is not None:
            train, validation, test = (torch.from_numpy(part) for part in drawn.of(parts.labels))
            labels = Labels(train, validation, test, parts.classes)
        if parts.attributes is not None:
            attributes = drawn.of(parts.attributes)
        kind, values = condition_on(condition, labels, attributes)
        encoding = encoding or encoding_for(parts, drawn.fitted)
        if isinstance(encoding, Columns):
            encoding.names, encoding.dtypes = parts.columns, parts.dtypes
        surprise, told = surprise_of(encoding, drawn, parts.columns)
        return cls(
            name,
            encoding,
            *drawn.encoded(encoding),
            labels=labels,
            source=source,
            condition=kind,
            conditions=values,
            notes=parts.notes + divided.notes + drawn.notes + told,
            columns=parts.columns,
            dtypes=parts.dtypes,
            categories=parts.categories,
            label=parts.label,
            preparation=preparation,
            surprise=surprise,
        )

    @property
    def event_shape(self) -> tuple[int, ...]:
        """E: (C, H, W) or (d,)."""
        return self.encoding.event_shape

    @property
    def conditioned_on(self) -> str | None:
        """What `load` has to be given for this condition: "labels", "attributes" or None."""
        return None if self.condition is None else "labels" if isinstance(self.condition, ClassCondition) else "attributes"

    def conditions_for(self, condition: Condition | None, part: str) -> Tensor | None:
        """What a model with this condition is told of each item of a part; None where the model or the data have no condition."""
        if condition is None or self.conditions is None:
            return None
        values: Tensor = getattr(self.conditions, part)
        return values

    @cached_property
    def variance(self) -> float:
        """The variance of the training items, averaged over dimensions."""
        return variance_of(self.train)

    @property
    def fitting_items(self) -> Tensor:
        """The training items, for what needs all at once: a draw of them where they are many."""
        return subsample(self.train, self._fitted)

    @property
    def fitting_labels(self) -> Tensor | None:
        """The classes of these items, if the data are conditioned on them."""
        labels = self.class_labels
        return None if labels is None else subsample(labels, self._fitted)

    @property
    def _fitted(self) -> int:
        return fitted_number(self.event_shape)

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits, a hash of the encoding and of all items, byte by byte, in their order, and their surprise: equal for
        equal items."""
        hashed = hashlib.blake2b(self.encoding.key.encode(), digest_size=_DIGEST)
        for y in (self.train, self.validation, self.test):
            if isinstance(y, Items):
                y.add_to(hashed)
                continue
            hashed.update(str(tuple(y.shape)).encode())
            for start in range(0, len(y), _CHUNK):
                hashed.update(y[start : start + _CHUNK].contiguous().numpy().astype("<f4", copy=False).data)
        if self.surprise is not None:
            for nats in (self.surprise.validation, self.surprise.test):
                hashed.update(nats.numpy().astype("<f4").tobytes())
        return hashed.hexdigest()

    @property
    def class_labels(self) -> Tensor | None:
        """The classes of the training items, whole numbers (N,), if the data are conditioned on them."""
        return self.conditions.train if isinstance(self.condition, ClassCondition) and self.conditions is not None else None

    @cached_property
    def condition_fingerprint(self) -> str | None:
        """The same of the conditions of all items, in their order; None without conditions."""
        if self.condition is None or self.conditions is None:
            return None
        hashed = hashlib.blake2b(self.condition.summary().encode(), digest_size=_DIGEST)
        for values in (self.conditions.train, self.conditions.validation, self.conditions.test):
            hashed.update(str((values.dtype, tuple(values.shape))).encode() + values.contiguous().numpy().tobytes())
        return hashed.hexdigest()

    @property
    def origin(self) -> dict[str, Any]:
        """Where they come from and how they were read, for JSON: what a run keeps of its data."""
        return {
            "source": self.source,
            "fingerprint": self.fingerprint,
            "conditions": self.condition_fingerprint,
            "preparation": self.preparation.changed,
            "columns": list(self.columns),
            "dtypes": list(self.dtypes),
            "label": self.label,
            "notes": list(self.notes),
        }

    def describe(self) -> str:
        """One line for humans."""
        sizes = f"{len(self.train)} training, {len(self.validation)} validation and {len(self.test)} test"
        given = f", conditioned on {self.condition.summary()}" if self.condition else ""
        return f"{self.name}: {sizes} {self.encoding.summary()}{given}"

    def __repr__(self) -> str:
        kinds = self.labels.kinds if self.labels and not isinstance(self.condition, ClassCondition) else ()
        labels = f", labels of {len(kinds)} classes" if kinds else ""
        return f"<DataSet {self.describe()}{labels}, event shape {self.event_shape}>"


def _three(values: Any) -> list[Array | None]:
    """For training, validation and test items: a tuple of arrays, or one array for the first."""
    given = values if isinstance(values, tuple) else (values,)
    if not 1 <= len(given) <= len(PARTS):
        raise SaltusError(f"a tuple of {len(given)} was given; expected arrays for (train, validation, test): give one array if it is one")
    return [None if part is None else as_array(part) for part in [*given, None, None][: len(PARTS)]]
