"""Where other libraries are met: one file for each, which translates directions, indices and scalings."""

from saltus.borders.diffusers import LATEST, Denoiser, SchedulerSampler, Solver

__all__ = ["LATEST", "Denoiser", "SchedulerSampler", "Solver"]
