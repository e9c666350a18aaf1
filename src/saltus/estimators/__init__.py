"""Front doors: models that take and give values as files hold them.

The names are loaded when they are first used, since scikit-learn, which two of them are of, takes a second or two.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saltus.estimators.image import ImageModel
    from saltus.estimators.model import Model
    from saltus.estimators.table import TableModel

__all__ = ["ImageModel", "Model", "TableModel"]

_homes = {"ImageModel": "image", "Model": "model", "TableModel": "table"}


def __getattr__(name: str) -> Any:
    if name not in _homes:
        raise AttributeError(f"module 'saltus.estimators' has no attribute {name!r}")
    return getattr(importlib.import_module(f"saltus.estimators.{_homes[name]}"), name)
