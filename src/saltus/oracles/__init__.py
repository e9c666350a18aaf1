"""Distributions of data that are known exactly: the truth that everything learned is tested against.  They need only the process."""

from saltus.oracles.finite import FiniteData
from saltus.oracles.fitting import MixtureFit, choose_mixture, fit_mixture
from saltus.oracles.gaussians import LowRankGaussians
from saltus.oracles.low_rank import LowRankMixture
from saltus.oracles.mixture import GaussianMixture
from saltus.oracles.oracle import GivenComponents, Oracle, OracleDistribution

__all__ = [
    "FiniteData",
    "GaussianMixture",
    "GivenComponents",
    "LowRankGaussians",
    "LowRankMixture",
    "MixtureFit",
    "Oracle",
    "OracleDistribution",
    "choose_mixture",
    "fit_mixture",
]
