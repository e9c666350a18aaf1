"""The run that a reader of the page has chosen: one of the reader's own, or one that the studio was given."""

from __future__ import annotations

from pathlib import Path

from saltus.errors import SaltusError
from saltus.studio.runs import Run
from saltus.studio.tab import GIVEN, Studio
from saltus.studio.workspace import Session
from saltus.terminal import in_one_line

__all__ = ["given_run", "own_run"]


def given_run(studio: Studio, session: Session, name: str | None) -> Run | None:
    """The run of a table that the studio was given; None for one of the reader's own.

    Raises:
        SaltusError: for a name that is neither.
    """
    if name not in studio.runs_of(session):
        session.check_run(name, studio.runs_of())
    return studio.runs[name.removeprefix(GIVEN)] if name and name.startswith(GIVEN) else None


def own_run(studio: Studio, session: Session, name: str | None) -> Path:
    """The folder of a run that the reader has trained here.

    Raises:
        SaltusError: for another name, or a run that the studio was given.
    """
    if name in studio.runs_of():
        given = in_one_line(str(name).removeprefix(GIVEN))
        raise SaltusError(f"{given} was given to the studio, which neither trains nor removes it; choose a run that was trained here")
    return session.check_run(name, studio.runs_of())
