"""`saltus show`: what a tab of the studio shows, as pictures in a folder."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saltus.cli.common import all_of, json_option, say, seed_option
from saltus.cli.places import PLACE
from saltus.cli.table_rows import check_new
from saltus.errors import SaltusError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from saltus.studio.sheet import Sheet

__all__ = ["show"]


@click.group()
def show() -> None:
    """Write what a tab of the studio shows.

    It needs no browser: pictures go into a folder, and figures to the terminal.
    """


@show.command()
@click.argument("run", type=PLACE)
@click.option("--item", type=click.IntRange(min=0), default=0, show_default=True, help="One of the first items of RUN's data.")
@click.option("--image", type=PLACE, help="An image of your own in its place.")
@click.option("--t", type=float, required=True, help="The time: 0 is data, larger is noisier.")
@click.option("--s", type=float, required=True, help="The cleaner time that the bridge leads back to.")
@click.option("--alpha", type=float, default=0.9, show_default=True, help="Signal scale of one level, of the view of constant alpha.")
@click.option("--levels-per-unit", type=int, default=10, show_default=True, help="N, of the view of N levels per unit time.")
@seed_option("Seed of the noise.")
@click.option("--out", required=True, type=PLACE, help="Folder for y.png, z_t.png, bridge_mean.png and z_s.png.")
@json_option
def noise(
    run: Path, item: int, image: Path | None, t: float, s: float, alpha: float, levels_per_unit: int, seed: int, out: Path, as_json: bool
) -> None:
    """One item under noise.

    It is seen at the time t, and on the bridge back to the time s.  RUN says which images.
    """
    from saltus.studio.items import read_image
    from saltus.studio.runs import Runs
    from saltus.studio.views.noise import NoiseSettings, noised

    runs = Runs([str(run)])
    shown = runs[runs.names[0]]
    settings = NoiseSettings(t, s, seed, alpha, levels_per_unit)
    y = shown.item(item) if image is None else read_image(image, shown.model.encoding)
    found = noised(y, settings)
    files = _written(found.sheets(y, settings), out, shown.shown)
    words = ", ".join(f"{name} {value:.4g}" for name, value in found.figures.items())
    say(as_json, {**found.figures, "files": files}, f"{words}\n{len(files)} pictures are in {out}")


@show.command()
@click.option("--last", type=float, default=8.0, show_default=True, help="t_L, the time of the noise that all start from.")
@click.option("--levels", type=int, default=4, show_default=True, help="Steps from there to the data.")
@click.option("--updates", type=int, default=300, show_default=True, help="Of the network's training.")
@click.option("--width", type=int, default=48, show_default=True, help="Of the network.")
@click.option("--n", type=int, default=6, show_default=True, help="Samples in a picture.")
@seed_option("Seed of the training, and of all noise.")
@click.option("--out", required=True, type=PLACE, help="Folder for a picture of each way of stepping.")
@json_option
def collapse(out: Path, as_json: bool, **settings: Any) -> None:
    """One image again and again.

    The exact optimum of the deterministic decoder, a trained one, and two steps that bring diversity back go from the same noise to
    handwritten digits.
    """
    from saltus.studio.views.collapse import CollapseSettings, collapsed, sentences

    check_new([out / "exact_optimum.png"])
    found = collapsed(CollapseSettings(**settings))
    files = _written(found.sheets(), out, (-1.0, 1.0))
    told = sentences(found)
    result = {**settings, "spread": found.spreads, "real_spread": found.real, "diversity": found.diversity, "claims": told, "files": files}
    say(as_json, result, "\n".join([*told, f"{len(files)} pictures are in {out}"]))


_of_sampling = all_of(
    click.option("--n", type=int, default=8, show_default=True, help="Images."),
    click.option("--calls", type=int, help="Network calls.  [default: the run's own]"),
    click.option("--condition", metavar="CLASS", default="", help="A class by its name.  [default: as often as they came]"),
    click.option("--guidance", type=float, default=1.0, show_default=True, help="Weight of the class."),
    seed_option("Seed of all noise."),
)
"""What images are drawn with."""
_of_steps = all_of(
    click.option("--start", help="noise or mixture.  [default: the run's own]"),
    click.option("--temperature", type=float, help="Of latents.  [default: the run's own]"),
    click.option("--eta", type=float, help="Share of fresh noise.  [default: the run's own]"),
    click.option("--final", help="What the last step returns.  [default: the run's own]"),
)
"""How the steps of one run are sampled."""


@show.command()
@click.argument("run", type=PLACE)
@_of_steps
@_of_sampling
@click.option("--out", required=True, type=PLACE, help="Folder for samples.png, path.png and expected.png.")
@json_option
def leaps(run: Path, out: Path, as_json: bool, **settings: Any) -> None:
    """Samples, and the path to them.

    A row for each level from z_L down, and what each step of RUN expects of the data there.
    """
    from saltus.studio.runs import Runs
    from saltus.studio.views.leaps import LeapSettings, leap

    runs = Runs([str(run)])
    shown = runs[runs.names[0]]
    found = leap(shown, LeapSettings(**settings))
    files = _written(found.sheets(), out, shown.shown)
    cost = {"calls": found.calls, "multiply_adds": found.multiply_adds, "seconds": found.seconds}
    words = f"{found.calls} network calls, {found.multiply_adds:,} multiply-adds an image, {found.seconds:.2g} s"
    say(as_json, {**settings, **cost, "files": files}, f"{words}\n{len(files)} pictures are in {out}")


@show.command()
@click.argument("run", type=PLACE)
@click.option("--item", type=int, default=0, show_default=True, help="The image, from 0.")
@click.option("--level", type=int, default=1, show_default=True, help="l of the z that is held.")
@_of_steps
@_of_sampling
@click.option("--out", required=True, type=PLACE, help="Folder for another_latent.png.")
@json_option
def latent(run: Path, item: int, level: int, out: Path, as_json: bool, **settings: Any) -> None:
    """One latent, drawn again and again.

    z at a level of one image of RUN stays as it is, and so does all other noise.
    """
    from saltus.studio.runs import Runs
    from saltus.studio.views.leaps import LeapSettings, another_latent
    from saltus.studio.views.leaps_page import latent_sheet

    runs = Runs([str(run)])
    shown = runs[runs.names[0]]
    sheets = latent_sheet(another_latent(shown, LeapSettings(**settings), item, level), item, level)
    files = _written(sheets, out, shown.shown)
    say(as_json, {**settings, "item": item, "level": level, "files": files}, f"{sheets['another_latent'].words}: {files[0]}")


@show.command()
@click.argument("run", type=PLACE)
@click.option("--floors", is_flag=True, help="Measure what closed forms have on the same items, which takes seconds to a minute.")
@click.option("--out", type=PLACE, help="Folder for the curves as SVG and, for images, samples.png.")
@json_option
def run(run: Path, floors: bool, out: Path | None, as_json: bool) -> None:
    """A run in progress or finished.

    Its loss, the bound at each level beside floors, active units, its pace and its end follow from the files in RUN; so do samples.
    """
    from saltus.pretrained import run_folder
    from saltus.studio.views.growing import snapshot
    from saltus.studio.views.run import floors_of, watched
    from saltus.studio.views.run_page import curves

    folder = run_folder(run)
    found, measured, files = watched(folder), floors_of(folder) if floors else {}, list[str]()
    if out is not None:
        drawn, sheet = curves(found, measured), (grown := snapshot(folder)).sheet
        check_new([out / f"{name}.svg" for name in drawn])
        files = [] if sheet is None else _written({"samples": sheet}, out, grown.black_and_white)
        out.mkdir(parents=True, exist_ok=True)
        for name, (figure, _) in drawn.items():
            figure.savefig(out / f"{name}.svg")
            files.append(str(out / f"{name}.svg"))
    told = {name: asdict(floor) for name, floor in measured.items()}
    lines = [f"{name}: {value}" for name, value in found.figures().items()]
    lines += [f"{name}: {floor.total:.5g} nats an item, {floor.bits_per_dim:.4g} bits per dimension" for name, floor in measured.items()]
    say(as_json, {**found.figures(), "floors": told, "files": files}, "\n".join([*lines, *files]))


@show.command()
@click.argument("runs", nargs=2, type=PLACE)
@_of_sampling
@click.option("--sampler-a", help="A sampler around the first run's network, such as UniPC.  [default: its own steps]")
@click.option("--sampler-b", help="Of the second run's.")
@click.option("--temperature-a", type=float, help="Of the first one's latents.  [default: the run's own]")
@click.option("--temperature-b", type=float, help="Of the second one's.")
@click.option("--eta-a", type=float, help="The first one's share of fresh noise.  [default: the run's own]")
@click.option("--eta-b", type=float, help="The second one's.")
@click.option("--final-a", help="What the first one's last step returns.  [default: the run's own]")
@click.option("--final-b", help="What the second one's does.")
@click.option("--out", required=True, type=PLACE, help="Folder for a.png and b.png.")
@json_option
def compare(runs: tuple[Path, Path], out: Path, as_json: bool, **given: Any) -> None:
    """Two samplers at equal calls.

    Both draw with the same seeds, and are measured against the data of their run where these are here.
    """
    from saltus.studio.runs import Runs
    from saltus.studio.views.compare import OWN, Side, compared, figures
    from saltus.studio.views.leaps import LeapSettings

    own = {letter: {name: given.pop(f"{name}_{letter}") for name in ("sampler", "temperature", "eta", "final")} for letter in "ab"}
    sides = []
    for place, options in zip(runs, own.values(), strict=True):
        sampler, known = options.pop("sampler") or OWN, Runs([str(place)])
        sides.append(Side(known.names[0], known[known.names[0]], LeapSettings(**given, **options), sampler))
    found = compared(*sides)
    shown = [one.run.shown for one in sides]
    if shown[0] != shown[1]:
        raise SaltusError("the images of the two runs are shown on two scales; compare runs of one kind of images")
    files = _written(found.sheets(), out, shown[0])
    headings, rows = figures(found)
    lines = ["; ".join(f"{name} {value}".strip() for name, value in zip(headings, row, strict=True) if value) for row in rows]
    say(as_json, {"figures": [dict(zip(headings, row, strict=True)) for row in rows], "files": files}, "\n".join([*lines, *files]))


def _written(sheets: Mapping[str, Sheet], out: Path, shown: tuple[float, float]) -> list[str]:
    """The pictures, none of which may be there before."""
    from saltus.studio.sheet import write_sheets

    check_new([out / f"{name}.png" for name in sheets])
    return [str(file) for file in write_sheets(sheets, out, shown)]
