"""`saltus sample`: items of a run, in batches to disk, so that memory does not grow with their number."""

from __future__ import annotations

import itertools
import math
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from saltus.cli.common import chain_of, json_option, sampling_options, say, seed_option
from saltus.cli.places import PLACE
from saltus.errors import SaltusError
from saltus.pretrained import PRETRAINED, run_folder

if TYPE_CHECKING:
    from torch import Tensor

    from saltus.chain import Chain
    from saltus.data import Encoding
    from saltus.kernels import Sampling

__all__ = ["sample"]

_AT_ONCE = 2**22  # numbers held in memory
_MOST_ITEMS = 10**10  # more would take years
_PICTURED = 400  # items in the picture, at most


@click.command()
@click.argument("run", type=PLACE)
@click.option("--n", type=click.IntRange(min=1, max=_MOST_ITEMS), required=True, help="How many items to generate.")
@click.option("--out", required=True, type=PLACE, help="Folder for samples.npz and, for images, samples.png.")
@click.option("--calls", type=click.IntRange(min=1), help="Network calls of each item; for a run that was trained with --any-step.")
@click.option(
    "--condition",
    metavar="VALUE",
    help="A class by its name or number, a vector as numbers with commas, or a .npy file with one condition an item.",
)
@seed_option("Seed of all noise: the same one gives the same items.")
@sampling_options
@click.option("--device", default="cpu", show_default=True, help="Where to compute, as torch names it, such as cuda or cuda:1.")
@json_option
def sample(
    run: Path, n: int, out: Path, calls: int | None, condition: str | None, seed: int, sampling: Sampling, device: str, as_json: bool
) -> None:
    """Generate items from a training run.

    RUN is its folder, or the name of a chain that comes with saltus: digits, fashion-mnist or mnist.
    """
    from saltus.training import encoding_of, usable_device

    if not (run := run_folder(run)).is_dir():
        found, known = "a file" if run.exists() else "not there", ", ".join(PRETRAINED)
        raise SaltusError(f"{run} is {found}; give the folder of a training run, or a chain that comes with saltus: {known}")
    chain = chain_of(run, calls).to(usable_device(device))
    encoding = encoding_of(chain, run)
    files = [out / "samples.npz"] + [out / "samples.png"] * encoding.layout.is_image
    if taken := [file for file in files if file.exists()]:
        raise SaltusError(f"{taken[0]} is already there; give another folder with --out, or remove it first")
    told_items = chain.conditions_for(None if condition is None else _parsed(chain, condition, n), chain.noise(seed, 0, n))
    parts = _parts(chain, n, seed, sampling, told_items)
    first = next(parts)  # what the chain refuses, it refuses before there is a folder
    out.mkdir(parents=True, exist_ok=True)
    _write(itertools.chain([first], parts), n, encoding, files, _names(chain, told_items))
    told = {} if condition is None else {"condition": condition}
    result = {"samples": n, "seed": seed, **asdict(sampling), **told, "calls": chain.levels.L, "files": [str(file) for file in files]}
    say(as_json, result, f"{_counted(n, 'sample')}, {_counted(chain.levels.L, 'network call')} each: " + " and ".join(map(str, files)))


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"


def _parsed(chain: Chain, text: str, n: int) -> Tensor:
    """The condition of each of n items."""
    import numpy as np

    if chain.condition is None:
        raise SaltusError(f"the condition {text} was given, and this run was trained without one; leave it out")
    if not text.endswith(".npy"):
        return chain.condition.check(chain.condition.parse(text), n)
    try:
        values = np.load(Path(text).expanduser(), allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise SaltusError(f"the condition {text} cannot be read; expected a .npy file: write it with numpy.save") from None
    return chain.condition.check(values, n)


def _parts(chain: Chain, n: int, seed: int, sampling: Sampling, condition: Tensor | None) -> Iterator[Tensor]:
    """The items, part by part."""
    at_once = max(1, _AT_ONCE // math.prod(chain.event_shape))
    for start in range(0, n, at_once):
        rows = slice(start, min(start + at_once, n))
        part = None if condition is None else condition[rows]
        yield chain.sample(rows.stop - start, seed=seed, first_item=start, sampling=sampling, condition=part)


def _names(chain: Chain, conditions: Tensor | None) -> Sequence[str] | None:
    """The class of each item, for a model of classes."""
    from saltus.networks import ClassCondition

    if conditions is None or not isinstance(chain.condition, ClassCondition):
        return None
    return [chain.condition.names[c] if c >= 0 else "" for c in conditions.tolist()]


def _write(parts: Iterable[Tensor], n: int, encoding: Encoding, files: list[Path], labels: Sequence[str] | None) -> None:
    """The n items as one array in an .npz file, part by part, their labels beside them, and the first of them as a picture."""
    import numpy as np
    import torch

    from saltus.evaluation import save_grid
    from saltus.storage import atomically

    pictured: list[Tensor] = []
    with atomically(files[0]) as place, zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("samples.npy", "w", force_zip64=True) as array:
            for y in parts:
                raw = np.ascontiguousarray(encoding.decode(y))
                if not pictured:
                    header = {"descr": np.lib.format.dtype_to_descr(raw.dtype), "fortran_order": False, "shape": (n, *raw.shape[1:])}
                    np.lib.format.write_array_header_2_0(array, header)
                array.write(raw.tobytes())
                pictured.append(y[: max(0, _PICTURED - sum(map(len, pictured)))].cpu())
        if labels is not None:
            with archive.open("labels.npy", "w") as array:
                np.lib.format.write_array(array, np.array(labels), allow_pickle=False)
    if len(files) > 1:
        save_grid(torch.cat(pictured), files[1], shown=encoding.shown)
