"""A network that builds an image from coarse to fine, with groups of latents on the way (Sonderby et al. 2016,
https://arxiv.org/abs/1602.02282; Vahdat and Kautz 2020, https://arxiv.org/abs/2007.03898; Child 2021, https://arxiv.org/abs/2011.10650).

    context   what is given (z_t), read from fine to coarse once
    patch     squares of pixels become channels first, so that layers run over fewer places
    group     a residual block that takes in a latent, an array (k, h, w), and the context of its resolution
    features  what an encoder has read of the answer, fine to coarse, for each group's posterior

Latents are N(0, I) a priori in every group; a group's own layers turn them into whatever distribution it needs, so nothing is lost by it.
The posterior of a group looks at the state above it, which holds the latents of the coarser groups.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from saltus.errors import SaltusError
from saltus.networks.backbones import pad_to_multiple
from saltus.networks.blocks import KERNEL, ResidualBlock
from saltus.networks.conditioning import FEATURES, TIMES, ConditionChannels, ConditionEmbedding, log_snr_features
from saltus.networks.conditions import Condition
from saltus.networks.groups import MOST_BLOCKS, check_channels, check_size
from saltus.networks.positive import positive
from saltus.registry import Configurable

__all__ = ["Draw", "Ladder", "LadderEncoder"]

Draw = Callable[[Tensor, Tensor], Tensor]
"""The latent of a group, (B, n), from the mean and the standard deviation of its posterior."""


class _Reader(nn.Module):
    """Images of any size, padded, to features of each resolution, finest first, and the slices that crop the padding."""

    def __init__(self, inputs: int, channels: Sequence[int], width: int, patch: int) -> None:
        super().__init__()
        self.patch, self.multiple = patch, patch * 2 ** (len(channels) - 1)
        self.first = nn.Conv2d(patch**2 * inputs, channels[0], KERNEL, padding=1)
        self.blocks = nn.ModuleList(ResidualBlock(c, width) for c in channels)
        pairs = pairwise(channels)
        self.down = nn.ModuleList(nn.Conv2d(before, after, KERNEL, stride=2, padding=1) for before, after in pairs)

    def forward(self, images: Tensor, told: Tensor) -> tuple[list[Tensor], tuple[slice, slice]]:
        padded, crop = pad_to_multiple(images, self.multiple)
        h, found = self.first(nn.functional.pixel_unshuffle(padded, self.patch)), []
        for index, block in enumerate(self.blocks):
            h = block(h if index == 0 else self.down[index - 1](h), told)
            found.append(h)
        return found, crop


class _Group(nn.Module):
    """One latent of k channels taken into a state of the same resolution."""

    def __init__(self, channels: int, k: int, width: int) -> None:
        super().__init__()
        self.take = nn.Conv2d(k, channels, 1)
        self.meet = nn.Conv2d(2 * channels, channels, 1)
        self.block = ResidualBlock(channels, width)
        self.posterior = nn.Conv2d(2 * channels, 2 * k, KERNEL, padding=1)

    def posterior_of(self, h: Tensor, features: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Mean and raw scale of the latent, from the state above and an encoder's features, in the precision of the noise: the KL is
        a difference of terms near 1."""
        mean, raw = self.posterior(torch.cat([h, features], dim=1)).to(dtype).chunk(2, dim=1)
        return mean, raw

    def forward(self, h: Tensor, latent: Tensor, context: Tensor, told: Tensor) -> Tensor:
        met = h + self.meet(torch.cat([h, context], dim=1)) + self.take(latent)
        out: Tensor = self.block(met, told)
        return out


