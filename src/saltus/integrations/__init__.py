"""Where other libraries are met: one file for each, which translates directions, indices and scalings."""

from saltus.integrations.card import model_card
from saltus.integrations.diffusers import LATEST, SchedulerSampler, Solver
from saltus.integrations.exporting import Sampler, graph_of
from saltus.integrations.formats import Request, Writer, Written
from saltus.integrations.hub import push
from saltus.integrations.onnx_files import write_onnx
from saltus.integrations.pipeline_folder import to_diffusers
from saltus.integrations.teacher import load_teacher, measured_chain, measured_teacher, teacher_chain, teacher_levels, teacher_of
from saltus.integrations.torch_files import write_program
from saltus.integrations.web_page import write_page

__all__ = [
    "LATEST",
    "Request",
    "Sampler",
    "SchedulerSampler",
    "Solver",
    "Writer",
    "Written",
    "graph_of",
    "load_teacher",
    "measured_chain",
    "measured_teacher",
    "model_card",
    "push",
    "teacher_chain",
    "teacher_levels",
    "teacher_of",
    "to_diffusers",
    "write_onnx",
    "write_page",
    "write_program",
]
