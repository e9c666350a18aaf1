r"""The progressive VAE of Problem 3: each reverse step is a conditional Gaussian VAE.

    prior     epsilon ~ N(0, I)
    decoder   z_s = z_Phi(epsilon, z_t, s, t) + sigma_Phi(epsilon, z_t, s, t) * delta,     delta ~ N(0, I)
    encoder   epsilon = mu_Psi + sigma_Psi * gamma,  of (z_s, z_t) as in the specification, or of (y, z_t)
    objective E [ KL(q_Psi(epsilon | .) || N(0, I)) - ln p_Phi(z_s | epsilon, z_t) ]

p(z_s | z_t), the integral over epsilon, is not Gaussian, as the true reverse step is not when steps are large.

    bridge    z_Phi = A z_t + B yhat(epsilon, z_t, s, t),  sigma_Phi^2 = S + B^2 c(epsilon, z_t, s, t),  c >= 0
    direct    the network gives z_Phi and sigma_Phi themselves

Bookkeeping.  With the encoder of (z_s, z_t) and s > 0, the entropy (d/2) ln(2 pi e S) of the bridge is subtracted
so that the terms bound KL(q(z_s | z_t, y) || p(z_s | z_t)).  With the encoder of (y, z_t) the decoder's term is
KL(q(z_s | z_t, y) || N(z_Phi, sigma_Phi^2)), closed form.  At s = 0 the two coincide: KL - ln p(y | epsilon, z_t).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from saltus.errors import SaltusError
from saltus.kernels.kernel import EXTRA, Kernel, Terms, Weights, call_times, refuse_condition, weighted
from saltus.kernels.step import Bridge, GaussianStep
from saltus.likelihoods.heads import Head
from saltus.networks import Climb, Scaled, positive, scales
from saltus.process import Noise, Time, sum_items

__all__ = ["EncoderInput", "Parametrisation", "Prediction", "VAEKernel"]


class Parametrisation(StrEnum):
    """What the decoder's network gives: `bridge` (data, then the bridge) or `direct` (z_s itself)."""

    BRIDGE = "bridge"
    DIRECT = "direct"


class EncoderInput(StrEnum):
    """What the encoder sees beside z_t: `z_s` (the specification) or `y`."""

    Z_S = "z_s"
    Y = "y"


class Prediction(NamedTuple):
    """What the decoder says of y (or of z_s): mean and standard deviation (B, *E), and the scale of its error (B, 1, ..., 1)."""

    mean: Tensor
    std: Tensor
    width: Tensor


