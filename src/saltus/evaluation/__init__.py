"""Measuring what was made: distances, diversity, and the collapse of Problem 2."""

from saltus.evaluation.collapse import Collapse, exact_decoder_path, measure_collapse, spread
from saltus.evaluation.distances import diversity, mean_pairwise_distance, sliced_wasserstein
from saltus.evaluation.pictures import draw_levels, draw_rows, save_grid

__all__ = [
    "Collapse",
    "diversity",
    "draw_levels",
    "draw_rows",
    "exact_decoder_path",
    "mean_pairwise_distance",
    "measure_collapse",
    "save_grid",
    "sliced_wasserstein",
    "spread",
]
