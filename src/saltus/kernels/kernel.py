r"""The contract of a kernel: an object for p(z_s | z_t) that can sample and, if it has one, give a bound.

Kernels speak in times (s, t), s < t, never in level indices; s and t are numbers or (B,).  With the data y,
z_t ~ q(z_t | y) and z_s ~ q(z_s | z_t, y), the sum of `terms` averaged over z_s and the noise bounds

    s > 0:   KL(q(z_s | z_t, y) || p(z_s | z_t))
    s = 0:   -ln p(y | z_t)

in nats, so that their sum over a grid is the chain bound on -ln p(y).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from saltus.process import Noise, OrnsteinUhlenbeck, Time
from saltus.registry import Configurable

if TYPE_CHECKING:
    from saltus.kernels.step import GaussianStep

__all__ = [
    "DEFAULT",
    "EXTRA",
    "Kernel",
    "Last",
    "Sampling",
    "Terms",
    "Weights",
    "call_times",
    "refuse_condition",
    "reweighted",
    "weighted",
]

Last = Literal["median", "mean", "draw"]
"""What the step to data returns of p(y | .): its median, its mean, or a draw."""
Terms = dict[str, Tensor]
"""Named terms, each (B,) nats."""
Weights = Mapping[str, float]
"""A factor for a named term of the training loss; a name that is missing has factor 1."""


@dataclass(frozen=True)
class Sampling:
    """How steps are sampled; the bound is that of a last step drawn, eta = temperature = 1.

    Attributes:
        last: what the step to data returns.  On bins the mean is drawn inwards, as the Gaussian's tails end at the first and the
            last bin; the median is the Gaussian's own mean, on the nearest bin.
        eta: from 0 to 1; with less than 1 only the share eta^2 of the bridge's noise is fresh, and the rest is that of z_t (DDIM's
            eta): if the step's y were an exact draw of q(y | z_t), the law of z_s would stay the same.
        temperature: > 0, the standard deviation of latents.  Above 1 they vary more, in place of what the decoder's own noise,
            which has no structure, should have told.

    Raises:
        ValueError: for another word, an eta that is not in [0, 1], or a temperature that is not positive and finite.
    """

    last: Last = "median"
    eta: float = 1.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.last not in get_args(Last):
            raise ValueError(f"last = {self.last!r}; expected one of {get_args(Last)}")
        if not 0 <= self.eta <= 1:
            raise ValueError(f"eta = {self.eta}; expected a share from 0 to 1")
        if not 0 < self.temperature < math.inf:
            raise ValueError(f"temperature = {self.temperature}; expected a positive number")


DEFAULT = Sampling()

EXTRA = ("data", "energy")
"""Terms of a VAE kernel's loss that are none of its bound."""


class Kernel(Configurable, nn.Module, ABC):
    """p(z_s | z_t).  A subclass is one way to take a step."""

    has_bound: bool = True
    """Whether `terms` is defined."""
    any_step: bool = False
    """Whether the network is trained at all times (on pairs (0, t)) rather than at the steps of a grid."""

    @property
    @abstractmethod
    def event_shape(self) -> Sequence[int]:
        """E, the shape of one item."""

    latent: int = 0
    """The size of epsilon; 0 for none."""

    def sample(
        self,
        z_t: Tensor,
        s: Time,
        t: Time,
        *,
        noise: Noise,
        condition: Tensor | None = None,
        how: Sampling = DEFAULT,
    ) -> Tensor:
        """Draw z_s given z_t (B, *E), from the random numbers of `noise` (B items)."""
        refuse_condition(condition)
        latent = how.temperature * noise.normal("latent", (self.latent,), like=z_t)
        return self.step(latent, z_t, s, t, eta=how.eta).draw(noise.normal("decoder", z_t.shape[1:], like=z_t), how.last)

    def step(self, latent: Tensor, z_t: Tensor, s: Time, t: Time, *, eta: float = 1.0) -> GaussianStep:
        """p(z_s | epsilon, z_t) for a latent (B, latent).

        Raises:
            TypeError: if the kernel is not a Gaussian step given its latent.
        """
        raise TypeError(f"a {type(self).__name__} is no Gaussian step given a latent; expected a Gaussian or VAE kernel")

    def infer(self, y: Tensor, z_s: Tensor, z_t: Tensor, s: Time, t: Time, unit: Tensor) -> tuple[Tensor, Normal]:
        """A latent (B, latent) that explains the step, and the encoder's law that unit Gaussian numbers (B, latent) drew it from."""
        return unit, Normal(torch.zeros_like(unit), torch.ones_like(unit), validate_args=False)

    @abstractmethod
    def terms(self, y: Tensor, z_s: Tensor, z_t: Tensor, s: Time, t: Time, *, noise: Noise, condition: Tensor | None = None) -> Terms:
        """The bound's named terms, (B,) nats each, never reweighted.

        Raises:
            TypeError: if the kernel has no bound.
        """

    @abstractmethod
    def loss(
        self, y: Tensor, z_s: Tensor, z_t: Tensor, s: Time, t: Time, *, noise: Noise, condition: Tensor | None = None, weights: Weights
    ) -> Terms:
        """What training minimises, in named terms (B,), already weighted."""

    def tightened(self, y: Tensor, z_s: Tensor, z_t: Tensor, s: Time, t: Time, *, noise: Noise, latents: int) -> Terms:
        """Terms whose bound is tightened by importance weighting with `latents` latents; without a latent, `terms`."""
        return self.terms(y, z_s, z_t, s, t, noise=noise)

    def calibrate(self, y: Tensor, times: Sequence[float], *, seed: int) -> None:
        """Fit what is not trained by gradient, at these times, on data (N, *E) held out of the updates."""

    def check(self, y: Tensor) -> None:
        """Raise ValueError if the step to data has no likelihood for values like these, (N, *E)."""


def call_times(s: Time, t: Time, z: Tensor) -> Tensor:
    """The log-SNRs of t and of s that a network is told, (B, 2), on the device of `z`."""
    process = OrnsteinUhlenbeck()
    pair = torch.stack([process.log_snr(t).expand(len(z)), process.log_snr(s).expand(len(z))], dim=1)
    return pair.to(z.device)


def weighted(terms: Terms, weights: Weights) -> Terms:
    """Each term times its weight; a name without one has weight 1."""
    return {name: weights.get(name, 1.0) * value for name, value in terms.items()}


def reweighted(weights: Weights) -> bool:
    """Whether weights make another loss of the bound: its own terms weigh 1, and those that are added nothing."""
    return any(weight != (name not in EXTRA) for name, weight in weights.items())


def refuse_condition(condition: Tensor | None) -> None:
    """Say so when a condition is given to a kernel that was built without one."""
    if condition is not None:
        raise ValueError(f"a condition of shape {tuple(condition.shape)} was given to a kernel that takes none; leave it out")
