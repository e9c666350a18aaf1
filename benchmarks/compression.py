"""Images in files without loss: `saltus compress` with the chains that ship against PNG, WebP, JPEG XL and general compressors.

    saltus               the file: its beginning, and what each image adds; all images are read again and compared
    an image more        what an image adds to the file
    the bound            of the same chain, given the class that is coded, with ln p of the class: what an ideal coder would take
    class not told       the bound of the same chain without a class
    the mixture          the bound of the mixture of Gaussians alone, given its best class, with ln p of the class: no network, no coder
    PNG, WebP, JPEG XL   lossless, by Pillow: optimised PNG, WebP of quality 100 and method 6, JPEG XL the smaller of efforts 7 and 9; a
                         file for each image, with what its container takes; and one picture of all images side by side
    lzma, zlib           all values of all images in one piece, at the highest setting

JPEG XL needs pillow-jxl-plugin (`pip install pillow-jxl-plugin`), and is left out without.

python benchmarks/compression.py FOLDER   FOLDER holds mnist.npz and fashion_mnist.npz; the page, and figures beside it
python benchmarks/compression.py report   the page alone, from the figures that are there
python benchmarks/compression.py --smoke  a miniature on the digits, in a temporary folder
"""

from __future__ import annotations

import argparse
import io
import json
import lzma
import math
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from load import machine_and_load
from saltus.chain import Chain, OraclePrior
from saltus.data import digits
from saltus.estimators import Model
from saltus.estimators.compression import compress, decompress
from saltus.evaluation.floors import start_mixture
from saltus.kernels import OracleKernel
from saltus.levels import Levels
from saltus.likelihoods import DiscretisedHead
from saltus.pretrained import run_folder

PAGE = Path("docs/results/compression.md")
CHAINS = {"mnist": "mnist", "fashion-mnist": "fashion_mnist"}
IMAGES, OUTLIERS = 1000, 1e-4
EFFORTS = (7, 9)
SAVED: dict[str, Sequence[dict[str, Any]]] = {
    "PNG": [{"format": "PNG", "optimize": True}],
    "WebP": [{"format": "WEBP", "lossless": True, "quality": 100, "method": 6}],
    "JPEG XL": [{"format": "JXL", "lossless": True, "effort": effort} for effort in EFFORTS],
}
"""The ways of Pillow to save a picture, of which the smallest file counts."""
DRAWN = ("saltus", "PNG, a file each", "WebP, one picture", "JPEG XL, a file each", "JPEG XL, one picture", "lzma, in one piece")
TOGETHER: dict[str, Callable[[bytes], bytes]] = {
    "lzma": lambda values: lzma.compress(values, preset=9 | lzma.PRESET_EXTREME),
    "zlib": lambda values: zlib.compress(values, 9),
}


def saved(picture: np.ndarray, ways: Sequence[dict[str, Any]]) -> int:
    """Bytes of the smallest file of a grey picture, which is read again.

    Raises:
        ValueError: if what is read is not what was saved.
    """
    sizes = []
    for way in ways:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, **way)
        with Image.open(io.BytesIO(file.getvalue())) as again:
            if not np.array_equal(np.asarray(again.convert("L")), picture):
                raise ValueError(f"{way} loses pixels")
        sizes.append(len(file.getvalue()))
    return min(sizes)


def tiled(images: np.ndarray) -> np.ndarray:
    """Images (N, H, W) side by side in a picture that is about square, black where there are none."""
    n, H, W = images.shape
    across = math.ceil(math.sqrt(n))
    down = math.ceil(n / across)
    room = np.zeros((down * across, H, W), images.dtype)
    room[:n] = images
    return room.reshape(down, across, H, W).swapaxes(1, 2).reshape(down * H, across * W)


def best_class(chain: Chain, y: Tensor) -> Tensor:
    """The bound of each item given the class for which it is least, with what the class costs, (N,) nats."""
    frequencies = chain.condition.log_frequencies  # type: ignore[union-attr]
    each = [chain.bound(y, condition=torch.tensor([c])).total.double() - frequencies[c] for c in range(len(frequencies))]
    return torch.stack(each).amin(0)


