r"""A VAE step whose latent has groups at several resolutions, from coarse to fine: epsilon = (epsilon_1, ..., epsilon_R).

.. math::
    \text{prior}\quad   & \epsilon \sim \mathcal N(0, I), \text{ all groups} \\
    \text{encoder}\quad & q(\epsilon \mid \cdot) = \prod_r \mathcal N(\mu_r, \sigma_r^2)(\epsilon_r \mid \epsilon_{<r}, \cdot) \\
    \text{decoder}\quad & \text{as in } \texttt{VAEKernel}\text{: the network takes a group in as it goes}

One pass from coarse to fine draws the latents and decodes them (https://arxiv.org/abs/1602.02282, https://arxiv.org/abs/2007.03898).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from torch import Tensor
from torch.distributions import Normal

from saltus.kernels.denoiser import Prediction
from saltus.kernels.kernel import Kernel
from saltus.kernels.mixture_flow import MixtureFlow
from saltus.kernels.setup import Setup
from saltus.kernels.transition import Pair
from saltus.kernels.vae import Parametrisation, VAEKernel
from saltus.networks import Draw

__all__ = ["LadderKernel", "Ladders", "vae_kernels"]


class Ladders(StrEnum):
    """Which steps of a VAE have a ladder of latents: the `last`, that to data, or `every` one, with another ladder for all but the last."""

    LAST = "last"
    EVERY = "every"


class LadderKernel(VAEKernel):
    """A conditional VAE with latents at several resolutions.

    Args:
        decoder: a `Ladder` in EDM scaling, with two outputs and what arrays the head asks for.
        encoder: a `LadderEncoder` of the same channels.
        head, parametrisation, encoder_input, any_step: as in `VAEKernel`.
    """

    can_start = False

    @classmethod
    def build(cls, setup: Setup) -> LadderKernel:
        """As a training is configured."""
        network, encoder = setup.ladder()
        return cls(network, encoder, setup.head, encoder_input=setup.options["encoder_input"], any_step=setup.any_step(False))

    def _share(self, told: Tensor) -> Tensor:
        found: Tensor = self.decoder.backbone.shares(told)  # type: ignore[operator]
        return found

    def _passes(self, pair: Pair, *eps: Tensor, share: Tensor | None = None) -> Iterator[tuple[Tensor, Normal, Prediction]]:
        features, to_data = self._features(pair), self.parametrisation is Parametrisation.BRIDGE
        for each in eps:
            prediction, latent, posterior = self.decoder.posterior_pass(
                pair.z_t, pair.log_snr, each, features, pair.condition, to_data=to_data, share=share
            )
            yield latent, posterior, prediction

    def latent_of(self, pair: Pair, draw: Draw) -> Tensor:
        features, nothing = self._features(pair), pair.z_t.new_zeros(len(pair.z_t), self.latent)
        return self.decoder.posterior_pass(pair.z_t, pair.log_snr, nothing, features, pair.condition, draw=draw)[1]

    def _features(self, pair: Pair) -> list[Tensor]:
        assert self.encoder is not None
        found: list[Tensor] = self.encoder(self._encoder_input(pair), pair.log_snr, pair.condition)
        return found


def vae_kernels(setup: Setup) -> Kernel | list[Kernel]:
    """One VAE for all steps; or a ladder for the step to data, where most nats are, and a plain VAE or another ladder for all others; or
    a flow around the mixture for all others."""
    which, flow = setup.options["ladder"], MixtureFlow.build(setup)
    if which is None and flow is None:
        return VAEKernel.build(setup)
    last = VAEKernel.build(setup) if which is None else LadderKernel.build(setup)
    if setup.levels == 1 or last.any_step:
        return last
    others = flow or (LadderKernel.build(setup) if which == Ladders.EVERY else VAEKernel.build(setup))
    return [last, *[others] * (setup.levels - 1)]
