"""Raw items of every layout, classes and encodings of them, and folders of pictures, for the tests of the data room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from saltus.data import Binned, Layout, Standardised

SHAPES = {"gray": (9, 8), "channels_last": (9, 8, 3), "channels_first": (3, 9, 8), "vector": (5,)}
EVENTS = {"gray": (1, 9, 8), "channels_last": (3, 9, 8), "channels_first": (3, 9, 8), "vector": (5,)}


def floats(layout: str, n: int = 60, seed: int = 0) -> np.ndarray:
    spread = np.random.default_rng(seed).normal(size=(n, *SHAPES[layout]))
    return (30 + spread * np.geomspace(0.1, 1000, SHAPES[layout][-1])).astype(np.float32)


def integers(n: int = 60, shape: tuple[int, ...] = (8, 8), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


def classes_of(raw: np.ndarray, k: int = 10) -> np.ndarray:
    """One of k classes that can be read off an item of bytes."""
    return raw.reshape(len(raw), -1)[:, 0].astype(np.int64) * k // 256


def save_images(folder: Path, pixels: np.ndarray, ending: str = "png", mode: str | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index, item in enumerate(pixels):
        image = Image.fromarray(item)
        (image.convert(mode) if mode else image).save(folder / f"{index:04}.{ending}")


ENCODINGS = [
    Binned("channels_last", (9, 8, 3), 0, 255, "uint8"),
    Binned(Layout.VECTOR, (5,), 0, 1, "bool"),
    Standardised.fit("vector", floats("vector")),
    Standardised.fit("gray", floats("gray").astype(np.float64)),
]
