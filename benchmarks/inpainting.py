"""Pixels that are not known, drawn by the chains that ship: weighed particles against RePaint on the same network at equal calls.

    particles    `saltus inpaint`: 64 particles a draw, and 8
    unweighed    one particle a draw: known pixels are put in, latents are the encoder's where pixels are known, and nothing is weighed
    RePaint      known pixels are put in at every level, and each step is taken again and again after noise was added (Lugmayr et al. 2022,
                 https://arxiv.org/abs/2201.09865), as often as makes the calls of 64 particles; no weights.  It cannot draw the class
                 along, so both are told it as well
    mixture      the exact conditional of the mixture of Gaussians that the chain starts from, without a network

Figures are of the pixels that are not known, from 0 (black) to 1: the root mean squared error of a draw and of the mean of draws; how far
two draws of one image are from each other; the energy score E|x - y| - E|x - x'| / 2 with |.| over the pixels of an image, which is least
for the true conditional distribution; and the share of pixels within the range of the draws (0.78 of independent draws of the truth, of 8).

python benchmarks/inpainting.py FOLDER   FOLDER holds mnist.npz and fashion_mnist.npz; the page, and figures beside it
python benchmarks/inpainting.py report   the page alone, from the figures that are there
python benchmarks/inpainting.py --smoke  a miniature on the digits, in a temporary folder
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from load import machine_and_load
from saltus.chain import Chain, OraclePrior, inpaint, like
from saltus.data import digits
from saltus.estimators import Model
from saltus.evaluation import draw_rows
from saltus.kernels import Known, Transition
from saltus.process import Measurement, Noise, OrnsteinUhlenbeck

PAGE = Path("docs/results/inpainting.md")
CHAINS = {"mnist": "mnist", "fashion-mnist": "fashion_mnist"}
IMAGES, DRAWS, PARTICLES, FEW, PICTURED = 12, 8, 64, 8, 6
COLUMNS = ("", "calls a draw", "error of a draw", "error of the mean", "between draws", "energy score", "within", "seconds a draw")
_process = OrnsteinUhlenbeck()
Draw = Callable[[Tensor, Tensor, int], Tensor]
"""Draws (draws, *E) of an image (*E) whose pixels are known by a mask (*E), by its number."""


def masks(shape: Sequence[int]) -> dict[str, Tensor]:
    """Where pixels are known: all but a box in the middle, and the upper half."""
    _, H, W = shape
    box, upper = torch.ones(tuple(shape), dtype=torch.bool), torch.ones(tuple(shape), dtype=torch.bool)
    box[:, H // 4 : H - H // 4, W // 4 : W - W // 4] = False
    upper[:, H // 2 :] = False
    return {"box": box, "lower half": upper}


def by_particles(chain: Chain, particles: int, labels: Tensor | None = None) -> Draw:
    """What `saltus inpaint` does; with labels, told the class of each image."""

    def draw(y: Tensor, known: Tensor, number: int) -> Tensor:
        measurement = Measurement.of_known(known)
        value = measurement.of(y[None])[0]
        told = None if labels is None else labels[number : number + 1]
        return inpaint(chain, [Known(measurement, value)], draws=DRAWS, particles=particles, condition=told, first_item=number).y[0]

    return draw


def by_repaint(chain: Chain, rounds: int, labels: Tensor | None = None) -> Draw:
    """Each level `rounds` times; without labels classes are drawn as often as they came, once a draw."""

    @torch.no_grad()
    def draw(y: Tensor, known: Tensor, number: int) -> Tensor:
        first = chain.noise(1, number * DRAWS, DRAWS)
        condition = chain.conditions_for(None if labels is None else labels[number].expand(DRAWS), first)
        z = chain.prior.sample(chain.event_shape, chain.levels.last, first.at(chain.levels.L), condition, like=like(chain)).to(y)
        for level, (s, t) in reversed(list(enumerate(chain.levels.pairs(), 1))):
            for turn in range(rounds):
                noise = chain.noise(1 + turn, number * DRAWS, DRAWS).at(level)
                z = torch.where(known, _noised(y.expand_as(z), t, noise, "known"), z)
                z_s = chain.kernel(level).sample(Transition(z, s, t, condition), noise, chain.sampling)
                z = _noised(z_s, t - s, noise, "again")
            z = z_s
        return torch.where(known, y, z)

    return draw


def _noised(y: Tensor, t: float, noise: Noise, role: str) -> Tensor:
    return _process.noised(y, t, noise.normal(role, y.shape[1:], like=y))


def by_mixture(chain: Chain) -> Draw:
    """The exact conditional of the mixture that the chain starts from."""
    assert isinstance(chain.prior, OraclePrior)
    oracle = chain.prior.oracle

    def draw(y: Tensor, known: Tensor, number: int) -> Tensor:
        measurement, noise = Measurement.of_known(known), Noise(1, number * DRAWS, DRAWS)
        o = measurement.of(y[None]).double().expand(DRAWS, -1)
        return oracle.marginal_given(measurement, o, 0.0, noise, oracle.log_weights(None, DRAWS)).z.to(y).clamp(-1, 1)

    return draw


def figures(drawn: Tensor, y: Tensor, unknown: Tensor) -> dict[str, float]:
    """Of draws (n, draws, *E) of images (n, *E), on the pixels that are not known."""
    x, truth = (drawn[:, :, unknown] + 1) / 2, (y[:, unknown] + 1) / 2
    d, pairs = x.shape[2], x.shape[1] * (x.shape[1] - 1)
    apart = torch.cdist(x, x).sum((1, 2)) / pairs
    off = (x - truth[:, None]).norm(dim=2)
    within = (x.amin(1) <= truth) & (truth <= x.amax(1))
    return {
        "error of a draw": float((off.square().mean() / d).sqrt()),
        "error of the mean": float(((x.mean(1) - truth).square().mean()).sqrt()),
        "between draws": float(apart.mean() / math.sqrt(d)),
        "energy score": float((off.mean(1) - apart / 2).mean()),
        "its error": float((off.mean(1) - apart / 2).std() / math.sqrt(len(x))),
        "within": float(within.float().mean()),
    }


def ways(chain: Chain, labels: Tensor) -> dict[str, tuple[Draw, int]]:
    """Each way with its calls a draw."""
    L, more = chain.levels.L, int(chain.kernel(chain.levels.L).latent > 0)
    calls = PARTICLES * (L + more)
    found = {
        f"{PARTICLES} particles": (by_particles(chain, PARTICLES), calls),
        f"{FEW} particles": (by_particles(chain, FEW), FEW * (L + more)),
        "unweighed": (by_particles(chain, 1), L + more),
        "RePaint": (by_repaint(chain, calls // L), calls // L * L),
        f"{PARTICLES} particles, class told": (by_particles(chain, PARTICLES, labels), calls),
        "RePaint, class told": (by_repaint(chain, calls // L, labels), calls // L * L),
    }
    return found | ({"mixture, exact": (by_mixture(chain), 0)} if isinstance(chain.prior, OraclePrior) else {})


def measured(chain: Chain, images: Tensor, labels: Tensor) -> tuple[list[dict[str, Any]], dict[str, Tensor]]:
    """The figures of every way and mask, and draws of the first one for a picture."""
    rows, pictured = [], dict[str, Tensor]()
    for name, known in masks(chain.event_shape).items():
        for way, (draw, calls) in ways(chain, labels).items():
            start = time.process_time()
            drawn = torch.stack([draw(y, known, number) for number, y in enumerate(images)])
            seconds = (time.process_time() - start) / drawn[:, :, 0].shape[0] / DRAWS
            rows.append({"mask": name, "way": way, "calls": calls, **figures(drawn, images, ~known), "seconds": seconds})
            if way.endswith(", class told"):
                shown = min(PICTURED, DRAWS)
                for i, y in enumerate(images[:2]):
                    label = f"{name}, {way}"
                    row = torch.cat([y[None], torch.where(known, y, 0.0)[None], drawn[i, :shown]])
                    pictured[f"{label} " if label in pictured else label] = row
    return rows, pictured


def table(rows: Sequence[dict[str, Any]]) -> str:
    lines = [" | ".join(COLUMNS), " | ".join("---" for _ in COLUMNS)]
    for row in rows:
        plain = [f"{row[name]:.3f}" for name in COLUMNS[2:5]]
        score = f"{row['energy score']:.2f} ± {row['its error']:.2f}"
        lines.append(" | ".join([row["way"], str(row["calls"]), *plain, score, f"{row['within']:.2f}", f"{row['seconds']:.2g}"]))
    return "\n".join(f"| {line} |" for line in lines)


def page(found: dict[str, list[dict[str, Any]]], images: int, machine: str) -> str:
    doc = __doc__ or ""
    parts = [f"# Inpainting\n\n{doc.split('python benchmarks')[0].strip()}\n"]
    parts.append(
        f"`python benchmarks/inpainting.py FOLDER`: the first {images} test images, {DRAWS} draws of each, one seed, the chains that ship "
        f"with the way of sampling that they keep; ± is a standard error over images. {machine}, one thread.\n"
    )
    for chain, rows in found.items():
        for mask in dict.fromkeys(row["mask"] for row in rows):
            parts.append(f"## {chain}, {mask} not known\n\n{table([row for row in rows if row['mask'] == mask])}\n")
        parts.append(f"Rows: the image, what is known, six draws.\n\n![draws of {chain}](inpainting_{chain}.png)\n")
    return "\n".join(parts)


def run(images: dict[str, tuple[np.ndarray, np.ndarray]], file: Path, n: int) -> None:
    """Measure chains by their names on images with labels, and write the page, the figures and a picture of each."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, (raw, labels) in images.items():
        model = Model.load(name)
        found[name], pictured = measured(model.chain.eval(), model.encoding.encode(raw[:n]), torch.from_numpy(labels[:n].astype(np.int64)))
        draw_rows(pictured, file.with_name(f"{file.stem}_{name}.png"), shown=model.encoding.shown)
        print(table(found[name]))
        file.with_suffix(".json").write_text(json.dumps({"images": n, "machine": machine_and_load(), "found": found}, indent=1))
    report(file)


def report(file: Path) -> None:
    """The page, from the figures beside it."""
    kept = json.loads(file.with_suffix(".json").read_text())
    file.write_text(page(**kept))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--images", type=int, default=IMAGES)
    asked = parser.parse_args()
    data = digits("labels")
    assert data.conditions is not None
    small = {"digits": (np.asarray(data.encoding.decode(data.test)), data.conditions.test.numpy())}
    if asked.smoke:
        with tempfile.TemporaryDirectory() as folder:
            run(small, Path(folder) / "inpainting.md", 2)
        return
    if asked.folder == Path("report"):
        report(PAGE)
        return
    if asked.folder is None:
        parser.error("expected the folder with the data, or --smoke")
    files = {chain: np.load(asked.folder / f"{file}.npz") for chain, file in CHAINS.items()}
    images = {chain: (file["test_images"], file["test_labels"]) for chain, file in files.items()}
    run(small | images, PAGE, asked.images)


if __name__ == "__main__":
    main()
