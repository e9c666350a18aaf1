"""What the tab of a run tells, from folders whose figures are known; the same by the command and by Python."""

from __future__ import annotations

import json
import math
import os
import shlex
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from saltus.chain import Chain
from saltus.cli.main import cli
from saltus.errors import SaltusError
from saltus.studio.views.run import Floor, floors_of, watched
from saltus.studio.views.run_page import as_page, curves, equivalent
from tests.helpers.watched import trained_rows, with_metrics

FLOORS = {"one Gaussian": Floor(9.0, 3.0, [4.0, 5.0]), "a <b>mixture</b> of $2$": Floor(6.0, 2.0, [3.0, 3.0])}


def line(update: int, seconds: float, **given: Any) -> dict[str, Any]:
    """A line of metrics whose figures follow from the number of the update."""
    level = [10.0 / update, 20.0 / update]
    told = {"bits_per_dim": 4.0 / update, "per_level": level, "kl": [1, 2], "active_units": [update, None], "aggregate_kl": [0.1, None]}
    base = {"update": update, "loss": 1.0 / update, "skipped": 0, "seconds": seconds, "items_per_second": 100.0, "validation": told}
    return base | given


def test_the_end_is_told_from_the_pace(tmp_path: Path) -> None:
    """30 of 100 updates, the last twenty at 2 seconds each: 140 seconds more."""
    lines = [line(k, k if k <= 10 else 10 + 2 * (k - 10)) for k in range(1, 31)]
    found = watched(with_metrics(tmp_path / "a", lines, updates=100))
    assert found.shares[-1] == 0.3
    assert found.left == pytest.approx(140)
    now = time.mktime((2026, 11, 28, 23, 59, 0, 0, 0, -1))
    assert found.figures(now)["estimated end of the updates"] == "in 2 min 20 s, at 00:01"
    assert found.figures(now)["updates"] == "30 of 100"
    assert found.figures(now)["state"] == "in progress"


def test_of_a_budget_of_time_the_rest_is_what_is_left(tmp_path: Path) -> None:
    """Seconds before the first update count, as the last checkpoint tells."""
    lines = [line(k, 2.0 * k) for k in range(1, 11)]
    folder = with_metrics(tmp_path / "a", lines, time=60)
    assert watched(folder).left == pytest.approx(40)
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "000000005.json").write_text(json.dumps({"update": 5, "numbers": {"seconds": 15.0}}))
    assert watched(folder).left == pytest.approx(35)
    (folder / "checkpoints" / "000000006.json").write_text("{")
    assert watched(folder).left == pytest.approx(40)


def test_what_is_finished_or_stopped_has_no_end_to_estimate(tmp_path: Path) -> None:
    done = watched(with_metrics(tmp_path / "a", [line(1, 1.0), line(2, 2.0)], updates=2))
    assert done.over
    assert done.state == "all updates are done"
    folder = with_metrics(tmp_path / "b", [line(1, 1.0), line(2, 2.0)], updates=9)
    os.utime(folder / "metrics.jsonl", (time.time() - 3600,) * 2)
    stopped = watched(folder)
    assert stopped.state == "no update for 60 min: stopped"
    assert not {"estimated end of the updates"} & {*done.figures(), *stopped.figures()}


@pytest.mark.parametrize(
    "broken", [{"loss": None}, {"items_per_second": None}, {"validation": None}, {"validation": {}}, {"validation": {"per_level": "x"}}]
)
def test_lines_of_other_versions_are_shown_as_far_as_they_go(broken: dict[str, Any], tmp_path: Path) -> None:
    found = watched(with_metrics(tmp_path / "a", [line(1, 1.0) | broken, line(2, 2.0), line(3, 3.0)], updates=9))
    assert found.updates == [1, 2, 3]
    assert found.loss[1:] == [1 / 2, 1 / 3]
    assert {"loss", "bound", "nats_per_level"} <= {*curves(found, FLOORS)}
    assert math.isnan(found.loss[0]) == ("loss" in broken)


