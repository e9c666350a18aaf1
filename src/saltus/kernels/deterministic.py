r"""The deterministic decoder of Problem 2.

Trained by equation (1), argmin E |y - z_Phi(z_t, t)|^2, so that its optimum is E[y | z_t]; applied by equation (2),
z_s = z_Phi(z_t, t).  Where z_t tells nothing of y its optimum is the mean of the data, and everything after it is
deterministic: the samples collapse.  `bridge=True` steps with q(z_s | z_t, yhat) around the same network instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from torch import Tensor

from saltus.errors import SaltusError
from saltus.kernels.kernel import DEFAULT, Kernel, Sampling, Terms, Weights, call_times, refuse_condition, weighted
from saltus.kernels.step import Bridge
from saltus.networks import Scaled
from saltus.process import Noise, Time, sum_items

__all__ = ["DeterministicKernel"]


class DeterministicKernel(Kernel):
    """Equation (2) of Problem 2, or the bridge around the same prediction.  It has no bound.

    Args:
        network: predicts y from (z_t, t).
        bridge: whether to step with q(z_s | z_t, yhat) in place of equation (2).
        any_step: whether to train at all times, so that any grid can use the network, or at a grid's own.
    """

    has_bound = False

    def __init__(self, network: Scaled, *, bridge: bool = False, any_step: bool = True) -> None:
        super().__init__()
        self.network, self.bridge, self.any_step = network, bridge, any_step

    @property
    def event_shape(self) -> Sequence[int]:
        return self.network.event_shape

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
        """z_s = yhat (equation (2)); with `bridge` a draw of q(z_s | z_t, yhat), which at s = 0 is yhat too."""
        refuse_condition(condition)
        yhat = self._predict(z_t, s, t)
        if self.bridge:
            return Bridge.between(s, t, z_t, how.eta).draw(z_t, yhat, noise.normal("decoder", z_t.shape[1:], like=z_t))
        if how.eta != 1:
            raise SaltusError(f"eta = {how.eta} trades the noise of the bridge, and equation (2) has no bridge; leave it at 1")
        return yhat

    def terms(self, y: Tensor, z_s: Tensor, z_t: Tensor, s: Time, t: Time, *, noise: Noise, condition: Tensor | None = None) -> NoReturn:
        """Raises TypeError: a deterministic step gives z_s no density, so there is no bound."""
        raise TypeError(
            "DeterministicKernel has no bound: a deterministic step gives z_s no density; use GaussianKernel or VAEKernel for one"
        )

    def loss(
        self, y: Tensor, z_s: Tensor, z_t: Tensor, s: Time, t: Time, *, noise: Noise, condition: Tensor | None = None, weights: Weights
    ) -> Terms:
        """Equation (1): {"error": |y - yhat|^2}, (B,)."""
        refuse_condition(condition)
        return weighted({"error": sum_items((y - self._predict(z_t, s, t)).square())}, weights)

    def predict(self, z_t: Tensor, t: Time) -> Tensor:
        """yhat(z_t, t), (B, *E), of a network for any grid: it is told that it is taken to the data."""
        return self._predict(z_t, 0.0, t)

    def _predict(self, z_t: Tensor, s: Time, t: Time) -> Tensor:
        """yhat; a network for any grid is told that it is taken to the data, in training and afterwards."""
        yhat: Tensor = self.network(z_t, call_times(0.0 if self.any_step else s, t, z_t))[0]
        return yhat
