"""Networks: scales against EDM and against Gaussian conditionals, images of every size, items apart from each other."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from saltus.errors import SaltusError
from saltus.networks import (
    MLP,
    Architecture,
    ConvEncoder,
    MLPEncoder,
    Preset,
    Scaled,
    UNet,
    decoder,
    encoder,
    positive,
    scales,
    transfer_weights,
)
from saltus.networks.backbones import pad_to_multiple
from saltus.networks.conditioning import LOG_SNR_RANGE, log_snr_features
from saltus.oracles import GaussianMixture
from saltus.process import OrnsteinUhlenbeck
from tests.helpers.stubs import randomise

process = OrnsteinUhlenbeck()
ROUNDING = 1e-10
ALONE = 1e-5  # float32 through some ten layers, whose sums a batch may order in another way
SIZES = [(8, 8), (28, 28), (9, 13)]
TIMES = torch.tensor([[1.0, 4.0], [-2.0, torch.inf], [0.3, 0.4]], dtype=torch.float64)


def images(*event: int, inputs: int = 1) -> Tensor:
    return torch.randn(3, inputs, *event, generator=torch.Generator().manual_seed(0))


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
    law = oracle.reverse(torch.ones(1, 1), s, t)
    ours = scales(process.log_snr(t), process.log_snr(s), v)
    assert float(ours.skip) == pytest.approx(float(law.mean), rel=ROUNDING)
    assert float(ours.output) ** 2 == pytest.approx(float(law.variance), rel=ROUNDING)
    assert float(ours.input) ** -2 == pytest.approx(float(oracle.marginal(t).variance), rel=ROUNDING)


@given(st.floats(-700, 700), st.floats(-700, 700))
def test_scales_are_finite_at_any_times(a: float, b: float) -> None:
    low, high = sorted((a, b))
    values = scales(torch.tensor(low), torch.tensor(high), 0.5)
    assert all(bool(value.isfinite()) and float(value) >= 0 for value in values)


def test_a_fresh_network_is_its_skip_connection() -> None:
    for shape in [(3,), (1, 8, 8)]:
        kind = Architecture.UNET if len(shape) == 3 else Architecture.MLP
        network, z = decoder(shape, architecture=kind, outputs=2, latent=2, variance=0.5), images(*shape)[:, 0]
        latent = torch.ones(3, 2)
        for data in (True, False):
            prediction, (raw,), width = network(z, TIMES, latent, data=data)
            known = scales(TIMES[:, 0], torch.full((3,), torch.inf) if data else TIMES[:, 1], 0.5)
            skip, output = (x.float().reshape(-1, *(1,) * len(shape)) for x in (known.skip, known.output))
            assert torch.allclose(prediction, skip * z)
            assert torch.equal(width, output)
            assert not raw.any()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_images_of_every_size(size: tuple[int, int], channels: int) -> None:
    event = (channels, *size)
    network = UNet(event, inputs=2, outputs=2, latent=3, channels=(8, 16))
    randomise(network)
    out = network(images(*event, inputs=2), TIMES, torch.ones(3, 3))
    assert out.shape == (3, 2, *event)
    assert out.isfinite().all()
    assert ConvEncoder(event, latent=5, channels=(8, 16))(images(*event, inputs=2), TIMES).shape == (3, 2, 5)


@pytest.mark.parametrize("event", [(2,), (5, 3), (1, 2, 2, 2)])
def test_vectors_and_anything_small(event: tuple[int, ...]) -> None:
    network = MLP(event, inputs=2, outputs=3, latent=4, width=8)
    randomise(network)
    assert network(images(*event, inputs=2), TIMES, torch.ones(3, 4)).shape == (3, 3, *event)
    assert MLPEncoder(event, latent=5, width=8)(images(*event, inputs=2), TIMES).shape == (3, 2, 5)


def error_after_training(sinusoids: bool) -> float:
    """Mean squared error of an MLP on a function that changes sign within a third of a standard deviation."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = MLP((1,), width=32, depth=1, sinusoids=sinusoids)
        optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
        for _ in range(300):
            x = torch.randn(128, 1, 1)
            error = (network(x, TIMES[:1].expand(128, 2)) - math.sqrt(2) * torch.sin(9 * x)).square().mean()
            optimiser.zero_grad()
            error.backward()
            optimiser.step()
    return float(error.detach())


