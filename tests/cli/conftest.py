"""Short runs on the digits that several commands are tried on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from saltus.data import digits, load
from saltus.estimators import Model
from saltus.training import Config, train


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs: `fixed`, of two levels, and `any`, for any step and conditioned on the digit."""
    folder = tmp_path_factory.mktemp("home")
    small = {"updates": 10, "batch": 32, "width": 16, "latent": 2}
    train(digits(), Config(levels=2, noisy_steps="vae", closed_forms=False, **small), folder / "fixed", quiet=True)
    train(digits("labels"), Config(any_step=True, condition="labels", **small), folder / "any", quiet=True)
    return folder


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table of gems, whose price tells the cut, and with a run on it."""
    folder = tmp_path_factory.mktemp("shop")
    rng = np.random.default_rng(0)
    lines = ["cut,price,carat,sold,name"]
    for k in range(300):
        cut = ("Fair", "Very:Good", "Ideal")[rng.integers(3)]
        price = {"Fair": 500, "Very:Good": 2000, "Ideal": 5000}[cut] + 50 * rng.integers(0, 20)
        carat = "" if rng.random() < 0.2 else f"{rng.normal(1, 0.2):.2f}"
        lines.append(f"{cut},{price},{carat},2024-01-{rng.integers(10, 30)},gem {k}")
    (folder / "gems.csv").write_text("\n".join([*lines, ""]))
    small = {"kernel": "autoregressive", "levels": 1, "prior": "normal", "width": 48, "batch": 128, "learning_rate": 0.01}
    Model.train(load(folder / "gems.csv"), Config(updates=120, **small), folder / "run", quiet=True)
    return folder
