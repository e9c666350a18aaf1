"""What a tab is given, and how its jobs fail: in one sentence on the page, which stays as it is."""

from __future__ import annotations

import html
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from typing import Any

from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.machine import memory_ran_out
from saltus.studio.equivalents import Equivalent
from saltus.studio.limits import Limits
from saltus.studio.runs import Runs
from saltus.studio.trainings import Trainings
from saltus.studio.watching import Watching
from saltus.studio.workspace import Session, Workspace
from saltus.terminal import tell
from saltus.words import in_brief

__all__ = ["GIVEN", "NO_IMAGES", "Studio", "Tab", "by_a_command", "equivalents", "job", "stale_after", "ticking", "told"]

GIVEN = "given: "
"""Before the names of runs that the studio was given, beside a reader's own."""
NO_IMAGES = "No run of images was given. What a run of a table does is under Your data."
"""What a tab of images says where there is none."""


@dataclass(frozen=True, eq=False)
class Studio:
    """What every tab may use.

    Attributes:
        runs: that are shown.
        limits: of what may be asked for.
        comparisons: folders that `saltus compare` wrote.
        workspace: where readers' files are.
        trainings: that readers start.
        key: the component that holds who a reader is.
    """

    runs: Runs
    limits: Limits
    workspace: Workspace
    trainings: Trainings
    key: Any
    comparisons: tuple[Path, ...] = ()

    @cached_property
    def watching(self) -> Watching:
        """What is known of runs: what one tab has measured the others show."""
        return Watching(self.runs, self.workspace, self.trainings, self.limits)

    def runs_of(self, session: Session | None = None) -> list[str]:
        """The runs that a reader has, and those of tables that the studio was given."""
        return [*(session.runs if session else ()), *(f"{GIVEN}{name}" for name in self.runs.tables)]


@dataclass(frozen=True)
class Tab:
    """A tab of the page.

    Attributes:
        name: on its button.
        build: lays it out, inside a `gradio.Tab` that is open.
    """

    name: str
    build: Callable[[Studio], None]


def job(work: Callable[..., Any]) -> Callable[..., Any]:
    """Work of a tab as the page may start it: what goes wrong is one sentence on the page, without markup, and nothing else ends.

    Work that yields shows what it yields, one after the other.
    """

    @wraps(work)
    def done(*arguments: Any) -> Any:
        with _told():
            return work(*arguments)

    @wraps(work)
    def shown(*arguments: Any) -> Iterator[Any]:
        with _told():
            yield from work(*arguments)

    return shown if inspect.isgeneratorfunction(work) else done


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong inside, as an error of the page."""
    try:
        yield
        return
    except SaltusError as mistake:
        words = str(mistake)
    except Exception as fault:
        words = f"this failed ({in_brief(fault)}), which is a fault of saltus; report it"
        if memory_ran_out(fault):
            words = "there is not enough memory for this; ask for less at once"
        tell(f"saltus studio: {in_brief(fault)}")
    raise needs("gradio", extra="studio").Error(
        html.escape(words, quote=False), title="This cannot be done", duration=None, print_exception=False
    )


def by_a_command(limits: Limits) -> dict[str, Any]:
    """Options of an event whose job waits for a command: few of all that there are run at a time, or they would hold every thread."""
    return {"concurrency_id": "commands", "concurrency_limit": limits.at_once}


def equivalents(command: str = "", code: str = "") -> tuple[Any, Any]:
    """The two fields of what gives the same without the page, a command and Python, folded until they are asked for.

    Args:
        command, code: what they hold at first.
    """
    gr = needs("gradio", extra="studio")
    with gr.Accordion("Equivalent command and Python", open=False):
        shell = gr.Code(command, label="Equivalent command", language="shell", interactive=False)
        python = gr.Code(code, label="Equivalent Python", language="python", interactive=False)
    return shell, python


def stale_after(settings: Sequence[Any], started: Any, page: str) -> None:
    """Mark what a page shows as stale once a setting changes, until the event that makes it anew has ended; `page` is its `elem_id`."""
    gr = needs("gradio", extra="studio")
    shown = f"document.querySelectorAll('#{page} .studio').forEach(part => "
    gr.on([each.change for each in settings], None, None, None, js=f"() => {{ {shown}part.dataset.stale = '') }}", api_name=False)
    started.then(None, None, None, js=f"() => {{ {shown}delete part.dataset.stale) }}", api_name=False)


def told(equivalent: Equivalent) -> tuple[str, str]:
    """What goes into these fields."""
    return equivalent.command or "# there is no command for this; the Python below does it", equivalent.python


def ticking(name: str, seconds: float) -> Any:
    """A `gradio.Timer` that ticks while the tab of a name is open; to be called while that tab is laid out, outside of rows in it."""
    gr, context = needs("gradio", extra="studio"), needs("gradio.context", extra="studio")
    timer = gr.Timer(seconds, active=False)

    def opened(event: Any) -> Any:
        return gr.Timer(active=event.value == name)

    opened.__annotations__["event"] = gr.SelectData  # which is how the library knows what to hand over
    context.Context.block.parent.select(opened, None, [timer], api_name=False, show_progress="hidden", queue=False)
    return timer
