r"""A VAE step whose latent is a ladder: Problem 3 with epsilon = (epsilon_1, ..., epsilon_R), from coarse to fine.

    prior     epsilon ~ N(0, I), all rungs
    encoder   q(epsilon | .) = prod_r N(mu_r, sigma_r^2)(epsilon_r | epsilon_<r, .)
    decoder   as in `VAEKernel`: the network takes a rung in as it goes

One pass from coarse to fine draws the latents and decodes them.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor
from torch.distributions import Normal

from saltus.kernels.kernel import call_times
from saltus.kernels.vae import Prediction, VAEKernel
from saltus.networks import Climb, positive
from saltus.process import Time

__all__ = ["LadderKernel"]


class LadderKernel(VAEKernel):
    """A conditional VAE with latents at several resolutions.

    Args:
        decoder: a `Ladder` in EDM scaling, with two outputs.
        encoder: a `LadderEncoder` of the same channels.
        head, parametrisation, encoder_input: as in `VAEKernel`.
    """

    def infer(self, y: Tensor, z_s: Tensor, z_t: Tensor, s: Time, t: Time, unit: Tensor) -> tuple[Tensor, Normal]:
        """Latents of all rungs, each drawn given those above it, and the laws they were drawn from."""
        return next(self._read(y, z_s, z_t, s, t, unit))[:2]

    def _read(self, y: Tensor, z_s: Tensor, z_t: Tensor, s: Time, t: Time, *units: Tensor) -> Iterator[tuple[Tensor, Normal, Prediction]]:
        assert self.encoder is not None
        times = call_times(s, t, z_t)
        evidence = self.encoder(self._pair(y, z_s, z_t, times), times)
        for unit in units:
            climb = Climb(evidence, unit)
            prediction = self._predict(climb, z_t, s, t)
            yield climb.latent, Normal(climb.mean, positive(climb.raw_scale), validate_args=False), prediction
