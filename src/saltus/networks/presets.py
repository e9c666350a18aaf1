"""Networks by the size of the work: `tiny` for minutes on a laptop, `small` for hours; and the registry of architectures.

A network of your own is one line, `NETWORKS.register("mine", MyNetwork)`, and `saltus train --architecture mine`.  It is made as
`MyNetwork(event_shape, outputs=..., latent=..., condition=..., **sizes)`, where sizes are those that the user gave, and called as
`saltus.networks.backbones` says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

from torch import nn

from saltus.networks.backbones import MLP, UNet
from saltus.networks.conditions import Condition
from saltus.networks.encoders import ConvEncoder, MLPEncoder
from saltus.networks.ladder import Ladder, LadderEncoder
from saltus.networks.patches import Patches
from saltus.registry import Registry

__all__ = ["NETWORKS", "Preset", "backbone", "encoder", "ladder"]


class Preset(StrEnum):
    """The size of a network."""

    TINY = "tiny"
    SMALL = "small"


NETWORKS: Registry[Callable[..., nn.Module]] = Registry("architecture")
"""Backbones, by the names that the option `architecture` takes."""
NETWORKS.register("unet", UNet)
NETWORKS.register("mlp", MLP)
NETWORKS.register("patches", Patches)

_SMALLEST_UNET = 16  # pixels a side: below it an MLP learns more in the same time (docs/decisions/0006-networks.md)
_SIZES: dict[str, dict[Preset, dict[str, Any]]] = {
    "unet": {
        Preset.TINY: {"channels": (16, 32, 64), "layers": 1},
        Preset.SMALL: {"channels": (64, 128, 128), "layers": 2, "attention": True},
    },
    "mlp": {Preset.TINY: {"width": 128, "depth": 3}, Preset.SMALL: {"width": 512, "depth": 6}},
    "patches": {Preset.TINY: {"width": 128, "depth": 4, "patch": 4}, Preset.SMALL: {"width": 384, "depth": 8, "patch": 2}},
}
_TAKES = {"unet": ("channels",), "mlp": ("width",), "patches": ("width",)}
"""The sizes that may be given in place of a preset's."""
_LADDER: dict[Preset, dict[str, Any]] = {
    Preset.TINY: {"channels": (48, 64, 64), "groups": 3, "k": 8, "patch": 2},
    Preset.SMALL: {"channels": (128, 128, 128), "groups": 4, "k": 16, "patch": 2},
}
_CONV_ENCODER: dict[Preset, dict[str, Any]] = {Preset.TINY: {"channels": (16, 32, 64)}, Preset.SMALL: {"channels": (64, 128, 128)}}
_MLP_ENCODER: dict[Preset, dict[str, Any]] = {Preset.TINY: {"width": 128}, Preset.SMALL: {"width": 512}}


def _is_large_image(event_shape: Sequence[int]) -> bool:
    return len(event_shape) == 3 and min(event_shape[1:]) >= _SMALLEST_UNET


def backbone(
    event_shape: Sequence[int],
    preset: Preset = Preset.TINY,
    *,
    architecture: str | None = None,
    outputs: int = 1,
    latent: int = 0,
    condition: Condition | None = None,
    width: int | None = None,
    channels: Sequence[int] | None = None,
) -> nn.Module:
    """A network that turns z_t into `outputs` arrays of its shape.

    Args:
        event_shape: shape E of one item.
        preset: `tiny` or `small`.
        architecture: a name in `NETWORKS`; a U-Net for images (C, H, W) from 16 x 16 up and an MLP for everything else, unless given.
        outputs: 1 for a prediction, 2 for a prediction and a scale.
        latent: size of the latent, 0 for none.
        condition: what it is conditioned on.
        width: of an MLP, in place of the preset's.
        channels: of a U-Net, in place of the preset's.
    """
    name = architecture or ("unet" if _is_large_image(event_shape) else "mlp")
    given = {key: size for key, size in {"width": width, "channels": channels}.items() if size is not None}
    sizes = _SIZES.get(name, {}).get(Preset(preset), {}) | {key: size for key, size in given.items() if key in _TAKES.get(name, given)}
    if name == "mlp":
        sizes["sinusoids"] = len(event_shape) == 1
    return NETWORKS.get(name)(event_shape, outputs=outputs, latent=latent, condition=condition, **sizes)


def encoder(
    event_shape: Sequence[int],
    preset: Preset = Preset.TINY,
    *,
    architecture: str | None = None,
    latent: int,
    condition: Condition | None = None,
    width: int | None = None,
    channels: Sequence[int] | None = None,
) -> nn.Module:
    """An encoder to a latent: convolutions for images from 16 x 16 up unless the architecture is an MLP, an MLP elsewhere."""
    if architecture == "unet" or (architecture != "mlp" and _is_large_image(event_shape)):
        sizes = _CONV_ENCODER[Preset(preset)] if channels is None else {"channels": channels}
        return ConvEncoder(event_shape, latent=latent, condition=condition, **sizes)
    return MLPEncoder(
        event_shape, latent=latent, condition=condition, **(_MLP_ENCODER[Preset(preset)] if width is None else {"width": width})
    )


def ladder(
    event_shape: Sequence[int],
    preset: Preset = Preset.TINY,
    *,
    outputs: int = 2,
    channels: Sequence[int] | None = None,
    condition: Condition | None = None,
) -> tuple[Ladder, LadderEncoder]:
    """A network with latents at several resolutions, for images, and its encoder."""
    sizes = _LADDER[Preset(preset)] | ({} if channels is None else {"channels": channels})
    reader = LadderEncoder(event_shape, channels=sizes["channels"], patch=sizes["patch"], condition=condition)
    return Ladder(event_shape, outputs=outputs, condition=condition, **sizes), reader