def test_sinusoids_learn_what_changes_within_a_fraction_of_the_range() -> None:
    assert error_after_training(sinusoids=True) < 0.2
    assert error_after_training(sinusoids=False) > 0.5


def test_vectors_get_sinusoids_and_images_do_not() -> None:
    names = {event: [name for name, _ in decoder(event, width=8).named_parameters()] for event in [(5,), (1, 8, 8)]}
    assert any("sinusoids" in name for name in names[5,])
    assert not any("sinusoids" in name for name in names[1, 8, 8])


@pytest.mark.parametrize("event", [(1, 7, 8), (5, 8, 8), (0, 8, 8), (8, 8), (1, 1, 8, 8)])
def test_what_is_no_image_is_refused(event: tuple[int, ...]) -> None:
    with pytest.raises(SaltusError, match="takes images") as caught:
        UNet(event)
    assert str(event) in str(caught.value)


@pytest.mark.parametrize("multiple", [1, 2, 4])
@pytest.mark.parametrize("size", [*SIZES, (11, 10)])
def test_padding_is_cropped_back(size: tuple[int, int], multiple: int) -> None:
    x = images(1, *size)[:, 0]
    padded, crop = pad_to_multiple(x, multiple)
    assert all(side % multiple == 0 for side in padded.shape[-2:])
    assert torch.equal(padded[..., crop[0], crop[1]], x)


def networks() -> dict[str, tuple[nn.Module, tuple[Tensor, ...]]]:
    """Each network with arguments for it: an array, times, and a latent for decoders."""
    latent = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
    vector, picture = images(3), images(1, 9, 13)
    made = {
        "mlp": (MLP((3,), latent=4, width=16), (vector, TIMES, latent)),
        "sinusoids": (MLP((3,), latent=4, width=16, sinusoids=True), (vector, TIMES, latent)),
        "unet": (UNet((1, 9, 13), latent=4, channels=(8, 16)), (picture, TIMES, latent)),
        "mlp encoder": (MLPEncoder((3,), latent=4, width=16), (images(3, inputs=2), TIMES)),
        "conv encoder": (ConvEncoder((1, 9, 13), latent=4, channels=(16, 32)), (images(1, 9, 13, inputs=2), TIMES)),
    }
    for module, _ in made.values():
        randomise(module)
    return made


@pytest.mark.parametrize("name", ["mlp", "sinusoids", "unet", "mlp encoder", "conv encoder"])
@torch.no_grad()
def test_items_are_apart_and_every_input_is_heard(name: str) -> None:
    torch.manual_seed(0)
    network, arguments = networks()[name]
    together = network(*arguments)
    alone = torch.cat([network(*(x[i : i + 1] for x in arguments)) for i in range(3)])
    assert torch.allclose(together, alone, rtol=ALONE, atol=ALONE)
    for changed in range(len(arguments)):
        others = [x.flip(0) if i == changed else x for i, x in enumerate(arguments)]
        assert (network(*others) - together).abs().max() > 100 * ALONE
    log_snr = arguments[1].clone()
    log_snr[:, 1] -= 1  # the time that z is taken to
    assert (network(arguments[0], log_snr, *arguments[2:]) - together)[[0, 2]].abs().max() > 100 * ALONE


def test_features_of_times() -> None:
    grid = torch.linspace(-LOG_SNR_RANGE, LOG_SNR_RANGE, 200, dtype=torch.float64)[:, None]
    features = log_snr_features(grid, 32)
    assert features.shape == (200, 32)
    assert features.abs().max() <= 1
    near, far = (features[i + 1] - features[i] for i in (0, 100)), torch.cdist(features, features)
    assert all(step.abs().max() > 0.01 for step in near)  # neighbours, a fifth apart in log-SNR, differ
    assert (far + torch.eye(200) > 0.1).all()  # and no two times look the same
    ends = log_snr_features(torch.tensor([[torch.inf, -torch.inf], [LOG_SNR_RANGE, -LOG_SNR_RANGE]]), 32)
    assert torch.equal(ends[0], ends[1])


