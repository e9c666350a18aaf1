"""The deterministic kernel: its two steps, its loss, and what it does not have."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from saltus.errors import SaltusError
from saltus.kernels import DeterministicKernel, GaussianKernel, Pair, Prediction, Transition
from saltus.likelihoods import GaussianHead
from saltus.process import Noise, OrnsteinUhlenbeck
from tests.helpers.checks import assert_one_sentence
from tests.helpers.distributions import gaussian
from tests.helpers.stubs import OracleDenoiser, network

process = OrnsteinUhlenbeck()
ROUNDING = 1e-10
NOISE = Noise(0, 0, 3)


def test_the_step() -> None:
    """The prediction itself, and the bridge around the same prediction; the loss of least squares."""
    oracle, s, t = gaussian([0.3, 1.0]), 0.2, 1.1
    y, z_t = torch.randn(2, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    yhat, (a, b, spread) = oracle.posterior_mean(z_t, t), process.bridge_coefficients(s, t)
    denoiser, inner, final = OracleDenoiser(oracle), Transition(z_t, s, t), Transition(z_t, 0.0, t)
    assert torch.equal(DeterministicKernel(denoiser).sample(inner, NOISE), yhat)
    bridge = DeterministicKernel(denoiser, bridge=True)
    expected = a * z_t + b * yhat + spread.sqrt() * NOISE.normal("decoder", (2,))
    assert torch.allclose(bridge.sample(inner, NOISE), expected, rtol=ROUNDING)
    assert torch.allclose(bridge.sample(final, NOISE), yhat, rtol=ROUNDING)
    loss = bridge.loss(Pair(z_t, s, t, y=y, z_s=y), NOISE, {"error": 3.0})
    assert torch.allclose(loss["error"], 3 * (y - yhat).square().sum(1), rtol=ROUNDING)


def test_fresh_noise_is_the_bridges() -> None:
    oracle, z_t = gaussian([0.3, 1.0]), torch.ones(3, 2, dtype=torch.float64)
    plain, bridge = DeterministicKernel(OracleDenoiser(oracle)).steps_around().values()
    assert (plain.bridge, bridge.bridge) == (False, True)
    with pytest.raises(SaltusError) as caught:
        plain.sample(Transition(z_t, 0.2, 1.0, eta=0.5), NOISE)
    assert_one_sentence(caught.value, "eta = 0.5")
    a, b, spread = process.bridge_coefficients(0.2, 1.0, 0.5)
    expected = a * z_t + b * oracle.posterior_mean(z_t, 1.0) + spread.sqrt() * NOISE.normal("decoder", (2,))
    assert torch.allclose(bridge.sample(Transition(z_t, 0.2, 1.0, eta=0.5), NOISE), expected, rtol=ROUNDING)


def test_it_has_no_bound_and_says_what_has() -> None:
    kernel, z = DeterministicKernel(network((2,))), torch.zeros(3, 2)
    assert not kernel.has_bound
    with pytest.raises(SaltusError) as caught:
        kernel.explain(Pair(z, 0.1, 1.0, y=z, z_s=z), NOISE)
    assert_one_sentence(caught.value, "take a Gaussian or VAE kernel")
    with pytest.raises(SaltusError) as caught:
        kernel.step(Transition(z, 0.1, 1.0), z[:, :0])
    assert_one_sentence(caught.value, "a DeterministicKernel is no Gaussian step")


class Recorder(OracleDenoiser):
    """Remembers the log-SNRs that it was told."""

    def forward(self, z: Tensor, log_snr: Tensor, latent: Tensor | None = None, condition: Tensor | None = None) -> Prediction:
        self.told = log_snr
        return super().forward(z, log_snr, latent, condition)


@pytest.mark.parametrize("any_step", [True, False])
@pytest.mark.parametrize("kind", [DeterministicKernel, GaussianKernel])
def test_a_network_is_told_the_same_when_it_trains_and_when_it_samples(kind: type, any_step: bool) -> None:
    denoiser, z = Recorder(gaussian([0.3, 1.0])), torch.zeros(3, 2, dtype=torch.float64)
    options = {} if kind is DeterministicKernel else {"head": GaussianHead(1e-4), "variance": "posterior"}
    kernel = kind(denoiser, any_step=any_step, **options)
    kernel.loss(Pair(z, 0.2, 1.0, y=z, z_s=z), NOISE, {})
    trained = denoiser.told
    kernel.sample(Transition(z, 0.2, 1.0), NOISE)
    assert torch.equal(denoiser.told, trained)
    assert trained[:, 1].isposinf().all() or not any_step  # a network for any grid always goes to the data


def test_a_kernel_of_another_kind_has_no_code() -> None:
    kernel, z = DeterministicKernel(network((2,))), torch.zeros(1, 2)
    with pytest.raises(SaltusError) as caught:
        kernel.latent_of(Pair(z, 0.1, 0.4, y=z, z_s=z), lambda mean, _: mean)
    assert_one_sentence(caught.value, "a plain decoder has no code", "--noisy-steps vae")
    assert kernel.mixture_step(Transition(z, 0.1, 0.4)) is None
