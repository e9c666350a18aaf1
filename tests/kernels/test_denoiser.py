"""What predicts data: scales against EDM and against Gaussian conditionals, fresh networks, oracles, and guidance."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from saltus.kernels import (
    DeterministicKernel,
    GaussianKernel,
    Kernel,
    OracleDenoiser,
    Preconditioned,
    Sampling,
    Transition,
    denoise,
    predict,
)
from saltus.kernels.denoiser import scales
from saltus.likelihoods import GaussianHead
from saltus.networks import MLP, ClassCondition, Condition, ImageCondition, Ladder, LadderEncoder, MLPEncoder, VectorCondition
from saltus.oracles import GaussianMixture
from saltus.process import Noise, OrnsteinUhlenbeck
from tests.helpers.stubs import network, randomise, set_error, small_vae

process = OrnsteinUhlenbeck()
ROUNDING = 1e-10
ALONE = 1e-5  # float32 through some ten layers
TIMES = torch.tensor([[1.0, 4.0], [-2.0, torch.inf], [0.3, 0.4]], dtype=torch.float64)


@pytest.mark.parametrize("v", [0.25, 1.0, 3.0])
@pytest.mark.parametrize("t", [1e-4, 0.3, 2.0, 8.0])
def test_scales_to_data_are_those_of_edm(v: float, t: float) -> None:
    """Karras et al. 2022, table 1, where x = z / alpha = y + (sigma / alpha) n."""
    alpha = float(process.alpha(t))
    noise, data = float(process.sigma(t)) / alpha, math.sqrt(v)
    ours = scales(process.log_snr(t), torch.tensor(torch.inf), v)
    assert float(ours.input) * alpha == pytest.approx(1 / math.hypot(noise, data), rel=ROUNDING)
    assert float(ours.skip) * alpha == pytest.approx(data**2 / (noise**2 + data**2), rel=ROUNDING)
    assert float(ours.output) == pytest.approx(noise * data / math.hypot(noise, data), rel=ROUNDING)


@pytest.mark.parametrize("v", [0.25, 1.0, 3.0])
@pytest.mark.parametrize(("s", "t"), [(0.0, 0.4), (0.1, 0.3), (0.5, 4.0)])
def test_scales_to_z_s_are_gaussian_conditionals(v: float, s: float, t: float) -> None:
    oracle = GaussianMixture(torch.ones(1), torch.zeros(1, 1), torch.full((1, 1, 1), v, dtype=torch.float64))
    distribution = oracle.reverse(torch.ones(1, 1), s, t)
    ours = scales(process.log_snr(t), process.log_snr(s), v)
    assert float(ours.skip) == pytest.approx(float(distribution.mean), rel=ROUNDING)
    assert float(ours.output) ** 2 == pytest.approx(float(distribution.variance), rel=ROUNDING)
    assert float(ours.input) ** -2 == pytest.approx(float(oracle.marginal(t).variance), rel=ROUNDING)


@given(st.floats(-700, 700), st.floats(-700, 700))
def test_scales_are_finite_at_any_times(a: float, b: float) -> None:
    low, high = sorted((a, b))
    values = scales(torch.tensor(low), torch.tensor(high), 0.5)
    assert all(bool(value.isfinite()) and float(value) >= 0 for value in values)


@pytest.mark.parametrize(("shape", "architecture"), [((3,), "mlp"), ((1, 8, 8), "unet")])
@pytest.mark.parametrize("to_data", [True, False])
def test_a_fresh_network_is_its_skip_connection(shape: tuple[int, ...], architecture: str, to_data: bool) -> None:
    fresh = network(shape, 0.5, architecture=architecture, outputs=2, latent=2)
    z = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    prediction = (fresh if to_data else fresh.predict_z_s)(z, TIMES, torch.ones(3, 2))
    known = scales(TIMES[:, 0], torch.full((3,), torch.inf) if to_data else TIMES[:, 1], 0.5)
    skip, output = (x.float().reshape(-1, *(1,) * len(shape)) for x in (known.skip, known.output))
    assert torch.allclose(prediction.mean, skip * z)
    assert torch.equal(prediction.output_scale, output)
    assert not prediction.raw_scale.any()
    assert torch.allclose(prediction.std, output.expand_as(z))  # raw scale 0 is a factor of 1


def test_one_output_has_no_scale() -> None:
    assert network((3,))(torch.zeros(3, 3), TIMES).raw_scale is None


@torch.no_grad()
def test_a_posterior_pass_predicts_what_its_latents_do() -> None:
    """Of y, and of z_s; in both cases z_t is scaled alike and the outputs are read alike."""
    torch.manual_seed(0)
    event, sizes = (1, 8, 8), {"channels": (8, 16)}
    made, encoder = Preconditioned(Ladder(event, groups=1, k=2, **sizes), 0.5), LadderEncoder(event, **sizes)
    randomise(made)
    randomise(encoder)
    z = torch.randn(3, *event)
    features = encoder(torch.randn(3, 2, *event), TIMES)
    for to_data, given_latent in [(True, made), (False, made.predict_z_s)]:
        eps = torch.randn(3, made.latent)
        prediction, latent, posterior = made.posterior_pass(z, TIMES, eps, features, to_data=to_data)
        assert torch.allclose(latent, posterior.loc + posterior.scale * eps, atol=ALONE)
        for ours, theirs in zip(prediction[:3], given_latent(z, TIMES, latent)[:3], strict=True):
            assert torch.allclose(ours, theirs, atol=ALONE)


@pytest.mark.parametrize("variance", [0.0, -1.0, math.nan])
def test_a_variance_is_positive(variance: float) -> None:
    with pytest.raises(ValueError, match=f"variance = {variance}"):
        Preconditioned(MLP((1,)), variance)


def test_event_shapes_and_conditions_are_those_of_the_backbone() -> None:
    condition = VectorCondition(2)
    assert tuple(network((2, 3)).event_shape) == (2, 3)
    assert tuple(network((1, 8, 9)).event_shape) == (1, 8, 9)
    assert network((2,)).condition is None
    assert network((2,), condition=condition).condition is condition
    assert network((2,), latent=5).latent == 5


def test_an_oracle_takes_the_place_of_a_network() -> None:
    oracle = GaussianMixture(torch.ones(1), torch.zeros(1, 2), 0.4 * torch.eye(2, dtype=torch.float64)[None])
    z, times = torch.randn(3, 2, dtype=torch.float64), torch.tensor([0.1, 0.5, 3.0])
    prediction = OracleDenoiser(oracle)(z, torch.stack([process.log_snr(times), torch.full((3,), torch.inf)], dim=1))
    assert torch.allclose(prediction.mean, oracle.posterior_mean(z, times))
    assert torch.allclose(predict(OracleDenoiser(oracle), z, times), oracle.posterior_mean(z, times))
    assert torch.equal(prediction.output_scale, torch.ones_like(z))


CONDITIONS: dict[str, tuple[Condition, tuple[int, ...], Tensor]] = {
    "class": (ClassCondition("abc", [1, 1, 1]), (2,), torch.tensor([0, 2, 1])),
    "vector": (VectorCondition(2), (2,), torch.tensor([[0.0, 1.0], [-1.0, 2.0], [0.5, 0.5]])),
    "image": (ImageCondition((1, 3, 2)), (1, 3, 2), torch.linspace(-1, 1, 18).reshape(3, 1, 3, 2)),
}
"""A kind, a shape of items, and values for three of them."""


@pytest.mark.parametrize("name", CONDITIONS)
@torch.no_grad()
def test_guidance_is_linear_in_the_mean_between_none_and_the_condition(name: str) -> None:
    condition, event, values = CONDITIONS[name]
    torch.manual_seed(0)
    made = network(event, outputs=2, latent=3, condition=condition)
    randomise(made)
    z, latent = torch.randn(3, *event), torch.randn(3, 3)

    def guided(weight: float, given: Tensor | None = values, *, to_data: bool = False) -> Tensor:
        return denoise(made, Transition(z, 0.2, 1.0, given, weight), latent, to_data=to_data)

    plain, free = guided(1.0), guided(1.0, None)
    assert not torch.allclose(plain.mean, free.mean, atol=0.01)
    for ours, theirs in zip(guided(0.0)[:3], free[:3], strict=True):
        assert torch.allclose(ours, theirs, atol=ALONE)  # the scale too: the unconditional model itself
    for weight in (0.3, 1.7, 4.0):
        assert torch.allclose(guided(weight).mean, free.mean + weight * (plain.mean - free.mean), atol=10 * ALONE)
        assert torch.allclose(guided(weight, condition.none(3)).mean, free.mean, atol=ALONE)
    assert torch.equal(guided(4.0).raw_scale, plain.raw_scale)
    assert torch.allclose(guided(0.5).raw_scale, (plain.raw_scale + free.raw_scale) / 2, atol=ALONE)
    told = made(z, torch.stack([Transition(z, 0.2, 1.0).log_snr[:, 0], torch.full((3,), torch.inf)], dim=1), latent, values)
    assert torch.equal(guided(1.0, to_data=True).mean, told.mean)


def guided_kernels(condition: Condition, event: tuple[int, ...]) -> dict[str, Kernel]:
    head = GaussianHead(1e-3)
    calibrated = GaussianKernel(network(event, condition=condition), head)
    set_error(calibrated, torch.tensor([1.0]), torch.tensor([0.4]))
    made: dict[str, Kernel] = {
        "gaussian": calibrated,
        "deterministic": DeterministicKernel(network(event, condition=condition)),
        "bridge": DeterministicKernel(network(event, condition=condition), bridge=True),
        "vae": small_vae(event, MLPEncoder(event, latent=3, condition=condition), head, condition=condition),
    }
    for kernel in made.values():
        randomise(kernel)
    return made


@pytest.mark.parametrize("s", [0.0, 0.2], ids=["final", "inner"])
@pytest.mark.parametrize("kernel", ["gaussian", "deterministic", "bridge", "vae"])
@pytest.mark.parametrize("name", CONDITIONS)
@torch.no_grad()
def test_guided_samples(name: str, kernel: str, s: float) -> None:
    condition, event, values = CONDITIONS[name]
    torch.manual_seed(0)
    made, z = guided_kernels(condition, event)[kernel], torch.randn(3, *event)

    def sample(given: Tensor | None, weight: float = 1.0) -> Tensor:
        return made.sample(Transition(z, s, 1.0, given, weight), Noise(0, 0, 3), Sampling(guidance=weight))

    plain, free = sample(values), sample(None)
    assert not torch.allclose(plain, free, atol=1e-3)
    assert torch.equal(sample(condition.none(3)), free)
    assert torch.allclose(sample(values, 0.0), free, atol=ALONE)
    if kernel != "vae":  # whose noise is as wide as its condition says
        assert torch.allclose(sample(values, 2.0), 2 * plain - free, atol=10 * ALONE)
    mixed = torch.cat([values[:1], condition.none(2)])
    assert torch.allclose(sample(mixed), torch.cat([plain[:1], free[1:]]), atol=ALONE)
