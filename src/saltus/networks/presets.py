"""Networks by the size of the work: `tiny` for minutes on a laptop, `small` for hours."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from torch import nn

from saltus.networks.backbones import MLP, UNet
from saltus.networks.encoders import ConvEncoder, MLPEncoder
from saltus.networks.scaled import Scaled

__all__ = ["Preset", "decoder", "encoder"]


class Preset(StrEnum):
    """The size of a network."""

    TINY = "tiny"
    SMALL = "small"


_UNET: dict[Preset, dict[str, Any]] = {
    Preset.TINY: {"channels": (32, 64), "layers": 1},
    Preset.SMALL: {"channels": (64, 128, 128), "layers": 2, "attention": True},
}
_MLP: dict[Preset, dict[str, Any]] = {Preset.TINY: {"width": 128, "depth": 3}, Preset.SMALL: {"width": 512, "depth": 6}}
_CONV_ENCODER: dict[Preset, dict[str, Any]] = {Preset.TINY: {"channels": (32, 64)}, Preset.SMALL: {"channels": (64, 128, 128)}}
_MLP_ENCODER: dict[Preset, dict[str, Any]] = {Preset.TINY: {"width": 128}, Preset.SMALL: {"width": 512}}


def _is_image(event_shape: Sequence[int]) -> bool:
    return len(event_shape) == 3


def decoder(
    event_shape: Sequence[int], preset: Preset | str = Preset.TINY, *, outputs: int = 1, latent: int = 0, variance: float = 1.0
) -> Scaled:
    """A U-Net for images (C, H, W), an MLP for everything else, in EDM scaling.

    Args:
        event_shape: E.
        preset: `tiny` or `small`.
        outputs: 1 for a prediction, 2 for a prediction and a scale.
        latent: size of the latent, 0 for none.
        variance: mean variance of the data over dimensions.
    """
    size = Preset(preset)
    backbone = (
        UNet(event_shape, outputs=outputs, latent=latent, **_UNET[size])
        if _is_image(event_shape)
        else MLP(event_shape, outputs=outputs, latent=latent, **_MLP[size])
    )
    return Scaled(backbone, variance)


def encoder(event_shape: Sequence[int], preset: Preset | str = Preset.TINY, *, latent: int) -> nn.Module:
    """A convolutional encoder for images (C, H, W), an MLP for everything else."""
    size = Preset(preset)
    if _is_image(event_shape):
        return ConvEncoder(event_shape, latent=latent, **_CONV_ENCODER[size])
    return MLPEncoder(event_shape, latent=latent, **_MLP_ENCODER[size])
