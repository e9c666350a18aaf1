"""saltus: diffusion models that need a handful of network calls and say how good they are in nats.

The names below are loaded when they are first used, so that `import saltus` costs nothing.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saltus.chain import Bound, Chain, ChainLoss, Loss, OraclePrior, StandardNormal, bits_per_dim
    from saltus.data import DataSet, Preparation, digits, load
    from saltus.errors import SaltusError
    from saltus.estimators import ImageModel, Model, TableModel
    from saltus.kernels import (
        KERNELS,
        Denoiser,
        DeterministicKernel,
        GaussianKernel,
        Kernel,
        OracleKernel,
        Sampling,
        Trainable,
        Transition,
        VAEKernel,
    )
    from saltus.levels import Levels, PairCosts
    from saltus.likelihoods import DiscretisedHead, GaussianHead
    from saltus.networks import NETWORKS, ClassCondition, ImageCondition, VectorCondition
    from saltus.oracles import FiniteData, GaussianMixture
    from saltus.process import Delta, Noise, OrnsteinUhlenbeck
    from saltus.training import Config, train

_rooms = {
    "process": (
        "Delta",
        "Noise",
        "OrnsteinUhlenbeck",
    ),
    "levels": (
        "Levels",
        "PairCosts",
    ),
    "oracles": (
        "FiniteData",
        "GaussianMixture",
    ),
    "likelihoods": (
        "DiscretisedHead",
        "GaussianHead",
    ),
    "networks": (
        "ClassCondition",
        "ImageCondition",
        "NETWORKS",
        "VectorCondition",
    ),
    "kernels": (
        "Denoiser",
        "DeterministicKernel",
        "GaussianKernel",
        "KERNELS",
        "Kernel",
        "OracleKernel",
        "Sampling",
        "Trainable",
        "Transition",
        "VAEKernel",
    ),
    "chain": (
        "Bound",
        "Chain",
        "ChainLoss",
        "Loss",
        "OraclePrior",
        "StandardNormal",
        "bits_per_dim",
    ),
    "data": (
        "DataSet",
        "Preparation",
        "digits",
        "load",
    ),
    "training": (
        "Config",
        "train",
    ),
    "estimators": ("ImageModel", "Model", "TableModel"),
    "errors": ("SaltusError",),
}
_home = {name: room for room, names in _rooms.items() for name in names}

__all__ = [
    "KERNELS",
    "NETWORKS",
    "Bound",
    "Chain",
    "ChainLoss",
    "ClassCondition",
    "Config",
    "DataSet",
    "Delta",
    "Denoiser",
    "DeterministicKernel",
    "DiscretisedHead",
    "FiniteData",
    "GaussianHead",
    "GaussianKernel",
    "GaussianMixture",
    "ImageCondition",
    "ImageModel",
    "Kernel",
    "Levels",
    "Loss",
    "Model",
    "Noise",
    "OracleKernel",
    "OraclePrior",
    "OrnsteinUhlenbeck",
    "PairCosts",
    "Preparation",
    "SaltusError",
    "Sampling",
    "StandardNormal",
    "TableModel",
    "Trainable",
    "Transition",
    "VAEKernel",
    "VectorCondition",
    "bits_per_dim",
    "digits",
    "load",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _rooms:
        return importlib.import_module(f"saltus.{name}")
    if name == "__version__":
        return importlib.metadata.version("saltus")
    if name not in _home:
        raise AttributeError(f"module 'saltus' has no attribute {name!r}")
    return getattr(importlib.import_module(f"saltus.{_home[name]}"), name)


def __dir__() -> list[str]:
    return __all__
