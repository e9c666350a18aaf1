"""Results that are kept: made once, written whole, and never believed when they are damaged."""

from __future__ import annotations

import json
import math
import os
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from saltus.errors import SaltusError
from saltus.studies.cache import ResultCache
from tests.helpers.checks import assert_one_sentence

KEY = {"n": 1, "levels": [0.0, 0.1, 3.0]}


class Maker:
    """Makes one value and counts how often."""

    def __init__(self, value: Any) -> None:
        self.value, self.calls = value, 0

    def __call__(self) -> Any:
        self.calls += 1
        return self.value


def test_a_result_is_made_once_and_named_by_all_that_decides_it(tmp_path: Path) -> None:
    make = Maker({"value": 0.1 + 0.2, "list": (1, 2.5), "none": None, "word": "§ $x$"})
    for _ in range(2):
        found = ResultCache(tmp_path / "a" / "b").get(KEY, make)
        assert found == {"value": 0.1 + 0.2, "list": [1, 2.5], "none": None, "word": "§ $x$"}
    assert make.calls == 1
    cache = ResultCache(tmp_path / "a" / "b")
    cache.get(dict(reversed(KEY.items())), make)  # the order of names decides nothing
    assert make.calls == 1
    cache.get(KEY | {"n": 2}, make)
    assert make.calls == 2


def test_numbers_that_are_not_finite_are_none_when_made_and_when_kept(tmp_path: Path) -> None:
    make = Maker({"values": [math.nan, math.inf, -math.inf, 1e-300]})
    for _ in range(2):
        assert ResultCache(tmp_path).get(KEY, make) == {"values": [None, None, None, 1e-300]}
    assert make.calls == 1


def test_what_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path)

    def interrupted() -> Any:
        raise KeyboardInterrupt

    for make in (cache.get, cache.tensor):
        with pytest.raises(KeyboardInterrupt):
            make(KEY, interrupted)
    assert list(tmp_path.iterdir()) == []
    assert cache.get(KEY, lambda: {"value": 1}) == {"value": 1}


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_what_cannot_be_written_leaves_nothing(failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, failing, full)
    with pytest.raises(OSError, match="no space"):
        ResultCache(tmp_path).get(KEY, lambda: {"value": 1})
    assert list(tmp_path.iterdir()) == []


def damaged(content: bytes) -> dict[str, bytes]:
    """Ways that a file can be wrong."""
    middle = len(content) // 2
    return {
        "cut short": content[:middle],
        "without its last byte but one": content[:-2],
        "empty": b"",
        "zeros": bytes(len(content)),
        "no text": b"\xff\xfe" + content,
        "another form": b"[1, 2]",
        "a number": b"3",
        "without a digest": b'{"key": {}, "value": {"value": 0.5}}',
    }


@pytest.mark.parametrize("damage", [*damaged(b""), "one digit"])
def test_a_damaged_result_is_made_again(damage: str, tmp_path: Path) -> None:
    cache, make = ResultCache(tmp_path), Maker({"value": 0.125})
    cache.get(KEY, make)
    file = cache.file(KEY)
    whole = file.read_bytes()
    wrong = damaged(whole) | {"one digit": whole.replace(b"0.125", b"0.135")}
    assert wrong[damage] != whole
    file.write_bytes(wrong[damage])
    assert cache.get(KEY, make) == {"value": 0.125}
    assert make.calls == 2
    assert cache.get(KEY, make) == {"value": 0.125}
    assert make.calls == 2
    assert file.read_bytes() == whole


def test_a_result_may_be_laid_out_anew(tmp_path: Path) -> None:
    """The digest is of what the file says, not of its spaces: the twin of the test above."""
    cache, make = ResultCache(tmp_path), Maker({"value": 0.125, "other": [1, 2]})
    cache.get(KEY, make)
    file = cache.file(KEY)
    file.write_text(json.dumps(dict(reversed(json.loads(file.read_text()).items()))))
    cache.get(KEY, make)
    assert make.calls == 1


@pytest.mark.parametrize(
    "tensor",
    [torch.arange(6.0).view(2, 3).T, torch.tensor(1.5), torch.zeros(0, 2), torch.ones(3, dtype=torch.bfloat16), torch.arange(4)],
    ids=["strided", "scalar", "empty", "bfloat16", "integers"],
)
def test_a_tensor_is_made_once(tensor: Tensor, tmp_path: Path) -> None:
    cache, make = ResultCache(tmp_path), Maker(tensor)
    file = cache.tensor(KEY, make)
    assert cache.tensor(KEY, make) == file
    assert make.calls == 1
    assert torch.equal(cache.load(file.name), tensor)
    assert cache.load(file.name).dtype == tensor.dtype


@pytest.mark.parametrize("damage", [*damaged(b""), "one bit"])
def test_a_damaged_tensor_is_made_again_and_not_read(damage: str, tmp_path: Path) -> None:
    cache, make = ResultCache(tmp_path), Maker(torch.arange(5.0))
    file = cache.tensor(KEY, make)
    whole = file.read_bytes()
    wrong = damaged(whole) | {"one bit": whole[:-1] + bytes([whole[-1] ^ 1])}
    file.write_bytes(wrong[damage])
    with pytest.raises(SaltusError) as error:
        cache.load(file.name)
    assert_one_sentence(error.value, file.name, "damaged")
    assert torch.equal(cache.load(cache.tensor(KEY, make).name), torch.arange(5.0))
    assert make.calls == 2


def test_a_tensor_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SaltusError) as error:
        ResultCache(tmp_path).load("nothing.safetensors")
    assert_one_sentence(error.value, "nothing.safetensors", "missing")


def test_writers_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Both make the same result at the same time; each writes a file of its own, and one whole file remains."""
    together = threading.Barrier(2)

    def make() -> dict[str, Any]:
        together.wait(timeout=30)
        return {"values": list(range(5000))}

    found: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: found.append(ResultCache(tmp_path).get(KEY, make))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [{"values": list(range(5000))}] * 2
    assert [file.name for file in tmp_path.iterdir()] == [ResultCache(tmp_path).file(KEY).name]
    assert ResultCache(tmp_path).get(KEY, lambda: pytest.fail("made again")) == found[0]


def test_a_result_of_another_key_is_not_believed(tmp_path: Path) -> None:
    """A file that was renamed, or copied over another one."""
    cache, other = ResultCache(tmp_path), KEY | {"n": 2}
    cache.get(KEY, lambda: {"value": 1})
    cache.file(KEY).rename(cache.file(other))
    assert cache.get(other, lambda: {"value": 2}) == {"value": 2}
    one = cache.tensor(KEY, lambda: torch.zeros(1))
    one.rename(cache.file(other, "safetensors"))
    assert torch.equal(cache.load(cache.tensor(other, lambda: torch.ones(1)).name), torch.ones(1))
