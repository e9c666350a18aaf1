r"""A noisy step as a flow around the mixture's exact step: it starts at its floor.

With :math:`q_m(z_s \mid z_t)` the exact reverse step of a mixture that was fitted to the data, and g a map of images that is invertible
for every z_t,

.. math::
    z_s = g^{-1}(x;\, z_t), \quad x \sim q_m(\cdot \mid z_t), \qquad
    \ln p(z_s \mid z_t) = \ln q_m(g(z_s;\, z_t) \mid z_t) + \ln \left|\det \frac{\partial g}{\partial z_s}\right|.

g are affine couplings (Dinh et al. 2017, https://arxiv.org/abs/1605.08803): the pixels of one colour of a checkerboard are scaled and
shifted by a network that sees those of the other colour, z_t, and the mean of z_s that the mixture expects.  A fresh network changes
nothing, so training starts at the mixture's own nats and learns what it misses.  The density is exact: there is no latent and no KL to
pay.  Its term is ln q(z_s | z_t, y) - ln p(z_s | z_t), whose mean over z_s is the divergence.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import torch
from torch import Tensor, nn

from saltus.errors import SaltusError
from saltus.kernels.kernel import Explanation, Kernel
from saltus.kernels.sampling import DEFAULT, Sampling
from saltus.kernels.setup import Setup
from saltus.kernels.transition import Pair, Transition
from saltus.networks import Condition, Preset
from saltus.networks.coupling import CouplingNetwork
from saltus.networks.groups import MOST_BLOCKS, check_size
from saltus.oracles import LowRankMixture, OracleDistribution
from saltus.process import Noise, OrnsteinUhlenbeck, sum_items

__all__ = ["MixtureFlow", "NoisySteps"]

_process = OrnsteinUhlenbeck()
_SEEN = 3  # images: the pixels of one colour, z_t, and the mean that the mixture expects
_SIZES: dict[Preset, dict[str, int]] = {Preset.TINY: {"channels": 48, "blocks": 4}, Preset.SMALL: {"channels": 96, "blocks": 6}}


class NoisySteps(StrEnum):
    """How steps before the one to data are taken: by a `vae`, or by a `flow` around the exact step of the images' mixture."""

    VAE = "vae"
    FLOW = "flow"


class MixtureFlow(Kernel):
    """A flow of images around the exact reverse step of a mixture; for s > 0.

    Args:
        mixture: that was fitted to the data.
        channels, blocks: of each network.
        couplings: how many networks, one after another.
        condition: what it is conditioned on; a mixture without classes is told nothing of it.

    Raises:
        SaltusError: for items that are no images, or sizes out of range.
    """

    trains_bound = True

    def __init__(
        self, mixture: LowRankMixture, *, channels: int = 48, blocks: int = 4, couplings: int = 2, condition: Condition | None = None
    ) -> None:
        super().__init__()
        check_size("couplings", couplings, MOST_BLOCKS)
        self.mixture, self.condition, self.event_shape = mixture, condition, tuple(mixture.event_shape)
        sizes = {"channels": channels, "blocks": blocks, "condition": condition}
        self.layers = nn.ModuleList(CouplingNetwork(self.event_shape, _SEEN, **sizes) for _ in range(couplings))  # type: ignore[arg-type]

    @classmethod
    def build(cls, setup: Setup) -> MixtureFlow | None:
        """For the noisy steps of a training, as it is configured; None where they are a VAE's.

        Raises:
            SaltusError: if it was asked for, and the chain starts from no mixture, takes any step, or the items are no images.
        """
        asked, fits = setup.options.get("noisy_steps"), len(setup.event_shape) == 3 and not setup.any_step(False)
        if asked is NoisySteps.FLOW and not (fits and setup.start):
            raise SaltusError("noisy_steps flow is around the mixture that images start from; give prior mixture, or leave it out")
        if setup.levels == 1 or asked is NoisySteps.VAE or not fits or setup.start is None:
            return None
        return cls(setup.start, **_SIZES[setup.options["preset"]], condition=setup.condition)

    @property
    def label(self) -> str:
        return "flow around the mixture"

    @property
    def guided(self) -> bool:
        return False

    def networks(self) -> list[nn.Module]:
        """One for each coupling."""
        return list(self.layers)

    def sample(self, transition: Transition, noise: Noise, sampling: Sampling = DEFAULT) -> Tensor:
        """A draw of z_s: one of the mixture's exact step, and back through the couplings."""
        distribution, seen = self._base(transition)
        z_t = transition.z_t
        h = distribution.draw(noise.uniform("reverse component"), noise.normal("decoder", z_t.shape[1:])).to(z_t)
        for layer, moved in reversed(list(self._couplings(h))):
            log_scale, shift = self._coupling(layer, moved, h, seen, transition)
            h = (h - shift) * (-log_scale).exp()
        return h

    def explain(self, pair: Pair, noise: Noise, k: int = 1) -> Explanation:
        """{"decoder": ln q(z_s | z_t, y) - ln p(z_s | z_t)}, (B,) nats."""
        distribution, seen = self._base(pair)
        h, log_det = pair.z_s, pair.z_s.new_zeros(len(pair.z_s))
        for layer, moved in self._couplings(h):
            log_scale, shift = self._coupling(layer, moved, h, seen, pair)
            h, log_det = h * log_scale.exp() + shift, log_det + sum_items(log_scale)
        with torch.autocast(h.device.type, enabled=False):
            truth = _process.bridge(pair.z_t, pair.y, pair.s, pair.t).log_prob(pair.z_s)
            ratio = (truth.double() - distribution.log_prob(h)).to(h.dtype) - log_det
        return Explanation.without_latent({"decoder": ratio}, pair.z_t)

    def _base(self, transition: Transition) -> tuple[OracleDistribution, Tensor]:
        """The mixture's exact step, and what networks see of it, (B, 2, *E)."""
        if transition.eta != 1:
            raise SaltusError(
                f"eta = {transition.eta} is of kernels that predict data, and a flow around a mixture does not; leave it at 1"
            )
        if transition.is_final is True:
            raise SaltusError(
                "a flow around a mixture was asked for a step to data, and it takes noisy steps; give that step to another kernel"
            )
        known = transition.condition if self.mixture.labelled else None
        with torch.autocast(transition.z_t.device.type, enabled=False):
            distribution = self.mixture.reverse(transition.z_t, transition.s, transition.t, known)
            assert isinstance(distribution, OracleDistribution)  # s < t
            return distribution, torch.stack([transition.z_t, distribution.mean.to(transition.z_t)], dim=1)

    def _couplings(self, like: Tensor) -> Iterator[tuple[nn.Module, Tensor]]:
        """Each network with the pixels that it moves, 1 or 0, (H, W)."""
        rows, columns = (torch.arange(n, device=like.device) for n in self.event_shape[1:])
        colour = (rows[:, None] + columns) % 2
        for number, layer in enumerate(self.layers):
            yield layer, (colour == number % 2).to(like)

    @staticmethod
    def _coupling(layer: nn.Module, moved: Tensor, h: Tensor, seen: Tensor, transition: Transition) -> tuple[Tensor, Tensor]:
        """A log scale and a shift of the pixels that are moved, 0 elsewhere, (B, *E) each."""
        images = torch.cat([(h * (1 - moved))[:, None], seen], dim=1)
        log_scale, shift = layer(images, transition.log_snr, transition.condition)
        return moved * log_scale, moved * shift
