"""The commands of a benchmark whose runs are kept one by one: a FOLDER of data, `report`, or `--smoke`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from saltus.files import to_json, write_atomically

__all__ = ["command_line"]


def command_line(
    parser: argparse.ArgumentParser,
    runs: Callable[[argparse.Namespace], Mapping[Path, Callable[[], dict[str, Any]]]],
    report: Callable[[], None],
    smoke: Callable[[], None],
) -> None:
    """Measure, in one thread, each run whose file is not there yet; or write the page; or try a miniature.

    Args:
        parser: with the options of the benchmark's own.
        runs: where each run of these options is kept, and what measures it.
        report: writes the page, from what is there.
        smoke: a miniature that keeps nothing.
    """
    parser.add_argument("folder", nargs="?", help="of the data, or the word report")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.smoke:
        smoke()
    elif options.folder == "report":
        report()
    elif options.folder is None:
        parser.error("give the folder of the data, or report")
    else:
        for file, measured in runs(options).items():
            if not file.exists():
                found = measured()
                file.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(file, to_json(found))
                print(file.stem, found, flush=True)
