r"""A step to the rows of a table that takes one number after another, in any order.

.. math:: p(y \mid z_t) = \prod_i p(y_i \mid y_{o(1)}, \dots, y_{o(i-1)}, z_t)

One network gives each factor: it is told which numbers are known, whichever they are (`saltus.kernels.masked`).  It learns by
leaving out numbers: of a row of E numbers it is told k from 0 to E - 1, and

.. math:: \frac{E}{E - k} \sum_{i \text{ unknown}} -\ln p(y_i \mid \text{known})

has the cost of a random order as its mean over k and the numbers that are told (Hoogeboom et al. 2022,
https://arxiv.org/abs/2110.02037), where no number is optional.  Half of the rows are told any k numbers, half the first k, as draws are.
With what is in a cell goes that it is there; and what is absent, and said to be, counts as told.

The bound of the step is exact for the order of the columns.  Any other question is the same network in another order: what is missing
given what is there, or how likely each number is given all others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from saltus.errors import SaltusError
from saltus.kernels.denoiser import scales
from saltus.kernels.kernel import Explanation, Kernel, Terms, Weights, weighted
from saltus.kernels.masked import MaskedNetwork, Told
from saltus.kernels.rows import check_rows, row_options
from saltus.kernels.sampling import DEFAULT, Sampling
from saltus.kernels.setup import Setup
from saltus.kernels.transition import Pair, Transition
from saltus.likelihoods import Number, NumberDistributions, Row, Within
from saltus.networks import Condition
from saltus.process import Noise

__all__ = ["AutoregressiveKernel"]

_FAR = 1e6  # standard deviations within which a column without counted values is
_RANK = 16  # of the Gaussian below the network, at most
_DROPOUT, _FEW = 0.2, 1000  # where there are fewer rows than that
_IN_ORDER = 0.5  # of the rows are told the first numbers


class AutoregressiveKernel(Kernel):
    """p(y | z_t) of rows, one number after another.

    Args:
        event_shape: (E,).
        variance: of the data, averaged over columns.
        width, blocks, rank: of the network, see `MaskedNetwork`.
        dropout: share of neurons that training leaves out.
        condition: what it is conditioned on, a class or a vector.
        numbers: of each column; unless given all are continuous.

    Raises:
        SaltusError: for items that are no vectors, or sizes out of range.
        ValueError: if the variance is not positive.
    """

    trains_bound = True

    def __init__(
        self,
        event_shape: Sequence[int],
        variance: float = 1.0,
        *,
        width: int = 128,
        blocks: int = 2,
        dropout: float = 0.0,
        rank: int = 1,
        condition: Condition | None = None,
        numbers: Sequence[Number] = (),
    ) -> None:
        super().__init__()
        check_rows(event_shape, variance, condition, "this kernel")
        (E,) = event_shape
        self.event_shape, self.variance, self.condition = (E,), variance, condition
        self.numbers = list(numbers) or [Number(-_FAR, _FAR)] * E
        self.distributions = NumberDistributions(self.numbers)
        self._optional = [j for j, number in enumerate(self.numbers) if number.optional]
        self._there = [j - 1 for j in self._optional]
        self.network = MaskedNetwork(self.distributions, width=width, blocks=blocks, rank=rank, condition=condition)
        self.dropout = dropout

    @classmethod
    def build(cls, setup: Setup) -> AutoregressiveKernel:
        """As a training is configured.

        Raises:
            SaltusError: for more than one level, or values that are counted otherwise than those of a table's columns.
        """
        options = row_options(setup, "this kernel takes rows of a table")
        if setup.levels != 1:
            raise SaltusError(f"levels = {setup.levels} was given, and the autoregressive kernel takes one step; give levels 1")
        rank = max(1, min(_RANK, setup.event_shape[0] - 1))
        few = setup.items is not None and len(setup.items) < _FEW
        kernel = cls(setup.event_shape, setup.variance, dropout=_DROPOUT if few else 0.0, rank=rank, **options)
        if setup.items is not None:
            kernel.network.gaussian.fit(setup.items)
        return kernel

    @property
    def label(self) -> str:
        return "autoregressive step"

    @property
    def convention(self) -> str:  # type: ignore[override]
        counted = "probability of counted values, and " if any(number.counted for number in self.numbers) else ""
        return f"{counted}density in the units of the file, one column after another"

    @property
    def guided(self) -> bool:
        return False

    def networks(self) -> list[torch.nn.Module]:
        """None that `torch.compile` takes: it is called in pieces."""
        return []

    def sample(self, transition: Transition, noise: Noise, sampling: Sampling = DEFAULT) -> Tensor:
        """A draw of y, whatever `sampling.final` says: modes would make columns narrower than they are."""
        y = torch.zeros_like(transition.z_t)
        return self.fill(transition, y, torch.zeros_like(y, dtype=torch.bool), noise.uniform("decoder", self.event_shape))[0]

    def explain(self, pair: Pair, noise: Noise, k: int = 1) -> Explanation:
        """{"decoder": -ln p(y | z_t)}, (B,) nats, in the order of the columns."""
        every = torch.ones_like(pair.y, dtype=torch.bool)
        return Explanation.without_latent({"decoder": -self.log_prob(pair, pair.y, every)}, pair.z_t)

    def loss(self, pair: Pair, noise: Noise, weights: Weights) -> Terms:
        """{"decoder": that of a random number of known numbers}, (B,)."""
        row, known = self.distributions.row(pair.y), self._told(pair.y, noise)
        known[:, self._optional] |= row.absent[:, self._optional] & known[:, self._there]
        told = self.network.told(self._begin(pair), row, known)
        h = self.network.hidden(told, self._kept(noise))
        with torch.autocast(h.device.type, enabled=False):  # centres need more digits than bfloat16 has
            about = self.network.gaussian.moments(told.given)
            each = self.distributions.log_prob(self.network.out(h.to(pair.y.dtype)), row, ~known, about)
        unknown = (~known).sum(1).clamp_min(1)
        return weighted({"decoder": -each.sum(1) * (known.shape[1] / unknown)}, weights)

    def log_prob(self, transition: Transition, y: Tensor, known: Tensor) -> Tensor:
        """ln p(y_K | z_t) of the known numbers K alone, one after another, (B,) nats.

        Args:
            transition: to data.
            y, known: (B, E); y is anything where it is not known, and an optional number is known only with the one before it.
        """
        row, total = self._row(y, known), y.new_zeros(len(y))
        h = self._begin(transition)
        for j in range(y.shape[1]):
            if known[:, j].any():
                one = row.of(slice(j, j + 1))
                parameters, about = self.network.parameters_of(h, j)
                own = self.distributions.log_prob_of(j, parameters, one, about)
                total = total + torch.where(known[:, j], own, 0.0)
                h = self.network.told_of(h, j, one, known[:, j])
        return total

    def log_prob_each(self, transition: Transition, y: Tensor, known: Tensor, unit: Tensor) -> Tensor:
        """ln p(y_j | z_t, all other known numbers) of each known number, (B, E) nats; 0 of others.

        Args:
            transition: to data.
            y, known: as for `log_prob`.
            unit: N(0, 1) noise (B, E), in place of the number of z_t that comes from y_j.
        """
        row, found = self._row(y, known), torch.zeros_like(y)
        h = self.network.told(self._begin(transition), row, known)
        for j in range(y.shape[1]):
            if not known[:, j].any():
                continue
            one = row.of(slice(j, j + 1))
            left = self._without(h, j, row, known, transition, unit)
            if j in self._there:  # what is in a cell would tell that it is there
                left = self._without(left, j + 1, row, known, transition, unit)
            parameters, about = self.network.parameters_of(left, j)
            own = self.distributions.log_prob_of(j, parameters, one, about)
            found[:, j] = torch.where(known[:, j], own, 0.0)
        return found

    def fill(
        self,
        transition: Transition,
        y: Tensor,
        known: Tensor,
        uniform: Tensor,
        *,
        which: Sequence[int] | None = None,
        within: Mapping[int, Within] | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Draw the numbers of rows that are not known.

        Args:
            transition: to data.
            y, known: as for `log_prob`.
            uniform: in (0, 1), (B, E) float64: what numbers are drawn by.
            which: the numbers that are drawn, increasing; all unless given.
            within: where a number may be.

        Returns:
            y, which of its numbers are known now, and ln of the probability that those drawn are where they may be, (B,) nats.
        """
        uniform = uniform.to(y.device)
        y, known, log_chance = y.clone(), known.clone(), torch.zeros(len(y), dtype=torch.float64, device=y.device)
        h = self.network.told(self._begin(transition), self._row(y, known), known)
        for j in range(y.shape[1]) if which is None else which:
            unknown = ~known[:, j]
            if not unknown.any():
                continue
            parameters, about = self.network.parameters_of(h, j)
            drawn, chance = self.distributions.draw(j, parameters, uniform[:, j], (within or {}).get(j), about)
            absent = self._absent(j, y)
            y[:, j] = torch.where(unknown, torch.where(absent, 0.0, drawn).to(y), y[:, j])
            log_chance = log_chance + torch.where(unknown & ~absent, chance, 0.0)
            known[:, j] = True
            h = self.network.told_of(h, j, self.distributions.row_of(j, y[:, j], absent), unknown)
        return y, known, log_chance

    def _row(self, y: Tensor, known: Tensor) -> Row:
        """What rows hold where they are known."""
        return self.distributions.row(torch.where(known, y, 0.0))

    def _absent(self, j: int, y: Tensor) -> Tensor:
        """Where rows say that the number j is absent, (B,) bool."""
        if j not in self._optional:
            return torch.zeros(len(y), dtype=torch.bool, device=y.device)
        return y[:, j - 1] < float(self.distributions.middles(j - 1).mean())

    def _begin(self, transition: Transition) -> Told:
        final = transition.is_final
        if not (final if isinstance(final, bool) else bool(final.all())):
            raise SaltusError("an autoregressive step was asked for noisy rows, and it takes rows of data alone; give a chain of one level")
        return self.network.begin(self._skip(transition) * transition.z_t, transition.condition)

    def _skip(self, transition: Transition) -> Tensor:
        """What z_t is multiplied by: it is the linear prediction in standard deviations, (B, 1)."""
        log_snr = transition.log_snr
        skip = scales(log_snr[:, 0], log_snr[:, 1], self.variance).skip.to(transition.z_t)[:, None]
        return skip / math.sqrt(self.variance)

    def _without(self, told: Told, j: int, row: Row, known: Tensor, transition: Transition, unit: Tensor) -> Told:
        """Where the number j is no longer known, and that of z_t is the one of `unit`."""
        left = self.network.told_of(told, j, row.of(slice(j, j + 1)), known[:, j], forget=True)
        moved = self._skip(transition) * (unit[:, j] - transition.z_t[:, j])[:, None] * self.network.z.weight[:, j]
        return left._replace(first=left.first + moved)

    def _kept(self, noise: Noise) -> Tensor | None:
        """What neurons are multiplied by where some are left out; None where all stay."""
        if not (self.dropout and self.training):
            return None
        uniform = noise.uniform("dropout", (len(self.network.blocks), self.network.width)).to(self.network.z.weight)
        return (uniform >= self.dropout) / (1 - self.dropout)

    def _told(self, y: Tensor, noise: Noise) -> Tensor:
        """Which numbers a row is told in training, (B, E) bool."""
        E = y.shape[1]
        uniform = noise.uniform("told", (E + 2,)).to(y.device)
        places = torch.arange(E, device=y.device)
        rank = torch.where(uniform[:, :1] < _IN_ORDER, places, uniform[:, 2:].argsort(1).argsort(1))
        known = rank < (uniform[:, 1:2] * E).floor()
        known[:, self._there] |= known[:, self._optional]
        return known
