"""What the tab of leaps shows, as markup, and what gives the same without it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from saltus.studio.equivalents import Equivalent, command
from saltus.studio.html import heading, images, page, paragraph, table
from saltus.studio.runs import Run
from saltus.studio.sheet import Sheet
from saltus.studio.views.leaps import Leap, LeapSettings

__all__ = ["as_page", "equivalent", "latent_equivalent", "latent_page"]


def as_page(found: Mapping[str, tuple[Run, Leap]]) -> str:
    """The samples and paths of some runs, and what they cost."""
    rows = [
        [name, str(leap.calls), f"{leap.multiply_adds:,}", f"{leap.seconds:.2f}", f"{leap.chain.levels.last:g}"]
        for name, (_, leap) in found.items()
    ]
    headings = ["run", "network calls", "multiply-adds an image", "seconds in all", "starts at t"]
    parts = [table(headings, rows, "what the samples cost")]
    for name, (run, leap) in found.items():
        parts += [heading(name), paragraph(run.describe())]
        parts += [images(sheet, shown=run.shown, file=f"{kind}-{name}") for kind, sheet in leap.sheets().items()]
    return page(parts, f"samples of {', '.join(found)}")


def latent_page(run: Run, y: Tensor, item: int, level: int) -> str:
    """Images (draws, *E) of one z_l."""
    words = f"image {item} with z_{level} held: its own latent, then {len(y) - 1} others"
    return page([images(Sheet(y, words, len(y)), shown=run.shown, file="another_latent")], words)


def equivalent(runs: Mapping[str, Run], settings: LeapSettings) -> Equivalent:
    """What gives the same samples of each run."""
    given = {
        "calls": settings.calls,
        "condition": settings.condition or None,
        "start": settings.start,
        "guidance": settings.guidance if settings.guidance != 1 else None,
        "temperature": settings.temperature,
        "eta": settings.eta,
    }
    commands = [command("sample", run.place, n=settings.n, seed=settings.seed, **given, out=f"leaps-{name}") for name, run in runs.items()]
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
    given = {"guidance": settings.guidance, "temperature": settings.temperature, "eta": settings.eta}
    told = ", ".join(f"{name}={value!r}" for name, value in given.items() if value is not None)
    condition = f", condition=chain.condition.parse({settings.condition!r})" if settings.condition else ""
    return (
        f"(chain := {chain}).sample(\n    {settings.n}, seed={settings.seed}, return_path=True, "
        f"sampling=replace(chain.sampling, {told}){condition}\n)"
    )


def latent_equivalent(run: Run, settings: LeapSettings, item: int, level: int) -> Equivalent:
    """What draws a latent again."""
    given = ", ".join(f"{name}={value!r}" for name, value in vars(settings).items())
    return Equivalent(
        "",
        f"""from saltus.studio.runs import Runs
from saltus.studio.views.leaps import LeapSettings, another_latent

(run,) = (runs := Runs([{run.place!r}]))[runs.names[0]],
images = another_latent(run, LeapSettings({given}), {item}, {level})
""",
    )
