"""The axes of all columns at once, as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["AxisTensors", "edges_of", "tensor_of"]

_END = 3.0  # where the first and the last interval of values with shares end, or one standard deviation further out


class AxisTensors(NamedTuple):
    """The arguments of all columns, (d,), float64.

    Attributes:
        atoms, starts, ends: the atoms of each column, and where they begin and end on the bent axis, (d, A).
        edges: places where the intervals of values with shares begin and end, (d, K + 1); without a K-th value infinity.
        shared: whether they have shares, (d,) bool.
        least: the least standard deviation of a likelihood, in units of y, (d,).
        optional: whether they may be absent, (d,) bool.
        counted, dense: the columns that have values with a mass, and numbers with a density.
    """

    low: Tensor
    high: Tensor
    step: Tensor
    centre: Tensor
    bend: Tensor
    gap: Tensor
    mean: Tensor
    std: Tensor
    atoms: Tensor
    starts: Tensor
    ends: Tensor
    edges: Tensor
    shared: Tensor
    least: Tensor
    optional: Tensor
    counted: Tensor
    dense: Tensor


def edges_of(shares: Sequence[Sequence[float]]) -> Tensor:
    """Where the intervals begin and end that N(0, 1) gives the shares of each number, (d, K + 1); infinity beyond, and without shares."""
    most = max(map(len, shares), default=0)
    edges = torch.full((len(shares), most + 1), torch.inf, dtype=torch.float64)
    for j, own in enumerate(shares):
        if own:
            share = tensor_of(list(own)) / sum(own)
            below, beyond = share.cumsum(0)[:-1], share.flip(0).cumsum(0).flip(0)[1:]  # each exact in its own tail
            inner = torch.where(below < beyond, torch.special.ndtri(below), -torch.special.ndtri(beyond))
            ends = (-_END, _END) if not len(inner) else (min(-_END, float(inner[0]) - 1), max(_END, float(inner[-1]) + 1))
            edges[j, : len(own) + 1] = torch.cat([tensor_of([ends[0]]), inner, tensor_of([ends[1]])])
    return edges


def tensor_of(values: Sequence[float] | Sequence[list[float]]) -> Tensor:
    """In float64."""
    return torch.tensor(values, dtype=torch.float64)
