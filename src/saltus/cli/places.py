"""Files and folders that a command is given: `~` is the user's home, and an empty name is none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

__all__ = ["PLACE", "SOURCE"]


class _Place(click.Path):
    """A path."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return Path(_checked(self, os.fspath(value), param, ctx))


class _Source(click.types.StringParamType):
    """A path, or the name of something else; as text."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return _checked(self, str(value), param, ctx)


def _checked(kind: click.ParamType[Any], text: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
    if not text or "\0" in text:
        kind.fail(f"{text!r} names no file or folder; give its name, or . for the current folder", param, ctx)
    return os.path.expanduser(text)


PLACE, SOURCE = _Place(), _Source()
"""The types of all options and arguments that are files or folders; those of data may be a name as well."""
