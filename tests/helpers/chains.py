"""A chain of every kind, for items of two numbers, and a distribution of data that is known."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from saltus.chain import Chain, OraclePrior, StandardNormal
from saltus.kernels import DeterministicKernel, GaussianKernel, Kernel, OracleKernel, Preconditioned
from saltus.levels import Levels
from saltus.likelihoods import GaussianHead
from saltus.networks import MLP, MLPEncoder, backbone
from saltus.oracles import FiniteData, GaussianMixture
from tests.helpers.stubs import randomise, set_error, small_vae

__all__ = ["COVARIANCES", "HEAD", "MEANS", "MIXTURE", "POINTS", "WEIGHTS", "chain_of", "data_for", "gaussian", "grid", "kernels"]

HEAD = GaussianHead(0.05)
WEIGHTS = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
MEANS = torch.tensor([[-1.0, 0.5], [1.0, 1.0], [0.3, -1.2]], dtype=torch.float64)
COVARIANCES = torch.tensor([[[0.1, 0.05], [0.05, 0.1]], [[0.2, 0.0], [0.0, 0.02]], [[0.05, -0.02], [-0.02, 0.05]]], dtype=torch.float64)
MIXTURE = GaussianMixture(WEIGHTS, MEANS, COVARIANCES)
POINTS = FiniteData(MEANS)


def grid(L: int) -> Levels:
    return Levels.log_snr(L, 4.0, -3.0)


def kernels() -> dict[str, Callable[[], Kernel | list[Kernel]]]:
    """One chain's kernels of every kind; networks are untrained."""

    def gaussian(times: Tensor) -> GaussianKernel:
        kernel = GaussianKernel(Preconditioned(backbone((2,))), HEAD)
        set_error(kernel, times, torch.linspace(0.1, 0.9, len(times)))
        return kernel

    times = grid(3).times[1:]
    return {
        "deterministic": lambda: DeterministicKernel(Preconditioned(backbone((2,))), bridge=True, any_step=False),
        "gaussian": lambda: gaussian(times),
        "uncalibrated": lambda: GaussianKernel(Preconditioned(backbone((2,))), HEAD, variance="transition"),
        "vae": lambda: small_vae((2,), MLPEncoder((2,), latent=3, width=16), HEAD),
        "direct vae": lambda: small_vae((2,), MLPEncoder((2,), latent=3, width=16), HEAD, parametrisation="direct", encoder_input="y"),
        "no latent": lambda: small_vae((2,), None, HEAD),
        "one for each level": lambda: [gaussian(times[:1]), small_vae((2,), None, HEAD), gaussian(times[2:])],
        "one thrice": lambda: [gaussian(times)] * 3,
        "mixture": lambda: OracleKernel(MIXTURE),
        "items": lambda: OracleKernel(POINTS),
    }


def chain_of(name: str) -> Chain:
    torch.manual_seed(0)
    prior = OraclePrior(MIXTURE) if name == "mixture" else StandardNormal()
    chain = Chain(prior, grid(3), kernels()[name](), scaling=0.3)
    randomise(chain)
    return chain


def data_for(name: str) -> Tensor:
    return MEANS if name == "items" else MIXTURE.sample(7, seed=5).to(torch.float64 if name == "mixture" else torch.float32)


def gaussian(width: int = 8) -> GaussianKernel:
    """A small step on rows of two columns."""
    return GaussianKernel(Preconditioned(MLP((2,), width=width, depth=1)), GaussianHead(0.1), variance="transition")
