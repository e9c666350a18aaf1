"""Reverse kernels p(z_s | z_t), one file each, behind one contract (`Kernel`)."""

from saltus.kernels.deterministic import DeterministicKernel
from saltus.kernels.gaussian import GaussianKernel, Variance
from saltus.kernels.kernel import DEFAULT, EXTRA, Kernel, Last, Sampling, Terms, Weights, reweighted
from saltus.kernels.ladder import LadderKernel
from saltus.kernels.oracle import OracleDenoiser, OracleKernel
from saltus.kernels.step import Bridge, GaussianStep
from saltus.kernels.vae import EncoderInput, Parametrisation, VAEKernel

__all__ = [
    "DEFAULT",
    "EXTRA",
    "Bridge",
    "DeterministicKernel",
    "EncoderInput",
    "GaussianKernel",
    "GaussianStep",
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
