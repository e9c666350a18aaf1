"""Philox gives the numbers that its authors publish, at any place of a stream."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from saltus.process.philox import LOW, key_of, philox4x32, random_words

KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((LOW, LOW, LOW, LOW), (LOW, LOW), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]
"""Counter, key and words of philox4x32-10 in kat_vectors of https://github.com/DEShawResearch/random123."""


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_known_answers(counter: tuple[int, ...], key: tuple[int, int], words: tuple[int, ...]) -> None:
    assert tuple(int(word) for word in philox4x32([torch.tensor(part) for part in counter], key)) == words


def test_all_counters_at_once() -> None:
    counters, keys, words = zip(*KNOWN, strict=True)
    for row in range(3):
        found = philox4x32([torch.tensor(parts) for parts in zip(*counters, strict=True)], keys[row])
        assert tuple(int(word[row]) for word in found) == words[row]
    block, item = torch.arange(3)[None], torch.arange(2)[:, None]
    zero = torch.tensor(0)
    assert all(word.shape == (2, 3) for word in philox4x32([block, item, zero, zero], (1, 2)))


@pytest.mark.parametrize("first", [0, 1, 4, 6, 2**40 + 3, 2**65 - 1, 2**66 - 2, 2**80 + 5])
def test_any_place_of_a_stream(first: int) -> None:
    key = key_of(1, 2, "role")
    whole = np.random.Philox(key=np.array(key, np.uint64), counter=first // 4).random_raw(40)[first % 4 :]
    assert random_words(key, first, 30).tolist() == whole[:30].tolist()
    assert random_words(key, first + 5, 3).tolist() == whole[5:8].tolist()
    assert random_words(key, first, 0).shape == (0,)
    assert random_words(key_of(1, 2, "other"), first, 3).tolist() != whole[:3].tolist()


def test_keys_tell_everything_apart() -> None:
    asked = [(0, 0, "a"), (1, 0, "a"), (0, 1, "a"), (0, 0, "b"), (2**32, 0, "a"), (2**63 - 1, 0, "a"), (2**32 - 1, 0, "a")]
    keys = [key_of(*one) for one in asked]
    assert len(set(keys)) == len(asked)
    assert len({part for key in keys for part in key}) == 2 * len(asked)
    assert all(0 <= part < 2**64 for key in keys for part in key)
