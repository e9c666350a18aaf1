"""What the numbers of the collapse study say: every sentence is chosen by them, none is written beforehand.

Means over several networks are geometric for growth, which multiplies from level to level, and arithmetic for the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise
from statistics import fmean, geometric_mean, median

from saltus.studies.collapse.experiment import Descent, Exact, Plan, Record, Sampled, SamplerKind, Source, Trained

__all__ = ["amplification", "claims", "collapse", "escape", "finding", "growth", "ingredients", "last_level", "residual", "training"]

_COINCIDE = 1e-3  # in units of y, less than half a grey value of 256: nobody sees a larger number of images than one
_RESTORED = 0.9  # of the diversity of real items


def finding(plan: Plan, records: Sequence[Record]) -> str:
    """The study in one sentence, with which the page begins."""
    late = next(r for r in records if isinstance(r, Exact) and r.levels[-1] == plan.late)
    latest = max((r for r in records if isinstance(r, Exact)), key=lambda e: e.levels[-1])
    networks = [r.descent.diversity for r in records if isinstance(r, Trained) and r.levels == late.levels]
    drawn = [r for r in records if isinstance(r, Sampled) and r.source is Source.NETWORK and r.sampler is not SamplerKind.PLAIN_DECODER]
    means = {kind: fmean(r.diversity for r in drawn if r.sampler is kind) for kind in dict.fromkeys(r.sampler for r in drawn)}
    best = max(means, key=means.__getitem__)
    same = latest.descent.between_samples < _COINCIDE
    items = "the same item from every noise" if same else "several items even from the latest start"
    return (
        f"A perfect decoder without fresh noise draws {items}; trained networks, which are not perfect, have {_span(networks)} of the "
        f"diversity of real items, and a network that is sampled by {best} in place of it has {means[best]:.0%}."
    )


def claims(plan: Plan, records: Sequence[Record]) -> list[str]:
    """The sentences of a whole study, in the order of the page."""
    exact = [record for record in records if isinstance(record, Exact)]
    trained = [record for record in records if isinstance(record, Trained)]
    sampled = [record for record in records if isinstance(record, Sampled)]
    late, early = (next(e for e in exact if e.levels[-1] == last) for last in (plan.late, plan.early))
    networks = [record for record in trained if record.levels == late.levels]
    long = [record for record in networks if record.updates == plan.updates[-1]]
    again = [record for record in trained if record.levels == early.levels]
    same = [record for record in long if record.width == again[0].width]
    return [
        collapse(exact),
        residual(exact),
        growth("The exact optimum", [late.descent], late.levels),
        escape(late, networks),
        *(growth(f"Networks of width {width}", [r.descent for r in long if r.width == width], late.levels) for width in plan.widths),
        amplification(long),
        training(networks),
        last_level(early, again, late, same),
        ingredients(Source.EXACT, sampled),
        ingredients(Source.NETWORK, sampled),
    ]


def collapse(exact: Sequence[Exact]) -> str:
    """Whether the plain decoder gives one item, whatever its noise, at the latest last time that was tried."""
    latest = max(exact, key=lambda e: e.levels[-1])
    found, start = latest.descent, f"From t_L = {latest.levels[-1]:g} the exact optimum's first step ends"
    first = f"{start} {_shown(found.first_from_mean)} data spreads from the mean item"
    if max(found.first_from_mean, found.between_samples) < _COINCIDE:
        return f"{first}, and all samples coincide to within {_shown(found.between_samples)}: the plain decoder collapses to one item."
    return f"{first}, and samples differ by up to {_shown(found.between_samples)}: at this last time z_L is not yet independent of y."


def residual(exact: Sequence[Exact]) -> str:
    """What the exact optimum does on cosine grids that end at different times: residual information, and nothing else."""
    ordered = sorted(exact, key=lambda e: e.levels[-1])
    spreads = [e.descent.spread[0] for e in ordered]
    times, values = _listed(f"{e.levels[-1]:g}" for e in ordered), _listed(map(_shown, spreads))
    found = f"With t_L = {times} the exact optimum's samples spread {values} of the data"
    if all(a > b for a, b in pairwise(spreads)):
        return f"{found}: the later t_L, the less z_L tells of y and the more the samples agree."
    return f"{found}, which does not fall steadily as t_L becomes later."


def growth(who: str, descents: Sequence[Descent], levels: Sequence[float]) -> str:
    """The levels that amplify differences: those of two samples and small ones are told apart if they disagree."""
    L = len(levels) - 1
    pairs = [_mean_growth([d.pairs[i] for d in descents]) for i in range(L)]
    small = [_mean_growth([d.small[i] for d in descents]) for i in range(L)]
    grown = [(pairs[i] > 1) + (small[i] > 1) for i in range(L)]

    def named(measures: int) -> str:
        which = [i for i in reversed(range(L)) if grown[i] == measures]
        return _listed(f"t = {levels[i + 1]:.2g} (two samples {_factor(pairs[i])}, small {_factor(small[i])})" for i in which)

    start = f"{who}, from t_L = {levels[-1]:g}: differences"
    match (2 in grown, 1 in grown):
        case (False, False):
            return f"{start} grow at no level."
        case (True, False):
            return f"{start} grow at {named(2)}, and at no other of {L} levels."
        case (False, True):
            return f"{start} grow by one measure of the two only, at {named(1)}."
        case _:
            return f"{start} grow at {named(2)}; by one measure of the two only at {named(1)}."


def escape(exact: Exact, trained: Sequence[Trained]) -> str:
    """Whether networks are diverse where the exact optimum is not."""
    optimum, spreads = exact.descent.spread[0], [record.descent.spread[0] for record in trained]
    found = (
        f"From t_L = {exact.levels[-1]:g} the exact optimum's samples spread {_shown(optimum)} of the data, those of "
        f"{len(spreads)} trained networks {_shown(min(spreads))} to {_shown(max(spreads))} (median {_shown(median(spreads))})"
    )
    most = max(record.descent.diversity for record in trained)
    reach = "as diverse as real items" if most >= _RESTORED else f"and yet short of real items: {most:.2f} of their diversity at the most"
    if min(spreads) > optimum:
        return f"{found}: all are more diverse than the optimum, by not being it, {reach}."
    return f"{found}: {sum(s <= optimum for s in spreads)} of {len(spreads)} are no more diverse than the optimum."


def amplification(trained: Sequence[Trained]) -> str:
    """Whether what the first step leaves is amplified on the way down."""
    factors = [record.descent.spread[0] / record.descent.spread[-2] for record in trained]
    left = [record.descent.spread[-2] for record in trained]
    found = (
        f"The first step leaves a spread of {_shown(min(left))} to {_shown(max(left))} in {len(trained)} networks of the longest training; "
        f"from there to z_0 it changes {_factor(min(factors))} to {_factor(max(factors))}"
    )
    grown = sum(factor > 1 for factor in factors)
    if grown == len(factors):
        return f"{found}: the variation that a network leaves is amplified on the way down."
    if grown == 0:
        return f"{found}: here variation survives, but it is not amplified on the way down."
    return f"{found}: variation is amplified on the way down in {grown} of {len(factors)}."


def training(trained: Sequence[Trained]) -> str:
    """What longer training does to diversity, for each width, in the mean over seeds."""
    updates = sorted({record.updates for record in trained})

    def course(width: int) -> str:
        means = [fmean(r.descent.diversity for r in trained if (r.width, r.updates) == (width, n)) for n in updates]
        return f"{_trend(means)} at width {width} ({_listed(f'{mean:.2f}' for mean in means)})"

    courses = [course(width) for width in sorted({record.width for record in trained})]
    return f"With longer training ({_listed(map(str, updates))} updates) diversity {_listed(courses)}; real items have 1."


def last_level(early: Exact, again: Sequence[Trained], late: Exact, same: Sequence[Trained]) -> str:
    """Residual information against the network's own part, for networks of one size whose grids end at different times."""
    (a, b), (c, d) = ((e.descent.spread[0], fmean(r.descent.spread[0] for r in rs)) for e, rs in ((early, again), (late, same)))
    found = (
        f"Width {same[0].width} spreads {_shown(b)} from t_L = {early.levels[-1]:g}, where the optimum spreads {_shown(a)}, "
        f"and {_shown(d)} from t_L = {late.levels[-1]:g}, where it spreads {_shown(c)}"
    )
    if b <= d:
        return f"{found}: the information that is left in z_L adds nothing to what the network does by itself."
    own = "most" if d > b / 2 else "less than half"
    return f"{found}: {own} of the network's diversity remains when the information in z_L is gone."


