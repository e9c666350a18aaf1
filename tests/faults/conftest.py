"""Short runs whose files are damaged here, each test in a copy of its own."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from saltus.chain import Chain, OraclePrior, StandardNormal
from saltus.data import load
from saltus.kernels import FlowKernel, MixtureFlow, OracleKernel
from saltus.levels import Levels
from saltus.likelihoods import AutoregressiveHead, DiscretisedHead, GaussianHead, LogisticMixtureHead, MixtureHead
from saltus.networks import MLPEncoder
from saltus.oracles import LowRankMixture
from saltus.training import Config, train
from tests.helpers.stubs import small_vae

SIZES = {"updates": 2, "batch": 8, "width": 8, "latent": 1}


def mixture(*event: int) -> LowRankMixture:
    """Two components, each of a class."""
    d = math.prod(event)
    return LowRankMixture(torch.ones(2), torch.zeros(2, *event), torch.zeros(2, d, 1), torch.ones(2, d), labels=[0, 1])


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run `rows`, for any step and told classes, and with chains without a training."""
    home = tmp_path_factory.mktemp("runs")
    values = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
    np.savez(home / "rows.npz", images=values, labels=np.arange(300) % 2)
    train(load(home / "rows.npz", condition="labels"), Config(any_step=True, condition="labels", **SIZES), home / "rows", quiet=True)
    images = mixture(1, 8, 8)
    encoder = MLPEncoder((2,), latent=1, width=8)
    chains = {
        "table": Chain(StandardNormal(), Levels([0, 0.5, 1]), small_vae((2,), encoder, GaussianHead(0.1))),
        "mixture": Chain(OraclePrior(images), Levels([0, 0.5, 1]), [OracleKernel(images), MixtureFlow(images, channels=8, blocks=1)]),
        "exact": Chain(OraclePrior(mixture(2)), Levels([0, 1]), OracleKernel(mixture(2), MixtureHead(0.1))),
        "image": Chain(StandardNormal(), Levels([0, 1]), OracleKernel(images, AutoregressiveHead(LogisticMixtureHead(17, 1)))),
        "bins": Chain(StandardNormal(), Levels([0, 1]), OracleKernel(images, DiscretisedHead(17))),
        "flow": Chain(StandardNormal(), Levels([0, 1]), FlowKernel((2,), width=8, transforms=1)),
    }
    for name, chain in chains.items():
        chain.save(home / name)
    return home


@pytest.fixture
def copied(runs: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A copy of one of the runs, by its name."""

    def copy(name: str) -> Path:
        return shutil.copytree(runs / name, tmp_path / name)

    return copy
