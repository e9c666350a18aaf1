"""A thing in a folder.  Nothing is pickled.

NAME.json                    how it is made, and a digest of each file, itself included; written last
NAME.safetensors             the state of a module
NAME.arguments.safetensors   the tensors among its arguments, if there are any

A file appears whole or not at all.  Reading first makes a module without memory, and compares what it should hold with what the
file holds; only then are numbers read.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from saltus import storage_format1
from saltus.budget import Budget
from saltus.errors import SaltusError
from saltus.files import AGAIN, atomically, check_regular, parse_json, read_bytes, read_json, to_json, write_atomically
from saltus.registry import Configurable, build, describe
from saltus.tensors import OpenTensors, opened
from saltus.words import in_brief

__all__ = ["mark_failed", "read", "read_document", "write", "write_document"]

_FORMAT = 2
_FLOATS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_DTYPES = {**_FLOATS, "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool"}
"""What torch calls the types of safetensors."""
_CALLS, _FEW, _NUMBERS = 100, 100, 2**22
"""Calls of torch for each tensor of the files, and so many more tensors; numbers besides those of the files: what may be built at most,
which is ten times what our constructors do."""
_FAILED = "failed"
_DIVERGED = "train again with a smaller learning rate"
_blake2b = partial(hashlib.blake2b, digest_size=16)


def write(thing: Configurable, folder: Path, name: str) -> None:
    """Write a thing and how it is made; it is the old one or the new one that is read, or the reader is told.

    Raises:
        TypeError: if an argument of its constructor is none that can be written down.
    """
    description, tensors = describe(thing)
    document: dict[str, Any] = {"format": _FORMAT, "saltus": version("saltus"), name: description}
    state_file, arguments_file = _files(name)
    parts: dict[str, Mapping[str, Tensor]] = {arguments_file: tensors} if tensors else {}
    if isinstance(thing, nn.Module):
        document["dtypes"] = sorted({_said(parameter.dtype) for parameter in thing.parameters() if parameter.is_floating_point()})
        state, homes = thing.state_dict(), _homes(thing)
        parts[state_file] = {home: state[home] for home in homes.values()}
    write_document(folder, name, document, parts)
    for file in {state_file, arguments_file} - parts.keys():
        (folder / file).unlink(missing_ok=True)


def write_document(folder: Path, name: str, document: Mapping[str, Any], parts: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Write files of tensors, and then NAME.json: a document, with the digest of each file and of itself."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {file: _write_tensors(folder / file, content) for file, content in parts.items()}
    _write_digested(folder / f"{name}.json", {**document, "files": files})


def mark_failed(folder: Path, name: str, words: str) -> None:
    """Say in NAME.json why what is written there is not to be used, and what to do: whoever reads it is told so."""
    file = folder / f"{name}.json"
    _write_digested(file, {key: value for key, value in read_json(file).items() if key != "digest"} | {_FAILED: words})


def _write_digested(file: Path, document: Mapping[str, Any]) -> None:
    """Write a document with a digest of itself."""
    head, _, tail = (to_json({**document, "digest": ""}, indent=1) + "\n").encode().rpartition(b'""')
    write_atomically(file, head + f'"{_digest_of(head, tail)}"'.encode() + tail)


def read_document(file: Path, raw: bytes, names: set[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `write_document` wrote into NAME.json, whose bytes are `raw`, and the files beside it, of which `names` may be.

    Raises:
        SaltusError: if something was changed since.
        OSError: if a file cannot be read.
    """
    document = parse_json(raw, file)
    if not isinstance(document, dict):
        raise SaltusError(f"it is no document; {AGAIN}")
    digest, files = document.get("digest"), document.get("files")
    head, _, tail = raw.rpartition(f'"{digest}"'.encode())
    if digest != _digest_of(head, tail):
        raise SaltusError(f"it was changed after it was written; {AGAIN}")
    if not isinstance(files, dict) or not files.keys() <= names:
        raise SaltusError(f"it lists other files than saltus writes; {AGAIN}")
    for part, expected in files.items():
        if _digest(file.parent / part) != expected:
            raise SaltusError(f"{part} was changed, or is of another training; {AGAIN}")
    return document, files


