"""`saltus plan` as a user meets it: the table, the picture, the grids that sampling then takes, and runs that cannot be planned."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from saltus.chain import Chain
from saltus.levels import Levels, PairCosts
from tests.helpers.terminal import saltus


@pytest.fixture(scope="module")
def planned(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that has been planned."""
    folder = tmp_path_factory.mktemp("planned")
    shutil.copytree(home / "any", folder / "run")
    done = saltus("plan", "run", "--times", "5", "--calls", "1,3", "--n", "8", cwd=folder)
    assert done.code == 0, done.stderr
    assert "mean nats on 8 validation items" in done.stdout
    assert "plan.json and plan.png are in run/" in done.stdout
    assert "time 5 of 5" in done.stderr
    return folder


def test_the_plans_are_the_best_of_their_table(planned: Path) -> None:
    found = json.loads((planned / "run" / "plan.json").read_text())
    costs = PairCosts.from_dict(found["costs"])
    assert len(costs.times) == 6
    assert list(found["plans"]) == ["1", "3"]
    for number, plan in found["plans"].items():
        best = costs.plan(int(number))
        assert tuple(plan["times"]) == best.times
        assert sum(plan["steps"]) + plan["prior"] == pytest.approx(best.total)
    with Image.open(planned / "run" / "plan.png") as picture:
        assert picture.width > 1000
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 100


def test_sampling_takes_the_planned_grid(planned: Path) -> None:
    times = json.loads((planned / "run" / "plan.json").read_text())["plans"]["3"]["times"]
    assert saltus("sample", "run", "--n", "4", "--calls", "3", "--out", "samples", cwd=planned).code == 0
    found, chain = np.load(planned / "samples" / "samples.npz")["samples"], Chain.load(planned / "run")
    assert chain.encoding is not None
    on_plan, on_cosine = (
        chain.encoding.decode(chain.on(levels).sample(4, seed=0)) for levels in (Levels(times), Levels.cosine(3, chain.levels.last))
    )
    assert np.array_equal(found, on_plan)
    assert not np.array_equal(found, on_cosine)


def test_the_plan_may_go_elsewhere_and_be_json(planned: Path) -> None:
    done = saltus("plan", "run", "--times", "2", "--calls", "2", "--n", "2", "--out", "elsewhere", "--json", cwd=planned)
    assert done.json == json.loads((planned / "elsewhere" / "plan.json").read_text())
    assert list(done.json["plans"]) == ["2"]
    assert (done.json["items"], done.json["run"]) == (2, "run")
    assert (planned / "elsewhere" / "plan.png").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ("fixed", 1, "fixed holds no kernel for any step with a bound, so there is nothing to plan; train one with --any-step"),
        ("any --calls 1,9 --times 8", 1, "9 calls cannot be planned with 8 times; give --times 9, or fewer calls"),
        ("any --calls few", 2, "'few' was given where numbers of calls from 1 up were expected; write them as 1,2,4,8"),
        ("any --n 1", 2, "1 is not in the range"),
        ("nowhere", 1, "nowhere"),
    ],
)
def test_what_cannot_be_planned_is_told_in_one_sentence(arguments: str, code: int, says: str, home: Path) -> None:
    done = saltus("plan", *arguments.split(), cwd=home)
    assert done.code == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