def mixture_alone(model: Model, y: Tensor) -> Tensor:
    """The bound of the mixture that the chain starts from, or of one for its first level, (N,) nats."""
    chain, t = model.chain, float(model.chain.levels.times[1])
    oracle = chain.prior.oracle if isinstance(chain.prior, OraclePrior) else start_mixture(digits("labels"), t)
    head = DiscretisedHead(model.encoding.bins, outliers=OUTLIERS)  # type: ignore[attr-defined]
    alone = Chain(OraclePrior(oracle), Levels((0.0, t)), OracleKernel(oracle, head, chain.condition), encoding=model.encoding)
    return best_class(alone, y.double())


def others(images: np.ndarray) -> dict[str, int]:
    """Bytes of all images by every other way."""
    found = {f"{name}, a file each": sum(saved(image, ways) for image in images) for name, ways in SAVED.items()}
    found |= {f"{name}, one picture": saved(tiled(images), ways) for name, ways in SAVED.items()}
    return found | {f"{name}, in one piece": len(pack(images.tobytes())) for name, pack in TOGETHER.items()}


def measured(name: str, images: np.ndarray) -> dict[str, Any]:
    """All figures of a chain on images (N, H, W)."""
    model = Model.load(name)
    chain, encoding = model.chain, model.encoding
    start = time.process_time()
    whole = compress(chain, encoding, images, check=False)
    written = time.process_time()
    again = decompress(chain, encoding, whole.data)
    read = time.process_time()
    n, y = len(images), encoding.encode(images)
    ideal = whole.nats / math.log(2)
    rates = {
        "an image more": whole.bits,
        "the bound": ideal,
        "the bound, class not told": chain.bound(y).total.double().numpy() / math.log(2),
        "the bound of the mixture alone": mixture_alone(model, y).numpy() / math.log(2),
    }
    beyond = whole.bits - ideal
    counts = [10**k for k in range(math.ceil(math.log10(n)))]
    growth = {k: {"saltus": len(compress(chain, encoding, images[:k], check=False).data), **others(images[:k])} for k in counts}
    return {
        "name": name,
        "images": n,
        "dimensions": math.prod(encoding.event_shape),
        "exact": int((again == images).reshape(n, -1).all(1).sum()),
        "beginning": {"head": whole.head, "lent": whole.lent},
        "rates": {key: [float(bits.mean() / 8), float(bits.std() / math.sqrt(n) / 8)] for key, bits in rates.items()},
        "beyond the bound": [float(beyond.mean() / 8), float(beyond.std() / math.sqrt(n) / 8)],
        "bytes": {**growth, n: {"saltus": len(whole.data), **others(images)}},
        "seconds": {"to write": (written - start) / n, "to read": (read - written) / n},
    }


def table(found: dict[str, Any]) -> str:
    """Bytes an image and bits/dim of every way, the least first."""
    n, d = found["images"], found["dimensions"]
    rows = [(f"{name}, file of all" if name == "saltus" else name, size / n, None) for name, size in found["bytes"][str(n)].items()]
    rows += [(name, mean, error) for name, (mean, error) in found["rates"].items()]
    rows.append(("values as they are", float(d), None))
    lines = ["| | bytes an image | bits/dim |", "|---|---|---|"]
    for name, size, error in sorted(rows, key=lambda row: row[1]):
        told = f"{size:.1f}" if error is None else f"{size:.1f} ± {error:.1f}"
        shown = f"**{name}**" if name.startswith("saltus") else name
        lines.append(f"| {shown} | {told} | {8 * size / d:.4f} |")
    return "\n".join(lines)


def growth(found: dict[str, Any]) -> str:
    """Bytes an image of files of so many images."""
    counts = list(found["bytes"])
    lines = ["| bytes an image of files of | " + " | ".join(f"{int(k):,}" for k in counts) + " |", "|---" * (len(counts) + 1) + "|"]
    lines += [
        f"| {name} | " + " | ".join(f"{found['bytes'][k][name] / int(k):.1f}" for k in counts) + " |" for name in found["bytes"][counts[-1]]
    ]
    return "\n".join(lines)


def amortised(found: dict[str, Any]) -> str:
    """From how many images on the file is smaller than a file for each image."""
    begin, more, n = sum(found["beginning"].values()), found["rates"]["an image more"][0], found["images"]
    words = []
    for name in (name for name in SAVED if f"{name}, a file each" in found["bytes"][str(n)]):
        saving = found["bytes"][str(n)][f"{name}, a file each"] / n - more
        words.append(f"from {math.ceil(begin / saving):,} images on than {name}" if saving > 0 else f"never than {name}")
    return ", ".join(words)


