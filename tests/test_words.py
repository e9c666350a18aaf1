"""Parts of sentences."""

from __future__ import annotations

from saltus.errors import SaltusError
from saltus.words import counted, in_brief, instead, listed


def test_an_error_in_brief() -> None:
    assert in_brief(SaltusError("there is no file; give one")) == "there is no file; give one"
    assert in_brief(ValueError("wrong. And more of it\nand more")) == "ValueError: wrong"
    assert in_brief(MemoryError()) == "MemoryError"
    assert len(in_brief(ValueError("long" * 1000))) == 200


def test_lists() -> None:
    assert listed([], 2) == ""
    assert listed(["a", "b"], 2) == "a, b"
    assert listed(["a"] * 2000, 1) == "a and 1,999 more"
    assert counted({"hidden": 1200, ".txt": 1}) == "1 .txt, 1,200 hidden"
    assert instead({"seed": (1, 0), "n": (5, 6)}) == "seed 1 instead of 0, n 5 instead of 6"
