"""The commands of a benchmark of cases: `train FOLDER`, `compare FOLDER` and `report`; and `--smoke`, all of them in miniature."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from cases import Case, Work
from cases_report import write_report
from saltus.machine import keep_freed_memory

Report = Callable[[Path, Mapping[str, Case], Path], None]
"""Writes a page: where runs and figures are kept, the cases, the file."""
SMOKE, SECONDS, UPDATES, SAMPLES, NARROW = "smoke", 0.1, 3, 160, 32


def command_line(
    documentation: str | None,
    cases: Mapping[str, Case],
    kept: Path,
    page: Path,
    report: Report = write_report,
    *,
    small: Case | None = None,
) -> None:
    """What the arguments ask for; a smoke test is of a small case, the first one in miniature unless it is given."""
    parser = argparse.ArgumentParser(description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="a miniature of everything, in a temporary folder")
    commands = parser.add_subparsers(dest="command")
    for name in ("train", "compare"):
        command = commands.add_parser(name)
        command.add_argument("folder", type=Path)
        command.add_argument("--only", default="", help="the beginning of a case's name")
        if name == "train":
            command.add_argument("--device", default="cpu", help="where to train")
    commands.add_parser("report")
    options = parser.parse_args()
    if options.smoke:
        smoke(small or in_miniature(next(iter(cases.values()))), report)
    elif options.command == "report":
        report(kept, cases, page)
    elif options.command:
        work(options, cases, kept)
    else:
        parser.error("give a command, or --smoke")


def work(options: argparse.Namespace, cases: Mapping[str, Case], kept: Path) -> None:
    """Train or compare; trainings run on one thread, so that several can go on side by side."""
    keep_freed_memory()
    kept.mkdir(parents=True, exist_ok=True)
    for name, case in cases.items():
        if name.startswith(options.only) and options.command == "train":
            torch.set_num_threads(1)
            Work(case, options.folder, kept, name, options.device).train()
        elif name.startswith(options.only):
            Work(case, options.folder, kept, name).compare()


def smoke(case: Case, report: Report) -> None:
    """All that the benchmark does with one case, and no figure to keep."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        kept, page = Path(folder), Path(folder) / "page.md"
        made = Work(case, kept, kept, SMOKE)
        made.train()
        made.compare()
        report(kept, {SMOKE: case}, page)
        print(page.read_text())


def in_miniature(case: Case) -> Case:
    """The same kernels on the digits, for an instant."""
    narrow: dict[str, Any] = {"width": NARROW} if "width" in case.network else {"architecture": "unet"}
    return replace(
        case,
        data="digits",
        paces=SMOKE,
        network={**case.network, **narrow, "preset": "tiny", "batch": 16},
        seconds=SECONDS,
        seeds=case.seeds[:1],
        calls=case.calls[:1],
        perfect=(),
        samplers=("Gaussian step", "VAE step"),
        samples=SAMPLES,
        timed=1,
        least=UPDATES,
    )
