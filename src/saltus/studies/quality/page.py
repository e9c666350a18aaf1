"""The page of a report: the finding first, then every column, pair, distance and score, each beside that of real rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from saltus.data.layout import Array
from saltus.evaluation.quality import difference
from saltus.files import write_atomically
from saltus.studies.pages import Table, render, svg
from saltus.studies.quality import figures, pairs
from saltus.studies.quality.measure import Pair, Quality
from saltus.studies.quality.rows import MOST_ROWS
from saltus.studies.quality.words import caution, finding, number, plus_minus, ratio, score, share, telling, tiles, worth

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

__all__ = ["page", "write_page"]

_PAIRS = 6  # pairs that are drawn
_LISTED = 20  # pairs in the table
_BARS = 15  # columns in the picture of what gives rows away
_FULL = 0.2  # number of a matrix that has its full colour, at least


def write_page(quality: Quality, file: Path, *, title: str, made: Mapping[str, Any]) -> None:
    """Write the page, whole or not at all.

    Args:
        quality: what was measured.
        file: the page.
        title: its heading.
        made: how: `seed`, `seconds`, `version` of saltus, network `calls` of a row, and `sampling` in words.
    """
    write_atomically(file, page(quality, title=title, made=made))


def page(quality: Quality, *, title: str, made: Mapping[str, Any]) -> str:
    """The page as text; arguments as for `write_page`."""
    rows = quality.compared
    text = render(
        "quality.html",
        title=title,
        finding=finding(quality),
        caution=caution(quality),
        tiles=tiles(quality),
        colours={"real": figures.REAL, "synthetic": figures.SYNTHETIC, "below": pairs.COLOURS[0], "above": pairs.COLOURS[1]},
        columns=_columns(quality),
        left_out=len(quality.order) - len(quality.shown),
        telling=len(telling(quality)),
        given_away=_given_away(quality),
        association=_association(quality),
        privacy=_privacy(quality),
        utility=_utility(quality),
        bound=_bound(quality),
        rows=rows,
        counts={
            name: f"{len(table):,}" for name, table in (("synthetic", rows.synthetic), ("held_out", rows.held_out), ("train", rows.train))
        },
        told=quality.synthetic,
        most=f"{MOST_ROWS:,}",
        made=made,
    )
    return text.replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")


def _drawn(figure: Figure, name: str) -> Markup:
    """A figure of this name, which no other one of the page has: equal figures would have equal names inside."""
    figure.set_gid(name)
    return svg(figure, letters=True)


def _columns(quality: Quality) -> list[dict[str, Any]]:
    """A card of each column that is shown."""
    rows, found = quality.compared, []
    for place, j in enumerate(quality.shown):
        of = rows.columns[j]
        absent = [float(missing[j]) for missing in quality.missing]
        found.append(
            {
                "name": of.name,
                "plot": _drawn(figures.column(of, rows.held_out[:, j], rows.synthetic[:, j]), f"column-{place}"),
                "accuracy": score(quality.alone[j]),
                "floor": share(quality.alone_train[place].accuracy),
                "missing": f"missing: {share(absent[0])} of held-out cells, {share(absent[1])} of synthetic ones" if any(absent) else "",
            }
        )
    return found


def _given_away(quality: Quality) -> dict[str, Any]:
    names = [column.name for column in quality.compared.columns]
    some = quality.shown[:_BARS]
    labels = ["all columns", *(names[j] for j in some)]
    sets = [quality.synthetic, *(quality.alone[j] for j in some)], [quality.train, *quality.alone_train[: len(some)]]
    lost = quality.synthetic.importance
    beside = zip(quality.shown, quality.alone_train, strict=True)
    table = [[names[j], score(quality.alone[j]), score(train), number(100 * lost[j], 1)] for j, train in beside]
    return {
        "plot": _drawn(figures.accuracies(labels, *sets), "accuracies"),
        "table": Table(["column", "synthetic rows told by it alone", "training rows", "points lost when it is shuffled"], table),
        "shown": len(some),
    }


def _association(quality: Quality) -> dict[str, Any]:
    columns = quality.compared.columns
    order = np.argsort(quality.shown)  # as the table has them
    names = [columns[quality.shown[k]].name for k in order]
    real, synthetic, train = (each[np.ix_(order, order)] for each in (quality.real_pairs, quality.synthetic_pairs, quality.train_pairs))
    gap = synthetic - real
    above = np.tril_indices(len(order), -1)
    strong, full = (_strength(values[above]) for values in (np.stack([real, synthetic], axis=-1), gap))
    means = [
        float(np.nanmean(np.abs(each - real)[above])) if np.isfinite(each - real)[above].any() else math.nan for each in (synthetic, train)
    ]
    return {
        "matrices": [
            (f"{words} rows", _drawn(pairs.matrix(values, names, strong), f"matrix-{words}"))
            for words, values in (("held-out", real), ("synthetic", synthetic))
        ]
        + [("synthetic less held-out rows", _drawn(pairs.matrix(gap, names, full), "matrix-difference"))],
        "names": names if len(names) > pairs.NAMED else [],
        "strong": f"{strong:g}",
        "full": f"{full:g}",
        "means": [f"{mean:.3f}" for mean in means],
        "known": not any(map(math.isnan, means)),
        "pairs": [_pair(quality, pair, place) for place, pair in enumerate(quality.pairs[:_PAIRS])],
        "table": Table(
            ["columns", "measure", "held-out", "synthetic", "training"], [_row(quality, pair) for pair in quality.pairs[:_LISTED]]
        ),
    }


def _strength(values: Array) -> float:
    """The tenth at which colours reach their full strength."""
    known = np.abs(values[np.isfinite(values)])
    return max(_FULL, math.ceil(10 * float(known.max(initial=0))) / 10)


def _pair(quality: Quality, pair: Pair, place: int) -> dict[str, Any]:
    rows = quality.compared
    one, other = rows.columns[pair.i], rows.columns[pair.j]
    held_out, synthetic, train = map(number, (pair.real, pair.synthetic, pair.train))
    cells = (table[:, [pair.i, pair.j]] for table in (rows.held_out, rows.synthetic))
    return {
        "name": f"{one.name} and {other.name}",
        "plot": _drawn(pairs.pair(one, other, *cells), f"pair-{place}"),
        "caption": f"{_measure(quality, pair)}: held-out {held_out}, synthetic {synthetic}, training {train}",
    }


def _measure(quality: Quality, pair: Pair) -> str:
    kinds = {quality.compared.columns[j].categorical for j in (pair.i, pair.j)}
    return "correlation ratio" if len(kinds) > 1 else "Cramér’s V" if kinds == {True} else "Spearman"


def _row(quality: Quality, pair: Pair) -> Sequence[str]:
    one, other = (quality.compared.columns[j].name for j in (pair.i, pair.j))
    figures_of = [number(value) for value in (pair.real, pair.synthetic, pair.train)]
    measure = _measure(quality, pair)
    if measure == "Spearman":
        at = quality.shown.index(pair.i), quality.shown.index(pair.j)
        linear = [number(float(each[at])) for each in quality.linear_pairs]
        figures_of = [f"{figures_of[0]} ({linear[0]})", f"{figures_of[1]} ({linear[1]})", figures_of[2]]
        measure = "Spearman (Pearson)"
    return [f"{one} and {other}", measure, *figures_of]


def _privacy(quality: Quality) -> dict[str, Any]:
    found = quality.privacy
    table = [
        ["copies of training rows", f"{found.copies:,} of {found.rows:,}", f"{found.held_out_copies:,} of {found.held_out:,}"],
        *(
            [words, f"{float(np.quantile(found.distances, at)):.3g}", f"{float(np.quantile(found.held_out_distances, at)):.3g}"]
            for words, at in (("median distance", 0.5), ("5th percentile of distances", 0.05))
        ),
    ]
    return {
        "plot": _drawn(figures.distances(found.held_out_distances, found.distances), "distances"),
        "table": Table(["", "synthetic rows", "held-out rows"], table),
        "median": ratio(found.median),
        "near": ratio(found.near),
        "measured": [f"{n:,}" for n in (len(found.distances), len(found.held_out_distances), found.searched)],
    }


def _utility(quality: Quality) -> dict[str, Any]:
    found = quality.prediction
    if found is None:
        return {"refused": quality.unpredicted}
    target = quality.compared.columns[found.target]
    lost, error = difference(found.synthetic, found.real)
    table = [
        [words, worth(each), number(each.constant, 3), f"{each.learned:,}"]
        for words, each in (("synthetic rows", found.synthetic), ("real training rows", found.real))
    ]
    what = "accuracy" if target.categorical else "R²"
    return {
        "refused": "",
        "target": target.name,
        "measure": what,
        "score": number(found.synthetic.score, 3),
        "difference": plus_minus(number(lost, 3), number(error, 3)),
        "tested": f"{found.real.tested:,}",
        "table": Table(["trained on", what, "best constant", "rows learned from"], table),
    }


def _bound(quality: Quality) -> dict[str, Any]:
    found = quality.bound
    if found is None:
        return {"refused": quality.unbounded}
    own = found.own
    table = [
        ["this run", plus_minus(number(own.total), number(own.total_error))],
        *([floor.what, number(floor.total)] for floor in found.floors.values()),
    ]
    best = min(floor.total for floor in found.floors.values())
    return {
        "refused": "",
        "gain": f"{abs(best - own.total):.2f} nats a row {'less' if own.total < best else 'more'}",
        "convention": own.convention,
        "rows": f"{own.items:,}",
        "table": Table(["model", "nats a row"], table),
    }
