"""JSON as it comes in: regular files of a sensible size, and what is none is named."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from saltus.errors import SaltusError
from saltus.files import check_regular, parse_json, read_bytes, read_json, to_json, write_atomically
from tests.helpers.checks import assert_one_sentence


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": [1, 2.5]}')
    (tmp_path / "b.json").symlink_to("a.json")
    assert read_json(tmp_path / "a.json") == read_json(tmp_path / "b.json") == {"a": [1, 2.5]}


@pytest.mark.parametrize("text", ["", "{", "[" * 10_000, "9" * 5000, "NaN", "\ufeff{}", "{'a': 1}"])
def test_what_is_no_json_is_named(text: str, tmp_path: Path) -> None:
    with pytest.raises(SaltusError) as caught:
        parse_json(text, tmp_path / "a.json")
    assert_one_sentence(caught.value, "a.json is damaged", "copy all files again")


def test_what_has_no_end_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for place in (tmp_path / "pipe", tmp_path / "zero", tmp_path):
        with pytest.raises(SaltusError) as caught:
            read_bytes(place)
        assert_one_sentence(caught.value, place.name, "no regular file")
    with pytest.raises(FileNotFoundError):
        check_regular(tmp_path / "nothing")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(2**24 + 1)
    with pytest.raises(SaltusError) as caught:
        read_bytes(tmp_path / "large")
    assert_one_sentence(caught.value, "large has 16,777,217 bytes")


def test_writers_at_the_same_time_do_not_mix_their_bytes(tmp_path: Path) -> None:
    file, texts = tmp_path / "note.txt", [letter * 200_000 for letter in "abcdefgh"]
    threads = [threading.Thread(target=write_atomically, args=(file, text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert file.read_text() in texts
    assert list(tmp_path.iterdir()) == [file]


def test_text_and_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", "zwölf\n")
    write_atomically(tmp_path / "b", b"\xff\x00")
    assert (tmp_path / "a").read_bytes() == b"zw\xc3\xb6lf\n"
    assert (tmp_path / "b").read_bytes() == b"\xff\x00"


def test_json_is_as_its_standard_has_it(tmp_path: Path) -> None:
    value = {"a": [1, 2.5, float("nan"), float("inf")], "b": (None, True, "é")}
    expected = {"a": [1, 2.5, None, None], "b": [None, True, "é"]}
    assert json.loads(to_json(value)) == json.loads(to_json(value, indent=1)) == expected
    assert "\n" in to_json(value, indent=1)
    write_atomically(tmp_path / "a.json", to_json(value))
    assert read_json(tmp_path / "a.json") == expected
