"""saltus: diffusion models that need a handful of network calls and say how good they are in nats.

The names below are loaded when they are first used, so that `import saltus` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saltus.chain import Bound, Chain, Loss, OraclePrior, StandardNormal, bits_per_dim
    from saltus.data import DataSet, digits, load
    from saltus.errors import SaltusError
    from saltus.kernels import DeterministicKernel, GaussianKernel, Kernel, OracleKernel, Sampling, VAEKernel
    from saltus.levels import Levels
    from saltus.likelihoods import DiscretisedHead, GaussianHead
    from saltus.oracles import FiniteData, GaussianMixture
    from saltus.process import Delta, Noise, OrnsteinUhlenbeck
    from saltus.training import Config, train

_rooms = {
    "process": ("Delta", "Noise", "OrnsteinUhlenbeck"),
    "levels": ("Levels",),
    "oracles": ("FiniteData", "GaussianMixture"),
    "kernels": (
        "DeterministicKernel",
        "GaussianKernel",
        "Kernel",
        "OracleKernel",
        "Sampling",
        "VAEKernel",
    ),
    "likelihoods": ("DiscretisedHead", "GaussianHead"),
    "chain": ("Bound", "Chain", "Loss", "OraclePrior", "StandardNormal", "bits_per_dim"),
    "data": ("DataSet", "digits", "load"),
    "training": ("Config", "train"),
    "errors": ("SaltusError",),
}
_home = {name: room for room, names in _rooms.items() for name in names}

__all__ = [
    "Bound",
    "Chain",
    "Config",
    "DataSet",
    "Delta",
    "DeterministicKernel",
    "DiscretisedHead",
    "FiniteData",
    "GaussianHead",
    "GaussianKernel",
    "GaussianMixture",
    "Kernel",
    "Levels",
    "Loss",
    "Noise",
    "OracleKernel",
    "OraclePrior",
    "OrnsteinUhlenbeck",
    "SaltusError",
    "Sampling",
    "StandardNormal",
    "VAEKernel",
    "bits_per_dim",
    "digits",
    "load",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _rooms:
        return importlib.import_module(f"saltus.{name}")
    if name not in _home:
        raise AttributeError(f"module 'saltus' has no attribute {name!r}")
    return getattr(importlib.import_module(f"saltus.{_home[name]}"), name)


def __dir__() -> list[str]:
    return __all__
