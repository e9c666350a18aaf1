"""Two samplers at equal numbers of network calls, on the same seeds: what they draw, what it costs, and how far it is from real items.

Distances are of 256 samples to the held-out items of the run's data, beside the floor that as many training items have.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from saltus.data import DataSet, subsample
from saltus.errors import SaltusError
from saltus.evaluation import ChainSampler, Sampler, diversity, multiply_adds, sliced_wasserstein
from saltus.levels import Levels
from saltus.studies.compare.samplers import NamedSampler, of_chain
from saltus.studio.equivalents import Equivalent, command
from saltus.studio.html import heading, images, page, paragraph, side, table
from saltus.studio.runs import Run
from saltus.studio.sheet import Sheet
from saltus.studio.views.leaps import LeapSettings, chain_for, conditions

__all__ = ["OWN", "Compared", "Drawn", "Side", "as_page", "compared", "equivalent", "figures", "sampler_names"]

OWN = "its own steps"
"""The sampler that a run is trained for."""
_MEASURED, _FLOORS = 256, 4  # items that are measured, and how often they are for a floor
_TURNS, _PATIENCE = 3, 4.0  # timings, and seconds after which there are no more
_CAUTION = (
    f"Distances are of {_MEASURED} samples of one seed. Differences of about the ± of the floor, its standard deviation over other "
    "items, say nothing."
)


@dataclass(frozen=True, eq=False)
class Side:
    """A sampler of a run.

    Attributes:
        name: of the run on the page.
        run: the run.
        settings: how it is sampled.
        sampler: its own steps, or the name of another sampler around its network, of a run for any number of calls.
    """

    name: str
    run: Run
    settings: LeapSettings
    sampler: str = OWN

    @property
    def words(self) -> str:
        """The run, and what is not its own."""
        return ", ".join(filter(None, [self.name, self.sampler * (self.sampler != OWN), self.settings.own_words]))


@dataclass(frozen=True, eq=False)
class Drawn:
    """What a sampler drew.

    Attributes:
        y: images (n, *E).
        seconds: of these images.
        calls: of the network, for each image.
        multiply_adds: for each image.
        distance, diversity: of 256 samples; None where the data are not here.
    """

    y: Tensor
    seconds: float
    calls: int
    multiply_adds: int
    distance: float | None
    diversity: float | None


@dataclass(frozen=True)
class Floor:
    """What real items in place of samples have.

    Attributes:
        distance, diversity: of 256 training items.
        spread: standard deviation of the distance over other 256 items; None where there are too few.
    """

    distance: float
    spread: float | None
    diversity: float


@dataclass(frozen=True, eq=False)
class Compared:
    """Both, and what real items in place of samples have; None where nothing is measured."""

    sides: tuple[Side, Side]
    drawn: tuple[Drawn, Drawn]
    floors: tuple[Floor | None, Floor | None]

    def sheets(self) -> dict[str, Sheet]:
        """The images of each."""
        return {
            letter: Sheet(drawn.y, f"{letter.upper()}: {one.words}, seed {one.settings.seed}")
            for letter, one, drawn in zip("ab", self.sides, self.drawn, strict=True)
        }


def sampler_names(run: Run) -> list[str]:
    """The samplers that there are around the network of a run."""
    return [OWN, *_others(run)]


def _others(run: Run) -> dict[str, NamedSampler]:
    """Those that are not its own, by name: of a run for any number of calls whose data are here, to calibrate them on."""
    chain, data = run.model.chain, run.data
    if not chain.any_step or data is None:
        return {}
    found = of_chain(chain, data.validation, data.conditions_for(chain.condition, "validation"))
    return {named.name: named for named in found if named.name != chain.kernel(1).label}


def compared(a: Side, b: Side) -> Compared:
    """Sample both.

    Raises:
        SaltusError: if they do not make as many calls, or one of them is asked for what its run does not allow.
    """
    samplers = [_sampler(one) for one in (a, b)]
    calls = [calls for _, calls in samplers]
    if calls[0] != calls[1]:
        raise SaltusError(f"A makes {calls[0]} network calls and B makes {calls[1]}; choose samplers of as many calls, or another number")
    timed = _timed([partial(_images, one, sampler) for one, (sampler, _) in zip((a, b), samplers, strict=True)], a.settings.n)
    drawn = [_drawn(one, *made, *found) for one, made, found in zip((a, b), samplers, timed, strict=True)]
    return Compared((a, b), (drawn[0], drawn[1]), (_floor(a), _floor(b)))


def _timed(works: Sequence[Callable[[int], Tensor]], n: int) -> list[tuple[Tensor, float]]:
    """What each makes and its median seconds, in turns after one that is not measured: the first would pay for what is not there yet."""
    spent: list[list[float]] = [[] for _ in works]
    for work in works:
        work(1)
    for _ in range(_TURNS):
        made = []
        for own, work in zip(spent, works, strict=True):
            begun = time.perf_counter()
            made.append(work(n))
            own.append(time.perf_counter() - begun)
        if sum(map(sum, spent)) > _PATIENCE:
            break
    return [(y, statistics.median(own)) for y, own in zip(made, spent, strict=True)]


def _sampler(one: Side) -> tuple[Sampler, int]:
    """The sampler of a side, and its network calls."""
    chain = chain_for(one.run, one.settings)
    own = chain_for(one.run, replace(one.settings, start=None)).levels.L
    if one.sampler == OWN:
        return ChainSampler(chain, one.settings.sampling(chain)), own
    others = _others(one.run)
    if one.sampler not in others:
        raise SaltusError(f"{one.name} has no sampler named {one.sampler!r:.60}; expected one of: {', '.join(sampler_names(one.run))}")
    _check_plain(one)
    named = others[one.sampler]
    steps = named.steps(own)
    if not 0 < named.network_calls(steps) <= own:
        raise SaltusError(f"{one.sampler} cannot do with {own} network calls; choose more")
    return named.on(Levels.cosine(steps, named.last)), named.network_calls(steps)


def _check_plain(one: Side) -> None:
    """Raise SaltusError where a sampler of another kind is told what only the steps of a chain know."""
    plain = {"temperature": (None, 1.0), "eta": (None, 1.0), "final": (None, "auto"), "guidance": (1.0,), "condition": ("",)}
    for name, values in plain.items():
        if (given := getattr(one.settings, name)) not in values:
            raise SaltusError(
                f"{name} = {given!r:.40} was given for {one.sampler}, which has no such setting here; leave it at the run's own"
            )


def _drawn(one: Side, sampler: Sampler, calls: int, y: Tensor, seconds: float) -> Drawn:
    """The images y of a side, and the distance of others like them to real ones."""
    data = _measurable(one)
    if data is None:
        return Drawn(y, seconds, calls, multiply_adds(sampler), None, None)
    many = _images(one, sampler, _MEASURED)
    distance, told = sliced_wasserstein(many, data.test), diversity(many, data.test)
    return Drawn(y, seconds, calls, multiply_adds(sampler), distance, told)


@torch.no_grad()
def _images(one: Side, sampler: Sampler, n: int) -> Tensor:
    """n images of the seed, on the values that files hold."""
    settings, encoding = replace(one.settings, n=1), one.run.model.encoding
    if isinstance(sampler, ChainSampler):
        chain = sampler.chain
        given = conditions(chain, settings) if settings.condition else None
        y = chain.sample(n, seed=settings.seed, sampling=sampler.sampling, condition=given)
    else:
        y = sampler.sample(n, seed=settings.seed)
    return encoding.encode(encoding.decode(y.float()))


def _measurable(one: Side) -> DataSet | None:
    """The data that samples are held against; None where they are not here, or are of all classes and samples of one."""
    return None if one.settings.condition else one.run.data


def _floor(one: Side) -> Floor | None:
    """The distance and the diversity of training items in place of samples, and how far the distance varies among as many others."""
    data = _measurable(one)
    if data is None:
        return None
    parts = [part for part in subsample(data.fitting_items, _FLOORS * _MEASURED).split(_MEASURED) if len(part) == _MEASURED]
    parts = parts or [data.fitting_items]
    distances = [sliced_wasserstein(part, data.test) for part in parts]
    spread = statistics.stdev(distances) if len(distances) > 1 else None
    return Floor(statistics.mean(distances), spread, diversity(parts[0], data.test))


def figures(found: Compared) -> tuple[list[str], list[list[str]]]:
    """A table of what both draw and of the floors: its headings and rows."""
    headings = ["", "network calls", "multiply-adds an image", "seconds", "sliced Wasserstein distance", "diversity"]
    rows = [
        [
            f"{letter}: {one.words}",
            str(drawn.calls),
            f"{drawn.multiply_adds:,}",
            f"{drawn.seconds:.2g}",
            _figure(drawn.distance),
            _figure(drawn.diversity),
        ]
        for letter, one, drawn in zip("AB", found.sides, found.drawn, strict=True)
    ]
    floors = {one.name: floor for one, floor in zip(found.sides, found.floors, strict=True) if floor is not None}
    for name, floor in floors.items():
        distance = _figure(floor.distance) + ("" if floor.spread is None else f" ± {floor.spread:.1g}")
        rows.append([f"floor: {name}, real items", "", "", "", distance, _figure(floor.diversity)])
    return headings, rows


def as_page(found: Compared) -> str:
    """What the tab shows, as markup."""
    absent = [one.name for one in found.sides if one.run.data is None]
    parts = [paragraph(f"{found.sides[0].settings.words}."), table(*figures(found), "what both draw, and what it costs")]
    if absent:
        parts.append(paragraph(f"The data of {', '.join(dict.fromkeys(absent))} are not here, so nothing is measured against them."))
    elif found.sides[0].settings.condition:
        parts.append(paragraph("Distances are to items of all classes, so none is measured for one class."))
    else:
        parts.append(paragraph(_CAUTION))
    shown = {letter: one.run.shown for letter, one in zip("ab", found.sides, strict=True)}
    parts += [
        heading("The same seeds"),
        side(
            (images(s, shown=shown[name], file=f"{name}-{found.sides[0].settings.suffix}") for name, s in found.sheets().items()),
            large=True,
        ),
    ]
    return page(parts, "two samplers at equal calls")


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def equivalent(a: Side, b: Side) -> Equivalent:
    """What gives the same images; both have the same calls, seed, class and guidance."""
    places = [a.run.place, b.run.place]
    shared = {name: getattr(a.settings, name) for name in ("n", "seed", "calls", "condition", "guidance")}
    own = {
        f"{name}_{letter}": getattr(one.settings, name) for letter, one in (("a", a), ("b", b)) for name in ("temperature", "eta", "final")
    }
    names = {f"sampler_{letter}": one.sampler if one.sampler != OWN else None for letter, one in (("a", a), ("b", b))}
    options = {name: None if value == "" else value for name, value in {**shared, **own, **names}.items()}
    return Equivalent(command("show", "compare", *places, **options, out="compared"), _python([a, b]))


def _python(sides: Sequence[Side]) -> str:
    def made(one: Side) -> str:
        changed = {name: value for name, value in vars(one.settings).items() if value != getattr(LeapSettings(), name)}
        given = ", ".join(f"{name}={value!r}" for name, value in changed.items())
        sampler = "" if one.sampler == OWN else f", {one.sampler!r}"
        return f"Side({one.name!r}, Runs([{one.run.place!r}])[{one.name!r}], LeapSettings({given}){sampler})"

    return f"""from saltus.studio.runs import Runs
from saltus.studio.views.compare import Side, compared
from saltus.studio.views.leaps import LeapSettings

found = compared(
    {made(sides[0])},
    {made(sides[1])},
)
a, b = (drawn.y for drawn in found.drawn)
"""
