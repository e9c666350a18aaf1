"""A command can be pasted."""

from __future__ import annotations

import shlex

from saltus.studio.equivalents import command


def test_a_command_can_be_pasted() -> None:
    text = command("sample", "my run", n=3, start=None, json=True, quick=False, sampler_a="x'y", t=0.1)
    assert shlex.split(text) == ["saltus", "sample", "my run", "--n", "3", "--json", "--sampler-a", "x'y", "--t", "0.1"]
