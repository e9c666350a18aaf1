"""A `UNet2DModel` that somebody else has trained, and that can be told more than it was.

What it was not told enters by weights that are 0 at first, and what it did not give leaves by such weights, so that a wider network
begins as the one it was made of (https://arxiv.org/abs/2302.05543):

| new | enters or leaves |
|---|---|
| the latent | as one more image of a random layer, whose part of the first convolution is 0, and in the embedding of the step |
| the time that z is taken to, a class where there was none | in the embedding of the step |
| further arrays, such as a scale | by the last convolution |
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.networks.conditioning import FEATURES, log_snr_features
from saltus.networks.conditions import ClassCondition, Condition
from saltus.registry import Configurable

__all__ = ["TeacherUNet"]


def _zero(n: int, width: int) -> nn.Linear:
    layer = nn.Linear(n, width, bias=False)
    nn.init.zeros_(layer.weight)
    return layer


class TeacherUNet(Configurable, nn.Module):
    """A `UNet2DModel`, which may take a latent and a class besides, and give several arrays.

    Args:
        config: of the `UNet2DModel`: the arguments of its constructor.
        event_shape: E = (C, H, W).
        outputs: how many arrays of shape E come out, the teacher's own first.
        latent: size of the latent, 0 for none.
        condition: classes, or None.

    Raises:
        SaltusError: for a condition that is not of classes.
    """

    imports: ClassVar[tuple[str, ...]] = ("diffusers:UNet2DModel",)

    def __init__(
        self,
        config: dict[str, Any],
        event_shape: tuple[int, ...],
        *,
        outputs: int = 1,
        latent: int = 0,
        condition: Condition | None = None,
    ) -> None:
        UNet2DModel: Any = needs("diffusers", extra="unet").UNet2DModel  # takes seconds to import

        super().__init__()
        if condition is not None and not isinstance(condition, ClassCondition):
            raise SaltusError(f"the condition is {condition.summary()}, and a UNet2DModel knows classes alone; leave the condition out")
        self.config, self.event_shape, self.outputs, self.latent, self.condition = config, tuple(event_shape), outputs, latent, condition
        channels = self.event_shape[0]
        sizes = {"in_channels": channels * (1 + (latent > 0)), "out_channels": channels * outputs}
        self.unet: Any = UNet2DModel(**{**config, **sizes, "class_embed_type": "identity", "num_class_embeds": None})
        width = config.get("time_embedding_dim") or 4 * config["block_out_channels"][0]
        self.taken_to = _zero(FEATURES, width)
        self.told = _zero(latent, width) if latent else None
        self.paint = nn.Linear(latent, math.prod(self.event_shape)) if latent else None
        self.classes = nn.Linear(condition.classes + 1, width, bias=False) if condition is not None else None  # of one-hot vectors

    def forward(self, x: Tensor, step: Tensor, log_snr: Tensor, latent: Tensor | None = None, condition: Tensor | None = None) -> Tensor:
        """Arrays (B, outputs, *E) of images (B, *E), the numbers of their steps (B,), the log-SNRs (B,) they are taken to, and so on."""
        told = self.taken_to(log_snr_features(log_snr[:, None], FEATURES).to(x.dtype))
        if self.told is not None and self.paint is not None:
            told = told + self.told(latent)
            x = torch.cat([x, self.paint(latent).reshape(-1, *self.event_shape)], dim=1)
        if self.classes is not None and self.condition is not None:
            values = self.condition.none(len(x), like=x) if condition is None else condition
            told = told + self.classes.weight.T[values + 1]  # -1 is "no condition"
        out: Tensor = self.unet(x, step.to(x.dtype), class_labels=told).sample
        return out.reshape(len(x), self.outputs, *self.event_shape)

    @classmethod
    def of(cls, unet: Any, condition: Condition | None = None) -> TeacherUNet:
        """A `UNet2DModel` as it is: the first of its outputs, if it gives variances too.

        Args:
            unet: the model; its classes are those of the condition, and may be followed by one for "no condition".
            condition: that it is told; where it knows no classes these begin without an effect.

        Raises:
            SaltusError: if the model knows other classes than the condition.
        """
        config = {name: value for name, value in dict(unet.config).items() if not name.startswith("_")}
        rows = getattr(unet.class_embedding, "weight", None)
        known, asked = 0 if rows is None else len(rows), condition.classes if isinstance(condition, ClassCondition) else 0
        if known and known not in (asked, asked + 1):
            found = f"the data give {asked}" if asked else "the model was told none"
            raise SaltusError(f"the network knows {known} classes, and {found}; take data with those classes, and --condition labels")
        size = config["sample_size"]
        shape = (config["in_channels"], *((size, size) if isinstance(size, int) else size))
        made = cls(config, shape, condition=condition)
        _copy(made.unet, unet)
        if made.classes is not None:
            made.classes.weight.data.zero_()
            if rows is not None:
                made.classes.weight.data[:, 1:] = rows.detach()[:asked].T
                made.classes.weight.data[:, 0] = rows.detach()[asked] if known > asked else rows.detach().mean(0)
        return made.eval()

    def widened(self, outputs: int, latent: int) -> TeacherUNet:
        """A network that takes a latent and gives more arrays, whose first is this one's at every latent."""
        wider = TeacherUNet(self.config, self.event_shape, outputs=outputs, latent=latent, condition=self.condition)
        _copy(wider.unet, self.unet)
        if wider.classes is not None and self.classes is not None:
            wider.classes.weight.data.copy_(self.classes.weight.data)
        return wider


@torch.no_grad()
def _copy(target: nn.Module, source: nn.Module) -> None:
    """The weights of one `UNet2DModel` into another with more channels at either end, which are 0 then, or with fewer at the last one."""
    theirs: Mapping[str, Tensor] = dict(source.named_parameters())
    for name, weight in target.named_parameters():
        common = tuple(slice(min(a, b)) for a, b in zip(weight.shape, theirs[name].shape, strict=True))
        weight.zero_()
        weight[common] = theirs[name][common].to(weight)