class VAEKernel(Kernel):
    """A conditional Gaussian VAE for p(z_s | z_t).

    Args:
        decoder: of (z_t, times, latent), with two outputs: the prediction and the raw scale.
        encoder: of a pair (B, 2, *E) and times, giving (B, 2, latent): mean and raw scale; its `latent` is the size of
            epsilon.  None for no latent: then the step is a Gaussian with a learned variance, to compare with.
        head: of the step to data.
        parametrisation: `bridge` or `direct`.
        encoder_input: `z_s` or `y`.

    Raises:
        ValueError: for an unknown parametrisation or encoder, or latents of two sizes.
    """

    def __init__(
        self,
        decoder: Scaled,
        encoder: nn.Module | None,
        head: Head,
        *,
        parametrisation: Parametrisation | str = Parametrisation.BRIDGE,
        encoder_input: EncoderInput | str = EncoderInput.Z_S,
    ) -> None:
        super().__init__()
        known = 0 if encoder is None else getattr(encoder, "latent", decoder.latent)  # a ladder's evidence fits any rungs
        if known != decoder.latent:
            raise ValueError(f"the encoder gives a latent of {known} numbers and the decoder takes {decoder.latent}; give both one size")
        self.decoder, self.encoder, self.head = decoder, encoder, head
        self.latent = decoder.latent
        self.parametrisation, self.encoder_input = Parametrisation(parametrisation), EncoderInput(encoder_input)

    @property
    def event_shape(self) -> Sequence[int]:
        return self.decoder.event_shape

    def check(self, y: Tensor) -> None:
        self.head.check(y)

    def step(self, latent: Tensor, z_t: Tensor, s: Time, t: Time, *, eta: float = 1.0) -> GaussianStep:
        """p(z_s | epsilon, z_t) for a latent (B, latent)."""
        return self._around(self._predict(latent, z_t, s, t), z_t, s, t, eta)

    def _predict(self, latent: Tensor | Climb, z_t: Tensor, s: Time, t: Time) -> Prediction:
        mean, (raw,), width = self.decoder(z_t, call_times(s, t, z_t), latent, data=self.parametrisation is Parametrisation.BRIDGE)
        return Prediction(mean, width * positive(raw), width)

    def _around(self, prediction: Prediction, z_t: Tensor, s: Time, t: Time, eta: float = 1.0) -> GaussianStep:
        bridge = Bridge.between(s, t, z_t, eta)
        if self.parametrisation is Parametrisation.BRIDGE:
            return bridge.step(z_t, prediction.mean, prediction.std**2, self.head)
        if eta != 1:
            raise SaltusError(f"eta = {eta} trades the noise of the bridge, and a direct kernel has no bridge; leave it at 1")
        return GaussianStep(prediction.mean, prediction.std**2, bridge.final, self.head)

    def encode(self, y: Tensor, z_s: Tensor, z_t: Tensor, s: Time, t: Time) -> Normal:
        """q(epsilon | z_s, z_t) or q(epsilon | y, z_t), over (B, latent)."""
        times = call_times(s, t, z_t)
        if self.encoder is None:
            return Normal(z_t.new_zeros(len(z_t), 0), z_t.new_ones(len(z_t), 0), validate_args=False)
        mean, raw = self.encoder(self._pair(y, z_s, z_t, times), times).to(z_t.dtype).unbind(1)
        return Normal(mean, positive(raw), validate_args=False)  # training skips what is not finite

    def _pair(self, y: Tensor, z_s: Tensor, z_t: Tensor, times: Tensor) -> Tensor:
        """What an encoder sees, (B, 2, *E): y or z_s, and z_t, at about unit variance."""
        seen_at = times[:, 1] if self.encoder_input is EncoderInput.Z_S else torch.full_like(times[:, 1], torch.inf)
        seen = z_s if self.encoder_input is EncoderInput.Z_S else y
        return torch.stack([self._unit(seen, seen_at), self._unit(z_t, times[:, 0])], dim=1)

    def infer(self, y: Tensor, z_s: Tensor, z_t: Tensor, s: Time, t: Time, unit: Tensor) -> tuple[Tensor, Normal]:
        """epsilon = mu_Psi + sigma_Psi gamma for gamma (B, latent), and the encoder's N(mu_Psi, sigma_Psi^2)."""
        law = self.encode(y, z_s, z_t, s, t)
        return _drawn(law, unit), law

    def _read(self, y: Tensor, z_s: Tensor, z_t: Tensor, s: Time, t: Time, *units: Tensor) -> Iterator[tuple[Tensor, Normal, Prediction]]:
        """For each gamma (B, latent): a latent, the law it was drawn from, and what the decoder makes of it.  Items are encoded once."""
        law = self.encode(y, z_s, z_t, s, t)
        for unit in units:
            epsilon = _drawn(law, unit)
            yield epsilon, law, self._predict(epsilon, z_t, s, t)

    def terms(self, y: Tensor, z_s: Tensor, z_t: Tensor, s: Time, t: Time, *, noise: Noise, condition: Tensor | None = None) -> Terms:
        """{"kl", "decoder", "entropy"} with the encoder of (z_s, z_t), {"kl", "decoder"} with that of (y, z_t); (B,) nats."""
        refuse_condition(condition)
        return self._explained(y, z_s, z_t, s, t, noise)[0]

    def _explained(self, y: Tensor, z_s: Tensor, z_t: Tensor, s: Time, t: Time, noise: Noise) -> tuple[Terms, Prediction]:
        """The terms, and the prediction of y (of z_s if the kernel is direct) that they come from."""
        epsilon, law, prediction = next(self._read(y, z_s, z_t, s, t, noise.normal("encoder", (self.latent,), like=z_t)))
        terms, step = {"kl": kl_divergence(law, _prior(epsilon)).sum(1)}, self._around(prediction, z_t, s, t)
        bridge = Bridge.between(s, t, z_t)
        if self.encoder_input is EncoderInput.Y:
            return terms | {"decoder": step.divergence(y, z_t, bridge)}, prediction
        return terms | {"decoder": step.negative_log_prob(z_s), "entropy": _less_entropy(bridge, z_t)}, prediction

    def tightened(self, y: Tensor, z_s: Tensor, z_t: Tensor, s: Time, t: Time, *, noise: Noise, latents: int) -> Terms:
        """{"marginal": -ln of the mean over K latents of p(z_s | epsilon, z_t) p(epsilon) / q(epsilon | .), "entropy"}, (B,) nats.

        With either encoder the mean estimates p(z_s | z_t) without bias, so the bound only tightens with K (Burda et al. 2016).
        """
        if not self.latent:
            return self.terms(y, z_s, z_t, s, t, noise=noise)
        units = noise.normal("importance", (latents, self.latent), like=z_t)
        log_weights = []
        for epsilon, law, prediction in self._read(y, z_s, z_t, s, t, *units.unbind(1)):  # without a gradient one is held at a time
            ratio = (_prior(epsilon).log_prob(epsilon) - law.log_prob(epsilon)).sum(1)
            log_weights.append(ratio - self._around(prediction, z_t, s, t).negative_log_prob(z_s))
        marginal = math.log(latents) - torch.stack(log_weights).logsumexp(0)
        return {"marginal": marginal, "entropy": _less_entropy(Bridge.between(s, t, z_t), z_t)}

    def loss(
        self, y: Tensor, z_s: Tensor, z_t: Tensor, s: Time, t: Time, *, noise: Noise, condition: Tensor | None = None, weights: Weights
    ) -> Terms:
        """The joint objective of Problem 3: the terms of the bound, each times its weight, and what else has a weight.

        "data"      -ln p(y) of the head around yhat with variance c: the decoder in the space of the data, where every level counts alike
        "energy"    the energy score of yhat over two latents of the prior (Gneiting and Raftery 2007), in units of c_out / sqrt(d):
                    it is least where yhat is distributed as y given z_t, and it sees what the prior draws

        Raises:
            SaltusError: if either has a weight and the kernel does not predict data.
        """
        refuse_condition(condition)
        terms, prediction = self._explained(y, z_s, z_t, s, t, noise)
        added = [name for name in EXTRA if weights.get(name)]
        if added and self.parametrisation is not Parametrisation.BRIDGE:
            raise SaltusError(f"a weight of {added[0]} is for kernels that predict data, and this one is direct; leave it out")
        if "data" in added:
            terms["data"] = -self.head.log_prob(y, prediction.mean, prediction.std**2)
        if "energy" in added:
            terms["energy"] = self._energy(y, z_t, s, t, noise)
        return weighted(terms, weights)

    def _energy(self, y: Tensor, z_t: Tensor, s: Time, t: Time, noise: Noise) -> Tensor:
        """(|yhat - y| + |yhat' - y|) / 2 - |yhat - yhat'| / 2, (B,)."""
        both = noise.normal("energy", (2, self.latent), like=z_t)
        one, other = (self._predict(latent, z_t, s, t) for latent in both.unbind(1))
        unit = math.sqrt(y[0].numel()) / one.width.flatten()
        return unit * 0.5 * (_length(one.mean - y) + _length(other.mean - y) - _length(one.mean - other.mean))

    def _unit(self, z: Tensor, log_snr: Tensor) -> Tensor:
        """z at about unit variance."""
        factor = scales(log_snr, log_snr, self.decoder.variance).input
        return z * factor.to(z.dtype).reshape(-1, *(1,) * (z.ndim - 1))


def _length(x: Tensor) -> Tensor:
    """|x|, (B,); its gradient at 0 is finite."""
    return (sum_items(x.square()) + torch.finfo(x.dtype).eps).sqrt()


def _drawn(law: Normal, unit: Tensor) -> Tensor:
    return law.loc + law.scale * unit


def _prior(epsilon: Tensor) -> Normal:
    return Normal(torch.zeros_like(epsilon), torch.ones_like(epsilon), validate_args=False)


def _less_entropy(bridge: Bridge, z_t: Tensor) -> Tensor:
    """Minus the entropy of the bridge, -(d/2) ln(2 pi e S), (B,); nothing at s = 0."""
    spread = torch.where(bridge.final, 1 / (2 * math.pi * math.e), bridge.S.flatten())
    return -0.5 * z_t[0].numel() * torch.log(2 * math.pi * math.e * spread)
