"""The file of TOML that says what the columns of a table are, as it was found out: a user edits it, and gives it as --columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saltus.data.inspection import Inspection

__all__ = ["columns_text", "write_columns"]

_KINDS = (
    ("number", "step, low, high"),
    ("integer", "step, low, high"),
    ("category", ""),
    ("ordinal", "order, a list of its categories"),
    ("boolean", ""),
    ("date", "low, high"),
    ("skip", ""),
)
_UNSEEN = "\x7f"  # which JSON lets through, and TOML does not


def write_columns(found: Inspection, file: Path) -> None:
    """Write what was found out of a table."""
    from saltus.files import write_atomically

    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, columns_text(found))


def columns_text(found: Inspection) -> str:
    """A line for each column, with its kind, and what was found out as a remark."""
    kinds = ", ".join(f"{kind} ({may})" if may else kind for kind, may in _KINDS)
    lines = [f"# What the columns of {_remark(found.name)} are.  Edit it, and give it as --columns.", f"# Kinds: {kinds}.", ""]
    for column in found.columns:
        remark = "; ".join(words for words in (column.holds, column.why) if words)
        lines.append(f"{_quoted(column.name)} = {_table(column.said)}" + (f"  # {_remark(remark)}" if remark else ""))
    lines += [f'{_quoted(name)} = {{kind = "skip"}}  # left out: {_remark(why)}' for name, why in found.left_out.items()]
    return "\n".join(lines) + "\n"


def _table(said: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{name} = {_value(value)}" for name, value in said.items()) + "}"


def _value(value: Any) -> str:
    return f"[{', '.join(map(_value, value))}]" if isinstance(value, list) else _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace(_UNSEEN, "\\u007f")


def _remark(text: str) -> str:
    from saltus.terminal import in_one_line

    return in_one_line(text)
