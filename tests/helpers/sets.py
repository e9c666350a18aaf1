"""Sets of items, and data sets of them, for the tests of the evaluation."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from saltus.data import Binned, DataSet, Standardised
from tests.helpers.chains import MIXTURE

N = 150
QUICK = ("sliced_wasserstein", "energy", "copies")


def normal(n: int, *shape: int, seed: int = 0) -> Tensor:
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def distances(x: Tensor, y: Tensor) -> np.ndarray:
    """By plain differences."""
    a, b = x.flatten(1).double().numpy(), y.flatten(1).double().numpy()
    return np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))


def rows(n: int, seed: int) -> np.ndarray:
    return MIXTURE.sample(n, seed=seed).float().numpy()


def table(train: int = 600, validation: int = 140, test: int = 160) -> DataSet:
    """Rows of two numbers whose distribution is known."""
    raw = [rows(n, seed) for seed, n in enumerate((train, validation, test))]
    encoding = Standardised.fit("vector", raw[0])
    return DataSet("table", encoding, *(encoding.encode(part) for part in raw))


def images(train: int = 400, validation: int = 140, test: int = 160) -> DataSet:
    encoding, rng = Binned("gray", (8, 8), 0, 16, "uint8"), np.random.default_rng(0)
    return DataSet(
        "images", encoding, *(encoding.encode(rng.integers(0, 17, (n, 8, 8), dtype=np.uint8)) for n in (train, validation, test))
    )


class Fresh:
    """A perfect sampler."""

    def sample(self, n: int, *, seed: int) -> Tensor:
        return table().encoding.encode(rows(n, 100 + seed))