def page(figures: Sequence[dict[str, Any]], machine: str) -> str:
    doc = __doc__ or ""
    parts = [f"# Compression\n\n{doc.split('JPEG XL needs')[0].strip()}\n"]
    parts.append(
        f"`python benchmarks/compression.py FOLDER`: the first test images of each set, the chains that ship, no random numbers but those "
        f"of the bound (seed 0); ± is a standard error over images. {machine}, one thread.\n"
    )
    for found in figures:
        model = sum(file.stat().st_size for file in run_folder(found["name"]).glob("chain*"))
        (over, error), seconds, first = found["beyond the bound"], found["seconds"], found["beginning"]
        parts.append(f"## {found['name']}: {found['images']:,} images\n\n{table(found)}\n")
        parts.append(
            f"{found['exact']:,} of {found['images']:,} images came back with every pixel as it was. An image adds {over:.2f} ± "
            f"{error:.2f} bytes more than its bound; the file begins with {sum(first.values()):,} bytes, {first['head']} of them its head "
            f"and {first['lent']} the bits that the first image borrows. It is smaller {amortised(found)} with a file for each image. "
            f"The chain's own files, {model / 1e6:.1f} MB that a reader needs too, are not counted. "
            f"{seconds['to write']:.2f} CPU seconds an image to write, with the choice of its class, {seconds['to read']:.2f} to read.\n"
        )
        parts.append(f"{growth(found)}\n")
    parts.append("![Bytes an image by the number of images](compression.png)\n")
    return "\n".join(parts)


def drawn(figures: Sequence[dict[str, Any]], file: Path) -> None:
    """Bytes an image by the number of images in a file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(figures), 3.6), layout="constrained")
    for axes, found in zip(np.atleast_1d(figure.subplots(1, len(figures))), figures, strict=True):
        for name in (name for name in DRAWN if name in found["bytes"][str(found["images"])]):
            counts = sorted(map(int, found["bytes"]))
            sizes = [found["bytes"][str(k)][name] / k for k in counts]
            axes.plot(counts, sizes, marker="o", label=name, linewidth=2.5 if name == "saltus" else 1)
        axes.axhline(found["rates"]["the bound"][0], color="black", linestyle=":", label="the bound")
        axes.set(xscale="log", yscale="log", xlabel="images in a file", ylabel="bytes an image", title=found["name"])
        for which in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            which("{x:g}")
    axes.legend(fontsize=7)
    figure.savefig(file, dpi=100)


def write(figures: list[dict[str, Any]], file: Path) -> None:
    """The figures, the page and the picture."""
    machine = machine_and_load()
    file.with_suffix(".json").write_text(json.dumps({"machine": machine, "figures": figures}, indent=1) + "\n")
    report(file)


def report(file: Path) -> None:
    kept = json.loads(file.with_suffix(".json").read_text())
    file.write_text(page(kept["figures"], kept["machine"]))
    drawn(kept["figures"], file.with_suffix(".png"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", help="where the files of images are, or `report`")
    parser.add_argument("--images", type=int, default=IMAGES, help="of each set, at most")
    parser.add_argument("--smoke", action="store_true", help="a miniature on the digits, in a temporary folder")
    options = parser.parse_args()
    try:
        import pillow_jxl  # noqa: F401 - registers JPEG XL with Pillow
    except ModuleNotFoundError:
        print("pillow-jxl-plugin is not installed, so that JPEG XL is left out")
        del SAVED["JPEG XL"]
    torch.set_num_threads(1)
    small = digits().encoding.decode(digits().test)
    if options.smoke:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "compression.md")
            write([measured("digits", small[:4])], file)
            print(file.read_text())
    elif options.folder == "report":
        report(PAGE)
    elif options.folder:
        sets = {"digits": small}
        for name, known in CHAINS.items():
            with np.load(Path(options.folder, f"{known}.npz")) as arrays:
                sets[name] = arrays["test_images"][: options.images]
        write([measured(name, images) for name, images in sets.items()], PAGE)
    else:
        parser.error("give a folder, `report`, or --smoke")


if __name__ == "__main__":
    main()
