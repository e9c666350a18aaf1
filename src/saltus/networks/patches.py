"""A network of squares of pixels and dense matrix products, a transformer (Peebles and Xie 2023, https://arxiv.org/abs/2212.09748).

Squares become vectors, each with a learned place; blocks of attention and a perceptron, diffusers' `BasicTransformerBlock`, take their
scale and shift from the times, the latent and the condition.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.networks.backbones import Mapping, pad_to_multiple
from saltus.networks.conditioning import ConditionChannels
from saltus.networks.conditions import Condition
from saltus.networks.groups import MOST_BLOCKS, MOST_WIDTH, check_image, check_size
from saltus.registry import Configurable

__all__ = ["Patches"]

_HEAD, _FEED = 32, 2  # numbers of an attention head; width of a block's perceptron, in widths
_MOST_PATCH = 64


class Patches(Configurable, nn.Module):
    """A transformer on squares of pixels.

    Args:
        event_shape: (C, H, W), H and W at least 8; odd sizes are padded and cropped inside.
        inputs, outputs: how many images go in and come out.
        latent: size of the latent, 0 for none.
        width: numbers that stand for a square, a multiple of 32.
        depth: blocks.
        patch: pixels a side of a square.
        condition: what it is conditioned on; images enter as further channels.

    Raises:
        SaltusError: for items that are no such images, or sizes out of their range.
    """

    imports: ClassVar[tuple[str, ...]] = ("diffusers.models.attention:BasicTransformerBlock",)

    def __init__(
        self,
        event_shape: Sequence[int],
        *,
        inputs: int = 1,
        outputs: int = 1,
        latent: int = 0,
        width: int = 128,
        depth: int = 4,
        patch: int = 4,
        condition: Condition | None = None,
    ) -> None:
        block: Any = needs("diffusers.models.attention", extra="unet").BasicTransformerBlock

        super().__init__()
        for name, size, most in (("width", width, MOST_WIDTH), ("depth", depth, MOST_BLOCKS), ("patch", patch, _MOST_PATCH)):
            check_size(name, size, most)
        if width % _HEAD:
            raise SaltusError(f"width is {width}; expected a multiple of {_HEAD}: correct it")
        check_image(event_shape, "patches are of images")
        self.event_shape, self.outputs, self.latent, self.condition = tuple(event_shape), outputs, latent, condition
        self.patch, self.given = patch, ConditionChannels(condition, event_shape)
        channels = (inputs + (latent > 0)) * event_shape[0] + self.given.channels
        places = math.prod(-(-n // patch) for n in event_shape[1:])
        self.mapping = Mapping(latent, width, condition)
        self.paint = nn.Linear(latent, math.prod(event_shape)) if latent else None
        self.first = nn.Linear(patch**2 * channels, width)
        self.place = nn.Parameter(torch.zeros(places, width))
        self.blocks = nn.ModuleList(
            block(
                width,
                width // _HEAD,
                _HEAD,
                norm_type="ada_norm_continuous",
                ada_norm_continous_conditioning_embedding_dim=width,
                norm_elementwise_affine=False,
                ff_inner_dim=_FEED * width,
            )
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
        self.last = nn.Linear(width, patch**2 * outputs * event_shape[0])
        nn.init.normal_(self.place, std=0.02)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor, log_snr: Tensor, latent: Tensor | None = None, condition: Tensor | None = None) -> Tensor:
        images = self.given(x.flatten(1, 2), condition)
        if self.paint is not None:
            images = torch.cat([images, self.paint(latent).reshape(-1, *self.event_shape)], dim=1)
        images, crop = pad_to_multiple(images, self.patch)
        squares = nn.functional.pixel_unshuffle(images, self.patch)
        h = self.first(squares.flatten(2).transpose(1, 2)) + self.place
        told = {"pooled_text_emb": self.mapping(log_snr, latent, condition)}
        for block in self.blocks:
            h = block(h, added_cond_kwargs=told)
        out = self.last(self.norm(h)).transpose(1, 2).unflatten(2, squares.shape[2:])
        whole: Tensor = nn.functional.pixel_shuffle(out, self.patch)[..., crop[0], crop[1]]
        return whole.reshape(x.shape[0], self.outputs, *self.event_shape)
