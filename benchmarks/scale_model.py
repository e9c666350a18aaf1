r"""What training with several processes costs, as a function of parameters P, batch B, levels L and processes W.

An update of one process takes a part that does not depend on its items (Python, kernels that are started, the optimiser), and a part for
each of its ceil(B / W) items.  Then gradients of 4 P bytes are added up along a ring, and twice a few numbers, L of them for the levels:

.. math::
    T = a + c \lceil B / W \rceil + R(4 P) + 2 R(m),
    \qquad R(n) = \alpha_W + \frac{2 (W - 1)}{W} \frac{n}{\mathrm{bandwidth}}

Every item is at one of the L levels, so L costs nothing in training.  A sample takes L calls and no message; so does a bound.
Messages that overlap with the backward pass make T smaller: it is an upper bound where the network is large.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["GPUS", "Link", "Machine", "Work", "bytes_of_process", "fitted", "update_seconds"]

FLOAT = 4
WHOLE_COPIES = 6
"""Of the parameters in each process: weights, gradients, two moments, the average, and the average of the best validation."""


@dataclass(frozen=True)
class Link:
    """A message of n bytes to all of W processes takes alpha + beta n seconds."""

    alpha: float
    beta: float

    def seconds(self, n: float) -> float:
        return self.alpha + self.beta * n


@dataclass(frozen=True)
class Work:
    """A network on a data set.

    Attributes:
        parameters: P.
        update_macs: multiply-adds of one item in an update, forward and backward.
        call_macs: those of one call for one sample.
        activations: bytes that an item's forward pass keeps for its backward pass.
        item: bytes of an item on the disk.
        levels: L.
    """

    parameters: int
    update_macs: float
    call_macs: float
    activations: float
    item: int
    levels: int


@dataclass(frozen=True)
class Machine:
    """W devices of one kind, some in each node; what is assumed of them.

    Attributes:
        macs: multiply-adds a second of one device, as trainings reach them.
        start: seconds of an update that do not depend on the items.
        within, across: bytes a second that one device sends around a ring, in a node and between nodes.
        hop: seconds of one hop of a message.
        node: devices in a node.
    """

    macs: float
    start: float
    within: float
    across: float
    hop: float
    node: int

    def link(self, W: int) -> Link:
        """Messages between W of them: in a tree of hops, along a ring of bytes."""
        if W == 1:
            return Link(0.0, 0.0)
        bandwidth = self.within if self.node >= W else self.across
        return Link(2 * self.hop * math.ceil(math.log2(W)), 2 * (W - 1) / W / bandwidth)


GPUS = Machine(macs=100e12, start=0.03, within=200e9, across=25e9, hop=10e-6, node=8)
"""A cautious reading of nodes of eight H100: a fifth of their dense bfloat16 peak, eager kernels, 200 Gbit/s for each between nodes."""


def update_seconds(start: float, each: float, items: int, gradient: Link, message: Link, parameters: int, numbers: int) -> float:
    """T of the module, where one process has so many items."""
    return start + each * items + gradient.seconds(FLOAT * parameters) + 2 * message.seconds(8 * numbers)


def fitted(seconds: dict[int, float]) -> tuple[float, float]:
    """a and c of the least squares of relative errors to the seconds of an update with so many items."""
    rows = [(1 / value, items / value) for items, value in seconds.items()]
    aa, ac, cc = (sum(row[i] * row[j] for row in rows) for i, j in ((0, 0), (0, 1), (1, 1)))
    a1, c1 = (sum(row[i] for row in rows) for i in (0, 1))
    determinant = aa * cc - ac * ac
    return (cc * a1 - ac * c1) / determinant, (aa * c1 - ac * a1) / determinant


def bytes_of_process(work: Work, items: int, *, shards: int = 1) -> float:
    """Memory of one process: with FSDP, a whole copy that samples are made with, weights and gradients during an update, and parts."""
    copies = WHOLE_COPIES if shards == 1 else 3 + WHOLE_COPIES / shards
    return FLOAT * work.parameters * copies + work.activations * items
