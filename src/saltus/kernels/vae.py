r"""The progressive VAE: each reverse step is a conditional Gaussian VAE.

.. math::
    \text{prior}\quad   & \epsilon \sim \mathcal N(0, I) \\
    \text{decoder}\quad & z_s = z_\Phi(\epsilon, z_t, s, t) + \sigma_\Phi(\epsilon, z_t, s, t)\,\delta, \; \delta \sim \mathcal N(0, I) \\
    \text{encoder}\quad & \epsilon = \mu_\Psi + \sigma_\Psi \gamma, \quad \text{of } (z_s, z_t) \text{ or of } (y, z_t) \\
    \text{objective}\quad & E[\mathrm{KL}(q_\Psi(\epsilon \mid \cdot) \,\|\, \mathcal N(0, I)) - \ln p_\Phi(z_s \mid \epsilon, z_t)]

p(z_s | z_t), the integral over epsilon, is not Gaussian, as the true reverse step is not when steps are large.

| parametrisation | the network gives |
|---|---|
| bridge | data: z_Phi = A z_t + B yhat(epsilon, z_t, s, t), sigma_Phi^2 = S + B^2 c(epsilon, z_t, s, t), c >= 0 |
| direct | z_Phi and sigma_Phi themselves |

Bookkeeping.  With the encoder of (z_s, z_t) and s > 0, the entropy (d/2) ln(2 pi e S) of the bridge is subtracted
so that the terms bound KL(q(z_s | z_t, y) || p(z_s | z_t)).  With the encoder of (y, z_t) the decoder's term is
KL(q(z_s | z_t, y) || N(z_Phi, sigma_Phi^2)), closed form.  At s = 0 the two coincide: KL - ln p(y | epsilon, z_t).

With k > 1 latents the terms are importance-weighted (Burda et al. 2016, https://arxiv.org/abs/1509.00519): with either encoder the mean
of p(z_s | epsilon, z_t) p(epsilon) / q(epsilon | .) estimates p(z_s | z_t) without bias, so the bound only tightens with k.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from enum import StrEnum

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from saltus.errors import SaltusError
from saltus.kernels.denoiser import Denoiser, Preconditioned, Prediction, denoise
from saltus.kernels.kernel import EXTRA, Explanation, Kernel, Terms, Weights, standard_normal, weighted
from saltus.kernels.setup import Setup
from saltus.kernels.step import GaussianStep
from saltus.kernels.transition import Pair, Transition
from saltus.likelihoods import Head
from saltus.networks import Draw, positive, transfer_weights
from saltus.process import Noise, normal_kl, sum_items

__all__ = ["EncoderInput", "Parametrisation", "VAEKernel", "minus_entropy"]

_LARGEST_LATENT = 128
_OF_PRIOR = 0.5  # numbers of a guessed latent that are from the prior, on average: so that no weight is without limit


class Parametrisation(StrEnum):
    """What the decoder's network gives: `bridge` (data, then the bridge) or `direct` (z_s itself)."""

    BRIDGE = "bridge"
    DIRECT = "direct"


class EncoderInput(StrEnum):
    """What the encoder sees beside z_t: `z_s` or `y`."""

    Z_S = "z_s"
    Y = "y"


