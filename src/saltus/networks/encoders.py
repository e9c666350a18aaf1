"""Encoders: arrays to the mean and raw scale of a latent."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from saltus.errors import SaltusError
from saltus.networks.conditioning import FEATURES, TIMES, ConditionChannels, ConditionEmbedding, log_snr_features
from saltus.networks.conditions import Condition
from saltus.networks.groups import GROUPS, MOST_WIDTH, check_channels, check_shape, check_size
from saltus.registry import Configurable

__all__ = ["ConvEncoder", "MLPEncoder"]


class MLPEncoder(Configurable, nn.Module):
    """Two arrays (B, 2, *E) and log-SNRs (B, 2) to (B, 2, latent), by a multi-layer perceptron.

    Args:
        event_shape: shape E of one item.
        latent: size of the latent.
        width: neurons in each hidden layer.
        condition: what it is conditioned on; of an image it sees nothing.
    """

    def __init__(self, event_shape: Sequence[int], *, latent: int, width: int = 128, condition: Condition | None = None) -> None:
        super().__init__()
        check_shape(event_shape)
        check_size("width", width, MOST_WIDTH)
        self.latent = latent
        size = 2 * math.prod(event_shape) + TIMES * FEATURES
        self.layers = nn.Sequential(nn.Linear(size, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 2 * latent))
        self.embedding = ConditionEmbedding(condition, TIMES * FEATURES)

    def forward(self, pair: Tensor, log_snr: Tensor, condition: Tensor | None = None) -> Tensor:
        features = self.embedding(log_snr_features(log_snr, FEATURES).to(pair.dtype), condition)
        out: Tensor = self.layers(torch.cat([pair.flatten(1), features], dim=1))
        return out.reshape(len(pair), 2, self.latent)


class ConvEncoder(Configurable, nn.Module):
    """Two images (B, 2, C, H, W) and log-SNRs (B, 2) to (B, 2, latent), by convolutions that halve the resolution.

    Args:
        event_shape: (C, H, W).
        latent: size of the latent.
        channels: of each resolution, finest first; multiples of 8.
        condition: what it is conditioned on.

    Raises:
        SaltusError: for items that are no images, or channels that cannot be.
    """

    def __init__(
        self, event_shape: Sequence[int], *, latent: int, channels: Sequence[int] = (32, 64), condition: Condition | None = None
    ) -> None:
        super().__init__()
        if len(event_shape) != 3:
            raise SaltusError(f"items have shape {tuple(event_shape)}; convolutions take images (C, H, W): take architecture mlp")
        check_channels(channels)
        self.latent = latent
        self.given = ConditionChannels(condition, event_shape)
        self.first = nn.Conv2d(2 * event_shape[0] + self.given.channels, channels[0], 3, padding=1)
        self.tell = nn.Linear(TIMES * FEATURES, channels[0])
        stages, (height, width) = [], event_shape[1:]
        for before, after in zip([channels[0], *channels], channels, strict=False):
            stages += [nn.GroupNorm(GROUPS, before), nn.SiLU(), nn.Conv2d(before, after, 3, stride=2, padding=1)]
            height, width = (height + 1) // 2, (width + 1) // 2
        self.stages = nn.Sequential(*stages, nn.GroupNorm(GROUPS, channels[-1]), nn.SiLU())
        self.last = nn.Linear(channels[-1] * height * width, 2 * latent)
        self.embedding = ConditionEmbedding(condition, channels[0])

    def forward(self, pair: Tensor, log_snr: Tensor, condition: Tensor | None = None) -> Tensor:
        told = self.embedding(self.tell(log_snr_features(log_snr, FEATURES).to(pair.dtype)), condition)
        # before the first norm comes a SiLU, or the norm would take out again what the times shift
        h = self.stages(nn.functional.silu(self.first(self.given(pair.flatten(1, 2), condition)) + told[..., None, None]))
        out: Tensor = self.last(h.flatten(1))
        return out.reshape(len(pair), 2, self.latent)
