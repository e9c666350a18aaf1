"""The network of one coupling layer of a flow of images (Dinh et al. 2017, https://arxiv.org/abs/1605.08803).

It reads images at half of their resolution, squares of 2 x 2 pixels as channels, and gives a log scale and a shift for each pixel.
Its last layer starts at zero, so that a fresh layer changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from saltus.errors import SaltusError
from saltus.networks.backbones import pad_to_multiple
from saltus.networks.blocks import KERNEL, ResidualBlock
from saltus.networks.conditioning import FEATURES, TIMES, ConditionChannels, ConditionEmbedding, log_snr_features
from saltus.networks.conditions import Condition
from saltus.networks.groups import MOST_BLOCKS, check_channels, check_size

__all__ = ["CouplingNetwork"]

_PATCH = 2
_MOST = 0.5  # of a log scale, either way


class CouplingNetwork(nn.Module):
    """Images (B, inputs, C, H, W) to a log scale in (-0.5, 0.5) and a shift, (B, C, H, W) each.

    Args:
        event_shape: (C, H, W); odd sizes are padded and cropped inside.
        inputs: how many images it sees.
        channels: of its layers, a multiple of 8.
        blocks: residual blocks.
        condition: what it is conditioned on.

    Raises:
        SaltusError: for an event shape that is not an image, or sizes out of range.
    """

    def __init__(self, event_shape: Sequence[int], inputs: int, *, channels: int, blocks: int, condition: Condition | None = None) -> None:
        super().__init__()
        check_channels([channels])
        check_size("blocks", blocks, MOST_BLOCKS)
        if len(event_shape) != 3:
            raise SaltusError(f"items have shape {tuple(event_shape)}; a coupling of pixels takes images (C, H, W)")
        self.given = ConditionChannels(condition, event_shape)
        width = 2 * channels
        self.tell = nn.Sequential(nn.Linear(TIMES * FEATURES, width), nn.SiLU())
        self.embedding = ConditionEmbedding(condition, width)
        self.first = nn.Conv2d(_PATCH**2 * (inputs * event_shape[0] + self.given.channels), channels, KERNEL, padding=1)
        self.blocks = nn.ModuleList(ResidualBlock(channels, width) for _ in range(blocks))
        self.last = nn.Conv2d(channels, _PATCH**2 * 2 * event_shape[0], KERNEL, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, log_snr: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        told = self.embedding(self.tell(log_snr_features(log_snr, FEATURES).to(x.dtype)), condition)
        padded, crop = pad_to_multiple(self.given(x.flatten(1, 2), condition), _PATCH)
        h = self.first(nn.functional.pixel_unshuffle(padded, _PATCH))
        for block in self.blocks:
            h = block(h, told)
        out = nn.functional.pixel_shuffle(self.last(nn.functional.silu(h)), _PATCH)[..., crop[0], crop[1]].to(x.dtype)
        scale, shift = out.chunk(2, dim=1)
        return _MOST * torch.tanh(scale), shift
