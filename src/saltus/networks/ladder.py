"""A ladder of latents: a network that builds an image from coarse to fine, with latents on the way (Sonderby et al. 2016,
Vahdat and Kautz 2020, Child 2021).

    context   what is given (z_t), read from fine to coarse once
    patch     squares of pixels become channels first, so that layers run over fewer places
    rung      a residual block that takes in a latent, an array (k, h, w), and the context of its resolution
    evidence  what an encoder has read of the answer, fine to coarse, for each rung's posterior

Latents are N(0, I) a priori at every rung; a rung's own layers turn them into whatever law it needs, so nothing is lost by it.
The posterior of a rung looks at the state above it, which holds the latents of the rungs above.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from saltus.errors import SaltusError
from saltus.networks.backbones import pad_to_multiple
from saltus.networks.conditioning import FEATURES, TIMES, log_snr_features
from saltus.networks.groups import GROUPS, check_channels
from saltus.networks.scaled import positive
from saltus.registry import Configurable

__all__ = ["Climb", "Ladder", "LadderEncoder"]

_KERNEL = 3  # pixels a side


class Climb:
    """Latents that are not given but drawn on the way, each rung's from its posterior.

    Args:
        evidence: of each resolution, finest first (`LadderEncoder`).
        unit: unit Gaussian numbers to draw with, (B, latent).

    Attributes:
        latent, mean, raw_scale: of all rungs once the ladder was climbed, coarsest first, flat: (B, latent) each.
    """

    def __init__(self, evidence: Sequence[Tensor], unit: Tensor) -> None:
        self.evidence, self.unit = evidence, unit
        self._found: list[tuple[Tensor, Tensor, Tensor]] = []

    def draw(self, law: tuple[Tensor, Tensor], unit: Tensor) -> Tensor:
        """One rung's latent, which is remembered, in the precision of the unit numbers: the KL is a difference of terms near 1."""
        mean, raw = (part.to(unit.dtype) for part in law)
        latent = mean + positive(raw) * unit
        self._found.append((latent, mean, raw))
        return latent

    @property
    def latent(self) -> Tensor:
        return self._flat(0)

    @property
    def mean(self) -> Tensor:
        return self._flat(1)

    @property
    def raw_scale(self) -> Tensor:
        return self._flat(2)

    def _flat(self, part: int) -> Tensor:
        return torch.cat([found[part].flatten(1) for found in self._found], dim=1)


class _Block(nn.Module):
    """A residual block whose scale and shift come from the times."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels, affine=False)
        self.modulate = nn.Linear(width, 2 * channels)
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, _KERNEL, padding=1), nn.SiLU(), nn.Conv2d(channels, channels, _KERNEL, padding=1)
        )

    def forward(self, h: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.modulate(condition)[..., None, None].chunk(2, dim=1)
        added: Tensor = self.layers(nn.functional.silu(self.norm(h) * (1 + scale) + shift))
        return h + added


class _Reader(nn.Module):
    """Images of any size, padded, to features of each resolution, finest first, and the slices that crop the padding."""

    def __init__(self, inputs: int, channels: Sequence[int], width: int, patch: int) -> None:
        super().__init__()
        self.patch, self.multiple = patch, patch * 2 ** (len(channels) - 1)
        self.first = nn.Conv2d(patch**2 * inputs, channels[0], _KERNEL, padding=1)
        self.blocks = nn.ModuleList(_Block(c, width) for c in channels)
        pairs = pairwise(channels)
        self.down = nn.ModuleList(nn.Conv2d(before, after, _KERNEL, stride=2, padding=1) for before, after in pairs)

    def forward(self, images: Tensor, condition: Tensor) -> tuple[list[Tensor], tuple[slice, slice]]:
        padded, crop = pad_to_multiple(images, self.multiple)
        h, found = self.first(nn.functional.pixel_unshuffle(padded, self.patch)), []
        for index, block in enumerate(self.blocks):
            h = block(h if index == 0 else self.down[index - 1](h), condition)
            found.append(h)
        return found, crop


class _Rung(nn.Module):
    """One latent of k channels taken into a state of the same resolution."""

    def __init__(self, channels: int, k: int, width: int) -> None:
        super().__init__()
        self.take = nn.Conv2d(k, channels, 1)
        self.meet = nn.Conv2d(2 * channels, channels, 1)
        self.block = _Block(channels, width)
        self.posterior = nn.Conv2d(2 * channels, 2 * k, _KERNEL, padding=1)

    def posterior_of(self, h: Tensor, evidence: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and raw scale of the latent, from the state above and the evidence."""
        mean, raw = self.posterior(torch.cat([h, evidence], dim=1)).chunk(2, dim=1)
        return mean, raw

    def forward(self, h: Tensor, latent: Tensor, context: Tensor, condition: Tensor) -> Tensor:
        met = h + self.meet(torch.cat([h, context], dim=1)) + self.take(latent)
        out: Tensor = self.block(met, condition)
        return out


