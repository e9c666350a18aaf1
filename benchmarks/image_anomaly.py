"""Strange images: how well a score tells them from ordinary ones, as the area under the ROC curve (0.5 is chance, 1 is best).

python benchmarks/image_anomaly.py FOLDER   FOLDER holds mnist.npz and fashion_mnist.npz; what is kept is not run again
    --time 2m                               of the fit of each model without a class
    --seconds 60                            CPU seconds of the VAE beside a chain that ships
python benchmarks/image_anomaly.py report   docs/results/image_anomaly.md, from what is there
python benchmarks/image_anomaly.py --smoke  a miniature on the digits

Scores were chosen on corrupted validation images of other kinds, and on pieces of CIFAR-10 (docs/decisions/0060-strange-images.md); test
images are seen here alone.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

from image_anomaly_rivals import Score, forest_of_responsibilities, forests_and_pca, vae
from kept_runs import command_line
from load import machine_and_load
from saltus import ImageModel
from saltus.data.layout import Array
from saltus.evaluation import draw_maps

KEPT, PAGE = Path("docs/results/image_anomaly"), Path("docs/results/image_anomaly.md")
PICTURE = PAGE.with_suffix(".png")
CHAINS = {"mnist": ("mnist", "fashion_mnist"), "fashion_mnist": ("fashion-mnist", "mnist")}
OTHER = "test images of"
CLASSES, LEARNED, TESTED, CORRUPTED, SEED = (1, 4, 8), 10_000, 2000, 500, 0
FEWEST_PARAMETERS = 100_000  # of the plain VAE, where a closed form has none
OURS = "anomaly score"
PARTS = ("its terms alone", "its pixels alone")
RAW, TWO_SIDED = "bits/dim", "bits/dim, distance from the median"


def corruptions(images: Array) -> dict[str, Array]:
    """Of images (n, H, W), by kind; where they are is drawn anew for each."""
    rng, side = np.random.default_rng(SEED), images.shape[1]
    x, patch = images.astype(np.float64), side // 4
    corner = rng.integers(0, side - patch + 1, (len(x), 2))
    box = np.zeros(images.shape, dtype=bool)
    for mask, (i, j) in zip(box, corner, strict=True):
        mask[i : i + patch, j : j + patch] = True
    found = {
        "noise (20 of 255)": x + rng.normal(0, 20, x.shape),
        "blur (1 pixel)": ndimage.gaussian_filter(x, (0, 1, 1)),
        "a black box": np.where(box, 0, x),
        "a box inverted": np.where(box, 255 - x, x),
        "turned by 30 degrees": ndimage.rotate(x, 30, (1, 2), reshape=False, order=1),
        "a quarter turn": np.rot90(x, axes=(1, 2)),
        "all inverted": 255 - x,
    }
    return {name: made.round().clip(0, 255).astype(np.uint8) for name, made in found.items()}


def area(ordinary: Array, strange: Array) -> tuple[float, float]:
    """The area under the curve, and its standard error (Hanley and McNeil 1982, https://doi.org/10.1148/radiology.143.1.7063747)."""
    m, n = len(strange), len(ordinary)
    a = float(roc_auc_score(np.repeat([0, 1], [n, m]), np.concatenate([ordinary, strange])))
    one, two = a / (2 - a), 2 * a * a / (1 + a)
    return a, math.sqrt(max(0.0, a * (1 - a) + (m - 1) * (one - a * a) + (n - 1) * (two - a * a)) / (m * n))


def own_scores(model: ImageModel, held_out: Array) -> Callable[[Array], dict[str, Array]]:
    """What the model tells of images: each is looked at once."""
    d = math.prod(model.model_.encoding.event_shape) * math.log(2)
    middle = float(np.median(model.strangeness(held_out).seen.terms.sum(1)))

    def told(images: Array) -> dict[str, Array]:
        found = model.strangeness(images)
        nats = found.seen.terms.sum(1)
        parts = dict(zip(PARTS, found.by_part.T, strict=False))
        return {OURS: found.score, **parts, RAW: nats / d, TWO_SIDED: np.abs(nats - middle) / d}

    return told


def measured(model: ImageModel, train: Array, ordinary: Array, strange: Mapping[str, Array], seconds: float) -> dict[str, Any]:
    """Areas of every score and kind of strange images; rivals learn from the same images."""
    network = model.model_.chain.kernel(1)
    parameters = sum(p.numel() for p in network.parameters()) or FEWEST_PARAMETERS
    begun = time.process_time()
    scorer, size, passes = vae(train, parameters, seconds)
    took = time.process_time() - begun
    rivals: dict[str, Score] = {"plain VAE": scorer, **forest_of_responsibilities(model, train[:LEARNED]), **forests_and_pca(train)}
    own = own_scores(model, train[:TESTED])

    def all_of(images: Array) -> dict[str, Array]:
        return own(images) | {name: score(images) for name, score in rivals.items()}

    begun = time.process_time()
    own(ordinary)
    each = (time.process_time() - begun) / len(ordinary)
    base = all_of(ordinary)
    areas = {kind: {name: area(base[name], found) for name, found in all_of(images).items()} for kind, images in strange.items()}
    return {
        "areas": areas,
        "counts": {"train": len(train), "ordinary": len(ordinary), **{kind: len(images) for kind, images in strange.items()}},
        "above 3": float((base[OURS] > 3).mean()),
        "kernel": network.label,
        "parameters": parameters,
        "vae": {"parameters": size, "seconds": took, "passes": passes},
        "seconds an image": each,
        "machine": machine_and_load(),
    }


def arrays(folder: Path, name: str) -> dict[str, Array]:
    with np.load(folder / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


def of_a_chain(folder: Path, name: str, seconds: float) -> dict[str, Any]:
    """A chain that ships, on its test images, on those of the other data set, and on corrupted ones."""
    shipped, other = CHAINS[name]
    data = arrays(folder, name)
    test, model = data["test_images"], ImageModel.load(shipped)
    strange = {f"{OTHER} {other}": arrays(folder, other)["test_images"][:TESTED], **corruptions(test[TESTED : TESTED + CORRUPTED])}
    found = measured(model, data["train_images"], test[:TESTED], strange, seconds)
    if name == "mnist":
        draw(model, {kind: images[:4] for kind, images in strange.items() if not kind.startswith(("noise", "blur", "all"))}, PICTURE)
    return found


def draw(model: ImageModel, strange: Mapping[str, Array], file: Path) -> None:
    """Strange images and the maps of their pixels, in order."""
    images = np.concatenate(list(strange.values()))[:24]
    titles = [f"{score:.1f}" for score in model.anomaly_score(images)]
    encoding = model.model_.encoding
    file.parent.mkdir(parents=True, exist_ok=True)
    draw_maps(encoding.encode(images), model.anomaly_map(images), titles, file, shown=encoding.shown)


def small(images: Array) -> Array:
    """Means of 2 x 2 pixels."""
    n, H, W = images.shape
    means: Array = images.reshape(n, H // 2, 2, W // 2, 2).mean((2, 4))
    return means.round().astype(np.uint8)


def without_a_class(data: Mapping[str, Array], left_out: int, seconds: str) -> dict[str, Any]:
    """A model that never saw a class, on test images of that class against the others."""
    known = data["train_labels"] != left_out
    train = data["train_images"][known][:LEARNED]
    begun = time.process_time()
    model = ImageModel(time=seconds, random_state=SEED).fit(train)
    took = time.process_time() - begun
    images, labels = data["test_images"], data["test_labels"]
    strange = {f"class {left_out}": images[labels == left_out][:TESTED]}
    return {"cpu": took, **measured(model, train, images[labels != left_out][:TESTED], strange, took)}


def runs(options: argparse.Namespace) -> Mapping[Path, Callable[[], dict[str, Any]]]:
    """One for each chain, and for each class that is left out."""
    folder = Path(options.folder)

    def left_out(name: str, which: int) -> dict[str, Any]:
        data = arrays(folder, name)
        return without_a_class({key: small(x) if key.endswith("images") else x for key, x in data.items()}, which, options.time)

    classes = {KEPT / f"{name}_without_{c}.json": partial(left_out, name, c) for c in CLASSES for name in CHAINS}
    return {**{KEPT / f"{name}.json": partial(of_a_chain, folder, name, options.seconds) for name in CHAINS}, **classes}


def table(found: Mapping[str, Mapping[str, tuple[float, float]]]) -> list[str]:
    """A row for each score, a column for each kind; the best of a column is in bold.  The mean leaves the other data set out."""
    alike = [kind for kind in found if not kind.startswith(OTHER)]
    names = list(dict.fromkeys(name for areas in found.values() for name in areas))
    best = {kind: max(a for a, _ in areas.values()) for kind, areas in found.items()}
    mean_of = f"mean of these {len(alike)}{' corruptions' * (len(alike) < len(found))}"
    lines = [f"| | {' | '.join(found)} | {mean_of} |", "|---" * (len(found) + 2) + "|"]
    for name in names:
        cells = []
        for kind, areas in found.items():
            a, error = areas.get(name, (math.nan, math.nan))
            cells.append("" if math.isnan(a) else f"**{a:.3f}** ± {error:.3f}" if a == best[kind] else f"{a:.3f} ± {error:.3f}")
        mean = np.mean([found[kind][name][0] for kind in alike if name in found[kind]])
        lines.append(f"| {name} | {' | '.join(cells)} | {mean:.3f} |")
    return lines


def report() -> None:
    """The page, from what is there."""
    kept = {file.stem: json.loads(file.read_text()) for file in sorted(KEPT.glob("*.json"))}
    doc = (__doc__ or "").split("\n\n")
    lines = [
        "# Strange images",
        "",
        doc[0],
        "",
        f"`python benchmarks/image_anomaly.py FOLDER`, seed {SEED}.",
        *doc[-1].strip().split("\n"),
        "",
    ]
    lines += [
        "The anomaly score is that of `ImageModel.anomaly_score` and `saltus score`; below it are its two parts. Bits/dim are of the same",
        "bound, the class not told (for the chains that ship, of the network without a condition). PCA has 50 components",
        "and learned from the images of the fit, as did the forests of 200 trees; responsibilities are those of the mixture at t = 0.",
        "± is a standard error over images.",
        "",
    ]
    for name in filter(kept.__contains__, CHAINS):
        lines += _chain_words(name, kept[name])
    lines += [f"![maps of strange images]({PICTURE.name})", ""]
    lines += [
        "Test images as the chain of MNIST sees them, four of each kind in the order of the table of MNIST (noise, blur and all inverted"
    ]
    lines += ["left out), with their scores, and how much dearer each pixel is than in ordinary images.", ""]
    for name in CHAINS:
        left_out = {stem: run for stem, run in kept.items() if stem.startswith(f"{name}_without_")}
        if left_out:
            lines += _class_words(name, left_out)
    lines += [f"Machine: {machine}." for machine in sorted({run["machine"] for run in kept.values()})]
    PAGE.write_text("\n".join([*lines, ""]))


def _chain_words(name: str, run: Mapping[str, Any]) -> list[str]:
    counts, rival = run["counts"], run["vae"]
    return [
        f"## The chain of {name} that ships",
        "",
        f"{counts['ordinary']:,} test images against {TESTED:,} of the other data set and {CORRUPTED:,} corrupted ones of each kind.",
        f"The chain was trained for about 38 CPU minutes (its card). The plain VAE of {rival['parameters']:,} parameters",
        f"({run['parameters']:,}) learned from all {counts['train']:,} training images in {rival['seconds']:.0f} CPU seconds,",
        f"{rival['passes']} times each: far less. {run['above 3']:.1%} of ordinary test images have an anomaly above 3, where 5% are",
        f"meant to. {1000 * run['seconds an image']:.1f} ms an image.",
        "",
        *table(run["areas"]),
        "",
    ]


def _class_words(name: str, runs: Mapping[str, Mapping[str, Any]]) -> list[str]:
    found = {kind: areas for run in runs.values() for kind, areas in run["areas"].items()}
    one = next(iter(runs.values()))
    return [
        f"## A class of {name} that was never seen",
        "",
        f"14 x 14 pixels, {one['counts']['train']:,} training images of the other nine classes without labels,",
        f"{one['counts']['ordinary']:,} test images of these against up to {TESTED:,} of the class. The plain VAE has as many CPU seconds",
        "as the fit of `ImageModel`, one or two minutes by the clock. An exact kernel is the",
        "mixture alone, which training keeps where the network is not better yet; it has no pixels of its own.",
        "",
        "| | last step | CPU seconds of the fit | parameters of the plain VAE | ordinary test images above 3 |",
        "|---|---|---|---|---|",
        *(
            f"| {next(iter(run['areas']))} | {run['kernel']} | {run['cpu']:.0f} | {run['vae']['parameters']:,} | {run['above 3']:.1%} |"
            for run in runs.values()
        ),
        "",
        *table(found),
        "",
    ]


def smoke() -> None:
    """The digits of scikit-learn."""
    images, labels = load_digits(return_X_y=True)
    x = (images.reshape(-1, 8, 8) * 15).astype(np.uint8)
    data = {"train_images": x[:900], "train_labels": labels[:900], "test_images": x[900:1200], "test_labels": labels[900:1200]}
    found = without_a_class(data, 1, "2s")
    print("\n".join([*_class_words("digits", {"": found}), *corruptions(x[:2])]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time", default="2m")
    parser.add_argument("--seconds", type=float, default=60)
    command_line(parser, runs, report, smoke)


if __name__ == "__main__":
    main()
