"""Folders of runs as trainings leave them, and small trained runs of a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from saltus.data import load
from saltus.estimators.ordinary import keep_ordinary
from saltus.training import Config, train

__all__ = ["HOSTILE", "trained_rows", "with_metrics", "write_rows"]

HOSTILE = ("=cmd|x", "<b>city</b>", "<script>alert(1)</script>", "=1+1", "-x", "@home")
"""Names and cells of the table: two columns, and what stands in them."""


def write_rows(file: Path, n: int = 300) -> Path:
    """A table of an age, of what spreadsheets take for formulas with missing cells, and of markup."""
    numbers = np.random.default_rng(0)
    lines = [f'age,{HOSTILE[0]},"{HOSTILE[1]}"']
    for k in range(n):
        formula = "" if k % 10 == 0 else numbers.choice(HOSTILE[3:])
        lines.append(f"{numbers.integers(18, 80)},{formula},{numbers.choice([HOSTILE[2], 'Bern'])}")
    file.write_text("\n".join(lines) + "\n")
    return file


def trained_rows(folder: Path, updates: int = 3) -> Path:
    """The run `run` of the table `rows.csv` in a folder."""
    data, run = load(write_rows(folder / "rows.csv")), folder / "run"
    chain = train(data, Config(updates=updates, width=8), run, quiet=True)
    keep_ordinary(chain, data, run)
    return run


def with_metrics(folder: Path, lines: Sequence[dict[str, Any]], **options: Any) -> Path:
    """A run that was asked for these options, and has these lines of metrics."""
    folder.mkdir(parents=True)
    Config(**options).save(folder)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder
