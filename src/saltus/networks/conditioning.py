"""How a network is told the times: log-SNRs as sinusoids."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["FEATURES", "LOG_SNR_RANGE", "TIMES", "log_snr_features"]

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
