"""Reverse kernels p(z_s | z_t), one file each, behind one contract (`Kernel`)."""

from saltus.kernels.deterministic import DeterministicKernel
from saltus.kernels.gaussian import GaussianKernel, Variance
from saltus.kernels.head import DiscretisedHead, GaussianHead, Head
from saltus.kernels.kernel import ADDED, PLAIN, Kernel, Last, Sampling, Terms, Weights, reweighted
from saltus.kernels.ladder import LadderKernel
from saltus.kernels.oracle import OracleDenoiser, OracleKernel
from saltus.kernels.step import Bridge, GaussianStep
from saltus.kernels.vae import Encodes, Parametrisation, VAEKernel

__all__ = [
    "ADDED",
    "PLAIN",
    "Bridge",
    "DeterministicKernel",
    "DiscretisedHead",
    "Encodes",
    "GaussianHead",
    "GaussianKernel",
    "GaussianStep",
    "Head",
    "Kernel",
    "LadderKernel",
    "Last",
    "OracleDenoiser",
    "OracleKernel",
    "Parametrisation",
    "Sampling",
    "Terms",
    "VAEKernel",
    "Variance",
    "Weights",
    "reweighted",
]
