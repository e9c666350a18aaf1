"""Short runs on the digits that several commands are tried on."""

from __future__ import annotations

from pathlib import Path

import pytest

from saltus.data import digits
from saltus.training import Config, train


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs: `fixed`, of two levels, and `any`, for any step and conditioned on the digit."""
    folder = tmp_path_factory.mktemp("home")
    small = {"updates": 10, "batch": 32, "width": 16, "latent": 2}
    train(digits(), Config(levels=2, noisy_steps="vae", closed_forms=False, **small), folder / "fixed", quiet=True)
    train(digits("labels"), Config(any_step=True, condition="labels", **small), folder / "any", quiet=True)
    return folder
