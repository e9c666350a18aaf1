"""How much faster do the options of training make it?  Milliseconds of an update, as ratios within one run.

    plain           PyTorch as it comes
    allocator       glibc keeps freed memory (what every `saltus` command sets), as in all rows below
    channels_last, bf16, compile, and together

Each variant is a process of its own, since an allocator cannot be changed back; variants take turns, and the best turn counts.

    python benchmarks/training_speed.py            the table in docs/results/training_speed.md (half an hour: compiling is slow)
"""

from __future__ import annotations

import argparse
import ctypes
import json
import platform
import subprocess
import sys
import time
from pathlib import Path

import torch

from saltus.data import DataSet
from saltus.data.encoding import Binned
from saltus.training import Config, Trainer, build_chain

VARIANTS = {
    "plain": (),
    "allocator": ("allocator",),
    "channels_last": ("allocator", "channels_last"),
    "bf16": ("allocator", "bf16"),
    "compile": ("allocator", "compile"),
    "channels_last + compile": ("allocator", "channels_last", "compile"),
    "channels_last + compile + bf16": ("allocator", "channels_last", "compile", "bf16"),
}
NETWORKS = {"tiny U-Net, 28 x 28": (28, "unet"), "small MLP, 14 x 14": (14, "mlp")}
BATCH, UPDATES, TURNS = 64, 6, 4
KEPT = Path("runs/training_speed")
REPORT = Path("docs/results/training_speed.md")


def milliseconds(side: int, architecture: str, options: list[str]) -> float:
    """The best update of a few, after the first two."""
    if "allocator" in options:
        for parameter in (-1, -3):
            ctypes.CDLL(None).mallopt(parameter, 2**30)
    encoding = Binned("gray", (side, side), 0, 255, "uint8")
    items = torch.rand(256, 1, side, side) * 2 - 1
    data = DataSet("noise", encoding, items, items, items)
    config = Config(
        kernel="deterministic",
        steps=UPDATES + 2,
        batch=BATCH,
        architecture=architecture,
        preset="small" if architecture == "mlp" else "tiny",
        **{name: True for name in options if name != "allocator"},
    )
    spent = []
    loop = iter(Trainer(build_chain(config, data), data, config))
    for _ in range(UPDATES + 2):
        start = time.perf_counter()
        next(loop)
        spent.append(time.perf_counter() - start)
    return 1000 * min(spent[2:])


def measured(side: int, architecture: str, options: tuple[str, ...], turn: int) -> float:
    """One turn in a process of its own, or what an earlier call measured."""
    file = KEPT / f"{architecture}-{'-'.join(options) or 'plain'}-{turn}.json"
    if not file.exists():
        command = [sys.executable, __file__, "--one", str(side), architecture, *options]
        file.write_text(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    value: float = json.loads(file.read_text())
    return value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", nargs="+", metavar="SIDE ARCHITECTURE OPTION", help="measure one variant in this process")
    one = parser.parse_args().one
    if one:
        print(milliseconds(int(one[0]), one[1], one[2:]))
        return
    KEPT.mkdir(parents=True, exist_ok=True)
    times: dict[str, dict[str, float]] = {network: {} for network in NETWORKS}
    for turn in range(TURNS):
        for network, (side, architecture) in NETWORKS.items():
            for variant, options in VARIANTS.items():
                time_ = measured(side, architecture, options, turn)
                times[network][variant] = min(time_, times[network].get(variant, time_))
                print(f"{network}, {variant}: {time_:.1f} ms", flush=True)
    lines = [
        "# Options of training, and what they are worth",
        "",
        "`python benchmarks/training_speed.py` makes this page.",
        f"Milliseconds of one update of {BATCH} images, the best of {TURNS} x {UPDATES}, and how many times faster than plain.",
        f"Machine: {platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}, "
        f"bfloat16 in hardware: {'yes' if 'amx_bf16' in Path('/proc/cpuinfo').read_text() else 'no'}.",
        "",
        "| variant | " + " | ".join(NETWORKS) + " |",
        "|---|" + "---|" * len(NETWORKS),
    ]
    for variant in VARIANTS:
        cells = [f"{t[variant]:.1f} ms ({t['plain'] / t[variant]:.2f} x)" for t in times.values()]
        lines.append(f"| {variant} | " + " | ".join(cells) + " |")
    REPORT.write_text("\n".join(lines) + "\n")
    print(f"the table is in {REPORT}")


if __name__ == "__main__":
    main()
