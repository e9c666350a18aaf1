r"""The contract of a kernel: an object for p(z_s | z_t) that can sample and, if it has one, give a bound.

Kernels speak in times, never in level indices: they take a `Transition`.  For data y, z_t ~ q(z_t | y) and
z_s ~ q(z_s | z_t, y), the sum of the terms of `explain`, averaged over z_s and the noise, bounds

.. math::
    s > 0:&\quad \mathrm{KL}(q(z_s \mid z_t, y) \,\|\, p(z_s \mid z_t)) \\
    s = 0:&\quad -\ln p(y \mid z_t)

in nats, so that their sum over a grid is the chain's bound on -ln p(y).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from saltus.errors import SaltusError
from saltus.kernels.denoiser import Denoiser
from saltus.kernels.proposal import Known, Proposal, estimate, pilot, proposal_of
from saltus.kernels.sampling import DEFAULT, Sampling
from saltus.kernels.step import GaussianStep
from saltus.kernels.transition import Pair, Transition
from saltus.likelihoods import Head
from saltus.networks import Condition, Draw
from saltus.oracles import LowRankGaussians
from saltus.process import Noise
from saltus.registry import Configurable

__all__ = ["EXTRA", "Explanation", "Kernel", "MixtureStep", "Terms", "Weights", "is_reweighted", "standard_normal", "weighted"]

Terms = dict[str, Tensor]
"""Named terms, each (B,) nats."""
Weights = Mapping[str, float]
"""A factor for a named term of the training loss; a name that is missing has factor 1."""
EXTRA = ("data", "energy")
"""Terms of a VAE kernel's loss that are none of its bound."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """Everything about one encoded step, computed once.

    Attributes:
        terms: the bound's named terms, (B,) nats each, never reweighted.
        latent: what the encoder drew, (B, latent); empty without a latent.
        posterior: the distribution that it was drawn from, over (B, latent).
        step: p(z_s | latent, z_t); None for a kernel that is no Gaussian step given its latent.
        kl: KL of the posterior to N(0, I), (B,) nats.
    """

    terms: Terms
    latent: Tensor
    posterior: Normal
    step: GaussianStep | None
    kl: Tensor

    @classmethod
    def without_latent(cls, terms: Terms, z_t: Tensor, step: GaussianStep | None = None) -> Explanation:
        """Of a step that encodes nothing."""
        empty = z_t.new_zeros(len(z_t), 0)
        return cls(terms, empty, standard_normal(empty), step, z_t.new_zeros(len(z_t)))


@dataclass(frozen=True, eq=False)
class MixtureStep:
    """p(z_s | z_t) of one item as a mixture.

    Attributes:
        log_weights: those of the components, (1, n).
        gaussians: the components, n Gaussians; None where s = 0.
        steps: the components where s = 0.
    """

    log_weights: Tensor
    gaussians: LowRankGaussians | None
    steps: Sequence[GaussianStep] = ()


class Kernel(Configurable, nn.Module, ABC):
    """p(z_s | z_t).  A subclass is one way to take a step.

    Attributes:
        event_shape: E, the shape of one item.
        condition: what it is conditioned on; None for nothing.
        head: the likelihood of its step to data; None for none.
        latent: the size of the latent, 0 for none.
        any_step: whether it serves all pairs s < t, so that one kernel takes any grid.
        can_start: whether it can start from the network of another kernel.
        has_bound: whether `explain` is defined.
        trains_bound: whether its loss is its bound, so that levels may get items in proportion to it.
        convention: what the likelihood of its step to data is of, in words; None for what its head says.
    """

    event_shape: Sequence[int]
    condition: Condition | None = None
    head: Head | None = None
    latent: int = 0
    any_step: bool = False
    can_start: bool = False
    has_bound: bool = True
    trains_bound: bool = False
    convention: str | None = None

    @property
    def label(self) -> str:
        """Its name in tables."""
        return type(self).__name__

    @property
    def reuses_noise(self) -> bool:
        """Whether it can be sampled with eta < 1."""
        return False

    @property
    def guided(self) -> bool:
        """Whether guidance strengthens its condition; a step in closed form or by a flow keeps the condition as it is."""
        return True

    @property
    def bounds_eta(self) -> bool:
        """Whether it has a bound at every eta in (0, 1], that of the step that is sampled with it."""
        return self.has_bound and self.reuses_noise

    @property
    def denoiser(self) -> Denoiser | None:
        """The network that predicts y whatever s is, for the solvers of other libraries; None for none."""
        return None

    def sample(self, transition: Transition, noise: Noise, sampling: Sampling = DEFAULT) -> Tensor:
        """Draw z_s, (B, *E), from the random numbers of `noise` (B items)."""
        z_t = transition.z_t
        latent = sampling.temperature * noise.normal("latent", (self.latent,), like=z_t)
        step = self.step(transition, latent)
        return step.sample(noise.normal("decoder", z_t.shape[1:], like=z_t), sampling.final)

    def step(self, transition: Transition, latent: Tensor) -> GaussianStep:
        """p(z_s | epsilon, z_t) for a latent (B, latent).

        Raises:
            SaltusError: if the kernel is no Gaussian step given its latent.
        """
        raise SaltusError(f"a {type(self).__name__} is no Gaussian step given a latent; take a Gaussian or VAE kernel")

    def propose(self, transition: Transition, known: Known, draft: Tensor | None, noise: Noise) -> Proposal:
        """z_s towards an item of which something is known, and what it weighs, see `saltus.kernels.proposal`.

        Args:
            transition: of B particles.
            known: of one item.
            draft: what is expected of y, (B, *E); found by one more call of a kernel with a latent where it is None.
            noise: of the particles.

        Raises:
            SaltusError: if the kernel is no Gaussian step given its latent, or one without width.
        """
        if draft is None:
            latent = noise.normal("draft", (self.latent,), like=transition.z_t)
            draft = estimate(transition, self.step(transition, latent)) if self.latent else torch.zeros_like(transition.z_t)
        pair = pilot(transition, known, draft, noise)
        step, log_ratio = self.guess(pair, known.measurement.told, noise)
        if not bool((step.variance > 0).all()):
            raise SaltusError(f"a {self.label} has no width, so that nothing can be known of its items; take a kernel with a variance")
        return proposal_of(pair, known, step, log_ratio, noise)

    def guess(self, pair: Pair, told: Tensor, noise: Noise) -> tuple[GaussianStep, Tensor]:
        """The step by a latent that fits a draft's path where y is told, (*E) from 0 to 1, and ln of the latent's prior over the
        probability that it was drawn with, (B,)."""
        step = self.step(pair, noise.normal("latent", (self.latent,), like=pair.z_t))
        return step, pair.z_t.new_zeros(len(pair.z_t), dtype=torch.float64)

    def mixture_step(self, transition: Transition) -> MixtureStep | None:
        """The step of one item as a mixture in closed form; None for a step given a latent."""
        return None

    def latent_of(self, pair: Pair, draw: Draw) -> Tensor:
        """The latent (B, latent) of a pair, group after group: `draw` makes it of the mean and the standard deviation of its posterior
        given the groups before.

        Raises:
            SaltusError: if the kernel is no Gaussian step given a latent that has such a posterior.
        """
        raise SaltusError(f"a {self.label} has no code; train a VAE with --levels 1 or with --noisy-steps vae, or take a Gaussian kernel")

    @abstractmethod
    def explain(self, pair: Pair, noise: Noise, k: int = 1) -> Explanation:
        """The encoded step and its terms of the bound; with k > 1 latents the terms are importance-weighted.

        Raises:
            SaltusError: if the kernel has no bound.
        """

    def loss(self, pair: Pair, noise: Noise, weights: Weights) -> Terms:
        """What training minimises, in named terms (B,), already weighted."""
        return weighted(self.explain(pair, noise).terms, weights)

    def steps_around(self) -> Mapping[str, Kernel]:
        """The kinds of step that a comparison tries with this kernel's network, by name."""
        return {self.label: self}

    def start_from(self, source: Denoiser) -> None:
        """Take over the weights of a network that predicts data, in place.

        Raises:
            SaltusError: if this kernel cannot.
        """
        raise SaltusError(f"a {type(self).__name__} cannot start from another kernel's network; train it from scratch")

    @property
    def sampling_network(self) -> nn.Module:
        """What one sample calls, encoders left out."""
        return self

    def networks(self) -> list[nn.Module]:
        """The networks inside, each without its preconditioning: what `torch.compile` compiles."""
        return [getattr(child, "backbone", child) for child in self.children()]

    def calibrate(
        self, y: Tensor, times: Sequence[float], *, seed: int, condition: Tensor | None = None, noise_version: int = Noise.LATEST
    ) -> None:
        """Fit what is not trained by gradient, at these times, on data (N, *E) held out of the updates."""

    def check(self, y: Tensor) -> None:
        """Raise SaltusError if the step to data has no likelihood for values like these, (N, *E)."""


def standard_normal(like: Tensor) -> Normal:
    """N(0, I) over the shape of `like`."""
    return Normal(torch.zeros_like(like), torch.ones_like(like), validate_args=False)


def weighted(terms: Terms, weights: Weights) -> Terms:
    """Each term times its weight; a name without one has weight 1."""
    return {name: weights.get(name, 1.0) * value for name, value in terms.items()}


def is_reweighted(weights: Weights) -> bool:
    """Whether weights make another loss of the bound: its own terms weigh 1, and extra ones nothing."""
    return any(weight != (name not in EXTRA) for name, weight in weights.items())
