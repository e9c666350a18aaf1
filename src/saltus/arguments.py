"""What the arguments of a constructor may be, by its annotations, where they come from a file."""

from __future__ import annotations

import inspect
import math
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

__all__ = ["expected_of", "fits"]

_MOST = 2**63
"""Whole numbers from here on are no sizes, and torch does not hold them."""


def expected_of(cls: type) -> dict[str, tuple[Any, Any]]:
    """The annotation and the default of each argument of a constructor; none if annotations need what is not imported."""
    try:
        hints = get_type_hints(cls.__init__)  # type: ignore[misc]
    except NameError:
        return {}
    parameters = inspect.signature(cls).parameters
    return {name: (hint, parameters[name].default) for name, hint in hints.items() if name in parameters}


def fits(value: Any, hint: Any) -> bool:
    """Whether an argument that comes from a file may be what an annotation says.

    Whole numbers are as good as others where those are expected, and lists as tuples.  NaN is no number, and neither is `true`.
    """
    kind, inner = get_origin(hint) or hint, set(get_args(hint)) - {Ellipsis}
    if kind in (Union, UnionType):
        return any(fits(value, one) for one in inner)
    if kind is Any or not isinstance(kind, type) or getattr(kind, "_is_protocol", False):
        return True
    if isinstance(value, list):
        return (issubclass(list, kind) or kind is tuple) and (len(inner) != 1 or all(fits(item, *inner) for item in value))
    if isinstance(value, str):  # also a sequence, which is not meant
        return issubclass(kind, str) or kind is object
    if isinstance(value, bool):
        return kind in (bool, object)
    if isinstance(value, int):
        return (kind is object or issubclass(kind, int | float)) and kind is not bool and abs(value) < _MOST
    if isinstance(value, float):
        return (kind is object or issubclass(kind, float)) and not math.isnan(value)
    return isinstance(value, kind)