class Ladder(Configurable, nn.Module):
    """A backbone with latents at several resolutions; called as every backbone is.

    Args:
        event_shape: (C, H, W); odd sizes are padded and cropped inside.
        outputs: how many images come out.
        channels: of each resolution, finest first; multiples of 8.
        groups: of latents at each resolution.
        k: channels of a latent.
        patch: pixels a side of the squares that become channels.
        condition: what it is conditioned on.

    Attributes:
        latent: numbers in all latents of one item.

    Raises:
        SaltusError: for an event shape that is not an image, channels that are not such multiples, or a condition of images of
            another height and width.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        *,
        outputs: int = 2,
        channels: Sequence[int] = (32, 64),
        groups: int = 1,
        k: int = 4,
        patch: int = 1,
        condition: Condition | None = None,
    ) -> None:
        super().__init__()
        check_channels(channels)
        check_size("groups", groups, MOST_BLOCKS)
        if len(event_shape) != 3:
            raise SaltusError(f"items have shape {tuple(event_shape)}; a ladder takes images (C, H, W)")
        self.event_shape, self.outputs, self.patch, self.k, self.condition = tuple(event_shape), outputs, patch, k, condition
        width = 4 * channels[0]
        self.tell = nn.Sequential(nn.Linear(TIMES * FEATURES, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.given = ConditionChannels(condition, event_shape)
        self.context = _Reader(event_shape[0] + self.given.channels, channels, width, patch)
        self.places = [place for place in reversed(range(len(channels))) for _ in range(groups)]  # coarsest first
        self.groups = nn.ModuleList(_Group(channels[place], k, width) for place in self.places)
        self.up = nn.ModuleList(nn.Conv2d(after, before, 1) for before, after in pairwise(channels))
        self.last = nn.Conv2d(channels[0], patch**2 * outputs * event_shape[0], KERNEL, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]
        self.embedding = ConditionEmbedding(condition, width)
        multiple = self.context.multiple
        height, wide = (math.ceil(side / multiple) * multiple // patch for side in event_shape[1:])
        self.shapes = [(k, height >> place, wide >> place) for place in self.places]
        self.latent = sum(map(math.prod, self.shapes))

    def forward(
        self,
        x: Tensor,
        log_snr: Tensor,
        latent: Tensor,
        condition: Tensor | None = None,
        *,
        features: Sequence[Tensor] | None = None,
        share: Tensor | None = None,
        draw: Draw | None = None,
    ) -> Any:
        """As every backbone.  With an encoder's features, `latent` is noise, and each group's latent is drawn from its posterior on the
        way: then it returns the output, and the latents, their means and their raw scales, (B, latent) each, coarsest first.  With a
        share (B, latent) latents are drawn that far from N(0, 1): from N(share mean, (share std + 1 - share)^2).  With `draw` each
        group's latent is what it makes of mean and standard deviation, and `latent` is not looked at."""
        told = self.embedding(self.tell(log_snr_features(log_snr, FEATURES).to(x.dtype)), condition)
        context, crop = self.context(self.given(x.flatten(1, 2), condition), told)
        found: list[tuple[Tensor, Tensor, Tensor]] = []
        h = context[-1]
        shares = [None] * len(self.groups) if share is None else self._arrays(share)
        for place, group, given, far in zip(self.places, self.groups, self._arrays(latent), shares, strict=True):
            if h.shape[-2:] != context[place].shape[-2:]:
                h = nn.functional.interpolate(self.up[place](h), scale_factor=2.0, mode="nearest")
            if features is not None:
                mean, raw = group.posterior_of(h, features[place], given.dtype)  # type: ignore[operator]
                std = positive(raw)
                if draw is not None:
                    given = draw(mean.flatten(1), std.flatten(1)).reshape(mean.shape)
                else:
                    given = mean + std * given if far is None else far * mean + (far * std + 1 - far) * given
                found.append((given, mean, raw))
            h = group(h, given, context[place], told)
        out: Tensor = nn.functional.pixel_shuffle(self.last(h), self.patch)[..., crop[0], crop[1]]
        out = out.reshape(x.shape[0], self.outputs, *self.event_shape)
        if features is None:
            return out
        return out, *(torch.cat([part.flatten(1) for part in parts], dim=1) for parts in zip(*found, strict=True))

    def shares(self, told: Tensor) -> Tensor:
        """How much of the pixels under each number of the latent is told, (latent,), of images where this much is, (C, H, W)."""
        padded, _ = pad_to_multiple(told.mean(0)[None, None], self.context.multiple)
        parts = [nn.functional.adaptive_avg_pool2d(padded, shape[1:]).expand(-1, shape[0], -1, -1) for shape in self.shapes]
        return torch.cat([part.flatten() for part in parts])

    def _arrays(self, flat: Tensor) -> list[Tensor]:
        """Flat numbers (B, latent) as one array (B, k, h, w) for each group."""
        parts = flat.split([math.prod(shape) for shape in self.shapes], dim=1)
        return [part.reshape(-1, *shape) for part, shape in zip(parts, self.shapes, strict=True)]


class LadderEncoder(Configurable, nn.Module):
    """Two images (B, 2, C, H, W) and log-SNRs (B, 2) to features for each resolution of a `Ladder`, finest first.

    Args:
        event_shape: (C, H, W).
        channels, patch: those of the ladder.
        condition: what it is conditioned on.
    """

    def __init__(
        self, event_shape: Sequence[int], *, channels: Sequence[int] = (32, 64), patch: int = 1, condition: Condition | None = None
    ) -> None:
        super().__init__()
        check_channels(channels)
        width = 4 * channels[0]
        self.tell = nn.Sequential(nn.Linear(TIMES * FEATURES, width), nn.SiLU())
        self.given = ConditionChannels(condition, event_shape)
        self.reader = _Reader(2 * event_shape[0] + self.given.channels, channels, width, patch)
        self.embedding = ConditionEmbedding(condition, width)

    def forward(self, pair: Tensor, log_snr: Tensor, condition: Tensor | None = None) -> list[Tensor]:
        told = self.embedding(self.tell(log_snr_features(log_snr, FEATURES).to(pair.dtype)), condition)
        found: list[Tensor] = self.reader(self.given(pair.flatten(1, 2), condition), told)[0]
        return found
