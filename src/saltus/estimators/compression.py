"""Images in a file without loss, by the distribution of a model (`saltus.chain.coding`).

    4 bytes   b"SLTZ"
    1         the format's number, 1
    4         CRC-32 of all that follows
    8         the model that wrote it: a digest of its distributions and weights
    4         CRC-32 of the code of an item that every machine makes: another one computes otherwise
    4         how many images
    4         CRC-32 of their values
    4         how many bytes follow of
    ...       which numbers of latents are coded, level after level, a bit each, by zlib
    ...       the code

All numbers have their least byte first.  The first image is on top of the stack that the code is.  Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from saltus.chain import Chain, ItemCoder, Stack, coded_head, like, plan
from saltus.data import Encoding
from saltus.data.layout import Array
from saltus.data.parts import as_array
from saltus.errors import SaltusError
from saltus.files import to_json
from saltus.registry import describe

__all__ = ["Compressed", "compress", "decompress"]

_HEAD = struct.Struct("<4sBI8sIIII")
_CHECKED = struct.calcsize("<4sBI")  # bytes before those that the first CRC-32 is of
_MAGIC, _FORMAT = b"SLTZ", 1
_IRRELEVANT = ("sampling", "importance_samples", "noise_version")  # arguments of a chain that no code depends on
_DAMAGED = "it was damaged or cut short; copy it again, or compress again"


class Compressed(NamedTuple):
    """A file of images, and what it is made of.

    Attributes:
        data: the bytes of the file.
        nats: the bound of each image with what its class costs, (N,): the length of an ideal code.
        bits: what each image added to the code, (N,).
        lent: bytes that the code began with, so that something could be popped; the same however many images there are.
        head: bytes before the code.
    """

    data: bytes
    nats: Array
    bits: Array
    lent: int
    head: int


def compress(chain: Chain, encoding: Encoding, images: Any, *, check: bool = True) -> Compressed:
    """Images as the bytes of a file.

    Args:
        chain: the model.
        encoding: of its data.
        images: (N, *shape), as the data were.
        check: whether to read the code again and compare.

    Raises:
        SaltusError: for images that are not such as the data were, a model whose items have no code, or if what is read again is not what
            was written; without constriction.
    """
    raw = _images(encoding, images)
    coded_head(chain)
    y = encoding.encode(raw)
    if not np.array_equal(encoding.decode(y), raw):
        raise SaltusError("the images hold values between those of the model, which would not come back; round them to its values")
    y = y.to(like(chain))
    found = plan(chain, y)
    coder, stack = ItemCoder(chain, found.used), Stack()
    lengths = [0]
    for i in reversed(range(len(y))):
        coder.push(stack, y[i : i + 1], None if found.classes is None else int(found.classes[i]))
        lengths.append(stack.bits - 8 * stack.lent)
    used = zlib.compress(np.packbits(torch.cat(found.used).numpy()).tobytes(), 9)
    values = encoding.decode(y)
    checked = _HEAD.pack(_MAGIC, _FORMAT, 0, _fingerprint(chain), zlib.crc32(coder.probe()), len(y), _crc(values), len(used))[_CHECKED:]
    rest = checked + used + stack.code()
    data = _MAGIC + struct.pack("<BI", _FORMAT, zlib.crc32(rest)) + rest
    if check and not np.array_equal(decompress(chain, encoding, data), values):
        raise SaltusError("the images that were read again are others, so that this machine does not compute twice alike; use another one")
    return Compressed(data, found.nats.numpy(), np.diff(lengths)[::-1], stack.lent, _HEAD.size + len(used))


def decompress(chain: Chain, encoding: Encoding, data: bytes) -> Array:
    """The images of a file, (N, *shape), of the type of the model's data.

    Raises:
        SaltusError: if it is no such file, damaged, of another model, or of a machine that computes otherwise.
    """
    if len(data) < _HEAD.size or not data.startswith(_MAGIC):
        raise SaltusError("it is no file of compressed images, or was cut short; give one that saltus compress wrote")
    _, number, crc, fingerprint, probe, count, values, size = _HEAD.unpack_from(data)
    if number != _FORMAT:
        raise SaltusError(f"it is of format {number}, and this version of saltus reads {_FORMAT}; install the saltus that wrote it")
    if zlib.crc32(data[_CHECKED:]) != crc:
        raise SaltusError(_DAMAGED)
    if fingerprint != _fingerprint(chain):
        raise SaltusError("it was written with another model, or with other weights of this one; give the run that it was compressed with")
    code = data[_HEAD.size + size :]
    if count < 1 or len(code) % 4:
        raise SaltusError(_DAMAGED)
    coder = ItemCoder(chain, _used(chain, data[_HEAD.size : _HEAD.size + size]))
    if zlib.crc32(coder.probe()) != probe:
        raise SaltusError(
            "the machine or the version of torch that wrote it rounds otherwise than this one, which would make other images of it; "
            "read it where it was written"
        )
    stack = Stack(code)
    found = torch.cat([coder.pop(stack) for _ in range(count)])
    raw = encoding.decode(found)
    if _crc(raw) != values:
        raise SaltusError(
            "the images that were read are not those that were written: this machine rounds otherwise; read it where it was written"
        )
    return raw


def _images(encoding: Encoding, images: Any) -> Array:
    if not encoding.layout.is_image:
        raise SaltusError(f"the model is of {encoding.summary()}, where one of images was expected; keep a table as Parquet")
    raw = encoding.layout.like(as_array(images), encoding.shape)
    if not len(raw):
        raise SaltusError("0 images were given; expected at least 1")
    return raw


def _used(chain: Chain, packed: bytes) -> list[Tensor]:
    """Which numbers of each level's latent are coded."""
    sizes = [chain.kernel(level).latent for level in range(1, chain.levels.L + 1)]
    try:
        bits = zlib.decompressobj().decompress(packed, -(-sum(sizes) // 8) or 1)
    except zlib.error as error:
        raise SaltusError(_DAMAGED) from error
    each = np.unpackbits(np.frombuffer(bits, np.uint8))[: sum(sizes)]
    if len(each) != sum(sizes):
        raise SaltusError(_DAMAGED)
    return list(torch.tensor(each, dtype=torch.bool).split(sizes))


def _crc(raw: Array) -> int:
    return zlib.crc32(np.ascontiguousarray(raw).astype(raw.dtype.newbyteorder("<")).tobytes())


def _fingerprint(chain: Chain) -> bytes:
    """A digest of all that distributions are made of."""
    description, tensors = describe(chain)
    for name in _IRRELEVANT:
        description["arguments"].pop(name, None)
    digest = hashlib.blake2b(to_json(description).encode(), digest_size=8)
    for name, tensor in sorted({**tensors, **chain.state_dict()}.items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensor.detach().cpu().numpy()).tobytes())
    return digest.digest()