def test_lines_that_are_none_and_folders_that_are_none(tmp_path: Path) -> None:
    folder = with_metrics(tmp_path / "a", [{"update": 1, "loss": "high", "seconds": 1}, line(2, 2.0)], updates=9)
    with (folder / "metrics.jsonl").open("a") as lines:
        lines.write('{"update": 3, "lo')
    assert watched(folder).updates == [2]
    with pytest.raises(SaltusError):
        watched(tmp_path)


def test_curves_show_what_the_lines_say(tmp_path: Path) -> None:
    found = watched(with_metrics(tmp_path / "a", [line(k, float(k)) for k in range(1, 6)], updates=9))
    drawn = {name: figure for name, (figure, _) in curves(found, FLOORS).items()}
    assert [*drawn] == ["loss", "bound", "nats_per_level", "active_units"]
    assert drawn["loss"].axes[0].lines[0].get_ydata() == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])
    bound = drawn["bound"].axes[0].lines
    assert bound[0].get_ydata() == pytest.approx([4, 2, 4 / 3, 1, 4 / 5])
    assert [floor.get_ydata()[0] for floor in bound[1:]] == [3.0, 2.0]
    for step, axes in enumerate(drawn["nats_per_level"].axes):
        assert axes.lines[0].get_ydata() == pytest.approx([10 * (step + 1) / k for k in range(1, 6)])
        assert [floor.get_ydata()[0] for floor in axes.lines[1:]] == [FLOORS[name].per_level[step] for name in FLOORS]
    assert len(drawn["active_units"].axes[0].lines) == 1  # the other step has no latent
    page = as_page(found, FLOORS, [])
    assert page.count("<svg") == 4
    assert "<b>mixture" not in page


def test_of_many_steps_the_first_and_the_last_are_shown(tmp_path: Path) -> None:
    told = (
        line(2, 2.0)["validation"]
        | {name: [1.0] * 30 for name in ("per_level", "kl")}
        | {"active_units": [1] * 30, "aggregate_kl": [0.0] * 30}
    )
    found = watched(with_metrics(tmp_path / "a", [line(1, 1.0, validation=told), line(2, 2.0, validation=told)], updates=9, levels=30))
    figure, words = curves(found)["nats_per_level"]
    assert [axes.get_title() for axes in figure.axes] == [
        "step 1",
        "step 2",
        "step 3",
        "step 4",
        "step 27",
        "step 28",
        "step 29",
        "step 30",
    ]
    assert "22 steps between them are left out" in words


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained_rows(tmp_path_factory.mktemp("rows"))


def test_floors_are_in_both_units(run: Path) -> None:
    found, chain = floors_of(run), Chain.load(run)
    assert {*found} == {"one Gaussian", "mixture"}
    for floor in found.values():
        assert len(floor.per_level) == chain.levels.L
        assert floor.total == pytest.approx(floor.bits_per_dim * math.log(2) * math.prod(chain.event_shape))


def test_the_command_and_the_python_give_what_the_page_shows(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    same = equivalent(str(run), floors=True)
    done = CliRunner().invoke(cli, [*shlex.split(same.command)[1:], "--json"], catch_exceptions=False)
    found = json.loads(done.stdout)
    assert found["floors"]["mixture"]["per_level"] == floors_of(run)["mixture"].per_level
    assert {key: found[key] for key in ("updates", "loss, nats per dimension")} == {
        key: watched(run).figures()[key] for key in ("updates", "loss, nats per dimension")
    }
    written = {Path(file).name: Path(file).read_bytes() for file in found["files"]}
    assert {*written} == {f"{name}.svg" for name in curves(watched(run))}
    space: dict[str, Any] = {}
    exec(same.python, space)
    assert space["run"].updates == watched(run).updates
    assert {file.name for file in tmp_path.glob("*.svg")} == {*written}
    with pytest.raises(SaltusError, match="already there"):
        CliRunner().invoke(cli, shlex.split(same.command)[1:], catch_exceptions=False)


def test_a_chain_that_comes_with_saltus_has_no_metrics() -> None:
    done = CliRunner().invoke(cli, ["show", "run", "digits"], catch_exceptions=False)
    assert done.stdout.strip() == "state: no metrics are kept here"
