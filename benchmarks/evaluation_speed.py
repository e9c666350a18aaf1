"""What it costs to evaluate 10,000 samples of 28x28 pixels: wall time and the largest resident memory.

    python benchmarks/evaluation_speed.py [DATA]       DATA: 28x28 images; without it, digits enlarged and shifted
    python benchmarks/evaluation_speed.py --smoke      the digits themselves

Samples are training images with light noise.  Training the features is timed by itself.
"""

from __future__ import annotations

import argparse
import resource
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saltus.data import Binned, DataSet, digits, load
from saltus.evaluation import DEFAULT_METRICS, METRICS, MOST_ITEMS, Evaluator, features_for

NOISE = 0.05  # standard deviation, of values from -1 to 1
SIDE = 28
MADE = {"train": 50_000, "validation": 5_000, "test": 10_000}


def made() -> DataSet:
    """Digits enlarged to 24x24 and shifted in a frame of 28x28, with a little noise: as many as MNIST has."""
    rng, given = np.random.default_rng(0), digits()
    encoding = Binned("gray", (SIDE, SIDE), 0, 255, "uint8")
    parts: dict[str, Any] = {}
    for part, n in MADE.items():
        y: Tensor = getattr(given, part)
        small = y[torch.from_numpy(rng.integers(0, len(y), n))]
        large = torch.nn.functional.interpolate(small, size=(24, 24), mode="bilinear").numpy()
        images = np.full((n, SIDE, SIDE), -1, dtype=np.float32)
        for image, tile, (top, left) in zip(images, large[:, 0], rng.integers(0, 5, (n, 2)), strict=True):
            image[top : top + 24, left : left + 24] = tile
        images += 0.02 * rng.standard_normal(images.shape, dtype=np.float32)
        parts[part] = encoding.encode(encoding.decode(torch.from_numpy(images)[:, None]))
    return DataSet("enlarged digits", encoding, **parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", help="28x28 images")
    parser.add_argument("--smoke", action="store_true", help="the digits themselves")
    options = parser.parse_args()
    data = digits() if options.smoke else load(options.data) if options.data else made()
    print(data.describe())
    n = min(MOST_ITEMS, len(data.test), len(data.train))
    noise = torch.randn(n, *data.event_shape, generator=torch.Generator().manual_seed(0))
    samples = data.train[:n] + NOISE * noise

    start = time.perf_counter()
    print(features_for(data).describe())
    print(f"features: {time.perf_counter() - start:.1f} s, trained or read")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    start = time.perf_counter()
    evaluator = Evaluator(data, n, metrics=DEFAULT_METRICS)
    figures = evaluator.measure(samples)
    seconds = time.perf_counter() - start
    for name, value in figures.items():
        print(f"{METRICS[name].title}: {value:.4g}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{n} samples against {evaluator.n_real} real items: {seconds:.1f} s, {torch.get_num_threads()} threads")
    print(f"peak memory {peak / 2**20:.2f} GiB ({before / 2**20:.2f} before)")

    start = time.perf_counter()
    evaluator.measure(samples)
    print(f"again, with what is known of real items: {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
