"""Distributions of data that are known exactly: the truth that everything learned is tested against.  They need only the process."""

from saltus.oracles.finite import FiniteData
from saltus.oracles.low_rank import LowRankMixture
from saltus.oracles.mixture import GaussianMixture
from saltus.oracles.oracle import Oracle, OracleDistribution

__all__ = ["FiniteData", "GaussianMixture", "LowRankMixture", "Oracle", "OracleDistribution"]
