"""Measuring what was made: distances, diversity, and the collapse of Problem 2."""

from saltus.evaluation.collapse import OracleCollapse, oracle_collapse, path_spread
from saltus.evaluation.distances import diversity, mean_pairwise_distance, sliced_wasserstein

__all__ = ["OracleCollapse", "diversity", "mean_pairwise_distance", "oracle_collapse", "path_spread", "sliced_wasserstein"]
