"""A progress bar on stderr: loss, KL per level, items per second and time left; where nobody watches, a line now and then."""

from __future__ import annotations

import time
from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

from saltus.training.duration import in_words
from saltus.training.progress import Progress
from saltus.training.trainer import Trainer

__all__ = ["show"]

_SECONDS = 30.0


class _Pace:
    """How fast a training goes, from here on."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer, self._first, self._begun = trainer, trainer.done, time.monotonic()
        self._passed = self.share

    @property
    def share(self) -> float:
        return self._trainer.schedule.share(self._trainer.done)

    @property
    def seconds(self) -> float:
        return max(time.monotonic() - self._begun, 1e-9)

    def __str__(self) -> str:
        done = self._trainer.done - self._first
        return f"{done * self._trainer.config.batch / self.seconds:,.0f} items/s"

    @property
    def left(self) -> float:
        """Seconds, after at least one update."""
        return (1 - self.share) * self.seconds / max(self.share - self._passed, 1e-9)


class _TwoLines(Bar):
    """The bar, and the numbers on a line of their own: together they are wider than many terminals."""

    def get_renderables(self) -> Iterator[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        yield from (Text.from_markup(f"  {task.fields['numbers']}") for task in self.tasks)


def show(trainer: Trainer, title: str) -> Iterator[Progress]:
    """Drive a trainer, with a progress bar, or in a file a line every half minute."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield from _told(trainer, title, console)
        return
    pace = _Pace(trainer)
    fields = ("reached", "pace")
    columns = [TextColumn("{task.description}"), BarColumn(bar_width=20), *(TextColumn(f"{{task.fields[{name}]}}") for name in fields)]
    with _TwoLines(*columns, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task(title, total=1.0, reached="", pace="", numbers="")
        for progress in trainer:
            reached = trainer.schedule.reached(progress.update)
            bar.update(task, completed=pace.share, reached=reached, pace=str(pace), numbers=_numbers(progress))
            yield progress


def _told(trainer: Trainer, title: str, console: Console) -> Iterator[Progress]:
    """A line every half minute, and one at the end."""
    pace, due = _Pace(trainer), time.monotonic() + _SECONDS
    for progress in trainer:
        now = time.monotonic()
        if now >= due or trainer.schedule.over(progress.update):
            due, reached = now + _SECONDS, trainer.schedule.reached(progress.update)
            console.print(f"{title} {reached}  {pace}  {in_words(pace.left)} left  {_numbers(progress)}", soft_wrap=True)
        yield progress


def _numbers(progress: Progress) -> str:
    parts = [f"loss {progress.loss:.3f}"]
    validation = progress.validation
    if any(units is not None for units in validation.active_units):
        parts.append("KL " + "/".join(f"{kl:.1f}" for kl in validation.kl) + " nats")
        parts.append("active " + "/".join(str(units) for units in validation.active_units))
        parts.append("aggregate KL " + "/".join("-" if value is None else f"{value:.1f}" for value in validation.aggregate_kl))
    if validation.bits_per_dim is not None:
        parts.append(f"{validation.bits_per_dim:.2f} bits/dim")
    if progress.skipped:
        parts.append(f"[red]{progress.skipped} skipped[/red]")
    return "  ".join(parts)
