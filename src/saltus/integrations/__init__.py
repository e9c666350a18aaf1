"""Where other libraries are met: one file for each, which translates directions, indices and scalings."""

from saltus.integrations.diffusers import LATEST, SchedulerSampler, Solver

__all__ = ["LATEST", "SchedulerSampler", "Solver"]
