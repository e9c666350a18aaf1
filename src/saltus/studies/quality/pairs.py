"""Pictures of two columns: matrices of all pairs, and scatter plots, boxes or mosaics of the pairs that differ most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from saltus.data.layout import Array
from saltus.evaluation.quality import some_rows
from saltus.extras import needs
from saltus.studies.pages import PALETTE
from saltus.studies.quality.figures import REAL, SYNTHETIC, bare, few_names, label, new_figure, number_words
from saltus.studies.quality.rows import Column

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "NAMED", "matrix", "pair"]

COLOURS = ("#0072b2", "#d55e00")
"""Of -1 and of 1; 0 is transparent, so that it has the colour of the page by day and by night."""
NAMED = 24
"""Columns that are named at a matrix; of more, numbers are."""
_POINTS = 400  # of each scatter plot
_GROUPS = 5  # categories of a pair, and one for all others
_WHISKERS = (5, 25, 50, 75, 95)  # percentiles of a box


def matrix(values: Array, names: Sequence[str], most: float) -> Figure:
    """Numbers of pairs (d, d), NaN for one that is not known, in colours that reach their full strength at `most`."""
    d = len(names)
    figure = new_figure((4.4, 4.2))
    axes = figure.subplots()
    known = np.nan_to_num(values)
    strength = np.clip(np.abs(known) / most, 0, 1)
    colours = needs("matplotlib.colors", extra="compare")
    cells = np.zeros((d, d, 4))
    for colour, mask in zip(COLOURS, (known < 0, known >= 0), strict=True):
        cells[mask, :3] = colours.to_rgb(colour)
    cells[..., 3] = strength
    axes.pcolormesh(np.arange(d + 1), np.arange(d + 1), cells, rasterized=True)
    for i, j in zip(*np.nonzero(~np.isfinite(values)), strict=True):
        axes.plot(j + 0.5, i + 0.5, "x", color="0.5", markersize=4)
    shown = [label(name) for name in names] if d <= NAMED else [str(k + 1) for k in range(d)]
    axes.set_xticks(np.arange(d) + 0.5, shown, rotation=90)
    axes.set_yticks(np.arange(d) + 0.5, shown)
    axes.set(xlim=(0, d), ylim=(d, 0), aspect="equal")
    axes.tick_params(labelsize=8 if d <= NAMED else 6, length=0)
    for side in axes.spines.values():
        side.set_color("0.6")
    return figure


def pair(one: Column, other: Column, real: Array, synthetic: Array) -> Figure:
    """Two columns of held-out and of synthetic rows, (n, 2) and (m, 2)."""
    real, synthetic = (cells[~np.isnan(cells).any(1)] for cells in (real, synthetic))
    if one.categorical and other.categorical:
        return _mosaics(one, other, real, synthetic)
    if one.categorical or other.categorical:
        first = (one, other, real, synthetic) if one.categorical else (other, one, real[:, ::-1], synthetic[:, ::-1])
        return _boxes(*first)
    return _scatters(one, other, real, synthetic)


def _two(size: tuple[float, float]) -> tuple[Figure, Sequence[Axes]]:
    figure = new_figure(size)
    panels: Sequence[Axes] = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, words in zip(panels, ("held-out", "synthetic"), strict=True):
        axes.set_title(words, fontsize=9)
    return figure, panels


def _scatters(one: Column, other: Column, real: Array, synthetic: Array) -> Figure:
    figure, panels = _two((4.8, 2.5))
    rng = np.random.default_rng(0)
    few = [len(np.unique(np.concatenate([real[:, k], synthetic[:, k]]))) <= 2 * _GROUPS for k in (0, 1)]
    n = min(len(real), len(synthetic), _POINTS)
    for axes, cells, colour in zip(panels, (real, synthetic), (REAL, SYNTHETIC), strict=True):
        points = some_rows(cells, n)
        gaps = [np.diff(np.unique(cells[:, k])).min(initial=np.inf) if few[k] else 0.0 for k in (0, 1)]
        width = np.where(np.isfinite(gaps), gaps, 0.0)
        x, y = (points + rng.uniform(-0.25, 0.25, points.shape) * width).T
        axes.plot(x, y, "o", color=colour, markersize=2.5, alpha=0.6, markeredgewidth=0, rasterized=True)
        axes.set_xlabel(label(one.name), fontsize=8)
        axes.xaxis.set_major_formatter(_written(one))
        axes.yaxis.set_major_formatter(_written(other))
        axes.locator_params(nbins=4)
        bare(axes, "left", "bottom")
    panels[0].set_ylabel(label(other.name), fontsize=8)
    return figure


def _boxes(groups: Column, numbers: Column, real: Array, synthetic: Array) -> Figure:
    """The numbers of each category: boxes from the 25th to the 75th percentile, and whiskers from the 5th to the 95th."""
    figure = new_figure((4.8, 2.5))
    axes = figure.subplots()
    order = _frequent(groups, real, synthetic)
    for cells, colour, shift in ((real, REAL, -0.2), (synthetic, SYNTHETIC, 0.2)):
        there = [k for k in range(len(order)) if (cells[:, 0] == order[k]).any()]
        boxes = [_box(cells[cells[:, 0] == order[k], 1]) for k in there]
        style: dict[str, Any] = {name: {"color": colour} for name in ("boxprops", "whiskerprops", "capprops")}
        axes.bxp(boxes, [k + shift for k in there], widths=0.3, showfliers=False, medianprops={"color": colour, "linewidth": 2}, **style)
    axes.set_xticks(range(len(order)), [label(groups.categories[k] or '""') for k in order], rotation=20 if len(order) > 3 else 0)
    axes.set_ylabel(label(numbers.name), fontsize=8)
    axes.yaxis.set_major_formatter(_written(numbers))
    axes.locator_params(axis="y", nbins=5)
    bare(axes, "left", "bottom")
    return figure


def _box(cells: Array) -> dict[str, Any]:
    low, first, median, third, high = np.percentile(cells, _WHISKERS)
    return {"whislo": low, "q1": first, "med": median, "q3": third, "whishi": high, "fliers": []}


def _frequent(of: Column, real: Array, synthetic: Array) -> list[int]:
    """The categories that come most often in the first of both columns."""
    shares = sum(
        np.bincount(cells[:, 0].astype(np.int64), minlength=len(of.categories)) / max(1, len(cells)) for cells in (real, synthetic)
    )
    order = np.argsort(-np.asarray(shares), kind="stable")[:_GROUPS]
    return [int(k) for k in order if np.asarray(shares)[k] > 0]


def _mosaics(one: Column, other: Column, real: Array, synthetic: Array) -> Figure:
    """A block for each pair of categories, whose area is its share: widths are shares of the first, heights those of the second in it."""
    figure, panels = _two((4.8, 2.8))
    names, *_ = few_names(other, real[:, 1], synthetic[:, 1], _GROUPS + 1)
    known = {name or '""': k for k, name in enumerate(other.categories)}
    own = [known[name] for name in names if name in known][: _GROUPS if len(names) > _GROUPS else None]
    order = _frequent(one, real, synthetic)
    for axes, cells in zip(panels, (real, synthetic), strict=True):
        sizes = [float((cells[:, 0] == k).mean()) if len(cells) else 0.0 for k in order]
        left, ticks = 0.0, []
        for k, width in zip(order, sizes, strict=True):
            inside = cells[cells[:, 0] == k, 1]
            heights = [float((inside == value).mean()) if len(inside) else 0.0 for value in own]
            heights += [max(0.0, 1 - sum(heights))] * (len(names) > len(own)) * bool(len(inside))
            bottom = 0.0
            for index, height in enumerate(heights):
                colour = PALETTE[index % len(PALETTE)]
                axes.bar(left + width / 2, height, width, bottom, color=colour, alpha=0.75, edgecolor="0.5", linewidth=0.8)
                bottom += height
            ticks.append(left + width / 2)
            left += width
        axes.set_xticks(ticks, [label(one.categories[k] or '""') for k in order], rotation=35, ha="right")
        axes.set(yticks=[], xlim=(0, max(left, 1e-9)), ylim=(0, 1))
        axes.set_xlabel(label(one.name), fontsize=8)
        bare(axes)
    patch = needs("matplotlib.patches", extra="compare").Patch
    keys = [patch(color=PALETTE[index % len(PALETTE)], alpha=0.75, label=label(name)) for index, name in enumerate(names)]
    figure.legend(handles=keys, title=label(other.name), fontsize=7, title_fontsize=8, frameon=False, loc="outside right center")
    return figure


def _written(of: Column) -> Any:
    words = number_words(of)
    return lambda value, _: words(value)
