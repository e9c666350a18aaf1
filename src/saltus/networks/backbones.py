"""Networks that turn arrays into arrays, told the times and a latent; they know nothing of diffusion.

The latent enters twice, through the conditioning and as one more input: with the first path alone, a fresh
decoder makes so little of its latent that the encoder gives it up (measured in docs/decisions/0005-latent-path.md).

Vectors enter twice as well, as they are and as sinusoids of learned frequencies (Gorishniy et al. 2022): a perceptron of the
numbers alone is slow to learn what changes within a fraction of their range (https://arxiv.org/abs/2203.05556).

Every backbone is called as `backbone(x, log_snr, latent, condition)` with x (B, inputs, *E), log-SNRs (B, 2) of the time
of z and of the time it is taken to, a latent (B, latent) or None, and a condition or None; it returns (B, outputs, *E).  Its last
layer starts at zero, so that a fresh network adds nothing to its skip connection.  A network of your own that is called so, and has
`event_shape`, `latent` and `condition`, takes its place: `NETWORKS.register("mine", MyNetwork)`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from saltus.extras import needs
from saltus.networks.conditioning import FEATURES, TIMES, ConditionChannels, ConditionEmbedding, log_snr_features
from saltus.networks.conditions import Condition
from saltus.networks.groups import GROUPS, MOST_BLOCKS, MOST_WIDTH, check_channels, check_image, check_shape, check_size
from saltus.registry import Configurable

__all__ = ["MLP", "UNet", "pad_to_multiple"]

_SINUSOIDS: dict[str, Any] = {"d_embedding": 16, "n_frequencies": 16, "frequency_init_scale": 1.0, "lite": False}
"""Of each number; frequencies in periods within one standard deviation."""


class Mapping(nn.Module):
    """Times, latent and condition to one vector (B, width)."""

    def __init__(self, latent: int, width: int, condition: Condition | None) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(TIMES * FEATURES + latent, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.embedding = ConditionEmbedding(condition, width)

    def forward(self, log_snr: Tensor, latent: Tensor | None, condition: Tensor | None) -> Tensor:
        features = log_snr_features(log_snr, FEATURES).to(next(self.parameters()).dtype)
        if latent is not None:
            features = torch.cat([features, latent], dim=1)
        mapped: Tensor = self.embedding(self.layers(features), condition)
        return mapped


class _Block(nn.Module):
    """A residual block whose scale and shift come from the conditioning."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulate = nn.Linear(width, 2 * width)
        self.layers = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, h: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.modulate(condition).chunk(2, dim=1)
        added: Tensor = self.layers(self.norm(h) * (1 + scale) + shift)
        return h + added


