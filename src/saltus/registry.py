"""How an object is written down and made again, and how names find what they stand for.

`describe` turns a `Configurable`, and what is nested in it, into JSON and tensors; `build` makes it again.  JSON names a class so:

    {"class": name, "arguments": {...}}   an object          {"tensor": key}      a tensor
    {"same": n}                           the n-th object    {"mapping": {...}}   a dictionary
    {"number": "inf"}                     a number that JSON does not have

Nothing is pickled, and nothing is imported because a file names it.  A name that is unknown is looked for in the rooms of
saltus, which are listed here, and then in the installed packages that have an entry point of the group "saltus.plugins".
"""

from __future__ import annotations

import functools
import importlib.metadata
import inspect
import math
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from saltus.arguments import expected_of, fits
from saltus.errors import SaltusError
from saltus.words import in_brief

__all__ = ["Configurable", "Registry", "Tensors", "build", "describe", "find"]

Tensors = dict[str, Tensor]
T = TypeVar("T")
_ROOMS = (
    "saltus.levels",
    "saltus.likelihoods",
    "saltus.networks",
    "saltus.kernels",
    "saltus.oracles",
    "saltus.chain",
    "saltus.data",
    "saltus.evaluation.features",
)
"""Where the classes are that files may name."""
_PLUGINS = "saltus.plugins"

_classes: dict[str, type[Configurable]] = {}


class Configurable:
    """A class whose objects remember the arguments of their constructor.

    Arguments may be JSON values, tensors, other Configurables, and lists or dictionaries of these.  A class that is a module
    makes its tensors in the constructor as parameters and persistent buffers only, and reads none of their values there.

    Attributes:
        imports: what the constructor imports, as "package:name"; what a library computes while it is imported takes memory.
        renamed: names that arguments have in older files, with those that they have now.

    Raises:
        ValueError: when a class is defined whose short name another class has.
    """

    imports: ClassVar[tuple[str, ...]] = ()
    renamed: ClassVar[Mapping[str, str]] = {}
    _arguments: dict[str, Any] = {}  # noqa: RUF012 - replaced whole, for each object, by the constructor
    _made = False

    def __setattr__(self, name: str, value: Any) -> None:
        """An argument that is changed afterwards is written down as it is now."""
        super().__setattr__(name, value)
        if self._made and name in self._arguments:
            self._arguments[name] = value

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        known = _classes.get(cls.__name__)
        if known is not None and cls.__module__.partition(".")[0] in ("abc", "torch") and issubclass(cls, known):
            return  # a stand-in that torch.export makes on the fly
        if known is not None and _place(known) != _place(cls):
            raise ValueError(f"two classes are named {cls.__name__}: {_place(known)} and {_place(cls)}; files name them so, rename one")
        _classes[cls.__name__] = cls
        if "__init__" in cls.__dict__:
            cls.__init__ = _remembering(cls.__init__)  # type: ignore[method-assign]