def test_presets() -> None:
    for shape in [(2,), (1, 16, 16)]:
        for make in (lambda shape, preset: decoder(shape, preset, latent=2), lambda shape, preset: encoder(shape, preset, latent=2)):
            sizes = [sum(p.numel() for p in make(shape, preset).parameters()) for preset in Preset]
            assert all(smaller < larger for smaller, larger in pairwise(sizes))
    for image in [(1, 16, 16), (3, 28, 17)]:
        assert isinstance(decoder(image).backbone, UNet)
        assert isinstance(encoder(image, latent=1), ConvEncoder)
    for small in [(64,), (1, 8, 8), (1, 15, 40), (2, 2)]:
        assert isinstance(decoder(small).backbone, MLP)
        assert isinstance(encoder(small, latent=1), MLPEncoder)
    for architecture, kind in [(Architecture.MLP, MLP), ("mlp", MLP), (Architecture.UNET, UNet), ("unet", UNet)]:
        assert isinstance(decoder((1, 16, 16), "tiny", architecture=architecture).backbone, kind)
        assert isinstance(decoder((1, 8, 8), architecture=architecture).backbone, kind)
    with pytest.raises(ValueError, match="transformer"):
        decoder((1, 8, 8), architecture="transformer")


@pytest.mark.parametrize("variance", [0.0, -1.0, math.nan])
def test_a_variance_is_positive(variance: float) -> None:
    with pytest.raises(ValueError, match=f"variance = {variance}"):
        Scaled(MLP((1,)), variance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_kl_of_any_standard_deviation_is_finite(dtype: torch.dtype) -> None:
    """An encoder may be as sure as it likes while the KL has no weight; softplus alone gives squares that round to 0."""
    raw = torch.tensor([-1e4, -200.0, -100.0, -1.0, 0.0, 1e4], dtype=dtype, requires_grad=True)
    prior = Normal(torch.zeros(6, dtype=dtype), torch.ones(6, dtype=dtype))
    kl = kl_divergence(Normal(torch.zeros_like(raw), positive(raw)), prior)
    assert torch.isfinite(kl).all()
    (slope,) = torch.autograd.grad(kl.sum(), raw)
    assert torch.allclose(slope[:3].float(), torch.tensor(-math.log(2)), rtol=1e-2)  # ln sigma = raw ln 2 there
    alone = Normal(torch.zeros_like(raw), torch.nn.functional.softplus(raw, beta=math.log(2)), validate_args=False)
    assert (~torch.isfinite(kl_divergence(alone, prior))).sum() == 3
    assert positive(raw)[4] == 1


def test_event_shapes_are_known() -> None:
    assert tuple(decoder((2, 3)).event_shape) == (2, 3)
    assert tuple(decoder((1, 8, 9)).event_shape) == (1, 8, 9)


@pytest.mark.parametrize("event", [(5,), (1, 16, 16)])
def test_an_heir_whose_latent_is_silent_is_its_source(event: tuple[int, ...]) -> None:
    """At every time of z_s; with its own weights for the latent it is not."""
    torch.manual_seed(0)
    source, heir = decoder(event), decoder(event, outputs=2, latent=3)
    randomise(source)
    transfer_weights(heir, source)
    z, latent = torch.randn(3, *event), torch.randn(3, 3)
    to_data = torch.stack([TIMES[:, 0], torch.full((3,), torch.inf)], dim=1)
    wanted = source(z, to_data)[0]
    assert not torch.allclose(heir(z, TIMES, latent)[0], wanted, atol=ALONE)
    theirs = dict(source.named_parameters())
    for name, weight in heir.named_parameters():
        if name in theirs and weight.ndim > 1 and weight.shape[1] > theirs[name].shape[1]:
            assert weight[:, theirs[name].shape[1] :].all()
            weight.data[:, theirs[name].shape[1] :] = 0
    assert torch.allclose(heir(z, TIMES, latent)[0], wanted, atol=ALONE)


def test_other_networks_start_nothing() -> None:
    for heir, source in [
        (decoder((5,), latent=3, width=64), decoder((5,))),
        (decoder((4,), latent=3), decoder((5,))),
        (decoder((5,)), decoder((5,), latent=3)),
        (decoder((1, 16, 16), architecture=Architecture.MLP), decoder((1, 16, 16))),
    ]:
        with pytest.raises(SaltusError, match="give both one size"):
            transfer_weights(heir, source)
