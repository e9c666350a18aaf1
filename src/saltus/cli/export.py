"""`saltus export`: the sampler of a run as a file of another program's, and what that costs and saves."""

from __future__ import annotations

import pkgutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click

from saltus.cli.common import chain_of, json_option, sampling_options, say
from saltus.cli.places import PLACE
from saltus.errors import SaltusError
from saltus.pretrained import PRETRAINED, run_folder

if TYPE_CHECKING:
    from torch import Tensor

    from saltus.integrations import Request, Writer, Written

__all__ = ["FORMATS", "export", "measured"]

FORMATS = {
    "onnx": "saltus.integrations.onnx_files:write_onnx",
    "torch": "saltus.integrations.torch_files:write_program",
    "web": "saltus.integrations.web_page:write_page",
    "diffusers": "saltus.integrations.pipeline_folder:write_pipeline",
}
"""Where the `Writer` of each format is, which is imported when it is asked for."""

_BATCHES = 1, 64
_REPEATS = 5
_SAME = 1e-4
"""Numbers of items that differ by less are the same; a pixel that is drawn next to the border of two grey values may get the other."""


@click.command()
@click.argument("run", type=PLACE)
@click.option("--format", "form", type=click.Choice([*FORMATS]), required=True, help="Of what is written.")
@click.option("--out", required=True, type=PLACE, help="File to write; of the formats web and diffusers, a folder.")
@click.option("--calls", type=click.IntRange(min=1), help="Network calls of each item; for a run that was trained with --any-step.")
@click.option(
    "--runtime", type=PLACE, help="Of the web format: the folder dist of the unpacked npm package onnxruntime-web, whose files it copies."
)
@sampling_options
@json_option
def export(run: Path, form: str, out: Path, calls: int | None, runtime: Path | None, sampling: dict[str, Any], as_json: bool) -> None:
    """Write the sampler of a run for other programs.

    ONNX and torch programs, a page for browsers, or a pipeline of diffusers.

    RUN is its folder, or the name of a chain that comes with saltus.  The few calls of a chain are one graph: random numbers and a
    condition go in, and items come out.
    """
    from saltus.integrations import Request

    if not (run := run_folder(run)).is_dir():
        raise SaltusError(f"{run} is no folder; give that of a training run, or a chain that comes with saltus: {', '.join(PRETRAINED)}")
    if out.exists():
        raise SaltusError(f"{out} is already there; give another place with --out, or remove it first")
    if runtime is not None and form != "web":
        raise SaltusError(f"--runtime {runtime} was given for the format {form}, which needs none; leave it out")
    if calls is not None and form == "diffusers":
        raise SaltusError(f"--calls {calls} was given for the format diffusers, whose pipelines are told when they draw; leave it out")
    chain = chain_of(run, calls)
    request = Request(run, chain, replace(chain.sampling, **sampling), runtime)
    write: Writer = pkgutil.resolve_name(FORMATS[form])
    written = write(request, out)
    figures = measured(request, written)
    result = {"format": form, "files": [str(file) for file in written.files], **figures, "remark": written.remark}
    say(as_json, result, _told(figures, written))


def measured(request: Request, written: Written) -> dict[str, Any]:
    """The sizes of what was written, bytes; and where it is a program how far its items are from the chain's own, and the seconds of both.

    Seconds are of one batch, its random numbers included, the median of a few.
    """
    from saltus.networks import ClassCondition

    figures: dict[str, Any] = {"bytes": {str(file): file.stat().st_size for file in written.files if file.is_file()}}
    if written.program is None:
        return figures
    chain, sampler, program = request.chain, request.sampler, written.program
    given = None if chain.condition is None or isinstance(chain.condition, ClassCondition) else chain.condition.none(1)

    def own(n: int) -> Tensor:
        return chain.sample(n, seed=0, condition=given, sampling=request.sampling)

    def theirs(n: int) -> Tensor:
        return program(sampler.inputs(n, seed=0, condition=given))

    apart = (sampler.sample(max(_BATCHES), seed=0, condition=given) - theirs(max(_BATCHES))).abs()
    figures |= {"largest_difference": float(apart.max()), "share_that_differs": float((apart > _SAME).double().mean())}
    figures["seconds"] = {str(n): {"saltus": _seconds(own, n), written.engine: _seconds(theirs, n)} for n in _BATCHES}
    return figures


def _seconds(call: Callable[[int], object], n: int) -> float:
    call(n)
    times = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        call(n)
        times.append(time.perf_counter() - start)
    return median(times)


def _told(figures: dict[str, Any], written: Written) -> str:
    from rich.table import Table

    from saltus.cli.floors import drawn

    lines = [f"{file}: {size / 1e6:.2f} MB" for file, size in figures["bytes"].items()] or [str(file) for file in written.files]
    if written.program is not None:
        table = Table(title="seconds a batch", title_style="", title_justify="left")
        for heading in ("items", "saltus", written.engine):
            table.add_column(heading, justify="right")
        for batch, seconds in figures["seconds"].items():
            table.add_row(batch, *(f"{value:.2g}" for value in seconds.values()))
        lines.append(drawn(table))
        lines.append(_difference(figures["largest_difference"], figures["share_that_differs"]))
    return "\n".join([*lines, *[written.remark] * bool(written.remark)])


def _difference(largest: float, share: float) -> str:
    if share == 0:
        return f"its items are those of saltus for the same random numbers, within {largest:.1g}"
    return f"{100 * share:.1g}% of its numbers differ from those of saltus by more than {_SAME:g}, and by up to {largest:.2g}"
