"""How an object is written down and made again.

Every `Configurable` remembers the arguments it was made with.  `describe` turns it, and whatever is nested in
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

from saltus.errors import SaltusError

__all__ = ["Configurable", "Tensors", "build", "describe"]

Tensors = dict[str, Tensor]

_classes: dict[str, type[Configurable]] = {}


class Configurable:
    """A class whose objects remember the arguments of their constructor.

    Arguments may be JSON values, tensors, other Configurables, and lists or dictionaries of these.
    """

    _arguments: dict[str, Any] = {}  # noqa: RUF012 - replaced whole, for each object, by the constructor

    _made = False

    def __setattr__(self, name: str, value: Any) -> None:
        """An argument that is changed afterwards is written down as it is now."""
        super().__setattr__(name, value)
        if self._made and name in self._arguments:
            self._arguments[name] = value

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
        outermost = "_arguments" not in self.__dict__
        if outermost:
            bound = signature.bind(self, *args, **kwargs)
            bound.apply_defaults()
            values = dict(bound.arguments)
            values.pop(next(iter(values)))
            object.__setattr__(self, "_arguments", values)
        init(self, *args, **kwargs)
        if outermost:
            object.__setattr__(self, "_made", True)

    return wrapper


def describe(thing: Configurable) -> tuple[dict[str, Any], Tensors]:
    """(plain JSON, tensors by name) from which `build` makes an equal object; what is shared stays shared.

    Raises:
        TypeError: if an argument is none of the kinds a Configurable may hold.
    """
    writer = _Writer()
    description: dict[str, Any] = writer.plain(thing)
    return description, writer.tensors


class _Writer:
    def __init__(self) -> None:
        self.tensors: Tensors = {}
        self.seen: dict[int, int] = {}  # id of an object to its number, in the order of their first mention

    def plain(self, value: Any) -> Any:
        match value:
            case Configurable() if id(value) in self.seen:
                return {"same": self.seen[id(value)]}
            case Configurable():
                self.seen[id(value)] = len(self.seen)
                return {"class": _name(type(value)), "arguments": self.plain(value._arguments)}
            case Tensor():
                return {"tensor": self._keep(value.detach().cpu().contiguous())}
            case dict():
                return {str(key): self.plain(item) for key, item in value.items()}
            case list() | tuple():
                return [self.plain(item) for item in value]
            case None | bool() | int() | float() | str():
                return value
            case _:
                raise TypeError(
                    f"cannot write down {value!r} of type {type(value).__name__}; expected JSON values, tensors or Configurables"
                )

    def _keep(self, tensor: Tensor) -> str:
        """The name of a tensor, which is written once though a prior and a kernel may share an oracle."""
        same = (key for key, known in self.tensors.items() if known.dtype == tensor.dtype and known.is_set_to(tensor))
        key = next(same, f"argument.{len(self.tensors)}")
        self.tensors[key] = tensor
        return key


def build(description: Any, tensors: Tensors) -> Any:
    """The inverse of `describe`.

    Raises:
        SaltusError: if a class is named that neither belongs to saltus nor was imported.
    """
    return _Reader(tensors).made(description)


class _Reader:
    def __init__(self, tensors: Tensors) -> None:
        self.tensors = tensors
        self.objects: list[Any] = []  # in the order of their first mention

    def made(self, description: Any) -> Any:
        match description:
            case {"class": str(name), "arguments": dict(arguments), **rest} if not rest:
                number = len(self.objects)
                self.objects.append(None)
                self.objects[number] = _class(name)(**self.made(arguments))
                return self.objects[number]
            case {"same": int(number), **rest} if not rest:
                return self.objects[number]
            case {"tensor": str(key), **rest} if not rest:
                return self.tensors[key]
            case dict():
                return {key: self.made(item) for key, item in description.items()}
            case list():
                return [self.made(item) for item in description]
            case _:
                return description


def _class(name: str) -> type[Configurable]:
    module = name.partition(":")[0]
    if name not in _classes and module.partition(".")[0] == "saltus":
        importlib.import_module(module)
    if name not in _classes:
        raise SaltusError(f"the file names the class {name}, which is not known here; import the module {module} first")
    return _classes[name]
