"""Training: a loop that is an iterator, its configuration, and the folder that keeps a run."""

from saltus.training.build import build_chain
from saltus.training.choices import HeadKind, LevelWeighting, Objective, PriorKind
from saltus.training.config import Config
from saltus.training.folder import (
    PLAN,
    check_data,
    encoding_of,
    load_config,
    load_data,
    load_encoding,
    planned_levels,
    recipe,
    table_of,
    updates_done,
)
from saltus.training.folds import FEW_ROWS, Folds, cross_validated, length_found
from saltus.training.level_sampling import LevelSampling
from saltus.training.outcome import REMEDY, failing
from saltus.training.progress import Progress, Validation
from saltus.training.run import train, usable_device
from saltus.training.schedule import VALIDATIONS
from saltus.training.trainer import Trainer
from saltus.training.warm import check_teacher, warm_start

__all__ = [
    "FEW_ROWS",
    "PLAN",
    "REMEDY",
    "VALIDATIONS",
    "Config",
    "Folds",
    "HeadKind",
    "LevelSampling",
    "LevelWeighting",
    "Objective",
    "PriorKind",
    "Progress",
    "Trainer",
    "Validation",
    "build_chain",
    "check_data",
    "check_teacher",
    "cross_validated",
    "encoding_of",
    "failing",
    "length_found",
    "load_config",
    "load_data",
    "load_encoding",
    "planned_levels",
    "recipe",
    "table_of",
    "train",
    "updates_done",
    "usable_device",
    "warm_start",
]
