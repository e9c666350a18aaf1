"""Samples that anything made, as items of the data set that they are measured against."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from saltus.errors import SaltusError
from saltus.terminal import tell

if TYPE_CHECKING:
    from torch import Tensor

    from saltus.data import DataSet, Preparation
    from saltus.data.layout import Array

__all__ = ["read_samples"]

_SAMPLES = "samples"
_FEWEST = 2  # samples in a third
_UNITS = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
"""Between which values of pixels are put."""
_NEAR = 0.05  # of the width of a range: how far from its ends the ends of others may be


def read_samples(place: Path, data: str | None, preparation: Preparation) -> tuple[Tensor, DataSet]:
    """The samples of a file or folder, shuffled, and the data set that they are measured against.

    Raises:
        SaltusError: if they are not there, are few, or are not such as the data are.
    """
    import torch

    from saltus.data import TABLES, load
    from saltus.evaluation import THIRDS

    if not place.exists():
        raise SaltusError(f"{place} is not there; give a folder that train wrote, or a file or folder of samples")
    if not data:
        raise SaltusError(f"{place} holds no run, which would know its data; give what its samples are compared with as --data")
    written = (place / f"{_SAMPLES}{ending}" for ending in (".npz", *TABLES))
    place = next((file for file in written if file.is_file()), place)  # by `saltus sample`, with a picture beside it
    items = load(data, preparation=preparation)
    y = _encoded(place, items)
    if len(y) < THIRDS * _FEWEST:
        raise SaltusError(f"{place} holds {len(y)} samples, which are measured in thirds; expected at least {THIRDS * _FEWEST}: give more")
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))  # files may be sorted by class, and thirds are not to be
    return y[order], items


def _encoded(place: Path, items: DataSet) -> Tensor:
    """The samples of a file or folder as items of a data set."""
    from saltus.data import AS_GIVEN, Columns, Expected, read_items
    from saltus.data.surprise import disagreement

    of_images, of_tables = replace(items.preparation, array=None), replace(AS_GIVEN, columns=items.preparation.columns)
    expected = map(Expected, items.dtypes, items.categories)
    columns = dict(zip(items.columns, expected, strict=True)) if len(items.columns) == len(items.dtypes) else {}
    raw = read_items(place, preparation=of_images if place.is_dir() else of_tables, columns=columns)
    encoding = items.encoding
    try:
        if encoding.layout.is_image:
            _check_units(raw, items)
        integers = encoding.dtype.name == "float64" and not encoding.layout.is_image  # as tables of integers are kept
        if encoding.dtype.kind == "f" and raw.dtype.kind != "f" and not integers:
            raise SaltusError(f"the array is of type {raw.dtype} where {encoding.dtype} was expected; convert it to the units of the data")
        raw = encoding.layout.like(raw, encoding.shape)
        y = encoding.encode(raw)
        if isinstance(encoding, Columns) and (words := disagreement(encoding.disagreeing(raw), items.columns)):
            tell(f"of the samples {words}; distances are of the columns that are modelled and do not see it")
        if encoding.dtype.kind == "f" or not encoding.layout.is_image:  # of integers in images the encoding knows the range
            _check_range(y, items)
    except SaltusError as error:
        raise SaltusError(f"{place} does not fit the data set {items.name}: {error}") from error
    return y


def _check_units(raw: Array, items: DataSet) -> None:
    """Refuse samples whose values fill one of the ranges that pixels are put in where those of the data fill another."""
    own = items.encoding.decode(items.test)
    data, given = (_unit(float(values.min()), float(values.max())) for values in (own, raw))
    if data and given and data != given:
        (a, b), (c, d) = given, data
        raise SaltusError(
            f"the samples lie between {a:g} and {b:g} and the data between {c:g} and {d:g}; convert the samples to the range of the data"
        )


def _unit(low: float, high: float) -> tuple[float, float] | None:
    return next(((a, b) for a, b in _UNITS if max(abs(low - a), abs(high - b)) <= _NEAR * (b - a)), None)


def _check_range(y: Tensor, items: DataSet) -> None:
    """Refuse samples that leave the range of the data by more than its width, or fill less than a hundredth of it: other units."""
    shape = (-1, 1) if items.encoding.layout.is_image else (-1, y.shape[1])  # images have one unit, a table one for each column
    (low, high), (least, most) = ((part.reshape(shape).amin(0), part.reshape(shape).amax(0)) for part in (items.fitting_items, y))
    width = high - low
    wrong = (least < low - width) | (most > high + width) | (most - least < width / 100)
    if bool(wrong.any()):
        at = int(wrong.nonzero()[0])
        where = "the samples" if items.encoding.layout.is_image else f"the values of column {at}"
        raise SaltusError(
            f"{where} go from {float(least[at]):.4g} to {float(most[at]):.4g} where the data go from {float(low[at]):.4g} to "
            f"{float(high[at]):.4g}, both in standard deviations of the data; convert them to the units of the data"
        )
