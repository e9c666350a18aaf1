"""Samplers, losses and bounds, written once for every kernel."""

from saltus.chain.bound import ACTIVE_VARIANCE, MOST_SAMPLES, Bound, bits_per_dim
from saltus.chain.chain import Chain
from saltus.chain.classes import ClassBound
from saltus.chain.coding import ItemCoder, coded_head
from saltus.chain.coding_plan import Plan, plan
from saltus.chain.completing import complete, completes, given_others
from saltus.chain.costs import pair_costs
from saltus.chain.inpainting import PARTICLES, Inpainted, inpaint
from saltus.chain.latents import Code
from saltus.chain.loss import Batch, ChainLoss, Loss
from saltus.chain.modes import evaluating, like
from saltus.chain.prior import OraclePrior, Prior, StandardNormal
from saltus.chain.process import ChainProcess, descend
from saltus.chain.profile import Profile, profile
from saltus.chain.stack import Stack
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
    "ItemCoder",
    "Loss",
    "OraclePrior",
    "Plan",
    "Prior",
    "Profile",
    "Stack",
    "StandardNormal",
    "bits_per_dim",
    "coded_head",
    "complete",
    "completes",
    "descend",
    "evaluating",
    "given_others",
    "inpaint",
    "like",
    "pair_costs",
    "plan",
    "profile",
    "started",
    "starts",
]