class Ladder(Configurable, nn.Module):
    """A backbone with latents at several resolutions; called as every backbone is.

    Args:
        event_shape: (C, H, W); odd sizes are padded and cropped inside.
        outputs: how many images come out.
        channels: of each resolution, finest first; multiples of 8.
        rungs: latents at each resolution.
        k: channels of a latent.
        patch: pixels a side of the squares that become channels.

    Attributes:
        latent: numbers in all latents of one item.

    Raises:
        SaltusError: for an event shape that is not an image, or channels that are not such multiples.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        *,
        outputs: int = 2,
        channels: Sequence[int] = (32, 64),
        rungs: int = 1,
        k: int = 4,
        patch: int = 1,
    ) -> None:
        super().__init__()
        check_channels(channels)
        if len(event_shape) != 3:
            raise SaltusError(f"items have shape {tuple(event_shape)}; a ladder takes images (C, H, W)")
        self.event_shape, self.outputs, self.patch, self.k = tuple(event_shape), outputs, patch, k
        width = 4 * channels[0]
        self.tell = nn.Sequential(nn.Linear(TIMES * FEATURES, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.context = _Reader(event_shape[0], channels, width, patch)
        self.places = [place for place in reversed(range(len(channels))) for _ in range(rungs)]  # coarsest first
        self.rungs = nn.ModuleList(_Rung(channels[place], k, width) for place in self.places)
        self.up = nn.ModuleList(nn.Conv2d(after, before, 1) for before, after in pairwise(channels))
        self.last = nn.Conv2d(channels[0], patch**2 * outputs * event_shape[0], _KERNEL, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]
        multiple = self.context.multiple
        height, wide = (math.ceil(side / multiple) * multiple // patch for side in event_shape[1:])
        self.shapes = [(k, height >> place, wide >> place) for place in self.places]
        self.latent = sum(map(math.prod, self.shapes))

    def forward(self, x: Tensor, log_snr: Tensor, latent: Tensor | Climb | None = None) -> Tensor:
        """As every backbone; with a `Climb` in place of the latent, latents are drawn from the posterior on the way."""
        assert latent is not None
        condition = self.tell(log_snr_features(log_snr, FEATURES).to(x.dtype))
        context, crop = self.context(x.flatten(1, 2), condition)
        numbers, h = self._arrays(latent.unit if isinstance(latent, Climb) else latent), context[-1]
        for place, rung, given in zip(self.places, self.rungs, numbers, strict=True):
            if h.shape[-2:] != context[place].shape[-2:]:
                h = nn.functional.interpolate(self.up[place](h), scale_factor=2.0, mode="nearest")
            drawn = latent.draw(rung.posterior_of(h, latent.evidence[place]), given) if isinstance(latent, Climb) else given  # type: ignore[operator]
            h = rung(h, drawn, context[place], condition)
        out: Tensor = nn.functional.pixel_shuffle(self.last(h), self.patch)[..., crop[0], crop[1]]
        return out.reshape(len(x), self.outputs, *self.event_shape)

    def _arrays(self, flat: Tensor) -> list[Tensor]:
        """Flat numbers (B, latent) as one array (B, k, h, w) for each rung."""
        parts = flat.split([math.prod(shape) for shape in self.shapes], dim=1)
        return [part.reshape(-1, *shape) for part, shape in zip(parts, self.shapes, strict=True)]


class LadderEncoder(Configurable, nn.Module):
    """Two images (B, 2, C, H, W) and log-SNRs (B, 2) to evidence for each resolution of a `Ladder`, finest first.

    Args:
        event_shape: (C, H, W).
        channels, patch: those of the ladder.
    """

    def __init__(self, event_shape: Sequence[int], *, channels: Sequence[int] = (32, 64), patch: int = 1) -> None:
        super().__init__()
        check_channels(channels)
        width = 4 * channels[0]
        self.tell = nn.Sequential(nn.Linear(TIMES * FEATURES, width), nn.SiLU())
        self.reader = _Reader(2 * event_shape[0], channels, width, patch)

    def forward(self, pair: Tensor, log_snr: Tensor) -> list[Tensor]:
        condition = self.tell(log_snr_features(log_snr, FEATURES).to(pair.dtype))
        found: list[Tensor] = self.reader(pair.flatten(1, 2), condition)[0]
        return found
