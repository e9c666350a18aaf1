"""A chain's sampler as a program of `torch.export`: a .pt2 file that torch runs without saltus.

program = torch.export.load("digits.pt2").module()
items = program(noise=torch.randn(64, 384), condition=torch.full((64,), 3))

A program takes batches of any size; of a U-Net of diffusers, which lays its memory out anew for batches of 64 and more, up to 63 items.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from saltus.files import write_atomically
from saltus.integrations.exporting import graph_of
from saltus.integrations.formats import Request, Written

__all__ = ["DESCRIPTION", "write_program"]

DESCRIPTION = "saltus.json"
"""The extra file in a program that describes it, see `Sampler.describe`."""

_UNBOUNDED = 2**30


def write_program(request: Request, out: Path) -> Written:
    """Write the sampler to a .pt2 file.

    Raises:
        SaltusError: if it cannot be written as one graph.
    """
    program, buffer = graph_of(request.sampler), io.BytesIO()
    torch.export.save(program, buffer, extra_files={DESCRIPTION: json.dumps(request.sampler.describe())})
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, buffer.getvalue())
    module = torch.export.load(out).module()
    most = min((int(sizes.upper) for sizes in program.range_constraints.values() if sizes.upper.is_Integer), default=_UNBOUNDED)

    def run(inputs: Mapping[str, Tensor]) -> Tensor:
        parts = zip(*(value.split(most) for value in inputs.values()), strict=True)
        with torch.no_grad():
            return torch.cat([module(**dict(zip(inputs, part, strict=True))) for part in parts])

    return Written((out,), program=run, engine="torch")
