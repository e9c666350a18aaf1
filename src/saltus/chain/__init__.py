"""Samplers, losses and bounds, written once for every kernel."""

from saltus.chain.bound import ACTIVE_VARIANCE, MOST_SAMPLES, Bound, bits_per_dim
from saltus.chain.chain import Chain
from saltus.chain.classes import ClassBound
from saltus.chain.completing import complete, completes, given_others
from saltus.chain.costs import pair_costs
from saltus.chain.inpainting import PARTICLES, Inpainted, inpaint
from saltus.chain.latents import Code
from saltus.chain.loss import Batch, ChainLoss, Loss
from saltus.chain.modes import evaluating, like
from saltus.chain.prior import OraclePrior, Prior, StandardNormal
from saltus.chain.process import ChainProcess, descend
from saltus.chain.starts import MIXTURE_START, NOISE_START, started, starts

__all__ = [
    "ACTIVE_VARIANCE",
    "MIXTURE_START",
    "MOST_SAMPLES",
    "NOISE_START",
    "PARTICLES",
    "Batch",
    "Bound",
    "Chain",
    "ChainLoss",
    "ChainProcess",
    "ClassBound",
    "Code",
    "Inpainted",
    "Loss",
    "OraclePrior",
    "Prior",
    "StandardNormal",
    "bits_per_dim",
    "complete",
    "completes",
    "descend",
    "evaluating",
    "given_others",
    "inpaint",
    "like",
    "pair_costs",
    "started",
    "starts",
]
