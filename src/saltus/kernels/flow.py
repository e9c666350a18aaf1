r"""A reverse step as a conditional flow: any density of a vector, exact.

.. math:: z_s = r(z_t) + c_{out}\, u, \qquad u = g^{-1}(\delta;\, z_t, s, t), \quad \delta \sim \mathcal N(0, I),

where r and c_out are the linear prediction and its error for Gaussian data (EDM's scaling).  g is a neural spline flow (Durkan et al.
2019, https://arxiv.org/abs/1906.04032) that is told r, which vanishes where z_t knows nothing.  It is autoregressive: its density takes
one pass of each transform, a draw takes one pass a column.
With no latent, p(z_s | z_t) is the density itself, and the terms are

.. math:: E[-\ln p(z_s \mid z_t)] \text{ and, for } s > 0, \text{ minus the entropy of the bridge.}

Counted values of rows have a probability, the flow's mass of what they own of the axis of y (`saltus.likelihoods.numbers`).  Its
logarithm is bounded from below by Jensen's inequality, with u uniform in that interval (Theis et al. 2016,
https://arxiv.org/abs/1511.01844):

.. math:: \ln P(y \mid z_t) \ge E_u[\ln p(u \mid z_t)] + \ln |\text{interval}|,

and where a number is absent, with u from q = N(r, c_out^2), by E[ln p(u | z_t) - ln q(u)].
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from saltus.errors import SaltusError
from saltus.kernels.denoiser import scales
from saltus.kernels.kernel import Explanation, Kernel
from saltus.kernels.rows import MOST_WIDTH, check_rows, row_options
from saltus.kernels.sampling import DEFAULT, Sampling
from saltus.kernels.setup import Setup
from saltus.kernels.transition import Pair, Transition
from saltus.kernels.vae import minus_entropy
from saltus.likelihoods import Number, Numbers
from saltus.networks import Condition
from saltus.networks.conditioning import ConditionEmbedding, log_snr_features
from saltus.networks.groups import MOST_BLOCKS, check_size
from saltus.process import Noise

__all__ = ["FlowKernel"]

_TRANSFORMS, _BINS = 5, 8
_TIMES = 8  # sinusoids for each log-SNR
_LOG_ROOT_TAU = 0.5 * math.log(math.tau)


class FlowKernel(Kernel):
    """A conditional neural spline flow for p(z_s | z_t) of vectors.

    Args:
        event_shape: (d,).
        variance: of the data, averaged over columns.
        width: neurons in the two layers of each transform.
        transforms: how many.
        condition: what it is conditioned on, a class or a vector.
        any_step: whether it is trained on all pairs s < t.
        numbers: of each column, if any holds counted values.

    Raises:
        SaltusError: for items that are no vectors, or sizes out of range.
        ValueError: if the variance is not positive.
    """

    trains_bound = True

    def __init__(
        self,
        event_shape: Sequence[int],
        variance: float = 1.0,
        *,
        width: int = 128,
        transforms: int = _TRANSFORMS,
        condition: Condition | None = None,
        any_step: bool = False,
        numbers: Sequence[Number] = (),
    ) -> None:
        import zuko  # takes a while to import

        super().__init__()
        check_size("width", width, MOST_WIDTH)
        check_size("transforms", transforms, MOST_BLOCKS)
        check_rows(event_shape, variance, condition, "a flow")
        (d,) = event_shape
        self.event_shape, self.variance, self.condition, self.any_step = (d,), variance, condition, any_step
        self.numbers = list(numbers)
        self._numbers = Numbers(numbers) if numbers else None
        told = 2 * _TIMES + (width if condition is not None else 0)
        self.embedding = ConditionEmbedding(condition, width)
        self.width = width
        with torch.device("cpu"):  # masks are computed from numbers, which a module without memory does not have
            self.flow = zuko.flows.NSF(d, d + told, transforms=transforms, bins=_BINS, hidden_features=(width, width))

    @classmethod
    def build(cls, setup: Setup) -> FlowKernel:
        """As a training is configured.

        Raises:
            SaltusError: for values that are counted otherwise than those of a table's columns.
        """
        return cls(setup.event_shape, setup.variance, any_step=setup.any_step(False), **row_options(setup, "a flow gives a density"))

    @property
    def label(self) -> str:
        return "flow step"

    @property
    def convention(self) -> str:  # type: ignore[override]
        counted = "probability of counted values, by uniform noise in them, and " if self._numbers else ""
        return f"{counted}density in the units of the file, by a spline flow"

    @property
    def guided(self) -> bool:
        return False

    @property
    def sampling_network(self) -> torch.nn.Module:
        flow: torch.nn.Module = self.flow
        return flow

    def networks(self) -> list[torch.nn.Module]:
        """None that `torch.compile` takes: a flow is made anew for every z_t."""
        return []

    def sample(self, transition: Transition, noise: Noise, sampling: Sampling = DEFAULT) -> Tensor:
        """A draw of z_s, whatever `sampling.final` says: a flow has no mode in closed form, and rows are continuous."""
        residual, out, given = self._given(transition)
        eps = noise.normal("decoder", self.event_shape, like=transition.z_t)
        u: Tensor = self.flow(given).transform.inv(eps)
        z_s = residual + out * u
        if self._numbers is None or transition.is_final is False:
            return z_s
        return torch.where(_each(transition.is_final, z_s), self._numbers.settled(z_s.double()).to(z_s), z_s)

    def explain(self, pair: Pair, noise: Noise, k: int = 1) -> Explanation:
        """{"decoder": -ln p(z_s | z_t), "entropy": minus that of the bridge}, (B,) nats."""
        residual, out, given = self._given(pair)
        z_s, log_width = self._spread(pair, noise, residual, out)
        log_prob = self.flow(given).log_prob((z_s - residual) / out)
        decoder = self.event_shape[0] * out.log().flatten() - log_prob - log_width
        return Explanation.without_latent({"decoder": decoder, "entropy": minus_entropy(pair)}, pair.z_t)

    def _spread(self, pair: Pair, noise: Noise, residual: Tensor, out: Tensor) -> tuple[Tensor, Tensor]:
        """z_s with counted values of data anywhere in what they own, and absent ones anywhere; and -ln of the density of that, (B,)."""
        z_s = pair.z_s
        if self._numbers is None or pair.is_final is False:
            return z_s, z_s.new_zeros(len(z_s))
        below, above, counted = self._numbers.cells(z_s.double(), closed=True)
        counted = counted & _each(pair.is_final, z_s)
        uniform = noise.uniform("counted", z_s.shape[1:]).to(z_s.device)
        anywhere, log_width = below + uniform * (above - below), torch.where(counted, (above - below).log(), 0.0)
        absent = self._numbers.absent(z_s.double()) & _each(pair.is_final, z_s)
        if absent.any():
            normal = torch.special.ndtri(uniform)
            anywhere = torch.where(absent, residual + out * normal, anywhere)
            log_width = torch.where(absent, 0.5 * normal.square() + _LOG_ROOT_TAU + out.log(), log_width)
        return torch.where(counted | absent, anywhere.to(z_s), z_s), log_width.sum(1).to(z_s)

    def _given(self, transition: Transition) -> tuple[Tensor, Tensor, Tensor]:
        """r(z_t) (B, d), c_out (B, 1) and the context of the flow (B, n)."""
        if transition.eta != 1 and transition.is_final is not True:
            raise SaltusError(f"eta = {transition.eta} is of kernels that predict data, and a flow gives a density; leave it at 1")
        z, log_snr = transition.z_t, transition.log_snr
        _, c_skip, c_out = (c.to(z.dtype)[:, None] for c in scales(log_snr[:, 0], log_snr[:, 1], self.variance))
        parts = [c_skip / math.sqrt(self.variance) * z, log_snr_features(log_snr, _TIMES).to(z.dtype)]
        if self.condition is not None:
            parts.append(self.embedding(z.new_zeros(z.shape[0], self.width), transition.condition))
        return c_skip * z, c_out, torch.cat(parts, 1)


def _each(is_final: bool | Tensor, like: Tensor) -> Tensor:
    """Whether s = 0, for each number of (B, d)."""
    return torch.as_tensor(is_final, device=like.device).reshape(-1, 1).expand_as(like)
