"""Training on more images than memory holds: how much memory a process has of its own, at several sizes of one kind of data.

    python benchmarks/memory.py [--gigabytes 0.5,1,2] [--limit 1.5]
    python benchmarks/memory.py --smoke        one small file, read in the same way

Each row is a process of its own that may not have more than --limit GiB of its own memory (RLIMIT_DATA): loading the images as float32
would take four times the size of the file.  It loads a .npy file of uint8 images, trains for 20 updates, and keeps the run.  Mapped
pages of the file are not its own; they are the system's, which takes them back when it likes.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from load import machine_and_load

SHAPE = (64, 64, 3)
UPDATES = 20
CHUNK = 1000  # images written at a time
SMOKE = 2**20  # numbers of a training part that are held, in a smoke run


def write_images(file: Path, n: int) -> None:
    """Discs of a colour on a gradient, so that no two images are equal and values are those of pictures."""
    rng = np.random.default_rng(0)
    images = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=(n, *SHAPE))
    down, across = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for start in range(0, n, CHUNK):
        m = min(CHUNK, n - start)
        centre, radius = rng.uniform(16, 48, (2, m, 1, 1)), rng.uniform(6, 16, (m, 1, 1))
        inside = (down - centre[0]) ** 2 + (across - centre[1]) ** 2 < radius**2
        colour, ground = rng.integers(100, 256, (m, 1, 1, 3)), rng.integers(0, 60, (m, 1, 1, 3)) + across[..., None]
        images[start : start + m] = np.where(inside[..., None], colour, ground)
    images.flush()


class Watch(threading.Thread):
    """The most memory, in bytes, that this process had of its own, and with mapped files, looked at 50 times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.own = self.resident = 0
        self.start()

    def run(self) -> None:
        """Look until the process ends."""
        while True:
            lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
            found = {line[0]: int(line[1]) * 1024 for line in lines if line[0] in ("RssAnon:", "VmRSS:")}
            self.own, self.resident = max(self.own, found["RssAnon:"]), max(self.resident, found["VmRSS:"])
            time.sleep(0.02)


def train_within(file: Path, folder: Path, limit: float, smoke: bool) -> None:
    """Load and train in this process, and print what it took."""
    resource.setrlimit(resource.RLIMIT_DATA, (int(limit * 2**30),) * 2)
    watch = Watch()
    from saltus.data import Items, load
    from saltus.training import Config, train

    if smoke:
        sys.modules["saltus.data.drawn"].__dict__["MOST_HELD"] = SMOKE
    start = time.monotonic()
    data = load(file)
    loaded = time.monotonic()
    assert isinstance(data.train, Items)
    config = Config(updates=UPDATES, architecture="mlp", width=32, latent=2, batch=64, levels=2, head="gaussian", prior="normal")
    train(data, config, folder, quiet=True)
    row = {"own": watch.own, "resident": watch.resident, "loading": loaded - start, "training": time.monotonic() - loaded}
    print(json.dumps({"items": len(data.train), **row}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", default="0.5,1,2", help="sizes of the files")
    parser.add_argument("--limit", type=float, default=1.5, help="GiB that a process may have of its own")
    parser.add_argument("--smoke", action="store_true", help="one file of 8 MB")
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if options.file:
            train_within(options.file, place / "run", options.limit, options.smoke)
            return
        print(f"{machine_and_load()}, before.\n")
        print("| file, GB | as float32, GB | training items | own memory, GiB | with mapped pages, GiB | loading, s | 20 updates, s |")
        print("|---|---|---|---|---|---|---|")
        for gigabytes in [0.008] if options.smoke else map(float, options.gigabytes.split(",")):
            write_images(place / "images.npy", round(gigabytes * 1e9 / np.prod(SHAPE)))
            command = [sys.executable, __file__, "--file", str(place / "images.npy"), "--limit", str(options.limit)]
            done = subprocess.run([*command, *["--smoke"] * options.smoke], capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(done.stderr)
            row = json.loads(done.stdout.splitlines()[-1])
            memory = " | ".join(f"{row[name] / 2**30:.2f}" for name in ("own", "resident"))
            print(
                f"| {gigabytes:g} | {4 * gigabytes:g} | {row['items']:,} | {memory} | {row['loading']:.0f} | {row['training']:.0f} |",
                flush=True,
            )
        print(f"\nNo process could have more than {options.limit:g} GiB of its own.")


if __name__ == "__main__":
    main()
