"""Trainings of readers: one at a time, stopped and gone on with, and told when they fail."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from saltus.errors import SaltusError
from saltus.studio import commands, trainings
from saltus.studio.limits import Limits
from saltus.studio.trainings import FAILED, FINISHED, RUNNING, STOPPED, Trainings, command_of
from saltus.studio.workspace import Session, Workspace
from saltus.training.folds import Folds
from tests.helpers.checks import assert_one_sentence

WORK = """
import pathlib, signal, sys, time
def stop(*_):
    print('saltus: stopped; kept', file=sys.stderr)
    sys.exit(130)
signal.signal(signal.SIGTERM, stop)
log = pathlib.Path('calls.txt')
log.open('a').write(' '.join(sys.argv[1:]) + '\\n')
if 'wait' in sys.argv[1:] and len(log.read_text().splitlines()) == 1:
    time.sleep(60)
if 'fail' in sys.argv[1:]:
    sys.exit('saltus: the <b>data</b> are empty; give others')
"""
"""A training that waits the first time and is done the second time, or fails."""


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setattr(commands, "PROGRAM", (sys.executable, "-I", "-c", WORK))
    return Workspace(tmp_path).session("a reader")


def held(run: Path) -> FileLock:
    """The lock of a run that another process trains."""
    run.mkdir(parents=True, exist_ok=True)
    return FileLock(run / ".lock")


@pytest.fixture
def all_of_them() -> Iterator[Trainings]:
    found = Trainings(Limits())
    yield found
    found.close()


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def begun(session: Session, lines: int = 1) -> bool:
    log = session.folder / "calls.txt"
    return log.exists() and len(log.read_text().splitlines()) == lines


def test_one_at_a_time_stopped_and_gone_on_with(session: Session, all_of_them: Trainings, tmp_path: Path) -> None:
    run, other = session.new_run("rows"), Workspace(tmp_path).session("another reader")
    all_of_them.start(session, run, ["wait"], 1)
    assert all_of_them.state(run).kind == RUNNING
    with pytest.raises(SaltusError) as caught:
        all_of_them.start(other, other.new_run("rows"), ["x"], 1)
    assert_one_sentence(caught.value, "another training runs")
    assert other.runs == []
    with pytest.raises(SaltusError) as caught:
        all_of_them.stop(other.new_run("rows"))
    assert_one_sentence(caught.value, "does not run")
    until(lambda: begun(session))
    all_of_them.stop(run)
    until(lambda: all_of_them.state(run).kind == STOPPED)
    all_of_them.resume(session, run)
    until(lambda: all_of_them.state(run).kind == FINISHED)
    assert (session.folder / "calls.txt").read_text() == "wait\nwait\n"
    assert command_of(run) == ["wait"]


def test_runs_are_removed_but_none_that_is_trained(session: Session, all_of_them: Trainings) -> None:
    done = session.new_run("done")
    all_of_them.start(session, done, ["x"], 1)
    until(lambda: all_of_them.state(done).kind == FINISHED)
    (session.folder / "calls.txt").unlink()
    run = session.new_run("rows")
    all_of_them.start(session, run, ["wait"], 1)
    until(lambda: begun(session))
    run.mkdir()
    with pytest.raises(SaltusError) as caught:
        all_of_them.remove(session, [done, run])
    assert_one_sentence(caught.value, "stop the training first")
    assert session.runs == ["done", "rows"]
    all_of_them.stop(run)
    until(lambda: all_of_them.state(run).kind == STOPPED)
    all_of_them.remove(session, [done, run])
    assert session.runs == []
    assert [*done.parent.iterdir()] == []


def test_how_one_ended_is_known_to_the_next_studio(session: Session, all_of_them: Trainings) -> None:
    done, failed = session.new_run("done"), session.new_run("failed")
    for run, arguments in ((done, ["x"]), (failed, ["fail"])):
        all_of_them.start(session, run, arguments, 1)
        until(lambda run=run: json.loads(run.with_name(f"{run.name}.json").read_text())["code"] is not None)
    after = Trainings(Limits())
    assert after.state(done).kind == FINISHED
    assert after.state(failed).kind == FAILED
    assert after.state(failed).words == "the training of failed failed: the <b>data</b> are empty; give others"


def test_one_that_the_end_of_the_studio_stopped_may_go_on(session: Session) -> None:
    run, first = session.new_run("rows"), Trainings(Limits())
    first.start(session, run, ["wait"], 1)
    until(lambda: begun(session))
    first.close()
    after = Trainings(Limits())
    assert after.state(run).kind == STOPPED
    after.resume(session, run)
    until(lambda: after.state(run).kind == FINISHED)


def test_one_that_a_killed_studio_left_is_seen(session: Session, all_of_them: Trainings, tmp_path: Path) -> None:
    """It is neither removed, gone on with nor overtaken; once it has ended it may be."""
    run, other = session.new_run("rows"), Workspace(tmp_path).session("another reader")
    run.with_name("rows.json").write_text(json.dumps({"arguments": ["x"], "minutes": 1, "code": None}))
    with held(run):
        assert all_of_them.state(run).kind == RUNNING
        assert "a studio that was ended" in all_of_them.state(run).words
        for work, words in (
            (lambda: all_of_them.remove(session, [run]), "was not removed"),
            (lambda: all_of_them.resume(session, run), "of a studio that was ended still runs"),
            (lambda: all_of_them.start(other, other.new_run("more"), ["x"], 1), "of a studio that was ended still runs"),
            (lambda: all_of_them.stop(run), "does not run"),
        ):
            with pytest.raises(SaltusError) as caught:
                work()
            assert_one_sentence(caught.value, words)
        assert session.runs == ["rows"]
    assert all_of_them.state(run).kind == STOPPED
    all_of_them.resume(session, run)
    until(lambda: all_of_them.state(run).kind == FINISHED)


def test_what_a_training_says_is_told(session: Session, all_of_them: Trainings) -> None:
    """Its last line while it runs, and why few rows end early; what it said before it was gone on with is kept, and told no more."""
    run, words = session.new_run("rows"), Folds(3, 0.1, (), ()).words
    run.with_name("rows.log").write_text(f"{words}\nsaltus: stopped; kept\n")
    all_of_them.start(session, run, ["wait"], 1)
    until(lambda: begun(session))
    assert all_of_them.state(run).said == ""
    with run.with_name("rows.log").open("a") as log:
        log.write("reads <b>rows</b>\n\n")
    assert all_of_them.state(run).said == "reads <b>rows</b>"
    all_of_them.stop(run)
    until(lambda: all_of_them.state(run).kind == STOPPED)
    all_of_them.resume(session, run)
    until(lambda: all_of_them.state(run).kind == FINISHED)
    assert all_of_them.state(run).said == words
    assert "reads <b>rows</b>" in run.with_name("rows.log").read_text()


@pytest.mark.parametrize("code", [None, 130, -15, -9])
def test_how_one_was_ended_is_told(code: int | None, session: Session, all_of_them: Trainings) -> None:
    """Nobody is told to use a model that is not there."""
    run = session.new_run("rows")
    run.with_name("rows.json").write_text(json.dumps({"arguments": [], "minutes": 1, "code": code}))
    for with_model in (False, True):
        if with_model:
            run.mkdir()
            (run / "chain.json").touch()
        state = all_of_them.state(run)
        assert state.kind == STOPPED
        assert ("the system ended the training of rows (signal 9)" in state.words) == (code == -9)
        assert ("rows was stopped" in state.words) == (code != -9)
        assert ("use it as it is" in state.words) == with_model


def test_one_that_takes_too_long_is_ended(session: Session, all_of_them: Trainings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainings, "_GRACE", 0.5)
    run = session.new_run("rows")
    all_of_them.start(session, run, ["wait"], 0.001)
    until(lambda: all_of_them.state(run).kind == STOPPED)


@pytest.mark.parametrize("minutes", [0, -1, 31, float("nan"), float("inf")])
def test_minutes_have_an_end(minutes: float, session: Session, all_of_them: Trainings) -> None:
    with pytest.raises(SaltusError) as caught:
        all_of_them.start(session, session.new_run("rows"), [], minutes)
    assert_one_sentence(caught.value, "at most 30")
    with pytest.raises(SaltusError):
        Trainings(replace(Limits(), minutes=1)).start(session, session.new_run("rows"), [], 2)


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"arguments": "x", "minutes": 1, "code": 0}', '{"arguments": [1], "minutes": 1, "code": 0}']
)
def test_what_is_damaged_is_a_sentence(text: str, session: Session, all_of_them: Trainings) -> None:
    run = session.new_run("rows")
    run.with_name("rows.json").write_text(text)
    for work in (lambda: all_of_them.state(run), lambda: all_of_them.resume(session, run)):
        with pytest.raises(SaltusError) as caught:
            work()
        assert_one_sentence(caught.value, "damaged")
