"""Pictures of single columns, of distances, and of what gives synthetic rows away: held-out rows filled, synthetic ones outlined."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from saltus.data.layout import Array
from saltus.evaluation.quality import TwoSample
from saltus.extras import needs
from saltus.studies.pages import literal
from saltus.studies.quality.rows import Column
from saltus.terminal import in_one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["REAL", "SYNTHETIC", "accuracies", "bare", "column", "distances", "few_names", "label", "new_figure", "number_words"]

REAL, SYNTHETIC = "#7f8894", "#d55e00"
"""A grey and the vermilion of Okabe and Ito: they differ in lightness too, and are seen on white and on black."""
SIZE, WIDE = (3.3, 1.9), (4.6, 2.6)  # inches: small enough that letters can be read on a phone
_FEW_VALUES = 12  # different numbers that have a bar each
_BARS = 8  # categories that have a bar each
_BINS = 32
_BEYOND = 0.005  # share of the values at each end that the end bins take
_LONGEST = 16  # letters of a name
_OUTLINE = 1.5  # points
_DPI = 160  # of what is drawn as pixels
_GROUPED = 10_000  # from here on thousands are set apart: years are below
_NEAR = 1e-6  # of a step: what rounding moves a value by


def new_figure(size: tuple[float, float]) -> Figure:
    """An empty figure of these inches."""
    figure: Figure = needs("matplotlib.figure", extra="compare").Figure(figsize=size, dpi=_DPI, layout="constrained")
    return figure


def label(text: str) -> str:
    """A name as an axis has room for it, without anything that matplotlib or a page acts on."""
    plain = in_one_line(text)
    return literal(plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 1]}…")


def bare(axes: Axes, *sides: str) -> None:
    """Take the frame of axes away but for some sides, and make its letters small."""
    axes.spines[[side for side in ("top", "right", "left", "bottom") if side not in sides]].set_visible(False)
    axes.tick_params(labelsize=8, length=3)


def column(of: Column, real: Array, synthetic: Array) -> Figure:
    """The cells (n,) and (m,) of one column, missing ones left out, as shares of those that are there."""
    figure = new_figure(SIZE)
    axes = figure.subplots()
    real, synthetic = (cells[~np.isnan(cells)] for cells in (real, synthetic))
    pooled = np.unique(np.concatenate([real, synthetic]))
    words = number_words(of, float(np.abs(pooled).max(initial=0)))
    if of.categorical:
        _bars(axes, *few_names(of, real, synthetic))
    elif len(pooled) <= _FEW_VALUES:
        _columns(axes, [words(value) for value in pooled], *(_shares(cells, pooled) for cells in (real, synthetic)))
    else:
        _histogram(axes, real, synthetic, words)
    return figure


def distances(held_out: Array, synthetic: Array) -> Figure:
    """Distances to the nearest training row (n,) and (m,)."""
    figure = new_figure(WIDE)
    axes = figure.subplots()
    _histogram(axes, held_out, synthetic, "{:g}".format)
    axes.set_xlabel("distance to the nearest training row", fontsize=9)
    return figure


def accuracies(names: Sequence[str], synthetic: Sequence[TwoSample], train: Sequence[TwoSample]) -> Figure:
    """How often synthetic rows, and training rows in their place, are told from held-out rows, with two standard errors to each side."""
    figure = new_figure((WIDE[0], 0.6 + 0.3 * len(names)))
    axes, places = figure.subplots(), np.arange(len(names))[::-1]
    for each, colour, marker, shift in ((train, REAL, "s", -0.2), (synthetic, SYNTHETIC, "o", 0.2)):
        values, errors = [found.accuracy for found in each], [2 * found.error for found in each]
        axes.errorbar(values, places + shift, xerr=errors, color=colour, fmt=marker, markersize=4.5, capsize=2, linewidth=1.2)
    axes.axvline(0.5, color="black", linewidth=0.8, linestyle=":")
    axes.set_yticks(places, [label(name) for name in names])
    ends = [found.accuracy + sign * 2 * found.error for found in (*synthetic, *train) for sign in (-1, 1)]
    axes.set_xlim(min(*ends, 0.45) - 0.01, max(*ends, 0.6) + 0.01)
    axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:g}%")
    bare(axes, "bottom")
    return figure


def number_words(of: Column, largest: float | None = None) -> Callable[[float], str]:
    """How a number of a column is written on an axis, where the largest one is known like that: dates as dates."""
    kind, _, unit = of.dtype.partition("[")
    if kind not in ("date32", "timestamp"):
        return lambda value: f"{value:,.6g}" if (largest or abs(value)) >= _GROUPED else f"{value:.6g}"
    days = "datetime64[D]"
    dates = days if kind == "date32" else f"datetime64[{unit}"
    return lambda value: str(np.array(int(value)).astype(dates).astype(days))


def few_names(of: Column, real: Array, synthetic: Array, most: int = _BARS) -> tuple[list[str], Array, Array]:
    """The most frequent categories of a column and their shares in both, and, where there are more, all others as one."""
    every = np.arange(len(of.categories), dtype=np.float64)
    shares = np.stack([_shares(cells, every) for cells in (real, synthetic)])
    order = np.argsort(-shares.sum(0), kind="stable")
    order = order[shares.sum(0)[order] > 0] if shares.any() else order[:1]
    kept = order if len(order) <= most else order[: most - 1]
    names, found = [of.categories[k] or '""' for k in kept], shares[:, kept]
    if len(kept) < len(order):
        names.append(f"{len(order) - len(kept)} others")
        found = np.column_stack([found, shares[:, order[len(kept) :]].sum(1)])
    return names, found[0], found[1]


def _shares(cells: Array, values: Array) -> Array:
    """How often each of increasing values comes among cells (n,), of which each is one of them."""
    counts: Array = np.bincount(np.searchsorted(values, cells), minlength=len(values)) / max(1, len(cells))
    return counts


def _bars(axes: Axes, names: Sequence[str], real: Array, synthetic: Array) -> None:
    places = np.arange(len(names))[::-1]
    axes.barh(places, real, height=0.72, color=REAL, alpha=0.55)
    axes.barh(places, synthetic, height=0.72, fill=False, edgecolor=SYNTHETIC, linewidth=_OUTLINE)
    axes.set_yticks(places, [label(name) for name in names])
    axes.set_ylim(-0.6, max(len(names), 3) - 0.4)
    axes.xaxis.set_major_formatter(_percent)
    axes.locator_params(axis="x", nbins=4)
    bare(axes, "bottom")


def _columns(axes: Axes, names: Sequence[str], real: Array, synthetic: Array) -> None:
    places = np.arange(len(names))
    axes.bar(places, real, width=0.72, color=REAL, alpha=0.55)
    axes.bar(places, synthetic, width=0.72, fill=False, edgecolor=SYNTHETIC, linewidth=_OUTLINE)
    turned = sum(map(len, names)) > 36
    axes.set_xticks(places, names, rotation=45 if turned else 0, ha="right" if turned else "center")
    axes.yaxis.set_major_formatter(_percent)
    axes.locator_params(axis="y", nbins=4)
    bare(axes, "bottom")


def _histogram(axes: Axes, real: Array, synthetic: Array, words: Callable[[float], str]) -> None:
    edges = _edges(real, synthetic)
    inside = edges[0], edges[-1]
    shares = [np.histogram(np.clip(cells, *inside), edges)[0] / max(1, len(cells)) for cells in (real, synthetic)]
    axes.stairs(shares[0], edges, fill=True, color=REAL, alpha=0.55)
    axes.stairs(shares[1], edges, color=SYNTHETIC, linewidth=_OUTLINE)
    axes.set_yticks([])
    axes.margins(x=0.01)
    axes.locator_params(axis="x", nbins=4)
    axes.xaxis.set_major_formatter(lambda value, _: words(value))
    bare(axes, "bottom")


def _edges(real: Array, synthetic: Array) -> Array:
    """Of bins of one width; where values lie on a grid, a whole number of its steps, so that no bin has more of them by chance."""
    pooled = np.concatenate([real, synthetic])
    low, high = (float(np.quantile(part, share)) for part, share in ((pooled, _BEYOND), (pooled, 1 - _BEYOND)))
    if not high > low:
        low, high = float(pooled.min()), float(pooled.max())
    bins = int(np.clip(math.sqrt(min(len(real), len(synthetic))) * 2, 8, _BINS))
    values = np.unique(pooled)
    step = float(np.diff(values).min())
    places = (values - low) / step
    if np.abs(places - np.rint(places)).max() > _NEAR * max(1.0, float(np.abs(places).max())):
        return np.linspace(low, high, bins + 1)
    width = step * max(1, math.ceil((high - low) / step / bins))
    found: Array = low - step / 2 + width * np.arange(math.ceil((high - low + step / 2) / width) + 1)
    return found


def _percent(share: float, _: Any) -> str:
    return f"{100 * share:.0f}%"
