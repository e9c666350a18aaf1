"""The run that a reader has chosen: names of the reader's own, and those of runs that the studio was given."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from saltus.errors import SaltusError
from saltus.studio.choice import given_run, own_run
from saltus.studio.limits import Limits
from saltus.studio.tab import Studio
from saltus.studio.trainings import Trainings
from saltus.studio.workspace import Session, Workspace
from tests.helpers.checks import assert_one_sentence


class Given(dict[str, Any]):
    """Runs of tables that a studio was given."""

    @property
    def tables(self) -> list[str]:
        return [*self]


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    runs: Any = Given(people=SimpleNamespace(place="people"))
    return Studio(runs, Limits(), Workspace(tmp_path), Trainings(Limits()), key=None)


@pytest.fixture
def session(studio: Studio) -> Session:
    session = studio.workspace.session("a reader")
    session.new_run("rows").with_name("rows.json").write_text(json.dumps({}))
    return session


def test_own_runs_and_given_ones_are_told_apart(studio: Studio, session: Session) -> None:
    assert given_run(studio, session, "rows") is None
    assert own_run(studio, session, "rows").name == "rows"
    found: Any = given_run(studio, session, "given: people")
    assert found.place == "people"
    with pytest.raises(SaltusError) as caught:
        own_run(studio, session, "given: people")
    assert_one_sentence(caught.value, "people was given to the studio, which neither trains nor removes it")


@pytest.mark.parametrize("name", ["../rows", "people", "given: rows", "given: ../people", "", None])
def test_other_names_are_refused_and_those_of_the_page_are_told(name: str | None, studio: Studio, session: Session) -> None:
    for check in (given_run, own_run):
        with pytest.raises(SaltusError) as caught:
            check(studio, session, name)
        assert_one_sentence(caught.value, "there is no run named", "rows, given: people")
