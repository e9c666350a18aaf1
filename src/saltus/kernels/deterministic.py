r"""The deterministic decoder: trained by least squares, iterated as it is.

Training minimises :math:`E\,|y - f(z_t, t)|^2`, so that its optimum is E[y | z_t]; sampling iterates :math:`z_s = f(z_t, t)`.  Where z_t
tells nothing of y the optimum is the mean of the data, and everything after it is deterministic: the samples collapse.
`bridge=True` steps with q(z_s | z_t, yhat) around the same network instead (DDPM's smaller variance, https://arxiv.org/abs/2006.11239).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from torch import Tensor

from saltus.errors import SaltusError
from saltus.kernels.denoiser import Denoiser, denoise
from saltus.kernels.kernel import Kernel, Terms, Weights, weighted
from saltus.kernels.sampling import DEFAULT, Sampling
from saltus.kernels.setup import Setup
from saltus.kernels.transition import Pair, Transition
from saltus.process import Noise, sum_items

__all__ = ["DeterministicKernel"]


class DeterministicKernel(Kernel):
    """z_s = f(z_t, t), or the bridge around the same prediction.  It has no bound.

    Args:
        network: predicts y from (z_t, t).
        bridge: whether to step with q(z_s | z_t, yhat).
        any_step: whether to train at all times, so that any grid can use the network, or at a grid's own.
    """

    has_bound = False

    def __init__(self, network: Denoiser, *, bridge: bool = False, any_step: bool = True) -> None:
        super().__init__()
        self.network, self.bridge, self.any_step = network, bridge, any_step
        self.event_shape, self.condition = network.event_shape, network.condition

    @classmethod
    def build(cls, setup: Setup) -> DeterministicKernel:
        """As a training is configured."""
        return cls(setup.denoiser(), any_step=setup.any_step(True))

    @property
    def label(self) -> str:
        return "bridge step" if self.bridge else "plain decoder"

    @property
    def reuses_noise(self) -> bool:
        return self.bridge

    @property
    def denoiser(self) -> Denoiser:
        return self.network

    def steps_around(self) -> Mapping[str, Kernel]:
        """The plain decoder and the bridge step."""
        both = [DeterministicKernel(self.network, bridge=bridge, any_step=self.any_step) for bridge in (False, True)]
        return {kernel.label: kernel for kernel in both}

    def sample(self, transition: Transition, noise: Noise, sampling: Sampling = DEFAULT) -> Tensor:
        """z_s = yhat; with `bridge` a draw of q(z_s | z_t, yhat), which at s = 0 is yhat too."""
        yhat, z_t = self.predict(transition), transition.z_t
        if self.bridge:
            return transition.bridge.sample(z_t, yhat, noise.normal("decoder", z_t.shape[1:], like=z_t))
        if transition.eta != 1:
            raise SaltusError(f"eta = {transition.eta} trades the noise of the bridge, and the plain decoder has none; leave it at 1")
        return yhat

    def explain(self, pair: Pair, noise: Noise, k: int = 1) -> NoReturn:
        """Raises SaltusError: a deterministic step gives z_s no density, so there is no bound."""
        raise SaltusError("a deterministic kernel has no bound, since it gives z_s no density; take a Gaussian or VAE kernel for one")

    def loss(self, pair: Pair, noise: Noise, weights: Weights) -> Terms:
        """{"error": |y - yhat|^2}, (B,)."""
        return weighted({"error": sum_items((pair.y - self.predict(pair)).square())}, weights)

    def predict(self, transition: Transition) -> Tensor:
        """yhat, (B, *E); a network for any grid is told that it is taken to the data, in training and afterwards."""
        return denoise(self.network, transition, to_data=self.any_step).mean
