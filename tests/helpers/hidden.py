"""An interpreter in which some libraries are not installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder

__all__ = ["hidden"]


@contextmanager
def hidden(*libraries: str) -> Iterator[None]:
    """Libraries are as if they were not installed."""
    finders, loaded = list(sys.meta_path), {name: module for name, module in sys.modules.items() if name.partition(".")[0] in libraries}

    class Finder:
        find_distributions = staticmethod(PathFinder.find_distributions)

        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> object:
            if name.partition(".")[0] in libraries:
                return None
            return next(filter(None, (finder.find_spec(name, path, target) for finder in finders)), None)  # type: ignore[arg-type]

    for name in loaded:
        del sys.modules[name]
    sys.meta_path[:] = [Finder]  # type: ignore[list-item]
    try:
        yield
    finally:
        sys.meta_path[:] = finders
        sys.modules.update(loaded)
