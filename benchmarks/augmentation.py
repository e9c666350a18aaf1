"""A classifier that learns from images that were drawn: of few real images a class, of as many drawn as wanted, and of both.

python benchmarks/augmentation.py FOLDER   FOLDER holds fashion_mnist.npz; what is kept in docs/results/augmentation is not run again
    --time 2m                              of the fit of each model of images
python benchmarks/augmentation.py report   docs/results/augmentation.md, from what is there
python benchmarks/augmentation.py --smoke  a second on the digits

The model of images sees the same few real images and no others, and its recipe is its default: nothing is chosen by test images.  The
classifier is scikit-learn's MLPClassifier with its defaults.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from kept_runs import command_line
from saltus import ImageModel
from saltus.data.layout import Array
from saltus.machine import describe_machine

KEPT, PAGE = Path("docs/results/augmentation"), Path("docs/results/augmentation.md")
EACH, DRAWN, SEED = (10, 100, 1000), 1000, 0


def accuracy(images: Array, labels: Array, test: tuple[Array, Array]) -> float:
    """The share of test images whose class a classifier says that learned from these."""
    made = MLPClassifier(random_state=SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        made.fit(images.reshape(len(images), -1) / 255, labels)
    return float(made.score(test[0].reshape(len(test[0]), -1) / 255, test[1]))


def measured(train: tuple[Array, Array], test: tuple[Array, Array], each: int, drawn: int, seconds: str) -> dict[str, Any]:
    """Accuracies with so many real images a class, and so many that were drawn."""
    rng = np.random.default_rng(SEED)
    classes = np.unique(train[1])
    chosen = np.concatenate([rng.permutation(np.flatnonzero(train[1] == name))[:each] for name in classes])
    images, labels = train[0][chosen], train[1][chosen]
    begun = time.process_time()
    model = ImageModel(time=seconds, random_state=SEED).fit(images, labels)
    took = time.process_time() - begun
    made = [model.sample(drawn, condition=int(name)) for name in classes]
    new, names = np.concatenate(made), np.repeat(classes, drawn)
    repeated = np.tile(np.arange(len(images)), max(1, len(new) // len(images)))  # as much weight as the drawn ones
    both = np.concatenate([new, images[repeated]]), np.concatenate([names, labels[repeated]])
    return {
        "each": each,
        "drawn": drawn,
        "cpu": took,
        "time": seconds,
        "machine": describe_machine(),
        "real": accuracy(images, labels, test),
        "generated": accuracy(new, names, test),
        "both": accuracy(*both, test),
    }


def report() -> None:
    """The page, from what is there."""
    runs = [json.loads(file.read_text()) for file in sorted(KEPT.glob("*.json"), key=lambda file: int(file.stem))]
    lines = [
        "# Classifiers that learn from drawn images",
        "",
        f"`python benchmarks/augmentation.py FOLDER`, Fashion-MNIST at 28 x 28, seed {SEED}, 10,000 test images: accuracy of",
        "scikit-learn's MLPClassifier. A model of images (`ImageModel`, one call after a mixture) learns from the real images alone, and",
        f"draws {DRAWN:,} of each class.",
        "",
        "| real images a class | real | drawn | both | CPU seconds of the model |",
        "|---|---|---|---|---|",
        *(f"| {run['each']} | {run['real']:.3f} | {run['generated']:.3f} | {run['both']:.3f} | {run['cpu']:.0f} |" for run in runs),
        "",
        *(f"Machine: {name}." for name in sorted({run["machine"] for run in runs})),
        "",
    ]
    PAGE.write_text("\n".join(lines))


def smoke() -> None:
    """The digits of scikit-learn."""
    images, labels = load_digits(return_X_y=True)
    pixels = (images.reshape(-1, 8, 8) * 15).astype(np.uint8)
    print(measured((pixels[:1500], labels[:1500]), (pixels[1500:], labels[1500:]), 10, 20, "2s"))


def runs(options: argparse.Namespace) -> Mapping[Path, Callable[[], dict[str, Any]]]:
    """One for each number of real images."""

    def measure(each: int) -> dict[str, Any]:
        with np.load(Path(options.folder) / "fashion_mnist.npz") as file:
            train, test = ((file[f"{part}_images"], file[f"{part}_labels"].astype(np.int64)) for part in ("train", "test"))
        return measured(train, test, each, DRAWN, options.time)

    return {KEPT / f"{each}.json": partial(measure, each) for each in EACH}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time", default="2m")
    command_line(parser, runs, report, smoke)


if __name__ == "__main__":
    main()
