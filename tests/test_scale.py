"""The page on several processes: its example runs, and its cost model is what it says."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scale_model import GPUS, Link, Work, bytes_of_process, fitted, update_seconds
from tests.helpers.terminal import saltus

PAGE = (Path(__file__).parents[1] / "docs" / "scale.md").read_text()
WORK = Work(parameters=1000, update_macs=0, call_macs=0, activations=7.0, item=1, levels=4)


@pytest.mark.slow
def test_the_example_is_split_and_joined(tmp_path: Path) -> None:
    (block,) = re.findall(r"```bash\n(.*?)```", PAGE, flags=re.DOTALL)
    commands = [shlex.split(line) for line in block.splitlines()]
    assert [command[0] for command in commands] == ["saltus"] * 5
    for command in commands:
        assert not (tmp_path / "samples" / "samples.npz").exists()
        done = saltus(*command[1:], cwd=tmp_path)
        assert done.code == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == ["samples.npz", "samples.png"]
    assert len(np.load(tmp_path / "samples" / "samples.npz")["samples"]) == 1000


def test_links_of_the_page_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (Path(__file__).parents[1] / "docs" / link).exists(), link


def test_the_line_is_found_through_points_on_it() -> None:
    assert fitted({items: 0.3 + 0.02 * items for items in (1, 2, 8, 100)}) == pytest.approx((0.3, 0.02))
    off = fitted({1: 0.35, 2: 0.34, 8: 0.46, 100: 2.3})
    assert off != pytest.approx((0.3, 0.02), rel=0.02)  # the twin


def test_an_update_is_the_sum_of_its_parts() -> None:
    seconds = update_seconds(0.5, 0.1, 3, Link(0.01, 1e-3), Link(0.02, 1e-4), parameters=10, numbers=5)
    assert seconds == pytest.approx(0.5 + 0.3 + (0.01 + 0.04) + 2 * (0.02 + 0.004))
    assert GPUS.link(1).seconds(10**9) == 0
    one, two = GPUS.link(GPUS.node), GPUS.link(GPUS.node + 1)  # the next node
    assert two.beta / one.beta == pytest.approx(GPUS.within / GPUS.across, rel=0.05)
    assert GPUS.link(1024).alpha == pytest.approx(20 * GPUS.hop)


def test_memory_is_that_of_copies_and_of_items() -> None:
    assert bytes_of_process(WORK, 3) == 24 * 1000 + 21
    assert bytes_of_process(WORK, 0, shards=8) == (12 + 24 / 8) * 1000
    assert bytes_of_process(replace(WORK, parameters=2000), 0) == 2 * bytes_of_process(WORK, 0)