def ingredients(source: Source, sampled: Sequence[Sampled]) -> str:
    """Which change of sampler brings diversity back, around one prediction at equal calls."""
    kinds = [kind for kind in SamplerKind if kind is not SamplerKind.NONE]
    diversity, distance = (
        {kind: fmean(getattr(r, name) for r in sampled if (r.source, r.sampler) == (source, kind)) for kind in kinds}
        for name in ("diversity", "sliced_wasserstein")
    )
    floor = next(r.sliced_wasserstein for r in sampled if r.source is Source.REAL)
    plain, ddim, bridge, gaussian = (diversity[kind] for kind in kinds)
    gains = {
        "from the plain decoder to DDIM, which keeps what is left of z_t,": ddim - plain,
        "from DDIM to the bridge, which keeps less of z_t and draws noise,": bridge - ddim,
        "from the bridge to the Gaussian step, which has room for the error of the prediction,": gaussian - bridge,
    }
    most, best = max(gains, key=gains.__getitem__), min(distance, key=distance.__getitem__)
    found = f"Around the {source}'s prediction diversity is " + _listed(f"{value:.2f} by {kind}" for kind, value in diversity.items())
    verdict = f"the change {most} brings most of it back ({gains[most]:+.2f})" if gains[most] > 0 else "no change of sampler adds to it"
    restored = [kind.value for kind, value in diversity.items() if value >= _RESTORED]
    reach = f"at least {_RESTORED:g} of real items: {_listed(restored) if restored else 'none'}"
    return f"{found}: {verdict}; {reach}. Nearest to real items is {best} (sliced Wasserstein {distance[best]:.3f}, real {floor:.3f})."


def _mean_growth(values: Sequence[float]) -> float:
    """The geometric mean; 0 where a difference is lost, or was before."""
    return geometric_mean(values) if all(math.isfinite(v) and v > 0 for v in values) else 0.0


def _trend(values: Sequence[float]) -> str:
    """How values go: each change of direction once."""
    words = ["rises" if b > a else "falls" if b < a else "stays" for a, b in pairwise(values)]
    return ", then ".join(word for word, _ in groupby(words))


def _listed(parts: Iterable[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def _span(values: Sequence[float]) -> str:
    """From the least to the most, as percentages."""
    least, most = f"{min(values):.0%}", f"{max(values):.0%}"
    return least if least == most else f"{least} to {most}"


def _shown(value: float) -> str:
    return f"{value:.2g}"


def _factor(value: float) -> str:
    return f"×{value:.3g}"
