"""The VAE kernel: its bookkeeping, its samples, its loss, and what it starts from."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal, kl_divergence

from saltus.errors import SaltusError
from saltus.kernels import Pair, Prediction, Sampling, Transition, VAEKernel
from saltus.likelihoods import DiscretisedHead
from saltus.networks import ConvEncoder, MLPEncoder, encoder
from saltus.process import Noise, OrnsteinUhlenbeck
from tests.helpers.checks import assert_one_sentence
from tests.helpers.distributions import gaussian
from tests.helpers.stubs import network, randomise, small_vae
from tests.helpers.vaes import HEAD, IDS, OPTIONS, ROUNDING, kernel_1d

process = OrnsteinUhlenbeck()


def image_kernel(**options: str) -> VAEKernel:
    kernel = VAEKernel(network((1, 8, 9), outputs=2, latent=4), ConvEncoder((1, 8, 9), latent=4), DiscretisedHead(256), **options)
    randomise(kernel)
    return kernel


@pytest.mark.parametrize("options", OPTIONS, ids=IDS)
@torch.no_grad()
def test_bookkeeping_of_images(options: dict[str, str]) -> None:
    """Each term, in more dimensions than one, against torch's own divergences and entropies."""
    torch.manual_seed(0)
    kernel, noise, s, t = image_kernel(**options), Noise(0, 0, 3), 0.1, 0.4
    y, z_t, gamma = torch.randn(3, 1, 8, 9), torch.randn(3, 1, 8, 9), noise.normal("encoder", (4,), like=torch.zeros(1))
    bridge = process.bridge(z_t, y, s, t)
    z_s = bridge.sample()
    pair = Pair(z_t, s, t, y=y, z_s=z_s)
    explanation = kernel.explain(pair, noise)
    terms, posterior = explanation.terms, kernel._posterior(pair)
    latent = posterior.loc + posterior.scale * gamma
    step = kernel.step(pair, latent)
    distribution = Independent(Normal(step.mean, step.variance.sqrt()), 3)
    expected = {"kl": kl_divergence(Independent(posterior, 1), Independent(Normal(torch.zeros(3, 4), 1.0), 1))}
    if options["encoder_input"] == "y":
        expected["decoder"] = kl_divergence(bridge, distribution)
    else:
        expected |= {"decoder": -distribution.log_prob(z_s), "entropy": -bridge.entropy()}
    assert terms.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.allclose(terms[name], value, rtol=1e-4)  # float32, summed over 72 dimensions
    assert torch.equal(explanation.latent, latent)
    assert torch.equal(explanation.kl, terms["kl"])
    assert torch.equal(explanation.posterior.loc, posterior.loc)
    assert torch.equal(explanation.step.mean, step.mean)
    assert torch.equal(explanation.step.variance, step.variance)


