r"""What predicts data from z_t: our networks, oracles and other libraries' models, behind one call.

A network of our own is preconditioned as in EDM (Karras et al. 2022, table 1, https://arxiv.org/abs/2206.00364), written for a network
that predicts z_s from z_t.  For data of variance v, Gaussian statistics give the best linear prediction and its error, and the network
learns the rest.  With :math:`V_t = \alpha_t^2 v + \sigma_t^2` and :math:`r = \alpha_t / \alpha_s`,

.. math:: c_{in} = V_t^{-1/2}, \qquad c_{skip} = r V_s / V_t, \qquad c_{out} = \sqrt{V_s - r^2 V_s^2 / V_t}.

At s = 0, the data, this is EDM.  Networks know scales through the log-SNR alone: alpha^2 = sigmoid(log_snr).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from saltus.errors import SaltusError
from saltus.kernels.transition import Transition
from saltus.networks import ClassCondition, Condition, Draw, positive
from saltus.oracles import Oracle
from saltus.process import OrnsteinUhlenbeck, Time
from saltus.registry import Configurable

__all__ = [
    "Denoiser",
    "OracleDenoiser",
    "Preconditioned",
    "Prediction",
    "Scales",
    "classes_of",
    "denoise",
    "predict",
    "prediction_around",
    "scales",
]


class Prediction(NamedTuple):
    """What a network says of y.

    Attributes:
        mean: the prediction, (B, *E).
        raw_scale: a second output as it is, (B, *E); None for networks of one output.
        output_scale: c_out, the standard deviation that Gaussian data would leave unexplained, (B, 1, ..., 1).
        extra: further outputs as they are, (B, n, *E), for the head of the step to data; None for none.
    """

    mean: Tensor
    raw_scale: Tensor | None
    output_scale: Tensor
    extra: Tensor | None = None

    @property
    def std(self) -> Tensor:
        """The standard deviation of y that the second output stands for, (B, *E)."""
        assert self.raw_scale is not None, "a network of two outputs"
        return self.output_scale * positive(self.raw_scale)


class Denoiser(Configurable, nn.Module, ABC):
    """Predicts data: `denoiser(z, log_snr, latent, condition) -> Prediction`.

    Attributes:
        event_shape: shape E of one item.
        latent: the size of the latent that it takes, 0 for none.
        condition: what it is conditioned on; None for nothing.
    """

    event_shape: Sequence[int]
    latent: int = 0
    condition: Condition | None = None

    @abstractmethod
    def forward(self, z: Tensor, log_snr: Tensor, latent: Tensor | None = None, condition: Tensor | None = None) -> Prediction:
        """Predict y from z (B, *E), log-SNRs (B, 2) of its time and of the time it is taken to, a latent and a condition."""


class Scales(NamedTuple):
    """Factors for input, skip and output, float64, the shape of the log-SNRs."""

    input: Tensor
    skip: Tensor
    output: Tensor


def scales(log_snr_t: Tensor, log_snr_s: Tensor, variance: float) -> Scales:
    """The factors for predicting z_s from z_t; `log_snr_s` = +inf predicts the data."""
    at, as_ = torch.sigmoid(log_snr_t.double()), torch.sigmoid(log_snr_s.double())
    total_t = at * variance + torch.sigmoid(-log_snr_t.double())
    total_s = as_ * variance + torch.sigmoid(-log_snr_s.double())
    ratio = at / as_
    # V_s - r^2 V_s^2 / V_t = V_s (V_t - r^2 V_s) / V_t, and V_t - r^2 V_s = 1 - r^2
    return Scales(total_t.rsqrt(), ratio.sqrt() * total_s / total_t, (total_s * (1 - ratio) / total_t).sqrt())


class Preconditioned(Denoiser):
    """A backbone in EDM scaling.

    Args:
        backbone: called as `backbone(x, log_snr, latent, condition)`, see `saltus.networks.backbones`.
        variance: v, the mean variance of the data over dimensions, > 0.

    Raises:
        ValueError: if the variance is not positive.
    """

    def __init__(self, backbone: nn.Module, variance: float = 1.0) -> None:
        super().__init__()
        if not 0 < variance < math.inf:
            raise ValueError(f"variance = {variance}; expected a positive number")
        self.backbone: nn.Module
        self.backbone, self.variance = backbone, variance
        self.event_shape: Sequence[int] = backbone.event_shape  # type: ignore[assignment]
        self.latent = int(backbone.latent)  # type: ignore[arg-type]
        self.condition: Condition | None = getattr(backbone, "condition", None)

    def forward(self, z: Tensor, log_snr: Tensor, latent: Tensor | None = None, condition: Tensor | None = None) -> Prediction:
        """Predict y, see `Denoiser`."""
        return self._predicted(z, log_snr, latent, condition, to_data=True)

    def predict_z_s(self, z: Tensor, log_snr: Tensor, latent: Tensor | None = None, condition: Tensor | None = None) -> Prediction:
        """The same, of z_s in place of y."""
        return self._predicted(z, log_snr, latent, condition, to_data=False)

    def _predicted(self, z: Tensor, log_snr: Tensor, latent: Tensor | None, condition: Tensor | None, *, to_data: bool) -> Prediction:
        factors = self._factors(z, log_snr, to_data)
        return self._read(self.backbone((factors[0] * z)[:, None], log_snr, latent, condition), z, log_snr, condition, factors, to_data)

    def posterior_pass(
        self,
        z: Tensor,
        log_snr: Tensor,
        eps: Tensor,
        features: Sequence[Tensor],
        condition: Tensor | None = None,
        *,
        to_data: bool = True,
        share: Tensor | None = None,
        draw: Draw | None = None,
    ) -> tuple[Prediction, Tensor, Normal]:
        """The prediction along latents that are drawn on the way, the latents (B, latent), and their posterior.

        Args:
            z, log_snr, condition: as for `forward`.
            eps: unit Gaussian noise to draw latents with, (B, latent).
            features: what an encoder has read of the answer, see `saltus.networks.Ladder`.
            to_data: whether y is predicted, or z_s.
            share: how far from the prior latents are drawn, (B, latent) from 0 to 1; from their posterior unless given.
            draw: what makes each group's latent in place of the noise.
        """
        factors = self._factors(z, log_snr, to_data)
        told = {name: value for name, value in (("share", share), ("draw", draw)) if value is not None}
        outputs, latent, mean, raw = self.backbone((factors[0] * z)[:, None], log_snr, eps, condition, features=features, **told)
        prediction = self._read(outputs, z, log_snr, condition, factors, to_data)
        return prediction, latent, Normal(mean, positive(raw), validate_args=False)

    def at_unit_variance(self, z: Tensor, log_snr: Tensor) -> Tensor:
        """z (B, *E) of log-SNR (B,) as networks see it."""
        return self._scales(z, log_snr)[0] * z

    def _factors(self, z: Tensor, log_snr: Tensor, to_data: bool) -> tuple[Tensor, ...]:
        """c_in, c_skip and c_out for predicting y, or z_s."""
        return self._scales(z, log_snr[:, 0], None if to_data else log_snr[:, 1])

    def _read(
        self, outputs: Tensor, z: Tensor, log_snr: Tensor, condition: Tensor | None, factors: tuple[Tensor, ...], to_data: bool
    ) -> Prediction:
        """What the backbone's outputs (B, outputs, *E) stand for."""
        _, c_skip, c_out = factors
        return prediction_around(outputs.to(z.dtype), c_skip * z, c_out)

    def _scales(self, z: Tensor, log_snr_t: Tensor, log_snr_s: Tensor | None = None) -> tuple[Tensor, ...]:
        """c_in, c_skip and c_out as (B, 1, ..., 1)."""
        target = torch.full_like(log_snr_t, torch.inf) if log_snr_s is None else log_snr_s
        return tuple(c.to(z.dtype).reshape(-1, *(1,) * (z.ndim - 1)) for c in scales(log_snr_t, target, self.variance))