class _Sinusoids(nn.Module):
    """Numbers (B, n) to what a layer makes of their sinusoids, (B, width)."""

    def __init__(self, n: int, width: int) -> None:
        from rtdl_num_embeddings import PeriodicEmbeddings  # imports scikit-learn, which takes most of a second

        super().__init__()
        self.embed = PeriodicEmbeddings(n, **_SINUSOIDS)
        self.layer = nn.Linear(n * _SINUSOIDS["d_embedding"], width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(self.embed(x).flatten(1))
        return out


class MLP(Configurable, nn.Module):
    """A residual multi-layer perceptron for vectors, or for anything small enough to be one.

    Args:
        event_shape: shape E of one item.
        inputs, outputs: how many arrays of shape E go in and come out.
        latent: size of the latent, 0 for none.
        width: neurons in each layer.
        depth: residual blocks.
        sinusoids: whether each number enters as sinusoids too; for vectors, whose numbers each mean something.
        condition: what it is conditioned on; images enter as further inputs.

    Raises:
        SaltusError: for a width or depth outside its range, or a condition of images of another height and width.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        *,
        inputs: int = 1,
        outputs: int = 1,
        latent: int = 0,
        width: int = 128,
        depth: int = 3,
        sinusoids: bool = False,
        condition: Condition | None = None,
    ) -> None:
        super().__init__()
        check_shape(event_shape)
        check_size("width", width, MOST_WIDTH)
        check_size("depth", depth, MOST_BLOCKS)
        self.event_shape, self.outputs, self.latent, self.condition = tuple(event_shape), outputs, latent, condition
        size = math.prod(event_shape)
        self.mapping = Mapping(latent, width, condition)
        self.given = ConditionChannels(condition, event_shape)
        told = self.given.channels * math.prod(event_shape[1:])
        self.first = nn.Linear(inputs * size + told + latent, width)
        self.sinusoids = _Sinusoids(inputs * size, width) if sinusoids else None
        self.blocks = nn.ModuleList(_Block(width) for _ in range(depth))
        self.last = nn.Linear(width, outputs * size)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor, log_snr: Tensor, latent: Tensor | None = None, condition: Tensor | None = None) -> Tensor:
        told = nn.functional.silu(self.mapping(log_snr, latent, condition))
        flat = x.flatten(1)
        seen = self.given(x.flatten(1, 2), condition).flatten(1) if self.given.channels else flat
        h = self.first(seen if latent is None else torch.cat([seen, latent], dim=1))
        if self.sinusoids is not None:
            h = h + self.sinusoids(flat)
        for block in self.blocks:
            h = block(h, told)
        out: Tensor = self.last(h)
        return out.reshape(x.shape[0], self.outputs, *self.event_shape)


def pad_to_multiple(x: Tensor, multiple: int) -> tuple[Tensor, tuple[slice, slice]]:
    """Images (B, C, H, W) padded by their edges to multiples of a number, and the slices that crop them back."""
    height, width = x.shape[-2:]
    down, right = -height % multiple, -width % multiple
    top, left = down // 2, right // 2
    padded = nn.functional.pad(x, (left, right - left, top, down - top), mode="replicate")
    return padded, (slice(top, top + height), slice(left, left + width))


class UNet(Configurable, nn.Module):
    """diffusers' `UNet2DModel`, with times and latent in the adaptive group norm of every block.

    Args:
        event_shape: (C, H, W), C from 1 to 4, H and W at least 8; odd sizes are padded and cropped inside.
        inputs, outputs: how many images go in and come out.
        latent: size of the latent, 0 for none.
        channels: of each resolution, finest first; multiples of 8.
        layers: residual blocks for each resolution.
        attention: whether the coarsest resolution attends.
        condition: what it is conditioned on; images enter as further channels.

    Raises:
        SaltusError: for an event shape that is not such an image, channels that are not such multiples, or a condition of images of
            another height and width.
    """

    imports: ClassVar[tuple[str, ...]] = ("diffusers:UNet2DModel",)

    def __init__(
        self,
        event_shape: Sequence[int],
        *,
        inputs: int = 1,
        outputs: int = 1,
        latent: int = 0,
        channels: Sequence[int] = (32, 64),
        layers: int = 1,
        attention: bool = False,
        condition: Condition | None = None,
    ) -> None:
        UNet2DModel: Any = needs("diffusers", extra="unet").UNet2DModel  # takes seconds to import

        super().__init__()
        check_channels(channels)
        check_size("layers", layers, MOST_BLOCKS)
        check_image(event_shape, "a U-Net takes images")
        self.event_shape, self.outputs, self.latent, self.condition = tuple(event_shape), outputs, latent, condition
        self.given = ConditionChannels(condition, event_shape)
        self.multiple = 2 ** (len(channels) - 1)
        plain = len(channels) - 1
        unet: Any = UNet2DModel(
            in_channels=(inputs + (latent > 0)) * event_shape[0] + self.given.channels,
            out_channels=outputs * event_shape[0],
            block_out_channels=tuple(channels),
            layers_per_block=layers,
            down_block_types=("DownBlock2D",) * plain + ("AttnDownBlock2D" if attention else "DownBlock2D",),
            up_block_types=("AttnUpBlock2D" if attention else "UpBlock2D",) + ("UpBlock2D",) * plain,
            norm_num_groups=GROUPS,
            attention_head_dim=8,
            add_attention=attention,
            resnet_time_scale_shift="scale_shift",
            class_embed_type="identity",
        )
        self.unet = unet
        self.mapping = Mapping(latent, 4 * channels[0], condition)
        self.paint = nn.Linear(latent, math.prod(event_shape)) if latent else None
        last: nn.Conv2d = unet.conv_out
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, log_snr: Tensor, latent: Tensor | None = None, condition: Tensor | None = None) -> Tensor:
        images = self.given(x.flatten(1, 2), condition)
        if self.paint is not None:
            images = torch.cat([images, self.paint(latent).reshape(-1, *self.event_shape)], dim=1)
        images, crop = pad_to_multiple(images, self.multiple)
        told = self.mapping(log_snr, latent, condition)
        no_step = log_snr.new_zeros(x.shape[0])  # the U-Net's own clock: the mapping tells the times
        out: Tensor = self.unet(images, no_step, class_labels=told).sample[..., crop[0], crop[1]]
        return out.reshape(x.shape[0], self.outputs, *self.event_shape)
