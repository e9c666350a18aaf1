"""The grid of times that a chain steps through."""

from saltus.levels.levels import Levels

__all__ = ["Levels"]
