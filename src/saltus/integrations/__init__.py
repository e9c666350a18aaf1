"""Where other libraries are met: one file for each, which translates directions, indices and scalings."""

from saltus.integrations.card import model_card
from saltus.integrations.diffusers import LATEST, SchedulerSampler, Solver
from saltus.integrations.hub import push
from saltus.integrations.pipeline_folder import to_diffusers
from saltus.integrations.teacher import load_teacher, measured_teacher, teacher_chain, teacher_levels, teacher_of

__all__ = [
    "LATEST",
    "SchedulerSampler",
    "Solver",
    "load_teacher",
    "measured_teacher",
    "model_card",
    "push",
    "teacher_chain",
    "teacher_levels",
    "teacher_of",
    "to_diffusers",
]
