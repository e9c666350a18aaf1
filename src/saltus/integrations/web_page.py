"""A page that samples in the browser: a static folder that any web server hands out, without code of its own.

    index.html                           a button, a class and a seed; draws images on a canvas
    model.onnx                           the whole sampler, see `saltus.integrations.onnx_files`
    ort.wasm.bundle.min.mjs              onnxruntime-web (https://onnxruntime.ai), which runs it
    ort-wasm-simd-threaded.wasm          its machine code, 14 MB

The last two come from the npm package onnxruntime-web, and are copied from a folder where that is unpacked.  They are not in saltus, as
they are larger than all of it; where no folder is given, the page is written without them, and it and the command say what to fetch.
"""

from __future__ import annotations

import html
import json
import shutil
from importlib.resources import files
from pathlib import Path

from saltus.errors import SaltusError
from saltus.files import write_atomically
from saltus.integrations.exporting import Sampler
from saltus.integrations.formats import Request, Written
from saltus.integrations.onnx_files import ENGINE, model_of, program_of
from saltus.networks import ClassCondition

__all__ = ["LIBRARY", "MACHINE", "RUNTIME", "write_page"]

RUNTIME = "onnxruntime-web@1.30.0"
"""The npm package that the page is tested with."""
_INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
"""What npm says that the package is."""
LIBRARY, MACHINE = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
"""Its files that a page needs."""
_LACKING = f"This page needs {LIBRARY} and {MACHINE} beside it: take them from the folder dist of the npm package {RUNTIME}."
_CHANNELS = range(1, 5)


def write_page(request: Request, out: Path) -> Written:
    """Write the page and what it needs to a folder.

    Raises:
        SaltusError: for items that are no images, a condition that is no class, a runtime folder without the files, or as `model_of`.
    """
    _check(request.sampler)
    if request.runtime is not None and (lacking := [name for name in (LIBRARY, MACHINE) if not (request.runtime / name).is_file()]):
        raise SaltusError(
            f"{request.runtime} holds no {lacking[0]}; give the folder dist of an unpacked npm package onnxruntime-web (npm pack {RUNTIME})"
        )
    content = model_of(request.sampler)
    program = program_of(content)
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / "model.onnx", content)
    for name in (LIBRARY, MACHINE) if request.runtime else ():
        shutil.copyfile(Path(str(request.runtime)) / name, out / name)
    write_atomically(out / "index.html", _page(request))
    remark = f"show it with: python -m http.server --directory {out}"
    if request.runtime is None:
        remark = f"{_LACKING} (npm pack {RUNTIME} fetches it; its integrity is {_INTEGRITY}.)  Then {remark}"
    return Written((out / "index.html", out / "model.onnx"), remark, program, ENGINE)


def _check(sampler: Sampler) -> None:
    told = sampler.chain.condition
    if not sampler.is_picture or sampler.chain.event_shape[0] not in _CHANNELS:
        raise SaltusError("a page draws images, and this run makes items of another kind; give --format onnx")
    if told is not None and not isinstance(told, ClassCondition):
        raise SaltusError(f"a page offers a choice of classes, and this run is conditioned on {told.summary()}; give --format onnx")


def _page(request: Request) -> str:
    template = (files("saltus.integrations") / "templates" / "page.html").read_text(encoding="utf-8")
    description = json.dumps(request.sampler.describe()).replace("<", "\\u003c")  # no name of a class ends the script
    texts = {"LIBRARY": LIBRARY, "MACHINE": MACHINE, "LACKING": _LACKING, "NAME": html.escape(request.run.name), "DESCRIPTION": description}
    for name, text in texts.items():
        template = template.replace(f"__{name}__", text)
    return template
