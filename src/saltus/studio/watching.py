"""Runs as the page watches them: those that the studio was given, and those that a reader trains on it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from saltus.pretrained import run_folder
from saltus.studio.commands import result_of
from saltus.studio.equivalents import Equivalent
from saltus.studio.html import page, paragraph
from saltus.studio.limits import Limits
from saltus.studio.runs import Runs
from saltus.studio.trainings import FINISHED, Trainings
from saltus.studio.turns import Turns
from saltus.studio.views import run_page
from saltus.studio.views.growing import Growing
from saltus.studio.views.run import Floor, watched
from saltus.studio.workspace import Workspace
from saltus.training.folder import METRICS

__all__ = ["MINE", "Watching"]

MINE = "yours: "
"""Before the names of runs that a reader has trained on the page."""
_PAGES = 16  # that are kept


class Watching:
    """What is known of runs beside their folders.

    Args:
        runs: that the studio was given.
        workspace: where those of readers are.
        trainings: that readers start.
        limits: of the measuring of floors.
    """

    def __init__(self, runs: Runs, workspace: Workspace, trainings: Trainings, limits: Limits) -> None:
        self._runs, self._workspace, self._trainings, self._limits = runs, workspace, trainings, limits
        self._growing, self._turns, self._lock = Growing(), Turns(), threading.Lock()
        self._floors = dict[tuple[Path, int], dict[str, Floor]]()
        self._drawn = OrderedDict[Path, tuple[object, str]]()

    def names(self, key: str | None) -> list[str]:
        """Of all runs that a reader may watch; `key` is the reader's."""
        own = self._workspace.session(key).runs if key else []
        return [*self._runs.names, *(f"{MINE}{name}" for name in own)]

    @property
    def first(self) -> str:
        """The name of a run to begin with: one with metrics, if there is any."""
        names = self._runs.names
        return next((name for name in names if (run_folder(self._runs.place(name)) / METRICS).is_file()), names[0])

    def look(self, key: str | None, name: str, *, measure: bool = False) -> tuple[str, Equivalent]:
        """The page of a run as it is now, and what gives the same without the page.

        Args:
            key: of the reader.
            name: of the run, one of `names`.
            measure: whether to measure the floors, which takes seconds.

        Raises:
            SaltusError: for another name, or a run that is damaged.
        """
        if not name.startswith(MINE):
            place = self._runs.place(name)
            return self._page(run_folder(place), place, "", measure=measure)
        session = self._workspace.session(key)
        folder = session.check_run(name.removeprefix(MINE))
        state, place = self._trainings.state(folder), session.relative(folder)
        said = f" It says: {state.said}" if state.said else ""
        if not (folder / "config.json").exists():
            words = f"{state.words}. No update is done yet.{said}"
            return page([paragraph(words)], f"the run {folder.name}"), Equivalent("", "")
        early = state.kind == FINISHED or not (folder / METRICS).is_file()
        return self._page(folder, place, f"{state.words}.{said}" if said and early else state.words, measure=measure)

    def _page(self, folder: Path, place: str, state: str, *, measure: bool) -> tuple[str, Equivalent]:
        """It is drawn anew where something has changed: many readers may look at one run, every few seconds."""
        found, grown = watched(folder), self._growing.look(folder)
        known = self._known(folder, found.config.grid.L, measure=measure)
        told = (state, found.state, len(found.updates), found.seconds[-1:], found.skipped, [*known], [one.chain for one in grown])
        with self._lock:
            before, page = self._drawn.get(folder, (None, ""))
        if told != before:
            page = run_page.as_page(found, known, grown, state)
            with self._lock:
                self._drawn[folder] = told, page
                self._drawn.move_to_end(folder)
                while len(self._drawn) > _PAGES:
                    self._drawn.popitem(last=False)
        return page, run_page.equivalent(place, floors=bool(known))

    def _known(self, folder: Path, levels: int, *, measure: bool) -> dict[str, Floor]:
        """The floors of a run; those that were not measured yet are where they are asked for, by a process of its own."""
        if not measure:
            return self._floors.get((folder, levels), {})
        with self._turns.of(folder):  # others measure other runs meanwhile
            if (folder, levels) not in self._floors:
                arguments = ["show", "run", str(folder.resolve()), "--floors"]
                said = result_of(arguments, self._workspace.folder, self._limits)
                self._floors[folder, levels] = {name: Floor(**floor) for name, floor in said["floors"].items()}
            return self._floors[folder, levels]
