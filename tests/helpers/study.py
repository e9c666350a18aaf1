"""The collapse study with as little of everything as it can have."""

from __future__ import annotations

from saltus.studies.collapse.experiment import Plan

__all__ = ["TINY"]

TINY = Plan(lasts=(3.0, 8.0, 20.0), widths=(4, 8), updates=(2, 4), runs=2, paths=8, generated=24)
