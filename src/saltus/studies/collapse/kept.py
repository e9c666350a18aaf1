"""The records of finished parts of the study, kept one by one in a folder, so that the same command goes on where it was ended."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from functools import partial
from typing import Any

from torch import Tensor

from saltus.studies.cache import ResultCache
from saltus.studies.collapse.experiment import Descent, Exact, Job, Record, Sampled, SamplerKind, Source, Trained

__all__ = ["kept"]

_KINDS: dict[str, type[Record]] = {kind.__name__: kind for kind in (Exact, Trained, Sampled)}
_RECIPE = 1  # to be raised when the same part would give other records


def kept(cache: ResultCache, job: Job, call: Mapping[str, Any]) -> list[Record]:
    """The records of a part, made unless they are there whole.

    Args:
        cache: where they are kept.
        job: the part.
        call: everything that decides the study.
    """
    made: list[Record] = []

    def records() -> list[Record]:
        made.extend([] if made else job.run())
        return made

    def images(place: int) -> Tensor:
        return records()[place].images

    key = {"recipe": _RECIPE, "part": job.title, **call}
    numbers = cache.get(key, lambda: {"records": [_numbers(record) for record in records()]})["records"]
    files = [cache.tensor({**key, "images": place}, partial(images, place)) for place in range(len(numbers))]
    return [_record(told, cache.load(file.name)) for told, file in zip(numbers, files, strict=True)]


def _numbers(record: Record) -> dict[str, Any]:
    return {"kind": type(record).__name__} | {name: value for name, value in asdict(record).items() if name != "images"}


def _record(told: dict[str, Any], images: Tensor) -> Record:
    """A record again, with its images."""
    kind = _KINDS[told["kind"]]
    values = _finite(kind, told) | {"images": images}
    if "descent" in values:
        values["descent"] = Descent(**_finite(Descent, values["descent"]))
    if kind is Sampled:
        values |= {"source": Source(values["source"]), "sampler": SamplerKind(values["sampler"])}
    return kind(**values)


def _finite(kind: type[Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a kind as JSON kept them, which has null for a number that is not finite."""
    values = {field.name: told[field.name] for field in fields(kind) if field.name in told}
    for name in (field.name for field in fields(kind) if field.type == "float"):
        values[name] = math.nan if values[name] is None else values[name]
    for name in (field.name for field in fields(kind) if field.type == "list[float]"):
        values[name] = [math.nan if value is None else value for value in values[name]]
    return values
