"""Encoders: arrays to the mean and log-scale of a latent."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from saltus.networks.conditioning import FEATURES, TIMES, log_snr_features
from saltus.networks.groups import GROUPS, check_channels
from saltus.registry import Configurable

__all__ = ["ConvEncoder", "MLPEncoder"]


class MLPEncoder(Configurable, nn.Module):
    """Two arrays (B, 2, *E) and log-SNRs (B, 2) to (B, 2, latent), by a multi-layer perceptron.

    Args:
        event_shape: E.
        latent: size of the latent.
        width: neurons in each hidden layer.
    """

    def __init__(self, event_shape: Sequence[int], *, latent: int, width: int = 128) -> None:
        super().__init__()
        self.latent = latent
        size = 2 * math.prod(event_shape) + TIMES * FEATURES
        self.layers = nn.Sequential(nn.Linear(size, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 2 * latent))

    def forward(self, pair: Tensor, log_snr: Tensor) -> Tensor:
        features = log_snr_features(log_snr, FEATURES).to(pair.dtype)
        out: Tensor = self.layers(torch.cat([pair.flatten(1), features], dim=1))
        return out.reshape(len(pair), 2, self.latent)


class ConvEncoder(Configurable, nn.Module):
    """Two images (B, 2, C, H, W) and log-SNRs (B, 2) to (B, 2, latent), by convolutions that halve the resolution.

    Args:
        event_shape: (C, H, W).
        latent: size of the latent.
        channels: of each resolution, finest first; multiples of 8.
    """

    def __init__(self, event_shape: Sequence[int], *, latent: int, channels: Sequence[int] = (32, 64)) -> None:
        super().__init__()
        check_channels(channels)
        self.latent = latent
        self.first = nn.Conv2d(2 * event_shape[0], channels[0], 3, padding=1)
        self.tell = nn.Linear(TIMES * FEATURES, channels[0])
        stages, (height, width) = [], event_shape[1:]
        for before, after in zip([channels[0], *channels], channels, strict=False):
            stages += [nn.GroupNorm(GROUPS, before), nn.SiLU(), nn.Conv2d(before, after, 3, stride=2, padding=1)]
            height, width = (height + 1) // 2, (width + 1) // 2
        self.stages = nn.Sequential(*stages, nn.GroupNorm(GROUPS, channels[-1]), nn.SiLU())
        self.last = nn.Linear(channels[-1] * height * width, 2 * latent)

    def forward(self, pair: Tensor, log_snr: Tensor) -> Tensor:
        told = self.tell(log_snr_features(log_snr, FEATURES).to(pair.dtype))
        # before the first norm comes a SiLU, or the norm would take out again what the times shift
        h = self.stages(nn.functional.silu(self.first(pair.flatten(1, 2)) + told[..., None, None]))
        out: Tensor = self.last(h.flatten(1))
        return out.reshape(len(pair), 2, self.latent)
