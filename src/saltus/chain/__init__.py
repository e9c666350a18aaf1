"""Samplers, losses and bounds, written once for every kernel."""

from saltus.chain.bound import ACTIVE_VARIANCE, Bound, bits_per_dim
from saltus.chain.chain import Chain
from saltus.chain.latents import Code
from saltus.chain.loss import Loss
from saltus.chain.modes import evaluating, like
from saltus.chain.prior import OraclePrior, Prior, StandardNormal

__all__ = [
    "ACTIVE_VARIANCE",
    "Bound",
    "Chain",
    "Code",
    "Loss",
    "OraclePrior",
    "Prior",
    "StandardNormal",
    "bits_per_dim",
    "evaluating",
    "like",
]
