"""Reverse kernels p(z_s | z_t), one file each, behind one contract (`Kernel`)."""

from saltus.kernels.autoregressive import AutoregressiveKernel
from saltus.kernels.denoiser import Denoiser, OracleDenoiser, Preconditioned, Prediction, denoise, predict
from saltus.kernels.deterministic import DeterministicKernel
from saltus.kernels.flow import FlowKernel
from saltus.kernels.gaussian import GaussianKernel, Variance
from saltus.kernels.kernel import EXTRA, Explanation, Kernel, MixtureStep, Terms, Weights, is_reweighted
from saltus.kernels.ladder import LadderKernel, Ladders, vae_kernels
from saltus.kernels.mixture_flow import MixtureFlow, NoisySteps
from saltus.kernels.oracle import OracleKernel
from saltus.kernels.proposal import Known, Proposal
from saltus.kernels.residual import MixtureResidual
from saltus.kernels.sampling import DEFAULT, Final, Sampling
from saltus.kernels.setup import KERNELS, Setup, Trainable
from saltus.kernels.step import GaussianStep
from saltus.kernels.teacher import Target, Teacher
from saltus.kernels.transition import Bridge, Pair, Transition
from saltus.kernels.vae import EncoderInput, Parametrisation, VAEKernel

__all__ = [
    "DEFAULT",
    "EXTRA",
    "KERNELS",
    "AutoregressiveKernel",
    "Bridge",
    "Denoiser",
    "DeterministicKernel",
    "EncoderInput",
    "Explanation",
    "Final",
    "FlowKernel",
    "GaussianKernel",
    "GaussianStep",
    "Kernel",
    "Known",
    "LadderKernel",
    "Ladders",
    "MixtureFlow",
    "MixtureResidual",
    "MixtureStep",
    "NoisySteps",
    "OracleDenoiser",
    "OracleKernel",
    "Pair",
    "Parametrisation",
    "Preconditioned",
    "Prediction",
    "Proposal",
    "Sampling",
    "Setup",
    "Target",
    "Teacher",
    "Terms",
    "Trainable",
    "Transition",
    "VAEKernel",
    "Variance",
    "Weights",
    "denoise",
    "is_reweighted",
    "predict",
]

_VAE_OPTIONS = (
    "latent",
    "parametrisation",
    "encoder_input",
    "ladder",
    "objective",
    "weights",
    "level_weighting",
    "kl_warm_up",
    "residual",
    "noisy_steps",
    "importance_samples",
)

KERNELS.register("deterministic", Trainable(DeterministicKernel.build))
KERNELS.register("gaussian", Trainable(GaussianKernel.build, frozenset({"variance"})))
KERNELS.register("vae", Trainable(vae_kernels, frozenset(_VAE_OPTIONS)))
KERNELS.register("flow", Trainable(FlowKernel.build))
KERNELS.register("autoregressive", Trainable(AutoregressiveKernel.build))
