"""The page of `scale`: what was measured against what the model says, and what it says of machines that are not here."""

from __future__ import annotations

import os
import statistics
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from load import machine_and_load
from scale_model import FLOAT, GPUS, Work, bytes_of_process, fitted, update_seconds

__all__ = ["page"]

NUMBERS = 20
"""In a message of sums: terms and levels."""
HUGE, FIXED, SHARE = 10**9, 8192, 256
DEVICES = (8, 64, 256, 1000)
CHECKPOINT_COPIES = 5
"""Of the parameters: weights, averages, those of the best validation, two moments."""


def rows(figures: dict[int, dict[str, Any]]) -> list[str]:
    """Measured against predicted, for each network, number of processes and batch."""
    table = [
        "| network | parameters | processes | batch | share alone, ms | messages, ms | predicted | measured | ratio | half of the ratios |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for network, (W, all_figures) in product(figures[1], figures.items()):
        found = all_figures[network]
        for name in (name for name in found if name.startswith("together ")):
            batch = int(name.split()[1])
            alone, whole = found[f"alone {batch // W}"], found[name]
            sent = [0.0] * len(alone) if W == 1 else [g + 2 * m for g, m in zip(found["gradient"], found["message"], strict=True)]
            predicted = [one + other for one, other in zip(alone, sent, strict=True)]
            low, middle, high = np.percentile(np.divide(whole, predicted), (25, 50, 75))
            told = [ms(statistics.median(values)) for values in (alone, sent, predicted, whole)]
            cells = [network, f"{found['parameters']:,}", W, batch, *told, f"{middle:.2f}", f"{low:.2f} to {high:.2f}"]
            table.append(f"| {' | '.join(map(str, cells))} |")
    return table


def lines(figures: dict[str, Any]) -> list[str]:
    """One process at several batch sizes, and the line through them."""
    table = ["| network | items | ms | of the line | ratio |", "|---|---|---|---|---|"]
    for network, found in figures.items():
        alone = {int(name.split()[1]): statistics.median(found[name]) for name in found if name.startswith("alone ")}
        start, each = fitted(alone)
        for items, seconds in alone.items():
            line = start + each * items
            table.append(
                f"| {network} | {items} | {ms(seconds)} | {ms(start)} + {items} x {ms(each)} = {ms(line)} | {seconds / line:.2f} |"
            )
    return table


def ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f}"


def predictions(work: Work) -> list[str]:
    """What the model says of many GPUs and very many images."""
    each, hours = work.update_macs / GPUS.macs, HUGE / 3600
    table = [
        f"| GPUs | images for each | update, ms | of it messages | of W times one GPU | hours for {HUGE:,} images | GB/s read by a node |",
        "|---|---|---|---|---|---|---|",
    ]
    for W, items in [(W, -(-FIXED // W)) for W in DEVICES] + [(W, SHARE) for W in DEVICES]:
        link = GPUS.link(W)
        seconds = update_seconds(GPUS.start, each, items, link, link, work.parameters, NUMBERS)
        sent = seconds - GPUS.start - each * items
        share = (GPUS.start + each * items) / seconds if items == SHARE else (GPUS.start + each * FIXED) / seconds / W
        read = min(W, GPUS.node) * items / seconds * work.item / 1e9
        cells = [W, items, ms(seconds), ms(sent), f"{share:.0%}", f"{hours / W / items * seconds:.2f}", f"{read:.2f}"]
        table.append(f"| {' | '.join(map(str, cells))} |")
    return table


def samples(work: Work) -> list[str]:
    """Sampling needs no message: a job is as long as its parts."""
    seconds = work.levels * work.call_macs / GPUS.macs
    table = [f"| GPUs | hours for {HUGE:,} samples in {work.levels} calls | seconds for 1,000,000 |", "|---|---|---|"]
    return table + [f"| {W} | {HUGE * seconds / W / 3600:.3f} | {1e6 * seconds / W:.1f} |" for W in (1, *DEVICES)]


def sizes(work: Work) -> list[str]:
    """Memory of one GPU but for what an update keeps of its images."""
    table = ["| parameters | GB with DDP | with FSDP on 8 | with FSDP on 64 | of a checkpoint |", "|---|---|---|---|---|"]
    for P in (work.parameters, 10**8, 10**9, 10**10):
        told = [bytes_of_process(replace(work, parameters=P), 0, shards=shards) / 1e9 for shards in (1, 8, 64)]
        table.append(f"| {P:,} | {' | '.join(f'{gb:.2f}' for gb in told)} | {CHECKPOINT_COPIES * FLOAT * P / 1e9:.2f} |")
    return table


def page(figures: dict[int, dict[str, Any]], memory: list[str], work: Work, side: int, turns: int) -> str:
    """The tables, and what they are of."""
    cores = len(os.sched_getaffinity(0))
    machine, network = machine_and_load(), f"{work.parameters:,} parameters, {work.update_macs / 1e9:.1f} G multiply-adds"
    assumed = f"{GPUS.macs / 1e12:.0f} T multiply-adds a second, {1000 * GPUS.start:.0f} ms an update beside them"
    links = f"{GPUS.within / 1e9:.0f} GB/s in a node of {GPUS.node} and {GPUS.across / 1e9:.0f} GB/s between nodes"
    return f"""# Several processes: predicted and measured

Made by `python benchmarks/scale.py`: medians of {turns} turns of one update, of processes on {cores} cores.
Machine: {machine}, gloo. The model is that of `benchmarks/scale_model.py`, explained in [scale.md](../scale.md).
Predicted is a share alone, timed while the other processes work on theirs, and the messages; ratios are those of measured to predicted
within a turn.

{joined(rows(figures))}

One process at several batch sizes, against a line through them:

{joined(lines(figures[1]))}

## Memory of a process, counted

{joined(memory)}

## What the model predicts

A U-Net of the small preset on colour images of {side} x {side}: {network} an image and update,
{work.call_macs / 1e9:.1f} G a call. Assumed of a GPU: {assumed},
{links}, {1e6 * GPUS.hop:.0f} microseconds a hop. Nothing of this was measured.

Training, first with {FIXED:,} images an update in all, then with {SHARE} for each GPU:

{joined(predictions(work))}

{joined(samples(work))}

Memory of one GPU, to which comes what an update keeps: {work.activations / 1e6:.0f} MB an image for the network above:

{joined(sizes(work))}
"""


def joined(table: list[str]) -> str:
    return "\n".join(table)
