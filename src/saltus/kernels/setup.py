"""What a kernel is built from when a training begins, and the registry of kernels that can be trained.

A new kernel is one file and one line, here or in a package of your own:

    KERNELS.register("mine", Trainable(MyKernel.build))

Options that only your kernel has are named with their defaults, as in `Trainable(MyKernel.build, own={"start": 0.1})`, given as
`saltus train --options start=0.2` and found in `setup.options["start"]`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from saltus.kernels.denoiser import Preconditioned
from saltus.kernels.kernel import Kernel
from saltus.kernels.residual import MixtureResidual
from saltus.kernels.teacher import Teacher
from saltus.likelihoods import Head
from saltus.networks import Condition, LadderEncoder, backbone, encoder, ladder
from saltus.oracles import LowRankMixture
from saltus.registry import Registry

__all__ = ["KERNELS", "Setup", "Trainable"]


@dataclass(frozen=True)
class Setup:
    """What there is to build a kernel from.

    Attributes:
        event_shape: shape E of one item.
        variance: that of the training items, averaged over dimensions.
        head: the likelihood that fits the data.
        levels: steps of the chain.
        options: every option of the training by its name, see `saltus.Config`, and the kernel's own.
        condition: what the model is conditioned on; None for nothing.
        mixture: what networks predict the residual to; None for EDM's scaling alone.
        start: the mixture that the chain starts from; None for N(0, I).
        items: rows of training, that closed forms are fitted to; None for other items.
        teacher: whose network the steps are made of; None for networks of our own.
    """

    event_shape: Sequence[int]
    variance: float
    head: Head
    levels: int
    options: Mapping[str, Any]
    condition: Condition | None = None
    mixture: LowRankMixture | None = None
    start: LowRankMixture | None = None
    items: Tensor | None = None
    teacher: Teacher | None = None

    def denoiser(self, *, outputs: int = 1, latent: int = 0) -> Preconditioned:
        """A network that predicts data: the teacher's, or one of the architecture and size that were asked for."""
        if self.teacher is not None:
            return self.teacher.widened(outputs, latent, self.variance)
        return self._scaled(backbone(self.event_shape, outputs=outputs, latent=latent, **self._sizes))

    def encoder(self, latent: int) -> nn.Module:
        """An encoder to a latent of that size."""
        return encoder(self.event_shape, latent=latent, **self._sizes)

    def ladder(self) -> tuple[Preconditioned, LadderEncoder]:
        """A network with latents at several resolutions, and its encoder."""
        options = self.options
        network, reader = ladder(
            self.event_shape, options["preset"], outputs=2 + self.head.arrays, channels=options["channels"], condition=self.condition
        )
        return self._scaled(network), reader

    def _scaled(self, network: nn.Module) -> Preconditioned:
        return Preconditioned(network, self.variance) if self.mixture is None else MixtureResidual(network, self.variance, self.mixture)

    def any_step(self, default: bool) -> bool:
        """Whether the kernel is to serve all pairs s < t: as asked for, or by its own default."""
        asked: bool | None = self.options["any_step"]
        return default if asked is None else asked

    @property
    def _sizes(self) -> dict[str, Any]:
        return {name: self.options[name] for name in ("preset", "architecture", "width", "channels")} | {"condition": self.condition}


@dataclass(frozen=True)
class Trainable:
    """A kernel that can be trained.

    Attributes:
        build: one kernel for all steps, or a list with one for each, cleanest first.
        options: names of the options of `saltus.Config` that are this kernel's, and no other's unless that names them too.
        own: options that `saltus.Config` does not know, by name, with their defaults; plain JSON.
    """

    build: Callable[[Setup], Kernel | list[Kernel]]
    options: frozenset[str] = frozenset()
    own: Mapping[str, Any] = field(default_factory=dict)


KERNELS: Registry[Trainable] = Registry("kernel")
"""The kernels that can be trained, by the names that `saltus train --kernel` takes."""
