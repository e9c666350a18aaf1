"""Rows under conditions, missing cells, strange rows and the report: the command and the Python give the same."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from saltus.cli.main import cli
from saltus.errors import SaltusError
from saltus.studio.views.rows import Job, RowSettings, conditions, data_of, impute, report, sample, score
from tests.helpers.checks import assert_one_sentence
from tests.helpers.watched import HOSTILE, trained_rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the table rows.csv and its run."""
    return trained_rows(tmp_path_factory.mktemp("rows")).parent


@pytest.fixture(autouse=True)
def _inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def both(job: Job) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the command says, and the names that the Python leaves."""
    same, space = job.equivalent, dict[str, Any]()
    assert shlex.split(same.command)[1:] == job.arguments
    done = CliRunner().invoke(cli, [*job.arguments, "--json"], catch_exceptions=False)
    exec(same.python, space)
    return json.loads(done.stdout), space


def cells(file: str) -> list[list[str]]:
    with Path(file).open(newline="") as lines:
        return [*csv.reader(lines)]


@pytest.mark.parametrize("where", [(), (f"{HOSTILE[0]}==1+1", "age=30:40"), (f"{HOSTILE[1]}={HOSTILE[2]}", f"{HOSTILE[0]}=-x|@home")])
def test_rows_are_those_of_the_command_and_of_python(where: tuple[str, ...], tmp_path: Path) -> None:
    found, space = both(sample("run", str(tmp_path / "out"), RowSettings(20, where, seed=5)))
    names, *rows = cells(found["files"][0])
    assert names == ["age", *HOSTILE[:2]]
    made = [
        ["" if cell is None else str(cell) for cell in row]
        for row in zip(*(space["rows"][name].to_pylist() for name in names), strict=True)
    ]
    assert rows == made
    if len(where) == 2 and where[1].startswith("age"):
        assert {row[1] for row in rows} == {"=1+1"}
        assert all(30 <= int(row[0]) <= 40 for row in rows)
    elif where:
        assert {row[2] for row in rows} == {HOSTILE[2]}
        assert {row[1] for row in rows} <= {"-x", "@home"}


def test_cells_are_filled_as_by_the_command_and_nothing_else_changes(tmp_path: Path) -> None:
    job = impute("run", "rows.csv", str(tmp_path / "full.csv"), 4)
    CliRunner().invoke(cli, job.arguments, catch_exceptions=False)
    by_command = (tmp_path / "full.csv").read_text()
    (tmp_path / "full.csv").unlink()
    exec(job.python, {})
    assert (tmp_path / "full.csv").read_text() == by_command
    before, after = cells("rows.csv"), cells(str(tmp_path / "full.csv"))
    assert all(cell in (full, "") for one, other in zip(before, after, strict=True) for cell, full in zip(one, other, strict=True))
    assert sum(row.count("") for row in before) == 30
    assert sum(row.count("") for row in after) == 0


def test_rows_are_ranked_as_by_the_command(tmp_path: Path) -> None:
    found, space = both(score("run", "rows.csv", str(tmp_path / "scores.csv"), 2))
    written = np.array([float(row[2]) for row in cells(str(tmp_path / "scores.csv"))[1:]])
    assert np.allclose(written, space["anomaly"])
    assert written[space["ranking"][0]] == pytest.approx(found["strangest"][0]["anomaly"])


@pytest.mark.slow
def test_the_report_finds_what_the_command_finds(tmp_path: Path) -> None:
    job = report("run", "rows.csv", str(tmp_path / "report.html"), 1)
    done = CliRunner().invoke(cli, [*job.arguments, "--json"], catch_exceptions=False)
    with contextlib.redirect_stdout(io.StringIO()) as told:
        exec(job.python, {})
    assert told.getvalue().splitlines() == json.loads(done.stdout)["finding"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: RowSettings(0), "rows: 0"),
        (lambda: RowSettings(10**6), "from 1 to 10,000"),
        (lambda: RowSettings(1, (), -1), "the seed"),
        (lambda: conditions("no sign"), "NAME=VALUE"),
        (lambda: conditions("a=1\n" * 51), "at most 50"),
        (lambda: conditions(f"a={'1' * 600}"), "500 letters"),
        (lambda: impute("run", "photos", "out.csv", 0), "no table"),
        (lambda: score("run", "rows.csv", "out.csv", -1), "the seed"),
    ],
)
def test_settings_out_of_range_are_refused(make: Any, words: str) -> None:
    with pytest.raises(SaltusError) as caught:
        make()
    assert_one_sentence(caught.value, words)


def test_conditions_are_lines_and_never_options() -> None:
    given = conditions("\n age=3 \n--out=/etc/passwd\n")
    assert given == ("age=3", "--out=/etc/passwd")
    arguments = sample("run", "out", RowSettings(1, given)).arguments
    assert "--where=--out=/etc/passwd" in arguments
    assert arguments.count("--out") == 1
    assert data_of(["train", "--data", "rows.csv", "--out", "x"]) == "rows.csv"