def _place(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


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


def find(name: str) -> type[Configurable] | None:
    """The class of this short name, of saltus, of what was imported or of a plugin; None if there is none."""
    for room in _ROOMS:
        if name in _classes:
            break
        importlib.import_module(room)
    if name not in _classes:
        _load_plugins()
    return _classes.get(name)


@functools.cache
def _load_plugins() -> str:
    """Import what installed packages add to saltus, once; what went wrong, as a remark."""
    failures = []
    for plugin in importlib.metadata.entry_points(group=_PLUGINS):
        try:
            plugin.load()
        except Exception as error:
            failures.append(f" (the plugin {plugin.name} does not load: {in_brief(error)})")
    return "".join(failures)


class Registry(Generic[T]):
    """Things by the names that users type.

    Args:
        kind: what the things are, for messages: "kernel".
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._things: dict[str, T] = {}

    def register(self, name: str, thing: T) -> None:
        """Give a thing a name; a ValueError if another thing has it."""
        if self._things.setdefault(name, thing) is not thing:
            raise ValueError(f"two things of the kind {self._kind} are named {name}; rename one")

    def get(self, name: str) -> T:
        """The thing of this name; a SaltusError if neither saltus nor a plugin has it."""
        if name not in self._things and name not in self.names():
            raise SaltusError(f"there is no {self._kind} {name!r}{_load_plugins()}; give one of {', '.join(self.names())}")
        return self._things[name]

    def names(self) -> tuple[str, ...]:
        """All names, those of plugins included, in their order."""
        _load_plugins()
        return tuple(self._things)


def describe(thing: Configurable) -> tuple[dict[str, Any], Tensors]:
    """(plain JSON, tensors by name) from which `build` makes an equal object; what is shared stays shared.

    Raises:
        TypeError: if an argument is none of the kinds a Configurable may hold.
    """
    writer = _Writer()
    return writer.plain(thing), writer.tensors


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
                arguments = {name: self.plain(item) for name, item in value._arguments.items()}
                return {"class": type(value).__name__, "arguments": arguments}
            case Tensor():
                return {"tensor": self._keep(value.detach().cpu().contiguous())}
            case dict() if all(isinstance(key, str) for key in value):
                return {"mapping": {key: self.plain(item) for key, item in value.items()}}
            case list() | tuple():
                return [self.plain(item) for item in value]
            case _ if hasattr(type(value), "__dataclass_fields__"):  # which the constructor takes as a dictionary too
                return self.plain(vars(value))
            case float() if not math.isfinite(value):
                return {"number": repr(float(value))}
            case None | bool() | int() | float() | str():
                return value
            case _:
                raise TypeError(f"cannot write down {value!r}, a {type(value).__name__}; expected JSON values, tensors or Configurables")

    def _keep(self, tensor: Tensor) -> str:
        """The name of a tensor, which is written once though a prior and a kernel may share an oracle."""
        same = (key for key, known in self.tensors.items() if known.dtype == tensor.dtype and known.is_set_to(tensor))
        key = next(same, f"argument.{len(self.tensors)}")
        self.tensors[key] = tensor
        return key


def build(description: Any, tensors: Mapping[str, Tensor], *, meta: bool = False) -> Any:
    """The inverse of `describe`.

    Args:
        description, tensors: what `describe` gave; each tensor is asked for once, and only those that the description names.
        meta: whether modules are made on torch's meta device, where their tensors have a shape and take no memory.

    Raises:
        SaltusError: if a class is unknown, an argument is not what the constructor takes, or a tensor is missing or left over.
    """
    reader = _Reader(tensors, meta)
    made = reader.made(description)
    if unused := tensors.keys() - reader.read.keys():
        raise SaltusError(f"no argument is the tensor {min(unused)!r:.60}; copy all files again from one training")
    return made


class _Reader:
    def __init__(self, tensors: Mapping[str, Tensor], meta: bool) -> None:
        self.tensors, self.meta = tensors, meta
        self.read: Tensors = {}
        self.objects: list[Configurable | None] = []  # in the order of their first mention; None while it is being made

    def made(self, description: Any) -> Any:
        match description:
            case {"class": str(name), "arguments": dict(arguments), **rest} if not rest:
                number = len(self.objects)
                self.objects.append(None)
                made = self.objects[number] = self._object(name, arguments)
                return made
            case {"same": int(number), **rest} if not rest and number in range(len(self.objects)) and self.objects[number] is not None:
                return self.objects[number]
            case {"tensor": str(key), **rest} if not rest and key in self.tensors:
                if key not in self.read:
                    self.read[key] = self.tensors[key]
                return self.read[key]
            case {"mapping": dict(items), **rest} if not rest:
                return {key: self.made(item) for key, item in items.items()}
            case {"number": "nan" | "inf" | "-inf" as number, **rest} if not rest:
                return float(number)
            case dict():
                raise SaltusError(f"{description!r:.60} describes nothing that is there; copy the file again from the training")
            case list():
                return [self.made(item) for item in description]
            case _:
                return description

    def _object(self, name: str, arguments: dict[str, Any]) -> Configurable:
        cls = find(name)
        if cls is None:
            raise SaltusError(f"the class {name!r:.60} is not known here{_load_plugins()}; install or import the package that defines it")
        given = {cls.renamed.get(key, key): self.made(value) for key, value in arguments.items()}
        for key, (hint, default) in expected_of(cls).items():
            if key in given and given[key] is not default and not fits(given[key], hint):
                expected = hint.__name__ if isinstance(hint, type) else hint
                raise SaltusError(f"the argument {key} of {name} is {_shown(given[key])}; expected {expected}: copy the file again")
        try:
            if not (self.meta and issubclass(cls, nn.Module)):
                return cls(**given)
            for needed in cls.imports:
                pkgutil.resolve_name(needed)
            with torch.device("meta"):
                return cls(**given)
        except Exception as error:
            raise SaltusError(f"{name} cannot be made of these arguments ({in_brief(error)}); copy the file again") from error


def _shown(value: Any) -> str:
    """What an argument is, for messages: numbers and words as they are, of all else its type."""
    return f"{value!r:.60}" if isinstance(value, bool | int | float | str) else f"a {type(value).__name__}"