class VAEKernel(Kernel):
    """A conditional Gaussian VAE for p(z_s | z_t).

    Args:
        decoder: of (z_t, times, latent), with two outputs, the prediction and the raw scale, and what arrays the head asks for.
        encoder: of a pair (B, 2, *E), times and a condition, giving (B, 2, latent): mean and raw scale; its `latent` is the size of
            epsilon.  None for no latent: then the step is a Gaussian with a learned variance, to compare with.
        head: of the step to data.
        parametrisation: `bridge` or `direct`.
        encoder_input: `z_s` or `y`.
        any_step: whether it is trained on all pairs s < t, so that any grid can use it.

    Raises:
        ValueError: for an unknown parametrisation or encoder input, latents of two sizes, or a decoder of other outputs.
    """

    trains_bound = True
    can_start = True

    def __init__(
        self,
        decoder: Preconditioned,
        encoder: nn.Module | None,
        head: Head,
        *,
        parametrisation: Parametrisation | str = Parametrisation.BRIDGE,
        encoder_input: EncoderInput | str = EncoderInput.Z_S,
        any_step: bool = False,
    ) -> None:
        super().__init__()
        known = 0 if encoder is None else getattr(encoder, "latent", decoder.latent)  # a ladder's features fit any groups
        if known != decoder.latent:
            raise ValueError(f"the encoder gives a latent of {known} numbers and the decoder takes {decoder.latent}; give both one size")
        given, read = getattr(decoder.backbone, "outputs", None), 2 + head.arrays
        if given not in (None, read):
            raise ValueError(f"the decoder gives {given} arrays, and {read} are read: mean, scale and {head.arrays} of the head")
        self.head: Head
        self.decoder, self.encoder, self.head, self.any_step = decoder, encoder, head, any_step
        self.event_shape, self.latent, self.condition = decoder.event_shape, decoder.latent, decoder.condition
        self.parametrisation, self.encoder_input = Parametrisation(parametrisation), EncoderInput(encoder_input)

    @classmethod
    def build(cls, setup: Setup) -> VAEKernel:
        """As a training is configured.  Unless a size is given, a vector has a latent of its own size; pixels repeat their neighbours."""
        options, shape = setup.options, setup.event_shape
        default = min(_LARGEST_LATENT, shape[0] if len(shape) == 1 else max(1, math.prod(shape) // 4))
        latent: int = default if options["latent"] is None else options["latent"]
        encoder = setup.encoder(latent) if latent else None
        chosen = {name: options[name] for name in ("parametrisation", "encoder_input")}
        return cls(
            setup.denoiser(outputs=2 + setup.head.arrays, latent=latent), encoder, setup.head, any_step=setup.any_step(False), **chosen
        )

    @property
    def label(self) -> str:
        return "VAE step" if self.latent else "Gaussian step, learned variance"

    @property
    def reuses_noise(self) -> bool:
        return self.parametrisation is Parametrisation.BRIDGE

    @property
    def sampling_network(self) -> nn.Module:
        return self.decoder

    def check(self, y: Tensor) -> None:
        self.head.check(y)

    def start_from(self, source: Denoiser) -> None:
        """Take over a network without a latent of the same kind and size; the latent starts afresh."""
        if self.parametrisation is not Parametrisation.BRIDGE or not isinstance(source, Preconditioned):
            super().start_from(source)
        assert isinstance(source, Preconditioned)  # which the line above has refused otherwise
        if self.decoder.variance != source.variance:
            given = f"{source.variance:.4g} and {self.decoder.variance:.4g}"
            raise SaltusError(f"the networks scale data of variance {given}; give both the same data")
        transfer_weights(self.decoder.backbone, source.backbone)

    def step(self, transition: Transition, latent: Tensor) -> GaussianStep:
        """p(z_s | epsilon, z_t) for a latent (B, latent)."""
        return self._around(transition, self._predict(transition, latent))

    def _predict(self, transition: Transition, latent: Tensor) -> Prediction:
        if self.parametrisation is Parametrisation.BRIDGE:
            return denoise(self.decoder, transition, latent)
        if transition.guidance != 1:
            raise SaltusError(f"guidance = {transition.guidance} is of kernels that predict data, and this one is direct; leave it at 1")
        return self.decoder.predict_z_s(transition.z_t, transition.log_snr, latent, transition.condition)

    def _around(self, transition: Transition, prediction: Prediction) -> GaussianStep:
        if self.parametrisation is Parametrisation.BRIDGE:
            return GaussianStep.around(transition, prediction.mean, prediction.std**2, self.head, prediction.extra)
        if transition.eta != 1:
            raise SaltusError(f"eta = {transition.eta} trades the noise of the bridge, and a direct kernel has no bridge; leave it at 1")
        return GaussianStep(prediction.mean, prediction.std**2, transition.is_final, self.head, prediction.extra)

    def _encoder_input(self, pair: Pair) -> Tensor:
        """What an encoder sees, (B, 2, *E): y or z_s, and z_t, at about unit variance."""
        at_t, at_s = pair.log_snr.unbind(1)
        if self.encoder_input is EncoderInput.Z_S:
            seen = self.decoder.at_unit_variance(pair.z_s, at_s)
        else:
            seen = self.decoder.at_unit_variance(pair.y, torch.full_like(at_s, torch.inf))
        return torch.stack([seen, self.decoder.at_unit_variance(pair.z_t, at_t)], dim=1)

    def _posterior(self, pair: Pair) -> Normal:
        """q(epsilon | z_s, z_t) or q(epsilon | y, z_t), over (B, latent)."""
        z_t = pair.z_t
        if self.encoder is None:
            return standard_normal(z_t.new_zeros(len(z_t), 0))
        mean, raw = self.encoder(self._encoder_input(pair), pair.log_snr, pair.condition).to(z_t.dtype).unbind(1)
        return Normal(mean, positive(raw), validate_args=False)  # training skips what is not finite

    def guess(self, pair: Pair, told: Tensor, noise: Noise) -> tuple[GaussianStep, Tensor]:
        """By the encoder, as far as y is told, and the prior elsewhere."""
        if self.encoder is None:
            return super().guess(pair, told, noise)
        share, own = self._share(told).to(pair.z_t), _OF_PRIOR / self.latent
        prior = noise.uniform("of the prior", (self.latent,)).to(pair.z_t.device) < own
        eps = noise.normal("encoder", (self.latent,), like=pair.z_t)
        latent, posterior, prediction = next(self._passes(pair, eps, share=torch.where(prior, 0.0, share)))
        log_prior, log_guess = (
            distribution.log_prob(latent).double() for distribution in (standard_normal(latent), _shared(posterior, share))
        )
        log_ratio = (log_prior - torch.logaddexp(log_prior + math.log(own), log_guess + math.log1p(-own))).sum(1)
        return self._around(pair, prediction), log_ratio

    def _share(self, told: Tensor) -> Tensor:
        """How much the encoder can say of each number of the latent, (latent,), where this much of y is told."""
        return told.mean().expand(self.latent)

    def _passes(self, pair: Pair, *eps: Tensor, share: Tensor | None = None) -> Iterator[tuple[Tensor, Normal, Prediction]]:
        """For each noise (B, latent): a latent, its posterior, and what the decoder makes of it.  Items are encoded once.  With a share
        (B, latent) latents are drawn that far from the prior."""
        posterior = self._posterior(pair)
        drawn = posterior if share is None else _shared(posterior, share)
        for each in eps:
            latent = drawn.loc + drawn.scale * each
            yield latent, posterior, self._predict(pair, latent)

    def latent_of(self, pair: Pair, draw: Draw) -> Tensor:
        if self.encoder_input is EncoderInput.Y and pair.is_final is not True:
            raise SaltusError("the encoder of a noisy step looks at the data, which a code tells last; train with --encoder-input z_s")
        posterior = self._posterior(pair)
        return draw(posterior.loc, posterior.scale) if self.latent else posterior.loc

    def explain(self, pair: Pair, noise: Noise, k: int = 1) -> Explanation:
        """{"kl", "decoder", "entropy"} with the encoder of (z_s, z_t), {"kl", "decoder"} with that of (y, z_t); with k > 1 latents
        {"marginal", "entropy"}, while latent, posterior, step and KL are of the first of them."""
        if k > 1 and self.latent:
            return self._importance_weighted(pair, noise.normal("importance", (k, self.latent), like=pair.z_t))
        return self._explain(pair, noise)[0]

    def _explain(self, pair: Pair, noise: Noise) -> tuple[Explanation, Prediction]:
        """The explanation of one latent, and the prediction of y (of z_s if the kernel is direct) that it comes from."""
        latent, posterior, prediction = next(self._passes(pair, noise.normal("encoder", (self.latent,), like=pair.z_t)))
        kl, step = _kl(posterior), self._around(pair, prediction)
        if self.encoder_input is EncoderInput.Y:
            terms = {"kl": kl, "decoder": step.divergence(pair)}
        else:
            terms = {"kl": kl, "decoder": step.negative_log_prob(pair.z_s), "entropy": minus_entropy(pair)}
        return Explanation(terms, latent, posterior, step, kl), prediction

    def _importance_weighted(self, pair: Pair, eps: Tensor) -> Explanation:
        """-ln of the mean over latents of p(z_s | epsilon, z_t) p(epsilon) / q(epsilon | .), from noise (B, k, latent)."""
        first: tuple[Tensor, Normal, GaussianStep] | None = None
        log_weights = []
        for latent, posterior, prediction in self._passes(pair, *eps.unbind(1)):  # without a gradient one is held at a time
            step = self._around(pair, prediction)
            ratio = (standard_normal(latent).log_prob(latent) - posterior.log_prob(latent)).sum(1)
            log_weights.append(ratio - step.negative_log_prob(pair.z_s))
            first = first or (latent, posterior, step)
        assert first is not None
        marginal = math.log(len(log_weights)) - torch.stack(log_weights).logsumexp(0)
        return Explanation({"marginal": marginal, "entropy": minus_entropy(pair)}, *first, _kl(first[1]))

    def loss(self, pair: Pair, noise: Noise, weights: Weights) -> Terms:
        """The joint objective: the terms of the bound, each times its weight, and what else has a weight.

        "data"      -ln p(y) of the head around yhat with variance c: the decoder in the space of the data, where every level counts equally
        "energy"    the energy score of yhat over two latents of the prior (Gneiting and Raftery 2007,
                    https://doi.org/10.1198/016214506000001437), in units of c_out / sqrt(d): it is least where yhat is distributed as
                    y given z_t, and it sees what the prior draws

        Raises:
            SaltusError: if either has a weight and the kernel does not predict data.
        """
        explanation, prediction = self._explain(pair, noise)
        terms, extra = dict(explanation.terms), [name for name in EXTRA if weights.get(name)]
        if extra and self.parametrisation is not Parametrisation.BRIDGE:
            raise SaltusError(f"a weight of {extra[0]} is for kernels that predict data, and this one is direct; leave it out")
        if "data" in extra:
            terms["data"] = -self.head.log_prob(pair.y, prediction.mean, prediction.std**2, prediction.extra)
        if "energy" in extra:
            terms["energy"] = self._energy(pair, noise)
        return weighted(terms, weights)

    def _energy(self, pair: Pair, noise: Noise) -> Tensor:
        """(|yhat - y| + |yhat' - y|) / 2 - |yhat - yhat'| / 2, (B,)."""
        both = noise.normal("energy", (2, self.latent), like=pair.z_t)
        one, other = (self._predict(pair, latent) for latent in both.unbind(1))
        scale = math.sqrt(pair.y[0].numel()) / one.output_scale.flatten()
        return scale * 0.5 * (_length(one.mean - pair.y) + _length(other.mean - pair.y) - _length(one.mean - other.mean))


def _shared(posterior: Normal, share: Tensor) -> Normal:
    """So far from N(0, I), over (B, latent)."""
    return Normal(share * posterior.loc, share * posterior.scale + (1 - share), validate_args=False)


def _length(x: Tensor) -> Tensor:
    """|x|, (B,); its gradient at 0 is finite."""
    return (sum_items(x.square()) + torch.finfo(x.dtype).eps).sqrt()


def _kl(posterior: Normal) -> Tensor:
    """Of a posterior over (B, latent) to N(0, I), (B,)."""
    return normal_kl(posterior, standard_normal(posterior.loc)).sum(1)


def minus_entropy(pair: Pair) -> Tensor:
    """Minus the entropy of the bridge, -(d/2) ln(2 pi e S), (B,); nothing at s = 0, where S is 0."""
    variance = pair.bridge.var.flatten()
    variance = torch.where(variance > 0, variance, 1 / (2 * math.pi * math.e))
    return -0.5 * pair.z_t[0].numel() * torch.log(2 * math.pi * math.e * variance)
