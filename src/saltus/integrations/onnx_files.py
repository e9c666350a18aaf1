"""A chain's sampler as an ONNX file (https://onnx.ai), which onnxruntime runs without torch or saltus.

    session = onnxruntime.InferenceSession("digits.onnx")
    (items,) = session.run(None, {"noise": noise, "condition": classes})

The file describes itself in its metadata under "saltus", see `Sampler.describe`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.files import write_atomically
from saltus.integrations.exporting import Sampler, graph_of
from saltus.integrations.formats import Request, Written
from saltus.integrations.normal_functions import ndtr, ndtri
from saltus.words import in_brief

__all__ = ["METADATA", "OPSET", "model_of", "session_of", "write_onnx"]

METADATA = "saltus"
OPSET = 18
"""Of the operators, which onnxruntime knows since 1.14."""
_EXTRA = "export"
_MISSING = {torch.ops.aten.special_ndtr.default: ndtr, torch.ops.aten.special_ndtri.default: ndtri}
"""Operators that ONNX lacks, or has for float32 alone, by arithmetic."""


def write_onnx(request: Request, out: Path) -> Written:
    """Write the sampler to an .onnx file.

    Raises:
        SaltusError: if it cannot be written as one graph, or ONNX lacks an operator.
    """
    content = model_of(request.sampler)
    session = session_of(content)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, content)

    def run(inputs: Mapping[str, Tensor]) -> Tensor:
        (items,) = session.run(None, {name: value.numpy() for name, value in inputs.items()})
        return torch.from_numpy(items)

    return Written((out,), program=run, engine="onnxruntime")


def model_of(sampler: Sampler) -> bytes:
    """The content of an .onnx file.

    Raises:
        SaltusError: as `write_onnx`.
    """
    needs("onnxscript", extra=_EXTRA)
    program = graph_of(sampler).run_decompositions(_MISSING)
    try:
        with _quietly():
            made: Any = torch.onnx.export(
                program, (), output_names=["items"], opset_version=OPSET, dynamo=True, external_data=False, verbose=False
            )
    except Exception as error:  # of whatever kind the translator meets
        raise SaltusError(f"this chain's graph cannot be written in ONNX ({in_brief(error)}); give --format torch") from error
    model = made.model_proto
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA, json.dumps(sampler.describe())
    content: bytes = model.SerializeToString()
    return content


def session_of(content: bytes) -> Any:
    """What runs the content of an .onnx file, on one CPU thread for each that torch has.

    Raises:
        SaltusError: if onnxruntime is not installed, or lacks an operator.
    """
    runtime = needs("onnxruntime", extra=_EXTRA)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except runtime.capi.onnxruntime_pybind11_state.NotImplemented as error:
        raise SaltusError(f"onnxruntime does not run this chain's graph ({in_brief(error)}); give --format torch") from error


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without what the translator says of operators that no chain has."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
