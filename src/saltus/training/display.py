"""A progress bar on stderr: loss, KL per level, items per second and time left; where nobody watches, a line now and then."""

from __future__ import annotations

import time
from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

from saltus.training.progress import Progress
from saltus.training.trainer import Trainer

__all__ = ["show"]

_SECONDS = 30.0


class _ItemsPerSecond(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{(task.speed or 0) * task.fields['batch']:,.0f} items/s")


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
    columns = [TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn(), _ItemsPerSecond(), TimeRemainingColumn()]
    config = trainer.config
    with _TwoLines(*columns, console=console) as bar:
        task = bar.add_task(title, total=config.updates, completed=trainer.done, batch=config.batch, numbers="")
        for progress in trainer:
            bar.update(task, completed=progress.update, numbers=_numbers(progress))
            yield progress


def _told(trainer: Trainer, title: str, console: Console) -> Iterator[Progress]:
    """A line every half minute, and one at the end."""
    config, first, begun, due = trainer.config, trainer.done, time.monotonic(), time.monotonic() + _SECONDS
    for progress in trainer:
        now = time.monotonic()
        if now >= due or progress.update == config.updates:
            due = now + _SECONDS
            each = (now - begun) / (progress.update - first)
            left = round((config.updates - progress.update) * each)
            pace = f"{config.batch / max(each, 1e-9):,.0f} items/s  {left // 60} min {left % 60} s left"
            console.print(f"{title} {progress.update}/{config.updates}  {pace}  {_numbers(progress)}", soft_wrap=True)
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
