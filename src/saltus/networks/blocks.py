"""The residual block that image networks of this room share."""

from __future__ import annotations

from torch import Tensor, nn

from saltus.networks.groups import GROUPS

__all__ = ["KERNEL", "ResidualBlock"]

KERNEL = 3
"""Pixels a side of a convolution."""


class ResidualBlock(nn.Module):
    """A residual block of images whose scale and shift come from the times.

    Args:
        channels: of its images, a multiple of 8.
        width: of what it is told.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels, affine=False)
        self.modulate = nn.Linear(width, 2 * channels)
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, KERNEL, padding=1), nn.SiLU(), nn.Conv2d(channels, channels, KERNEL, padding=1)
        )

    def forward(self, h: Tensor, told: Tensor) -> Tensor:
        """Images (B, channels, H, W), told (B, width)."""
        scale, shift = self.modulate(told)[..., None, None].chunk(2, dim=1)
        added: Tensor = self.layers(nn.functional.silu(self.norm(h) * (1 + scale) + shift))
        return h + added