def prediction_around(outputs: Tensor, skip: Tensor, scale: Tensor) -> Prediction:
    """skip + scale times the first output; the second is the raw scale, and the others are the head's."""
    number = outputs.shape[1]
    raw = outputs[:, 1] if number > 1 else None
    return Prediction(skip + scale * outputs[:, 0], raw, scale, outputs[:, 2:] if number > 2 else None)


def classes_of(oracle: Oracle) -> ClassCondition | None:
    """The classes that an oracle's components are labelled with; None without labels.

    Raises:
        SaltusError: if a class below the largest label has no component.
    """
    try:
        frequencies = oracle.class_frequencies
    except SaltusError:
        return None
    return ClassCondition([str(c) for c in range(len(frequencies))], frequencies.tolist())


class OracleDenoiser(Denoiser):
    """E[y | z_t] of an oracle, in the place of a network: what is wrong then is the kind of step alone.

    Args:
        oracle: the distribution of data.
    """

    def __init__(self, oracle: Oracle) -> None:
        super().__init__()
        self.oracle = oracle
        self.event_shape = tuple(oracle.event_shape)

    @property
    def condition(self) -> Condition | None:  # type: ignore[override]  # of the oracle as it is when asked
        return classes_of(self.oracle)

    def forward(self, z: Tensor, log_snr: Tensor, latent: Tensor | None = None, condition: Tensor | None = None) -> Prediction:
        """The posterior mean, and scale 1."""
        times = OrnsteinUhlenbeck().time_at_log_snr(log_snr[:, 0])
        return Prediction(self.oracle.posterior_mean(z, times, condition), None, torch.ones_like(z))


def denoise(denoiser: Denoiser, transition: Transition, latent: Tensor | None = None, *, to_data: bool = False) -> Prediction:
    """What a denoiser predicts at a transition, guided if that says so.

    Args:
        denoiser: the network.
        transition: from z_t to z_s.
        latent: (B, latent), or None.
        to_data: whether the network is told that z_t is taken to the data, whatever s is.
    """
    z, log_snr = transition.z_t, _to_data(transition.z_t, transition.t) if to_data else transition.log_snr
    prediction: Prediction = denoiser(z, log_snr, latent, transition.condition)
    if transition.guidance == 1:
        return prediction
    free: Prediction = denoiser(z, log_snr, latent, None)
    return _guided(free, prediction, transition.guidance)


def _guided(free: Prediction, given: Prediction, weight: float) -> Prediction:
    """Without a condition at weight 0, with it at 1; beyond 1 the mean goes on, and the scale stays that of the condition."""
    mean = torch.lerp(free.mean, given.mean, weight)
    if free.raw_scale is None or given.raw_scale is None:
        return given._replace(mean=mean)
    return given._replace(mean=mean, raw_scale=torch.lerp(free.raw_scale, given.raw_scale, min(weight, 1.0)))


def predict(denoiser: Denoiser, z_t: Tensor, t: Time, condition: Tensor | None = None) -> Tensor:
    """yhat(z_t, t), (B, *E)."""
    prediction: Prediction = denoiser(z_t, _to_data(z_t, t), None, condition)
    return prediction.mean


def _to_data(z: Tensor, t: Time) -> Tensor:
    """The log-SNR of t, and +inf for the data, (B, 2)."""
    at_t = OrnsteinUhlenbeck().log_snr(t).expand(z.shape[0])
    return torch.stack([at_t, torch.full_like(at_t, torch.inf)], dim=1).to(z.device)
