"""How a network is told the times, as sinusoids of log-SNRs, and what it is conditioned on, as an embedding or as channels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from saltus.errors import SaltusError
from saltus.networks.conditions import ClassCondition, Condition, ImageCondition, VectorCondition

__all__ = ["FEATURES", "LOG_SNR_RANGE", "TIMES", "ConditionChannels", "ConditionEmbedding", "log_snr_features"]

FEATURES = 32
"""Sinusoids for each log-SNR."""
TIMES = 2
"""The time of z, and the time it is taken to."""

LOG_SNR_RANGE = 20.0
"""Log-SNRs are clamped to [-20, 20]; VDM's widest learned range is [-5, 13.3] (Kingma et al. 2021).  Data itself is +inf."""


def log_snr_features(log_snr: Tensor, width: int) -> Tensor:
    """Sines and cosines of log-SNRs (B, K), `width` for each of the K, as (B, K * width) float32.

    Periods are spaced evenly in logarithm, from twice the range down to a fiftieth of it.
    """
    unit = log_snr.clamp(-LOG_SNR_RANGE, LOG_SNR_RANGE).to(torch.float32) / LOG_SNR_RANGE
    frequencies = torch.logspace(0, 2, width // 2, dtype=torch.float32, device=log_snr.device) * math.pi / 2
    angles = unit[..., None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(1)


def _embedding(n: int, width: int) -> nn.Embedding:
    """As `nn.Embedding` begins; without memory it draws nothing, for which torch would import its compiler, a second or two."""
    weight = torch.empty(n, width)
    return nn.Embedding(n, width, _weight=weight if weight.is_meta else nn.init.normal_(weight))


class ConditionEmbedding(nn.Module):
    """Classes and vectors (B, ...) as vectors (B, width); "no condition" is a value of its own.

    Args:
        condition: the kind; of None and of images nothing is embedded.
        width: of the embedding.
    """

    def __init__(self, condition: Condition | None, width: int) -> None:
        super().__init__()
        self.condition = condition
        self.classes = _embedding(condition.classes + 1, width) if isinstance(condition, ClassCondition) else None
        self.vector = nn.Linear(condition.size + 1, width) if isinstance(condition, VectorCondition) else None

    def forward(self, h: Tensor, condition: Tensor | None) -> Tensor:
        """h (B, width), to which the embedding is added."""
        if self.condition is None:
            return h
        values = self.condition.none(h.shape[0], like=h) if condition is None else condition
        if self.classes is not None:
            embedded: Tensor = self.classes(values + 1)  # -1 is "no condition"
            return h + embedded.to(h.dtype)
        if self.vector is not None:
            absent = self.condition.is_absent(values)[:, None]
            added: Tensor = self.vector(torch.cat([values.flatten(1).nan_to_num(0.0), absent.to(values.dtype)], dim=1))
            return h + added.to(h.dtype)
        return h


class ConditionChannels(nn.Module):
    """Images (B, C, H, W) as further input channels, and one more that says whether they are there.

    Args:
        condition: the kind; of None, classes and vectors there are no channels.
        event_shape: (C', H, W) of what they are added to.

    Attributes:
        channels: number of those that are added.

    Raises:
        SaltusError: if the condition's images are of another height and width.
    """

    def __init__(self, condition: Condition | None, event_shape: Sequence[int]) -> None:
        super().__init__()
        if isinstance(condition, ImageCondition) and (len(event_shape) != 3 or condition.shape[1:] != tuple(event_shape[1:])):
            raise SaltusError(
                f"the condition is {condition.summary()} and items have shape {tuple(event_shape)}; "
                "expected the height and width of the items: resize it"
            )
        self.condition = condition if isinstance(condition, ImageCondition) else None
        self.channels = 0 if self.condition is None else self.condition.shape[0] + 1

    def forward(self, images: Tensor, condition: Tensor | None) -> Tensor:
        """Images (B, C', H, W) with these channels after their own."""
        if self.condition is None:
            return images
        values = self.condition.none(images.shape[0], like=images) if condition is None else condition.to(images.device)
        there = (~self.condition.is_absent(values)).to(images.dtype).reshape(-1, 1, 1, 1).expand(-1, 1, *values.shape[2:])
        return torch.cat([images, values.nan_to_num(0.0).to(images.dtype), there], dim=1)
