"""Pictures of samples, and of what each step of a chain adds to the bound."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from saltus.extras import needs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from PIL.Image import Image

    from saltus.levels import PairCosts, Plan

__all__ = ["draw_costs", "draw_levels", "draw_maps", "draw_rows", "draw_steps", "grid_image", "save_grid"]

_SHORTEST_SIDE = 512  # pixels of a grid: small images are magnified
_FRAME = 128  # grey between the images of a grid
_DPI = 120
_COLUMNS = 8  # of maps
_MOST_DEVIATIONS = 8.0  # that a map tells apart


def save_grid(y: Tensor, file: Path, *, shown: tuple[float, float]) -> None:
    """Images as one PNG, in a grid that is about square; the arguments are those of `grid_image`."""
    grid_image(y, shown=shown).save(file)


def grid_image(y: Tensor, *, shown: tuple[float, float], columns: int | None = None) -> Image:
    """Images in a grid, small ones magnified.

    Args:
        y: (n, C, H, W), n >= 1, C in 1 ... 4 (of 2 channels only the first is shown).
        shown: the values that are black and white.
        columns: of the grid; as many as make it about square unless given.
    """
    from PIL import Image as Pillow

    tiles = _to_bytes(y, shown)
    n, height, width, channels = tiles.shape
    side = min if columns is None else max  # of a long strip it is the longer side that is to fit
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    edge = int(n > 1)
    sheet = np.full((rows * (height + edge) + edge, columns * (width + edge) + edge, channels), _FRAME, dtype=np.uint8)
    for i, tile in enumerate(tiles):
        top, left = i // columns * (height + edge) + edge, i % columns * (width + edge) + edge
        sheet[top : top + height, left : left + width] = tile
    zoom = math.ceil(_SHORTEST_SIDE / side(sheet.shape[:2]))
    picture = Pillow.fromarray(sheet.squeeze(-1) if channels == 1 else sheet)
    return picture.resize((picture.width * zoom, picture.height * zoom), Pillow.Resampling.NEAREST)


def _to_bytes(y: Tensor, shown: tuple[float, float]) -> NDArray[np.uint8]:
    """(n, H, W, C) with 1, 3 or 4 channels."""
    unit = ((y.detach().cpu().double() - shown[0]) / (shown[1] - shown[0])).clamp(0, 1)
    tiles = (unit * 255).round().to(torch.uint8).movedim(1, -1).numpy()
    return tiles[..., :1] if tiles.shape[-1] == 2 else tiles


def draw_rows(rows: Mapping[str, Tensor], file: Path, *, shown: tuple[float, float]) -> None:
    """Rows of images (n, C, H, W), each with its label, as one PNG."""
    n = max(len(images) for images in rows.values())
    figure = _figure(figsize=(2.4 + 0.5 * n, 0.6 * len(rows)))
    axes = figure.subplots(len(rows), n, squeeze=False)
    for row, (label, images) in zip(axes, rows.items(), strict=True):
        row[0].set_ylabel(label, rotation=0, ha="right", va="center")
        for axis in row:
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        for axis, image in zip(row, _to_bytes(images, shown), strict=False):
            axis.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255)
    figure.savefig(file, dpi=_DPI)


def draw_maps(y: Tensor, maps: NDArray[np.float64], titles: Sequence[str], file: Path, *, shown: tuple[float, float]) -> None:
    """Images (n, C, H, W), each with a map of its pixels (n, H, W) below it, as one PNG: red is above 0, blue below."""
    columns = min(_COLUMNS, len(y))
    rows = math.ceil(len(y) / columns)
    figure = _figure(figsize=(1.1 * columns + 0.9, 2.5 * rows))
    axes = figure.subplots(2 * rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    for i, (tile, values, title) in enumerate(zip(_to_bytes(y, shown), maps, titles, strict=True)):
        above, below = axes[2 * (i // columns)][i % columns], axes[2 * (i // columns) + 1][i % columns]
        above.imshow(tile.squeeze(), cmap="gray", vmin=0, vmax=255)
        above.set_title(title, fontsize=9)
        drawn = below.imshow(values, cmap="RdBu_r", vmin=-_MOST_DEVIATIONS, vmax=_MOST_DEVIATIONS)
    figure.colorbar(drawn, ax=axes, label="standard deviations", shrink=0.6, aspect=40)
    figure.savefig(file, dpi=_DPI)


def draw_costs(costs: PairCosts, plans: Mapping[int, Plan], file: Path) -> None:
    """The table of what each step costs, with the best grid of each number of calls in it and, as bars, beside it."""
    figure = _figure(figsize=(11, 4.6))
    table, bars = figure.subplots(1, 2, width_ratios=(1.15, 1))
    figure.colorbar(_cost_table(table, costs), ax=table, label="nats")
    for index, (number, plan) in enumerate(plans.items()):
        _stairs(table, [costs.times.index(t) for t in plan.times], index, f"{number} call{'s' * (number > 1)}")
    table.legend(fontsize=8, loc="upper left", frameon=False)
    _plan_bars(bars, costs, plans)
    figure.savefig(file, dpi=_DPI)


def _cost_table(axes: Axes, costs: PairCosts) -> AxesImage:
    nats = costs.nats.numpy()
    least = max(float(np.nanquantile(nats, 0.02)), 1e-3)
    scale = needs("matplotlib.colors", extra="demo").LogNorm(vmin=least)
    image = axes.imshow(np.ma.masked_invalid(np.maximum(nats, least)), norm=scale, origin="lower", cmap="Greys")
    every = range(0, len(costs.times), max(1, len(costs.times) // 8))
    labels = [f"{costs.times[i]:.2g}" for i in every]
    axes.set(title="nats of a step, and the best grids", xlabel="from t", ylabel="to s")
    axes.set_xticks(every, labels)
    axes.set_yticks(every, labels)
    axes.spines[["top", "right"]].set_visible(False)
    return image


def _stairs(axes: Axes, at: Sequence[int], index: int, label: str) -> None:
    """A grid as a staircase from its last time down: each step falls from the diagonal to its mark."""
    corners = [corner for s, t in reversed(list(pairwise(at))) for corner in ((t, t), (t, s))]
    axes.plot(*zip(*corners, strict=True), color=f"C{index % 10}", linewidth=1)
    axes.plot(at[1:], at[:-1], "o", color=f"C{index % 10}", markersize=max(4, 9 - index), markeredgecolor="white", label=label)


def _plan_bars(axes: Axes, costs: PairCosts, plans: Mapping[int, Plan]) -> None:
    """What each step of a grid is paid, darker where it starts from a cleaner time, and the total."""
    colours = needs("matplotlib", extra="demo").colormaps["viridis"]
    for row, plan in enumerate(plans.values()):
        shades = [colours(costs.times.index(t) / len(costs.times)) for t in plan.times[1:]]
        left = 0.0
        for nats, shade in zip((*plan.steps, plan.prior), (*shades, "0.8"), strict=True):
            axes.barh(row, max(nats, 0), left=left, color=shade, edgecolor="white")
            left += max(nats, 0)
        axes.annotate(f"{plan.total:.4g}", (left, row), xytext=(4, 0), textcoords="offset points", va="center")
    axes.set(title="nats of their steps, cleanest first; grey: the prior", xlabel="nats", ylabel="calls")
    axes.set_yticks(range(len(plans)), [str(number) for number in plans])
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)


def _figure(*, figsize: tuple[float, float]) -> Figure:
    figure: Figure = needs("matplotlib.figure", extra="demo").Figure(figsize=figsize, layout="constrained")
    return figure


def draw_levels(times: Sequence[float], bounds: Mapping[str, Sequence[float]], kl: Mapping[str, Sequence[float]], file: Path) -> None:
    """The terms of the bound and the KL of the latent at each step, in nats per item, as a PNG of two bar charts.

    Args:
        times: t_0 ... t_L.
        bounds: for each kernel, by its name, the bound's terms of each step, cleanest first.
        kl: likewise the KL, for kernels with a latent.
        file: the PNG.
    """
    figure = _figure(figsize=(9, 3.4))
    axes = figure.subplots(1, 2)
    steps = np.arange(len(times) - 1)
    labels = [f"{t:.2f} → {s:.2f}" for s, t in pairwise(times)]
    titles = ("terms of the bound", "KL of the latent to its prior")
    for axis, title, series in zip(axes, titles, (bounds, kl), strict=True):
        width = 0.8 / max(1, len(series))
        for i, (name, values) in enumerate(series.items()):
            colour = f"C{list(bounds).index(name)}"
            bars = axis.bar(steps + (i - (len(series) - 1) / 2) * width, values, width, label=name, color=colour)
            axis.bar_label(bars, fmt="%.2g", fontsize=8)
        axis.set(title=title, xlabel="step, from time t to time s", ylabel="nats per item", xticks=steps, xticklabels=labels)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False)
    axes[0].set_yscale("log")
    figure.savefig(file, dpi=_DPI)


def draw_steps(labels: Sequence[str], series: Mapping[str, Sequence[float]], file: Path) -> None:
    """Figures that grow from step to step, each series in a chart of its own, as one PNG; what is darker is what the step adds."""
    figure = _figure(figsize=(3.2 * len(series), 1.2 + 0.4 * len(labels)))
    rows = range(len(labels))
    for axis, (name, values) in zip(figure.subplots(1, len(series), squeeze=False)[0], series.items(), strict=True):
        before = [0.0, *values[:-1]]
        axis.barh(rows, [min(a, b) for a, b in zip(before, values, strict=True)], color="0.85")
        axis.barh(rows, [b - a for a, b in zip(before, values, strict=True)], left=before, color="C0")
        for row, value in enumerate(values):
            axis.annotate(
                f"{value:.3g}", (max(value, before[row]), row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8
            )
        axis.set(title=name.replace("_", " "), yticks=rows, yticklabels=labels if axis.get_subplotspec().is_first_col() else [])
        axis.invert_yaxis()
        axis.margins(x=0.2)
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=_DPI)
