"""The grid of times that a chain steps through."""

from saltus.levels.levels import Levels
from saltus.levels.pairs import random_pairs

__all__ = ["Levels", "random_pairs"]
