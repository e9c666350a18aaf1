"""Libraries that only some work needs."""

from __future__ import annotations

import importlib
from typing import Any


def needs(module: str, *, extra: str) -> Any:
    return importlib.import_module(module)
