"""`saltus study collapse` as a user meets it: a page and its numbers, also of a table, and what is kept when it is stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from markupsafe import escape

from saltus.cli.common import Interrupted
from saltus.cli.study import study
from saltus.errors import SaltusError
from saltus.studies.collapse import experiment as collapse
from saltus.studies.collapse.experiment import Job, Plan
from tests.helpers.checks import assert_one_sentence
from tests.helpers.html import check
from tests.helpers.study import TINY


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`saltus study collapse --quick` with the tiny plan."""
    monkeypatch.setattr(Plan, "quick", classmethod(lambda _: TINY))
    return lambda *arguments: CliRunner().invoke(study, ["collapse", "--quick", *arguments], catch_exceptions=True)


def test_the_command_writes_a_page_and_its_numbers(tiny: Callable[..., Result], tmp_path: Path) -> None:
    out = tmp_path / "study"
    result = tiny("--out", str(out), "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found == json.loads((out / "collapse.json").read_text())
    assert (len(found["exact"]), len(found["trained"]), len(found["sampled"])) == (3, 10, 13)
    assert found["plan"]["updates"] == [2, 4]
    assert {run["seed"] for run in found["trained"]} == {0, 1}
    assert "the plain decoder collapses to one item" in found["claims"][0]
    page = (out / "index.html").read_text()
    assert page.count("<svg") == 4
    assert page.count("data:image/png") == 3 + 4 + 9
    check(page)
    assert all(str(escape(claim)) in page for claim in found["claims"])
    assert "digits: 1450 training" in result.stderr


def test_a_table_has_no_pictures(tiny: Callable[..., Result], tmp_path: Path) -> None:
    np.save(tmp_path / "table.npy", np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32))
    result = tiny("--out", str(tmp_path / "study"), "--data", str(tmp_path / "table.npy"))
    assert result.exit_code == 0, result.output
    assert "data:image/png" not in (tmp_path / "study" / "index.html").read_text()
    assert result.stdout.rstrip().endswith("collapse.json")


def test_a_folder_with_something_in_it_is_refused(tiny: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    result = tiny("--out", str(tmp_path))
    assert isinstance(result.exception, SaltusError)
    assert "not an empty folder" in str(result.exception)


def test_a_stopped_study_keeps_what_was_measured(tiny: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> list[Any]:
        raise KeyboardInterrupt

    whole = collapse.jobs
    monkeypatch.setattr(collapse, "jobs", lambda *given, **options: [*whole(*given, **options)[:2], Job("stop", stop)])
    result = tiny("--out", str(tmp_path / "study"))
    assert isinstance(result.exception, Interrupted)
    assert "2 measurements are kept" in str(result.exception)
    assert len(json.loads((tmp_path / "study" / "collapse.json").read_text())["exact"]) == 2
    assert not (tmp_path / "study" / "index.html").exists()


def test_a_study_that_was_ended_goes_on_and_ends_as_one_that_was_not(
    tiny: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended as by a kill, in the middle of a write; a part that was damaged since is made again."""
    ran: list[str] = []
    whole = collapse.jobs

    def told(job: Job, killed: bool) -> Job:
        def run() -> list[Any]:
            ran.append(job.title)
            if killed:
                raise RuntimeError("killed")
            return job.run()

        return Job(job.title, run)

    def listed(killed_at: int) -> Callable[..., list[Job]]:
        return lambda *given, **options: [told(job, place == killed_at) for place, job in enumerate(whole(*given, **options))]

    monkeypatch.setattr(collapse, "jobs", listed(killed_at=-1))
    assert tiny("--out", str(tmp_path / "whole")).exit_code == 0
    titles, out = list(ran), tmp_path / "study"
    monkeypatch.setattr(collapse, "jobs", listed(killed_at=6))
    assert isinstance(tiny("--out", str(out)).exception, RuntimeError)
    (out / "parts" / ".some.json.0.partial").write_text("{")
    damaged = min((out / "parts").glob("*.json"), key=lambda file: file.stat().st_mtime_ns)
    damaged.write_bytes(damaged.read_bytes()[:-20])
    ran.clear()
    monkeypatch.setattr(collapse, "jobs", listed(killed_at=-1))
    assert tiny("--out", str(out)).exit_code == 0
    assert ran == [titles[0], *titles[6:]]
    one, other = (json.loads((place / "collapse.json").read_text()) | {"seconds": 0} for place in (out, tmp_path / "whole"))
    assert one == other
    assert (out / "index.html").read_text().count("data:image/png") == (tmp_path / "whole" / "index.html").read_text().count(
        "data:image/png"
    )
    assert not list(out.rglob("*.partial"))
    result = tiny("--out", str(out), "--seed", "7")
    assert_one_sentence(result.exception, "was made by another call: seed 7 instead of 0 is asked for now; give its own options")
