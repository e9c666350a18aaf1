"""Files with an author: a document of a run that is changed, and whose digests are right again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["forge", "set_argument"]


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def forge(file: Path, change: Callable[[Any], object] = lambda _: None) -> None:
    """Change the document in a file, and put digests right again, of all files beside it that it names."""
    document = json.loads(file.read_text())
    document["files"] = {name: _digest((file.parent / name).read_bytes()) for name in document["files"] if (file.parent / name).exists()}
    change(document)
    document.pop("digest", None)
    text = json.dumps({**document, "digest": ""})
    file.write_text(text[: -len('""}')] + f'"{_digest(text.encode())}"}}')


def set_argument(path: str, value: Any) -> Callable[[Any], None]:
    """Sets what lies at "a.b", argument b of argument a of the chain; "a.0" is the first of a list."""

    def change(document: Any) -> None:
        place = document["chain"]
        *parents, last = path.split(".")
        for name in parents:
            place = place[int(name)] if isinstance(place, list) else place["arguments"][name]
        if isinstance(place, list):
            place[int(last)] = value
        else:
            place["arguments"][last] = value

    return change
