"""Where other libraries are met: one file for each, which translates directions, indices and scalings."""

from saltus.integrations.diffusers import LATEST, Denoiser, SchedulerSampler, Solver

__all__ = ["LATEST", "Denoiser", "SchedulerSampler", "Solver"]