@pytest.mark.parametrize("any_step", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=IDS)
@torch.no_grad()
def test_items_of_a_batch_may_be_at_different_steps(options: dict[str, str], any_step: bool) -> None:
    """A pair of times for each item, final and inner ones mixed: the bound and the samples are those of the items alone."""
    kernel = kernel_1d(**options, any_step=any_step)
    y, z_s, z_t = torch.randn(3, 4, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    s, t = torch.tensor([0.0, 0.2, 0.0, 1.0]), torch.tensor([0.2, 1.0, 3.0, 3.0])
    z_s = torch.where((s == 0)[:, None], y, z_s)
    mixed, sampling = Pair(z_t, s, t, y=y, z_s=z_s), Sampling("sample")
    together, sample = kernel.explain(mixed, Noise(0, 0, 4)).terms, kernel.sample(mixed, Noise(0, 0, 4), sampling)
    swapped = kernel.sample(Transition(z_t, s.flip(0), t.flip(0)), Noise(0, 0, 4), sampling)
    for i in range(4):
        row, noise = slice(i, i + 1), Noise(0, i, 1)
        pair = Pair(z_t[row], float(s[i]), float(t[i]), y=y[row], z_s=z_s[row])
        for name, value in kernel.explain(pair, noise).terms.items():
            assert float(together[name][i]) == pytest.approx(float(value), rel=1e-6, abs=ROUNDING)  # float32 times in the features
        alone = float(kernel.sample(pair, noise, sampling))
        assert float(sample[i]) == pytest.approx(alone, rel=1e-6, abs=ROUNDING)
        assert float(swapped[i]) != pytest.approx(alone, rel=1e-3)  # the twin: times are those of the item


@torch.no_grad()
def test_samples_are_decoded_draws_of_the_latent() -> None:
    kernel, noise, z_t = kernel_1d(), Noise(3, 0, 5), torch.linspace(-1, 1, 5, dtype=torch.float64)[:, None]
    epsilon, delta = noise.normal("latent", (1,)), noise.normal("decoder", (1,))
    for s in (0.0, 0.4):
        transition = Transition(z_t, s, 1.0)
        step = kernel.step(transition, epsilon)
        sample = step.mean + step.variance.sqrt() * delta
        assert torch.allclose(kernel.sample(transition, noise, Sampling("sample")), sample)
        assert torch.allclose(kernel.sample(transition, noise), sample)  # of continuous data a sample is the default
        assert torch.allclose(kernel.sample(transition, noise, Sampling("mode")), step.mean if s == 0 else sample)
        warmer = kernel.step(transition, 1.5 * epsilon)
        sample = warmer.mean + warmer.variance.sqrt() * delta
        assert torch.allclose(kernel.sample(transition, noise, Sampling("sample", temperature=1.5)), sample)


@torch.no_grad()
def test_the_step_is_the_bridge_around_the_prediction(monkeypatch: pytest.MonkeyPatch) -> None:
    """z_Phi = A z_t + B yhat and sigma_Phi^2 = S + B^2 c, for a prediction that is known: the bridge has the least variance, at c = 0."""
    kernel, epsilon = kernel_1d(), torch.zeros(3, 1, dtype=torch.float64)
    z_t, yhat = torch.tensor([[0.4], [-1.3], [2.0]]).double(), torch.tensor([[0.7], [-0.2], [1.1]]).double()
    for s, t in [(0.1, 0.3), (0.5, 3.0)]:
        ratio, v = math.exp(-(t - s)), -math.expm1(-2 * (t - s))
        at_s, at_t = (-math.expm1(-2 * time) for time in (s, t))
        a, b, least = ratio * at_s / at_t, math.exp(-s) * v / at_t, v * at_s / at_t
        for std in (0.0, 0.5):
            known = Prediction(yhat, torch.zeros_like(yhat), torch.tensor(std).double())  # a raw scale of 0 stands for 1
            monkeypatch.setattr(kernel.decoder, "forward", lambda *_, known=known: known)
            step = kernel.step(Transition(z_t, s, t), epsilon)
            torch.testing.assert_close(step.mean, a * z_t + b * yhat)
            torch.testing.assert_close(step.variance, torch.full_like(z_t, least + b**2 * std**2))
            assert not torch.allclose(step.mean, b * yhat, atol=0.01)  # the twin: without z_t
    data = kernel.step(Transition(z_t, 0.0, 0.3), epsilon)
    torch.testing.assert_close(data.mean, yhat)
    assert data.variance.isfinite().all()


@pytest.mark.parametrize("v", [0.3, 2.0])
@pytest.mark.parametrize("parametrisation", ["bridge", "direct"])
@torch.no_grad()
def test_a_fresh_kernel_is_exact_on_isotropic_data(parametrisation: str, v: float) -> None:
    """Training starts from the best Gaussian step, not from nothing."""
    oracle, decoder = gaussian([v, v]), network((2,), v, outputs=2, latent=1).double()
    kernel = VAEKernel(decoder, encoder((2,), latent=1).double(), HEAD, parametrisation=parametrisation)
    z_t = torch.randn(3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for s, t in [(0.0, 0.5), (0.1, 0.3), (0.4, 4.0)]:
        step, distribution = kernel.step(Transition(z_t, s, t), torch.ones(3, 1, dtype=torch.float64)), oracle.reverse(z_t, s, t)
        assert torch.allclose(step.mean, distribution.mean, rtol=ROUNDING)
        assert torch.allclose(step.variance, distribution.variance, rtol=ROUNDING)


def test_loss_is_the_weighted_bound() -> None:
    kernel, z = kernel_1d(), torch.randn(4, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    pair = Pair(z, 0.2, 1.0, y=z, z_s=z)
    terms = kernel.explain(pair, Noise(0, 0, 4)).terms
    loss = kernel.loss(pair, Noise(0, 0, 4), {"kl": 0.25, "absent": 7.0})
    assert loss.keys() == terms.keys()
    assert torch.equal(loss["kl"], 0.25 * terms["kl"])
    assert torch.equal(loss["decoder"], terms["decoder"])


@torch.no_grad()
def test_extra_terms_are_of_the_prediction_of_data() -> None:
    """The first is -ln p(y) around yhat with variance c; "energy" is the energy score over two latents of the prior."""
    kernel, (y, z_t), noise = (
        kernel_1d(),
        torch.randn(2, 4, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1)),
        Noise(0, 0, 4),
    )
    pair = Pair(z_t, 0.2, 1.0, y=y, z_s=y)
    loss = kernel.loss(pair, noise, {"data": 2.0, "energy": 3.0})

    def predicted(latent: Tensor) -> Any:
        return kernel.decoder(z_t, pair.log_snr, latent)

    posterior = kernel._posterior(pair)
    told = predicted(posterior.loc + posterior.scale * noise.normal("encoder", (1,)))
    assert torch.allclose(loss["data"], -2 * Normal(told.mean, told.std.clamp_min(HEAD.floor)).log_prob(y).sum(1))
    one, other = (predicted(latent).mean[:, 0] for latent in noise.normal("energy", (2, 1)).unbind(1))
    score = ((one - y[:, 0]).abs() + (other - y[:, 0]).abs() - (one - other).abs()) / 2
    assert torch.allclose(loss["energy"], 3 * score / told.output_scale.flatten(), atol=1e-6)  # lengths have an eps
    with pytest.raises(SaltusError) as caught:
        kernel_1d(parametrisation="direct").loss(pair, noise, {"energy": 1.0})
    assert_one_sentence(caught.value, "a weight of energy")


def test_without_a_latent_it_is_a_gaussian_step_of_learned_width() -> None:
    kernel = small_vae((2,), None, HEAD)
    z = torch.randn(3, 2, generator=torch.Generator().manual_seed(1))
    explanation = kernel.explain(Pair(z, 0.2, 1.0, y=z, z_s=z), Noise(0, 0, 3))
    assert kernel.latent == 0
    assert not explanation.terms["kl"].any()
    assert explanation.latent.shape == explanation.posterior.loc.shape == (3, 0)


def test_a_direct_kernel_refuses_what_needs_a_prediction_of_data() -> None:
    kernel, z = kernel_1d(parametrisation="direct"), torch.zeros(3, 1, dtype=torch.float64)
    with pytest.raises(SaltusError) as caught:
        kernel.sample(Transition(z, 0.2, 1.0, eta=0.5), Noise(0, 0, 3))
    assert_one_sentence(caught.value, "eta = 0.5")
    with pytest.raises(SaltusError) as caught:
        kernel.sample(Transition(z, 0.2, 1.0, guidance=0.5), Noise(0, 0, 3))
    assert_one_sentence(caught.value, "guidance = 0.5")
    with pytest.raises(SaltusError) as caught:
        kernel.start_from(network((1,)))
    assert_one_sentence(caught.value, "cannot start from another kernel's network")


def test_unknown_kinds_are_refused() -> None:
    for wrong in ({"parametrisation": "score"}, {"encoder_input": "x"}):
        with pytest.raises(ValueError, match=next(iter(wrong.values()))):
            small_vae((1,), None, HEAD, **wrong)


def test_latents_of_two_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="a latent of 3 numbers and the decoder takes 2"):
        VAEKernel(network((2,), outputs=2, latent=2), MLPEncoder((2,), latent=3), HEAD)


@pytest.mark.parametrize("event", [(5,), (1, 16, 16)])
@torch.no_grad()
def test_a_kernel_starts_from_a_network_that_predicts_data(event: tuple[int, ...]) -> None:
    """With its latent silent it steps around the source's prediction; data of another variance are refused."""
    torch.manual_seed(0)
    kernel = VAEKernel(network(event, outputs=2, latent=3), encoder(event, latent=3), HEAD)
    source, z_t = network(event), torch.randn(3, *event)
    randomise(source)
    kernel.start_from(source)
    theirs = dict(source.backbone.named_parameters())
    for name, weight in kernel.decoder.backbone.named_parameters():
        if name in theirs and weight.ndim > 1 and weight.shape[1] > theirs[name].shape[1]:
            weight[:, theirs[name].shape[1] :] = 0  # the latent
    transition = Transition(z_t, 0.3, 1.0)
    yhat = source(z_t, torch.stack([transition.log_snr[:, 0], torch.full((3,), torch.inf)], dim=1)).mean
    assert torch.allclose(kernel.step(transition, torch.ones(3, 3)).mean, transition.bridge.mean(z_t, yhat), atol=1e-5)
    with pytest.raises(SaltusError) as caught:
        kernel.start_from(network(event, 2.0))
    assert_one_sentence(caught.value, "variance 2 and 1")


@torch.no_grad()
def test_a_latent_is_made_of_its_posterior() -> None:
    kernel, z = image_kernel(), torch.randn(3, 1, 8, 9)
    pair = Pair(z, 0.1, 0.4, y=z, z_s=z)
    explained = kernel.explain(pair, Noise(0, 0, 3))
    eps = Noise(0, 0, 3).normal("encoder", (4,), like=z)
    torch.testing.assert_close(kernel.latent_of(pair, lambda mean, std: mean + std * eps), explained.latent)
    of_data = image_kernel(encoder_input="y")
    assert of_data.latent_of(Pair(z, 0.0, 0.4, y=z, z_s=z), lambda mean, _: mean).shape == (3, 4)
    with pytest.raises(SaltusError) as caught:
        of_data.latent_of(pair, lambda mean, _: mean)
    assert_one_sentence(caught.value, "looks at the data", "train with --encoder-input z_s")
