"""Rows whose distribution is known, and short runs on them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from saltus.data import DataSet, Standardised
from saltus.training import Config, train
from tests.helpers.chains import MIXTURE

SIZES = {"train": 450, "validation": 150, "test": 150}


@pytest.fixture(scope="session")
def data() -> DataSet:
    plain = Standardised("vector", (2,), torch.zeros(2), torch.ones(2))
    parts = MIXTURE.sample(sum(SIZES.values()), seed=11).float().split(list(SIZES.values()))
    return DataSet("mixture", plain, *parts, distribution=MIXTURE)


@pytest.fixture(scope="session")
def runs(data: DataSet, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two Gaussian runs that differ in their seed, and a VAE of two levels."""
    folder = tmp_path_factory.mktemp("runs")
    options = [{"kernel": "gaussian", "seed": 0}, {"kernel": "gaussian", "seed": 1}, {"kernel": "vae", "levels": 2}]
    places = [folder / str(i) for i in range(len(options))]
    for place, option in zip(places, options, strict=True):
        train(data, Config(updates=15, width=16, **option), place, quiet=True)
    return places
