"""What a table is trained with where nothing else is asked for (docs/decisions/0052-tables-one-column-after-another.md)."""

from __future__ import annotations

from typing import Any

from saltus.data import Columns, DataSet
from saltus.kernels import KERNELS
from saltus.training.config import Config

__all__ = ["for_table"]

_DEFAULTS: dict[str, Any] = {"kernel": "autoregressive", "levels": 1, "prior": "normal", "batch": 512, "learning_rate": 2e-3}
_OF_OTHERS = {"kernel", "levels", "times", "prior", "any_step", "head", "architecture", "channels", "closed_forms", "eta"}


def for_table(config: Config, data: DataSet) -> Config:
    """The configuration; of a table, unless an option says which kernel it is for, one step that takes a column after another."""
    given = config.model_fields_set
    of_kernels = _OF_OTHERS | {option for name in KERNELS.names() for option in KERNELS.get(name).options}
    if not isinstance(data.encoding, Columns) or given & of_kernels:
        return config
    return Config(**_DEFAULTS | {name: getattr(config, name) for name in given})
