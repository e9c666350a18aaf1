"""What the tab of leaps shows, as markup, and what gives the same without it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from saltus.studio.equivalents import Equivalent, command
from saltus.studio.html import heading, images, page, paragraph, table
from saltus.studio.runs import Run
from saltus.studio.sheet import Sheet
from saltus.studio.views.leaps import Leap, LeapSettings

__all__ = ["INVITATION", "as_page", "equivalent", "latent_equivalent", "latent_page", "latent_sheet"]


INVITATION = page([paragraph("Choose runs, and press Sample.")], "samples and paths")
"""What stands there before."""


def as_page(found: Mapping[str, tuple[Run, Leap]], settings: LeapSettings) -> str:
    """The samples and paths of some runs, and what they cost."""
    asked = ", ".join(filter(None, [settings.words, settings.own_words]))
    rows = [
        [name, _calls(run, leap, settings), f"{leap.multiply_adds:,}", f"{leap.seconds:.2g}", f"{leap.chain.levels.last:g}"]
        for name, (run, leap) in found.items()
    ]
    headings = ["run", "network calls", "multiply-adds an image", "seconds in all", "starts at t"]
    parts = [paragraph(f"{asked}."), table(headings, rows, "what the samples cost")]
    for name, (run, leap) in found.items():
        parts += [heading(name), paragraph(run.describe())]
        parts += [images(sheet, shown=run.shown, file=f"{kind}-{name}-{settings.suffix}") for kind, sheet in leap.sheets().items()]
    return page(parts, f"samples of {', '.join(found)}")


def _calls(run: Run, leap: Leap, settings: LeapSettings) -> str:
    """Network calls of an image; guidance asks for each with the class and without."""
    guided = settings.guidance != 1 and run.model.chain.condition is not None
    return f"2 x {leap.calls} (guidance)" if guided else str(leap.calls)


def latent_page(run: Run, y: Tensor, item: int, level: int) -> str:
    """Images (draws, *E) of one z_l."""
    (sheet,) = latent_sheet(y, item, level).values()
    return page([images(sheet, shown=run.shown, file="another_latent")], sheet.words)


def latent_sheet(y: Tensor, item: int, level: int) -> dict[str, Sheet]:
    """The same as a picture."""
    return {"another_latent": Sheet(y, f"image {item} with z_{level} held: its own latent, then {len(y) - 1} others", len(y))}


def equivalent(runs: Mapping[str, Run], settings: LeapSettings) -> Equivalent:
    """What gives the same samples of each run."""
    given = {field: value for field, value in vars(settings).items() if value != getattr(LeapSettings(), field)}
    commands = [command("show", "leaps", run.place, **given, out=f"leaps-{name}") for name, run in runs.items()]
    parts = "\n".join(f"paths[{name!r}] = {_sampled(run, settings)}" for name, run in runs.items())
    return Equivalent("\n".join(commands), f"{_IMPORTS}\npaths = {{}}  # z_0 ... z_L of each run\n{parts}\n")


_IMPORTS = """from dataclasses import replace

import saltus
from saltus.chain import started
from saltus.pretrained import run_folder
from saltus.training import planned_levels


def on(place, calls, start):
    model = saltus.Model.load(place)
    chain = model.chain if calls is None else model.chain.on(planned_levels(run_folder(place), model.chain, calls))
    return chain if start is None else started(chain, start)

"""


def _sampled(run: Run, settings: LeapSettings) -> str:
    """The expression of a path."""
    chain = f"on({run.place!r}, {settings.calls!r}, {settings.start!r})"
    given = {name: getattr(settings, name) for name in ("guidance", "temperature", "eta", "final")}
    told = ", ".join(f"{name}={value!r}" for name, value in given.items() if value is not None)
    condition = f", condition=chain.condition.parse({settings.condition!r})" if settings.condition else ""
    return (
        f"(chain := {chain}).sample(\n    {settings.n}, seed={settings.seed}, return_path=True, "
        f"sampling=replace(chain.sampling, {told}){condition}\n)"
    )


def latent_equivalent(name: str, run: Run, settings: LeapSettings, item: int, level: int) -> Equivalent:
    """What draws a latent again; `name` is that of the run on the page."""
    changed = {field: value for field, value in vars(settings).items() if value != getattr(LeapSettings(), field)}
    given = ", ".join(f"{field}={value!r}" for field, value in changed.items())
    return Equivalent(
        command("show", "latent", run.place, item=item, level=level, **changed, out="latent"),
        f"""from saltus.studio.runs import Runs
from saltus.studio.views.leaps import LeapSettings, another_latent

run = Runs([{run.place!r}])[{name!r}]
images = another_latent(run, LeapSettings({given}), {item}, {level})
""",
    )