def _files(name: str) -> tuple[str, str]:
    return f"{name}.safetensors", f"{name}.arguments.safetensors"


def _said(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _homes(module: nn.Module) -> dict[str, str]:
    """For each name in the state the name that it is written under: a module that serves at several places is written once."""
    first: dict[nn.Module, str] = {}
    homes = {path: first.setdefault(part, path) for path, part in module.named_modules(remove_duplicate=False)}
    parts = {name: name.rpartition(".") for name in module.state_dict()}
    return {name: f"{homes.get(path, path)}{dot}{last}" if path else name for name, (path, dot, last) in parts.items()}


def _write_tensors(file: Path, tensors: Mapping[str, Tensor]) -> str:
    """Write tensors, and give the digest of the file."""
    whole = {key: value.detach().cpu().clone(memory_format=torch.contiguous_format) for key, value in tensors.items()}  # views may overlap
    with atomically(file) as path:
        try:
            save_file(whole, path)
        except SafetensorError as error:  # as a full disk is told
            raise OSError(errno.EIO, in_brief(error), str(file)) from error
        return _digest(path)


def _digest(file: Path) -> str:
    check_regular(file)
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, _blake2b).hexdigest()


def _digest_of(head: bytes, tail: bytes) -> str:
    """Of a document, but for the digest between the two."""
    return _blake2b(head + b'""' + tail).hexdigest()


def read(folder: Path, name: str) -> Configurable:
    """Make again what `write`, now or in an older version, wrote; a module comes on the CPU and in evaluation mode.

    Raises:
        SaltusError: if a file is missing, damaged, of another training or of a newer format, or names what is not known here.
    """
    file = folder / f"{name}.json"
    try:
        return _read(folder, name)
    except FileNotFoundError as error:
        raise SaltusError(f"{folder} holds no {Path(error.filename).name}; give the folder that training wrote") from error
    except PermissionError as error:
        raise SaltusError(f"{error.filename or file}: permission denied; ask for the right to read it, or take a copy") from error
    except (OSError, SafetensorError) as error:
        raise SaltusError(f"{file} or a file beside it cannot be read ({in_brief(error)}); {AGAIN}") from error


def _read(folder: Path, name: str) -> Configurable:
    file = folder / f"{name}.json"
    raw = read_bytes(file)
    document = parse_json(raw, file)
    number = document.get("format") if isinstance(document, dict) else None
    if not isinstance(number, int) or number < 1:
        raise SaltusError(f"{file} has no format number; give the folder that training wrote")
    if number > _FORMAT:
        raise SaltusError(f"{file} is of format {number}, and this version of saltus reads up to {_FORMAT}; install a newer saltus")
    try:
        return _read_format1(folder, name, document) if number == 1 else _read_format2(folder, name, raw)
    except SaltusError as error:
        raise SaltusError(f"{file} cannot be used: {error}") from error


def _read_format2(folder: Path, name: str, raw: bytes) -> Configurable:
    state_file, arguments_file = _files(name)
    document, files = read_document(folder / f"{name}.json", raw, {state_file, arguments_file})
    if failed := document.get(_FAILED):
        raise SaltusError(f"{failed!s:.300}")
    places = (folder / file if file in files else None for file in (arguments_file, state_file))
    with opened(next(places)) as arguments, opened(next(places)) as state:
        thing = _built(document.get(name), arguments, state)
        if isinstance(thing, nn.Module) != (state_file in files):
            raise SaltusError(f"a {type(thing).__name__} and {state_file} do not go together; {AGAIN}")
        if isinstance(thing, nn.Module):
            dtypes = document.get("dtypes")
            _restore(thing, state, _homes(thing), dtypes if isinstance(dtypes, list) else [])
    return thing


