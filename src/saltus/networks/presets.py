"""Networks by the size of the work: `tiny` for minutes on a laptop, `small` for hours."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from torch import nn

from saltus.networks.backbones import MLP, UNet
from saltus.networks.encoders import ConvEncoder, MLPEncoder
from saltus.networks.ladder import Ladder, LadderEncoder
from saltus.networks.scaled import Scaled

__all__ = ["Architecture", "Preset", "decoder", "encoder", "ladder"]


class Preset(StrEnum):
    """The size of a network."""

    TINY = "tiny"
    SMALL = "small"


class Architecture(StrEnum):
    """The kind of a network."""

    UNET = "unet"
    MLP = "mlp"


_SMALLEST_UNET = 16  # pixels a side: below it an MLP learns more in the same time (docs/decisions/0006-networks.md)
_UNET: dict[Preset, dict[str, Any]] = {
    Preset.TINY: {"channels": (16, 32, 64), "layers": 1},
    Preset.SMALL: {"channels": (64, 128, 128), "layers": 2, "attention": True},
}
_MLP: dict[Preset, dict[str, Any]] = {Preset.TINY: {"width": 128, "depth": 3}, Preset.SMALL: {"width": 512, "depth": 6}}
_LADDER: dict[Preset, dict[str, Any]] = {
    Preset.TINY: {"channels": (48, 64, 64), "rungs": 3, "k": 8, "patch": 2},
    Preset.SMALL: {"channels": (128, 128, 128), "rungs": 4, "k": 16, "patch": 2},
}
_CONV_ENCODER: dict[Preset, dict[str, Any]] = {Preset.TINY: {"channels": (16, 32, 64)}, Preset.SMALL: {"channels": (64, 128, 128)}}
_MLP_ENCODER: dict[Preset, dict[str, Any]] = {Preset.TINY: {"width": 128}, Preset.SMALL: {"width": 512}}


def _kind(event_shape: Sequence[int], architecture: Architecture | None) -> Architecture:
    large = len(event_shape) == 3 and min(event_shape[1:]) >= _SMALLEST_UNET
    return Architecture(architecture or (Architecture.UNET if large else Architecture.MLP))


def decoder(
    event_shape: Sequence[int],
    preset: Preset = Preset.TINY,
    *,
    architecture: Architecture | None = None,
    outputs: int = 1,
    latent: int = 0,
    variance: float = 1.0,
    width: int | None = None,
    channels: Sequence[int] | None = None,
) -> Scaled:
    """A network that predicts data, in EDM scaling.

    Args:
        event_shape: E.
        preset: `tiny` or `small`.
        architecture: a U-Net for images (C, H, W) from 16 x 16 up and an MLP for everything else, unless given.
        outputs: 1 for a prediction, 2 for a prediction and a scale.
        latent: size of the latent, 0 for none.
        variance: mean variance of the data over dimensions.
        width: of an MLP, in place of the preset's.
        channels: of a U-Net, in place of the preset's.
    """
    if _kind(event_shape, architecture) is Architecture.UNET:
        return Scaled(UNet(event_shape, outputs=outputs, latent=latent, **_sized(_UNET[Preset(preset)], channels=channels)), variance)
    sizes = _sized(_MLP[Preset(preset)], width=width) | {"sinusoids": len(event_shape) == 1}
    return Scaled(MLP(event_shape, outputs=outputs, latent=latent, **sizes), variance)


def encoder(
    event_shape: Sequence[int],
    preset: Preset = Preset.TINY,
    *,
    architecture: Architecture | None = None,
    latent: int,
    width: int | None = None,
    channels: Sequence[int] | None = None,
) -> nn.Module:
    """An encoder to a latent: convolutions where `decoder` gives a U-Net, an MLP elsewhere."""
    if _kind(event_shape, architecture) is Architecture.UNET:
        return ConvEncoder(event_shape, latent=latent, **_sized(_CONV_ENCODER[Preset(preset)], channels=channels))
    return MLPEncoder(event_shape, latent=latent, **_sized(_MLP_ENCODER[Preset(preset)], width=width))


def ladder(
    event_shape: Sequence[int], preset: Preset = Preset.TINY, *, variance: float = 1.0, channels: Sequence[int] | None = None
) -> tuple[Scaled, LadderEncoder]:
    """A ladder of latents for images, in EDM scaling, and its encoder."""
    sizes = _sized(_LADDER[Preset(preset)], channels=channels)
    reader = LadderEncoder(event_shape, channels=sizes["channels"], patch=sizes["patch"])
    return Scaled(Ladder(event_shape, **sizes), variance), reader


def _sized(preset: dict[str, Any], **sizes: Any) -> dict[str, Any]:
    return preset | {name: size for name, size in sizes.items() if size is not None}
