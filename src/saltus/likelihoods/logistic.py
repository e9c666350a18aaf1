r"""p(y | .) of the last step as mixtures of discretised logistics, whose channels are in sequence.

At each pixel one of M components is drawn for all channels, with probabilities pi.  Given it, and with the channels before,

.. math::
    \mu_{mc} = \mu_c + \sigma_c\, o_{mc} + \sum_{b < c} k_{mcb}\, (y_b - \mu_b), \qquad
    p(y_c = v) = F\left(\frac{v + h - \mu_{mc}}{\varsigma_{mc}}\right) - F\left(\frac{v - h - \mu_{mc}}{\varsigma_{mc}}\right)

where h is half a bin, F the logistic function, and mu and sigma the mean and the standard deviation that every head is given; the first
and the last bin are open to infinity, so that the masses sum to 1 (Salimans et al. 2017, PixelCNN++, https://arxiv.org/abs/1701.05517).
Logarithms of masses come without cancellation from

.. math:: F(a) - F(b) = F(a)\, F(-b)\, (1 - e^{b - a}).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from saltus.likelihoods.heads import BinnedHead, Choose, between, check_bins

__all__ = ["LogisticMixtureHead"]

_STD = math.pi / math.sqrt(3)  # of a logistic of scale 1
_LEAST = 0.05  # of a scale, in bins: a narrower one has all of its mass in its bin
_MOST_LOG = 7.0  # of a scale over the standard deviation, its logarithm: more would overflow in a training that goes astray


class _Components(NamedTuple):
    """Of each pixel: log probabilities (B, M, H, W), offsets and scales (B, M, C, H, W), couplings (B, M, C (C - 1) / 2, H, W)."""

    log_probability: Tensor
    offset: Tensor
    scale: Tensor
    coupling: Tensor


class LogisticMixtureHead(BinnedHead):
    """A mixture of discretised logistics at each pixel of images (C, H, W), over `bins` equal bins centred on `low` ... `high`.

    Args:
        bins: how many values there are, >= 2.
        channels: C, at most 3: the couplings of more would not fit in an array of the shape of an item.
        components: M, >= 1.
        low, high: the first and the last value.

    Raises:
        ValueError: for numbers out of range; from `check`, for values that are not on the bins.
    """

    def __init__(self, bins: int, channels: int, *, components: int = 5, low: float = -1.0, high: float = 1.0) -> None:
        check_bins(bins, low, high)
        if not 1 <= channels <= 3 or components < 1:
            raise ValueError(f"{channels} channels, {components} components; expected 1 to 3, and at least 1")
        self.bins, self.channels, self.components, self.low, self.high = bins, channels, components, low, high
        self.width = (high - low) / (bins - 1)

    @property
    def arrays(self) -> int:  # type: ignore[override]
        """Probabilities, offsets and scales of each component, and couplings if there is more than one channel."""
        return self.components * (4 if self.channels > 1 else 3)

    @property
    def convention(self) -> str:
        sequence = ", channels in sequence" if self.channels > 1 else ""
        return f"probability of {self.bins} values, by a mixture of {self.components} discretised logistics a pixel{sequence}"

    def log_prob_each(self, y: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        parts = self._components(variance, extra)
        centre = self._centres(y, mean, variance, parts)
        mass = self._log_mass(y[:, None], centre, parts.scale).sum(2)
        return (parts.log_probability + mass).logsumexp(1, keepdim=True)

    def mean(self, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        """Of the logistics before they are put on bins, within the range: the mean of the components' means."""
        parts = self._components(variance, extra)
        off = variance.sqrt()[:, None] * parts.offset
        deviations: list[Tensor] = []
        for c in range(self.channels):
            first = c * (c - 1) // 2
            coupled = [parts.coupling[:, :, first + b] * before for b, before in enumerate(deviations)]
            deviations.append(sum(coupled, off[:, :, c]))
        mixed = (parts.log_probability.exp()[:, :, None] * torch.stack(deviations, 2)).sum(1)
        return (mean + mixed).clamp(self.low, self.high)

    def mode(self, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        """The peak of the most probable component of each pixel, channel by channel, on the nearest bin."""
        parts = self._components(variance, extra)
        best = _of(parts, parts.log_probability.argmax(1))
        return self._in_sequence(mean, variance, best, lambda centre, _, __: centre)

    def sample(self, mean: Tensor, variance: Tensor, eps: Tensor, extra: Tensor | None = None) -> Tensor:
        """The noise of the first channel picks the component too: its place within the component's share of (0, 1) is as uniform."""
        parts, uniform = self._components(variance, extra), torch.special.ndtr(eps.double())
        share = parts.log_probability.double().exp()
        above = share.cumsum(1)
        which = (uniform[:, :1] > above[:, :-1]).sum(1)  # (B, H, W)
        mine, below = (values.gather(1, which[:, None]) for values in (share, above - share))
        first = ((uniform[:, :1] - below) / mine).clamp(0, 1)
        place = torch.cat([first, uniform[:, 1:]], 1)
        tiny = torch.finfo(torch.float64).eps / 2
        logit = torch.logit(place, eps=tiny).to(mean.dtype)
        return self._in_sequence(mean, variance, _of(parts, which), lambda centre, scale, c: centre + scale * logit[:, c])

    def chosen(self, choose: Choose, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        """Channel by channel: what the channels before have told of the component is in the masses."""
        exact = variance.double()
        parts, y = self._components(exact, None if extra is None else extra.double()), mean.clone()
        weight = parts.log_probability  # of components given the channels before, but for a constant
        for c in range(self.channels):
            centre, scale = self._centres(y.double(), mean.double(), exact, parts)[:, :, c], parts.scale[:, :, c]
            below = torch.sigmoid((self.edges(mean) - centre[..., None]) / scale[..., None])  # (B, M, H, W, bins - 1)
            masses = (weight.softmax(1)[..., None] * between(below)).sum(1)
            index = choose(masses.flatten(0, 2), lambda items, c=c: items[:, c].flatten())  # type: ignore[misc]
            y[:, c] = self.value(index, mean).reshape(mean[:, c].shape)
            weight = weight + self._log_mass(y[:, None, c].double(), centre, scale)
        return y

    def eps(self, y: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        parts = self._components(variance, extra)
        centre = self._centres(y, mean, variance, parts)
        mass = self._log_mass(y[:, None], centre, parts.scale).sum(2)
        which = (parts.log_probability + mass).argmax(1)
        chosen, mine = _of(parts, which), centre.gather(1, _places(which, centre)).squeeze(1)
        below, above = (values.double() for values in self._borders(y, mine, chosen.scale))
        middle = (torch.sigmoid(below) + torch.sigmoid(above)) / 2
        share = parts.log_probability.double().exp()
        start = (share.cumsum(1) - share).gather(1, which[:, None])
        first = start + share.gather(1, which[:, None]) * middle[:, :1]
        eps: Tensor = torch.special.ndtri(torch.cat([first, middle[:, 1:]], 1)).to(y.dtype)
        return eps

    def _components(self, variance: Tensor, extra: Tensor | None) -> _Components:
        """From the network's arrays (B, arrays, C, H, W); what it leaves at 0 are components side by side, with channels on their own."""
        M, C = self.components, self.channels
        if extra is None:
            extra = variance.new_zeros(variance.shape[0], self.arrays, *variance.shape[1:])
        probability, offset, scale, *rest = extra.to(variance.dtype).split(M, dim=1)
        apart = torch.linspace(-1, 1, M, device=extra.device, dtype=variance.dtype) if M > 1 else extra.new_zeros(1, dtype=variance.dtype)
        std = variance.sqrt()[:, None]
        width = (std / _STD * scale.clamp(-_MOST_LOG, _MOST_LOG).exp()).clamp_min(_LEAST * self.width)
        coupling = rest[0][:, :, : C * (C - 1) // 2] if rest else extra.new_zeros(extra.shape[0], M, 0, *extra.shape[3:])
        return _Components(probability.mean(2).log_softmax(1), offset + apart[:, None, None, None], width, coupling)

    def _centres(self, y: Tensor, mean: Tensor, variance: Tensor, parts: _Components) -> Tensor:
        """mu_mc given the channels before, (B, M, C, H, W)."""
        centre = mean[:, None] + variance.sqrt()[:, None] * parts.offset
        if self.channels == 1:
            return centre
        off = y - mean
        added = [torch.zeros_like(centre[:, :, 0])]
        for c in range(1, self.channels):
            first = c * (c - 1) // 2
            added.append(sum((parts.coupling[:, :, first + b] * off[:, None, b] for b in range(c)), torch.zeros_like(added[0])))
        return centre + torch.stack(added, 2)

    def _in_sequence(self, mean: Tensor, variance: Tensor, parts: _Components, value: Callable[[Tensor, Tensor, int], Tensor]) -> Tensor:
        """y channel by channel, each by `value(centre, scale, channel)` put on the nearest bin; of one component a pixel, (B, C, H, W)."""
        std = variance.sqrt()
        channels: list[Tensor] = []
        for c in range(self.channels):
            centre, first = mean[:, c] + std[:, c] * parts.offset[:, c], c * (c - 1) // 2
            for b, before in enumerate(channels):
                centre = centre + parts.coupling[:, first + b] * (before - mean[:, b])
            channels.append(self.low + self.index(value(centre, parts.scale[:, c], c)) * self.width)
        return torch.stack(channels, 1)

    def _borders(self, y: Tensor, centre: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Those of the bin of y, from the centre in scales; infinite at the ends."""
        index = self.index(y)
        off = self.low + index * self.width - centre
        below = torch.where(index == 0, -torch.inf, (off - self.width / 2) / scale)
        return below, torch.where(index == self.bins - 1, torch.inf, (off + self.width / 2) / scale)

    def _log_mass(self, y: Tensor, centre: Tensor, scale: Tensor) -> Tensor:
        index = self.index(y)
        off = self.low + index * self.width - centre
        below, above = (off - self.width / 2) / scale, (off + self.width / 2) / scale
        first, last = index == 0, index == self.bins - 1
        left = torch.where(first, 0.0, logsigmoid(-below))
        right = torch.where(last, 0.0, logsigmoid(above))
        between = torch.where(first | last, 0.0, torch.log(-torch.expm1(-(self.width / scale))))
        return left + right + between


def _places(which: Tensor, values: Tensor) -> Tensor:
    """The index of a component at each pixel (B, H, W), as wide as values (B, M, n, H, W)."""
    return which[:, None, None].expand(-1, 1, values.shape[2], -1, -1)


def _of(parts: _Components, which: Tensor) -> _Components:
    """One component at each pixel, (B, H, W) and (B, n, H, W)."""
    others = (values.gather(1, _places(which, values)).squeeze(1) for values in (parts.offset, parts.scale, parts.coupling))
    return _Components(parts.log_probability.gather(1, which[:, None]).squeeze(1), *others)