def _read_format1(folder: Path, name: str, document: dict[str, Any]) -> Configurable:
    state_file, _ = _files(name)
    check_regular(folder / state_file)  # or safetensors tells that it is missing, without its name
    with opened(folder / state_file) as both:
        found = storage_format1.tensor_names(document, list(both))
        state = OpenTensors(both.file, set(found.values()), both.size)
        arguments = OpenTensors(both.file, both.keys() - state.keys())
        thing = _built(storage_format1.description_of(document.get(name)), arguments, state)
        if isinstance(thing, nn.Module):
            _restore(thing, state, found, list(_FLOATS.values()))
    return thing


def _built(description: Any, arguments: OpenTensors, state: OpenTensors) -> Configurable:
    """The thing without its state, by whose number of tensors it is seen how much may be built."""
    budget = Budget(calls=_CALLS * (_FEW + len(arguments) + len(state)), numbers=_NUMBERS + arguments.size + state.size)
    with torch.random.fork_rng(devices=[]), budget:  # constructors draw random numbers, which are not the user's concern
        thing = build(description, arguments, meta=True)
    if not isinstance(thing, Configurable):
        raise SaltusError(f"it does not say how to make anything; {AGAIN}")
    return thing


def _restore(module: nn.Module, state: OpenTensors, keys: Mapping[str, str], dtypes: list[str]) -> None:
    """Give a module without memory its state, in place.

    Args:
        module: on the meta device.
        state: all tensors of the file that are of the state.
        keys: for each name in the module's state, the name in the file.
        dtypes: those that floating-point parameters may have.
    """
    slots = module.state_dict(keep_vars=True)
    if unlike := (slots.keys() ^ keys.keys()) | (set(keys.values()) ^ state.keys()):
        raise SaltusError(f"{len(unlike)} tensors are missing or too many, such as {min(unlike)!r:.80}; {AGAIN}")
    resizable = {name for name in slots if _is_resizable(module, name)}
    for name, slot in slots.items():
        found = state.file.get_slice(keys[name])
        shape, dtype = tuple(found.get_shape()), _DTYPES.get(found.get_dtype(), "unknown")
        fits = len(shape) == slot.ndim if name in resizable else shape == tuple(slot.shape)
        if not fits or not _may_be(dtype, slot, dtypes):
            raise SaltusError(
                f"the tensor {name} is {dtype} of shape {shape}; expected {_said(slot.dtype)} of shape {tuple(slot.shape)}: {AGAIN}"
            )
    made: dict[int, Tensor] = {}  # by the slot's identity: what is tied stays tied
    for name, slot in slots.items():
        if id(slot) not in made:
            tensor = state[keys[name]]
            if isinstance(slot, nn.Parameter) and not bool(tensor.isfinite().all()):
                raise SaltusError(f"the weights {name} are not finite, as a training that diverged leaves them; {_DIVERGED}")
            made[id(slot)] = nn.Parameter(tensor, slot.requires_grad) if isinstance(slot, nn.Parameter) else tensor
    for name in resizable:
        path, _, buffer = name.rpartition(".")
        setattr(module.get_submodule(path), buffer, made[id(slots[name])])
    module.load_state_dict({name: made[id(slot)] for name, slot in slots.items()}, assign=True)
    module.eval()
    for path, part in module.named_modules():
        for name, value in {**vars(part), **part._parameters, **part._buffers}.items():
            if isinstance(value, Tensor) and value.is_meta:
                raise SaltusError(f"{path}.{name} is a tensor that files do not hold; make it a persistent buffer of its module")


def _may_be(dtype: str, slot: Tensor, dtypes: list[str]) -> bool:
    """Whether a tensor of this type may take a slot: parameters have one of `dtypes`, and buffers may keep their own."""
    if slot.is_floating_point() and dtype in dtypes:
        return True
    return dtype == _said(slot.dtype) and not (slot.is_floating_point() and isinstance(slot, nn.Parameter))


def _is_resizable(module: nn.Module, name: str) -> bool:
    """Whether it is a buffer whose length is not known before it is calibrated."""
    path, _, buffer = name.rpartition(".")
    return buffer in getattr(module.get_submodule(path), "resizable_buffers", ())
