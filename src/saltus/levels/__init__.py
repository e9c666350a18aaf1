"""Grids of times: those that a chain steps through, those that it is trained on, and the best one by a table of measured costs."""

from saltus.levels.levels import MOST_LEVELS, Levels
from saltus.levels.pairs import random_pairs
from saltus.levels.plan import PairCosts, Plan

__all__ = ["MOST_LEVELS", "Levels", "PairCosts", "Plan", "random_pairs"]
