"""How an object is written down and made again.

Every `Buildable` remembers the arguments it was made with.  `describe` turns it, and whatever is nested in
it, into plain JSON and a set of tensors; `build` makes it again.  Nothing is pickled: JSON names a class,
and only classes of saltus, or of modules that the caller has imported, are ever made.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any

from torch import Tensor

from saltus.mistakes import Mistake

__all__ = ["Buildable", "Tensors", "build", "describe"]

Tensors = dict[str, Tensor]

_classes: dict[str, type[Buildable]] = {}


class Buildable:
    """A class whose objects remember the arguments of their constructor.

    Arguments may be JSON values, tensors, other Buildables, and lists or dictionaries of these.
    """

    _arguments: dict[str, Any] = {}  # noqa: RUF012 - replaced whole, for each object, by the constructor

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _classes[_name(cls)] = cls
        if "__init__" in cls.__dict__:
            cls.__init__ = _remembering(cls.__init__)  # type: ignore[method-assign]


def _name(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _remembering(init: Callable[..., None]) -> Callable[..., None]:
    signature = inspect.signature(init)

    @functools.wraps(init)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> None:
        if "_arguments" not in self.__dict__:  # the outermost class of the object speaks first
            bound = signature.bind(self, *args, **kwargs)
            bound.apply_defaults()
            values = dict(bound.arguments)
            values.pop(next(iter(values)))
            object.__setattr__(self, "_arguments", values)
        init(self, *args, **kwargs)

    return wrapper


def describe(thing: Buildable) -> tuple[dict[str, Any], Tensors]:
    """(plain JSON, tensors by name) from which `build` makes an equal object.

    Raises:
        TypeError: if an argument is none of the kinds a Buildable may hold.
    """
    tensors: Tensors = {}
    description: dict[str, Any] = _plain(thing, tensors)
    return description, tensors


def _plain(value: Any, tensors: Tensors) -> Any:
    match value:
        case Buildable():
            return {"class": _name(type(value)), "arguments": _plain(value._arguments, tensors)}
        case Tensor():
            plain = value.detach().cpu().contiguous()
            same = (key for key, known in tensors.items() if known.dtype == plain.dtype and known.is_set_to(plain))
            key = next(same, f"argument.{len(tensors)}")  # written once, though a prior and a kernel may share an oracle
            tensors[key] = plain
            return {"tensor": key}
        case dict():
            return {str(key): _plain(item, tensors) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item, tensors) for item in value]
        case None | bool() | int() | float() | str():
            return value
        case _:
            raise TypeError(f"cannot write down {value!r} of type {type(value).__name__}; expected JSON values, tensors or Buildables")


def build(description: Any, tensors: Tensors) -> Any:
    """The inverse of `describe`.

    Raises:
        Mistake: if a class is named that neither belongs to saltus nor was imported.
    """
    match description:
        case {"class": str(name), "arguments": dict(arguments), **rest} if not rest:
            return _class(name)(**{key: build(item, tensors) for key, item in arguments.items()})
        case {"tensor": str(key), **rest} if not rest:
            return tensors[key]
        case dict():
            return {key: build(item, tensors) for key, item in description.items()}
        case list():
            return [build(item, tensors) for item in description]
        case _:
            return description


def _class(name: str) -> type[Buildable]:
    module = name.partition(":")[0]
    if name not in _classes and module.partition(".")[0] == "saltus":
        importlib.import_module(module)
    if name not in _classes:
        raise Mistake(f"the file names the class {name}, which is not known here; import the module {module} first")
    return _classes[name]
