"""A chain's sampler as an ONNX file (https://onnx.ai), which onnxruntime runs without torch or saltus.

    session = onnxruntime.InferenceSession("digits.onnx")
    (items,) = session.run(None, {"noise": noise, "condition": classes})

The file describes itself in its metadata under "saltus", see `Sampler.describe`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.files import write_atomically
from saltus.integrations.exporting import Sampler, graph_of, quietly
from saltus.integrations.formats import Request, Written
from saltus.integrations.normal_functions import ndtr, ndtri
from saltus.words import in_brief

__all__ = ["ENGINE", "METADATA", "OPSET", "model_of", "program_of", "write_onnx"]

METADATA, ENGINE = "saltus", "onnxruntime"
OPSET = 18
"""Of the operators, which onnxruntime knows since 1.14."""
_ERRORS = 3  # what onnxruntime says aloud, and nothing less
_MISSING = {torch.ops.aten.special_ndtr.default: ndtr, torch.ops.aten.special_ndtri.default: ndtri}
"""Operators that ONNX lacks, or has for float32 alone, by arithmetic."""


def write_onnx(request: Request, out: Path) -> Written:
    """Write the sampler to an .onnx file.

    Raises:
        SaltusError: if it cannot be written as one graph, or ONNX lacks an operator.
    """
    content = model_of(request.sampler)
    program = program_of(content)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, content)
    return Written((out,), program=program, engine=ENGINE)


def model_of(sampler: Sampler) -> bytes:
    """The content of an .onnx file.

    Raises:
        SaltusError: as `write_onnx`.
    """
    needs("onnx", extra="export")
    needs("onnxscript", extra="export")
    graph = graph_of(sampler)
    try:
        with quietly():
            program = graph.run_decompositions(_MISSING)
            made: Any = torch.onnx.export(program, (), output_names=["items"], opset_version=OPSET, external_data=False, verbose=False)
    except Exception as error:  # of whatever kind the translator meets
        raise SaltusError(f"this chain's graph cannot be written in ONNX ({in_brief(error)}); give --format torch") from error
    model = made.model_proto
    for part in (model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]  # where in the source each came from: as large as a small network
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA, json.dumps(sampler.describe())
    content: bytes = model.SerializeToString()
    return content


def program_of(content: bytes) -> Callable[[Mapping[str, Tensor]], Tensor]:
    """What makes items by the content of an .onnx file, on as many CPU threads as torch has.

    Raises:
        SaltusError: if onnxruntime is not installed, or lacks an operator.
    """
    runtime = needs("onnxruntime", extra="export")
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = torch.get_num_threads(), _ERRORS
    try:
        session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except runtime.capi.onnxruntime_pybind11_state.NotImplemented as error:
        raise SaltusError(f"onnxruntime does not run this chain's graph ({in_brief(error)}); give --format torch") from error

    def run(inputs: Mapping[str, Tensor]) -> Tensor:
        (items,) = session.run(None, {name: value.numpy() for name, value in inputs.items()})
        return torch.from_numpy(items)

    return run
