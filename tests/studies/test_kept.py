"""Records of the study come back from their folder as they were made, numbers that are not finite too."""

from __future__ import annotations

import math
from pathlib import Path

import torch

from saltus.studies.cache import ResultCache
from saltus.studies.collapse.experiment import Descent, Exact, Job, Record, Sampled, SamplerKind, Source, Trained
from saltus.studies.collapse.kept import kept

DESCENT = Descent(0.1, math.nan, [1.0, math.inf], [0.5], [1 / 3], 1e-300)
RECORDS: list[Record] = [
    Exact([0.0, 1.0], 0.25, DESCENT, torch.arange(6.0, dtype=torch.float64).reshape(2, 3)),
    Trained([0.0, 1.0], 8, 100, 2, 0, math.nan, DESCENT, torch.ones(2, 3)),
    Sampled(Source.NETWORK, SamplerKind.DDIM, None, 4, 0.5, math.nan, torch.zeros(2, 3)),
    Sampled(Source.REAL, SamplerKind.NONE, 7, 0, 1.0, 0.0, torch.zeros(2, 3)),
]


def told(record: Record) -> str:
    """As text, in which NaN is equal to itself, and what JSON has no word for is NaN."""
    return repr({**vars(record), "images": record.images.tolist()}).replace("inf", "nan")


def test_records_are_made_once_and_come_back(tmp_path: Path) -> None:
    made: list[int] = []

    def run() -> list[Record]:
        made.append(1)
        return RECORDS

    cache, call = ResultCache(tmp_path), {"seed": 0}
    for _ in range(2):
        found = kept(cache, Job("a part", run), call)
        assert [type(record) for record in found] == [type(record) for record in RECORDS]
        assert [told(record) for record in found] == [told(record) for record in RECORDS]
        assert [record.images.dtype for record in found] == [record.images.dtype for record in RECORDS]
    assert len(made) == 1
    kept(cache, Job("a part", run), {"seed": 1})
    kept(cache, Job("another part", run), call)
    assert len(made) == 3
    for file in tmp_path.glob("*.safetensors"):
        file.write_bytes(file.read_bytes()[:-1])
    assert [told(record) for record in kept(cache, Job("a part", run), call)] == [told(record) for record in RECORDS]
    assert len(made) == 4
