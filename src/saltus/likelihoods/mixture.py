r"""p(y | .) of the last step for continuous vectors: a mixture of Gaussians in each column, columns on their own.

.. math:: p(y_i) = \sum_m \pi_{im}\, \mathcal N(y_i;\; \mu_i + \sigma_i\, o_{im},\; \varsigma_{im}^2)

with the mean mu and the standard deviation sigma that every head is given; probabilities, offsets o and widths come from the network
(Bishop 1994, mixture density networks, https://publications.aston.ac.uk/id/eprint/373/).  What a network leaves at 0 are components side
by side.  Each width is at least a floor, since a density on data with ties could otherwise rise without limit.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Normal

from saltus.likelihoods.continuous import ContinuousHead
from saltus.likelihoods.heads import FAR
from saltus.likelihoods.normal import log_interval_mass, middle, standard

__all__ = ["MixtureHead"]

_MOST_LOG = 7.0  # of a width over the standard deviation, its logarithm: more would overflow in a training that goes astray


class _Components(NamedTuple):
    """Of each number: log probabilities, centres and widths, (B, M, *E)."""

    log_probability: Tensor
    centre: Tensor
    width: Tensor


class MixtureHead(ContinuousHead):
    """A mixture of M Gaussians for each number.

    Args:
        floor: the least standard deviation of a component, in the units of y.
        components: M, >= 1.

    Raises:
        ValueError: for a floor that is not positive, or no component.
    """

    def __init__(self, floor: float, *, components: int = 5) -> None:
        if not 0 < floor < FAR or components < 1:
            raise ValueError(f"floor = {floor}, {components} components; expected a positive standard deviation, and at least 1")
        self.floor, self.components = floor, components

    @property
    def arrays(self) -> int:  # type: ignore[override]
        """Probabilities, offsets and widths of each component."""
        return 3 * self.components

    @property
    def convention(self) -> str:
        return f"density in the units of the file, by {self.label} whose standard deviations are at least {self.floor:g} of the data's"

    @property
    def label(self) -> str:
        return f"a mixture of {self.components} Gaussians a column"

    def log_density(self, y: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        return self._each(y, self._components(mean, variance, extra)).logsumexp(1)

    def log_mass(self, below: Tensor, above: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        parts = self._components(mean, variance, extra)
        return (parts.log_probability + log_interval_mass(*_ends(below, above, parts))).logsumexp(1)

    def mean(self, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        parts = self._components(mean, variance, extra)
        return (parts.log_probability.exp() * parts.centre).sum(1)

    def mode(self, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        """The centre of the component with the highest peak."""
        parts = self._components(mean, variance, extra)
        return _of(parts.centre, (parts.log_probability - parts.width.log()).argmax(1))

    def sample(self, mean: Tensor, variance: Tensor, eps: Tensor, extra: Tensor | None = None) -> Tensor:
        """One number picks the component too: its place within the component's share of (0, 1) is as uniform."""
        parts, uniform = self._components(mean, variance, extra), torch.special.ndtr(eps.double())
        share = parts.log_probability.double().softmax(1)
        above = share.cumsum(1)
        which = (uniform[:, None] > above[:, :-1]).sum(1)
        place = ((uniform - _of(above - share, which)) / _of(share, which)).clamp(*_INSIDE)
        unit: Tensor = torch.special.ndtri(place).to(mean.dtype)
        return _of(parts.centre, which) + _of(parts.width, which) * unit

    def eps(self, y: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        parts = self._components(mean, variance, extra)
        which = self._each(y, parts).argmax(1)
        return _picking(which, (y - _of(parts.centre, which)) / _of(parts.width, which), parts)

    def eps_within(self, below: Tensor, above: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        """By the component that has most of the interval's mass."""
        parts = self._components(mean, variance, extra)
        ends = _ends(below, above, parts)
        which = (parts.log_probability + log_interval_mass(*ends)).argmax(1)
        return _picking(which, middle(*(_of(end, which) for end in ends)), parts)

    def _each(self, y: Tensor, parts: _Components) -> Tensor:
        """ln of probability and density of each component, (B, M, *E)."""
        density: Tensor = Normal(parts.centre, parts.width, validate_args=False).log_prob(y[:, None])
        return parts.log_probability + density

    def _components(self, mean: Tensor, variance: Tensor, extra: Tensor | None) -> _Components:
        M, std = self.components, variance.sqrt()[:, None]
        if extra is None:
            extra = mean.new_zeros(mean.shape[0], self.arrays, *mean.shape[1:])
        probability, offset, width = extra.to(mean.dtype).split(M, dim=1)
        apart = torch.linspace(-1, 1, M, device=mean.device, dtype=mean.dtype) if M > 1 else mean.new_zeros(1)
        centre = mean[:, None] + std * (offset + apart.reshape(-1, *(1,) * (mean.ndim - 1)))
        scaled = std * width.clamp(-_MOST_LOG, _MOST_LOG).exp()
        return _Components(probability.log_softmax(1), centre, scaled.clamp_min(self.floor))


_TINY = torch.finfo(torch.float64).eps / 2
_INSIDE = (_TINY, 1 - _TINY)


def _ends(below: Tensor, above: Tensor, parts: _Components) -> tuple[Tensor, Tensor]:
    """Those of an interval, in widths from the centre of each component, (B, M, *E)."""
    below, above = (standard(end[:, None], parts.centre, parts.width) for end in (below, above))
    return below, above


def _picking(which: Tensor, unit: Tensor, parts: _Components) -> Tensor:
    """The noise that picks a component, and the place `unit` in it, in widths from its centre, (B, *E)."""
    share = parts.log_probability.double().softmax(1)
    place = _of(share.cumsum(1) - share, which) + _of(share, which) * torch.special.ndtr(unit.double())
    found: Tensor = torch.special.ndtri(place.clamp(*_INSIDE))
    return found.to(unit.dtype)


def _of(values: Tensor, which: Tensor) -> Tensor:
    """Of values (B, M, *E) those of one component at each place (B, *E)."""
    found: Tensor = values.gather(1, which[:, None]).squeeze(1)
    return found
