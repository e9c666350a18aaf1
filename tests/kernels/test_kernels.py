"""The contract of a kernel, and the Gaussian and deterministic kernels against what is known of them in closed form."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from saltus.chain import Chain, StandardNormal
from saltus.kernels import DeterministicKernel, GaussianKernel, Kernel, OracleKernel, Sampling, VAEKernel, Variance
from saltus.levels import Levels
from saltus.likelihoods import DiscretisedHead, GaussianHead
from saltus.networks import Architecture, ConvEncoder, MLPEncoder, decoder, scales
from saltus.oracles import GaussianMixture
from saltus.process import Noise, OrnsteinUhlenbeck
from tests.helpers.checks import STANDARD_ERRORS, follows, gauss_hermite, mixture_cdf
from tests.helpers.stubs import OracleDenoiser, randomise, set_error, small_vae

process = OrnsteinUhlenbeck()
ROUNDING = 1e-10  # sums of a few hundred float64 terms of order one, and of logarithms of small variances
HEAD = GaussianHead(1e-4)  # a floor below every standard deviation here
GRIDS = [Levels.log_snr(L, 3.0, -4.0) for L in (1, 2, 4, 8)]
NOISE = Noise(0, 0, 3)


def gaussian(variances: list[float]) -> GaussianMixture:
    """N(0, diag(variances))."""
    v = torch.tensor(variances, dtype=torch.float64)
    return GaussianMixture(torch.ones(1), torch.zeros(1, len(v)), torch.diag(v)[None])


def posterior_variance(v: Tensor, t: float) -> Tensor:
    """C_t of Gaussian data, v sigma^2 / (alpha^2 v + sigma^2)."""
    alpha, noise = process.alpha(t) ** 2, process.sigma(t) ** 2
    return v * noise / (alpha * v + noise)


@torch.no_grad()
def gap(kernel: GaussianKernel, variances: list[float], levels: Levels) -> float:
    """Bound minus entropy, averaged over N(0, diag(variances)), with the exact law of z_L as prior.

    No Monte Carlo: the terms are quadratic in (y, z_t), so three nodes in each direction give their mean exactly.
    """
    v = torch.tensor(variances, dtype=torch.float64)
    x, w = (torch.from_numpy(a) for a in gauss_hermite(3))
    picks = torch.tensor(list(product(range(3), repeat=2 * len(v))))
    unit_y, unit_z = x[picks].chunk(2, dim=1)
    weight, y = w[picks].prod(1), v.sqrt() * unit_y
    total = 0.0
    for s, t in levels.pairs():
        z_t = process.alpha(t) * y + process.sigma(t) * unit_z
        terms = kernel.terms(y, y, z_t, s, t, noise=Noise(0, 0, len(y)))
        total += float(weight @ sum(terms.values()))
    last = process.alpha(levels.last) ** 2 * v / process.sigma(levels.last) ** 2
    entropy = torch.log(2 * math.pi * math.e * v).sum() / 2
    return total + float(torch.log1p(last).sum() / 2 - entropy)  # I(y; z_L) is what the exact prior costs


@pytest.mark.parametrize("levels", GRIDS, ids=lambda levels: f"L={levels.L}")
@pytest.mark.parametrize("v", [0.3, 1.0, 2.5])
def test_no_gap_on_isotropic_data(levels: Levels, v: float) -> None:
    """A fresh network is the perfect denoiser of N(0, v I): its skip connection alone."""
    times, one = levels.times[1:], torch.tensor(v, dtype=torch.float64)
    errors = torch.stack([posterior_variance(one, t) for t in times.tolist()])
    for wrong, exact in [(1.0, True), (1.2, False)]:  # the twin: a c that is 20% off
        kernel = GaussianKernel(decoder((1,), variance=v).double(), HEAD)
        set_error(kernel, times, wrong * errors)
        assert (abs(gap(kernel, [v], levels)) <= ROUNDING) is exact
    posterior, transition = (GaussianKernel(kernel.network, HEAD, variance=name) for name in ("posterior", "transition"))
    assert gap(posterior, [v], levels) > ROUNDING
    assert (abs(gap(transition, [v], levels)) <= ROUNDING) is (v == 1)  # its width is the right one at unit variance alone


@pytest.mark.parametrize("levels", GRIDS, ids=lambda levels: f"L={levels.L}")
def test_gap_on_anisotropic_data_is_the_known_one(levels: Levels) -> None:
    variances = [0.05, 2.0]
    v, expected, errors = torch.tensor(variances, dtype=torch.float64), 0.0, []
    for s, t in levels.pairs():
        _, b, spread = process.bridge_coefficients(s, t)
        C = posterior_variance(v, t)
        errors.append(C.mean())
        expected += float(2 * torch.log(spread + b**2 * C.mean()) - torch.log(spread + b**2 * C).sum()) / 2
    kernel = GaussianKernel(OracleDenoiser(gaussian(variances)), HEAD)
    set_error(kernel, levels.times[1:], torch.stack(errors))
    assert gap(kernel, variances, levels) == pytest.approx(expected, abs=ROUNDING)
    assert expected > 0.01  # nats: a gap worth the name
    set_error(kernel, levels.times[1:], 1.1 * torch.stack(errors))
    assert gap(kernel, variances, levels) > expected + ROUNDING  # the twin: any other c is worse


def test_measured_errors_do_nearly_as_well() -> None:
    levels, v, n = GRIDS[2], [1.0, 1.0], 20_000
    kernel = GaussianKernel(OracleDenoiser(gaussian(v)), HEAD)
    Chain(StandardNormal(), levels, kernel).calibrate(gaussian(v).sample(n, seed=0), seed=1)
    # relative to c, its standard error is sqrt(2 / 2n); half of the square of that is what it costs each level
    assert 0 < gap(kernel, v, levels) < levels.L * STANDARD_ERRORS**2 / n / 2


def test_errors_between_calibrated_times() -> None:
    """Exact at calibrated times, log-linear in log-SNR between them, constant beyond."""
    kernel, times = GaussianKernel(decoder((1,)), HEAD), torch.tensor([0.1, 0.5, 2.0], dtype=torch.float64)
    errors = torch.tensor([0.02, 0.3, 0.9], dtype=torch.float64)
    set_error(kernel, times, errors)
    assert torch.allclose(kernel.error(times), errors, rtol=ROUNDING)
    middle = process.time_at_log_snr((process.log_snr(0.1) + process.log_snr(0.5)) / 2)
    assert float(kernel.error(middle)) == pytest.approx(math.sqrt(0.02 * 0.3), rel=ROUNDING)
    assert torch.allclose(kernel.error(torch.tensor([1e-9, 0.0, 50.0])), errors[[0, 0, 2]], rtol=ROUNDING)
    set_error(kernel, times, torch.zeros(3))  # constant data, perfectly predicted
    assert torch.allclose(kernel.error(times), torch.zeros(3, dtype=torch.float64))
    set_error(kernel, times[:1], errors[:1])
    assert torch.allclose(kernel.error(times), errors[0].expand(3), rtol=ROUNDING)


def test_uncalibrated_says_so() -> None:
    kernel, z = GaussianKernel(decoder((1,)), HEAD), torch.zeros(3, 1)
    for call in (lambda: kernel.sample(z, 0.0, 1.0, noise=NOISE), lambda: kernel.terms(z, z, z, 0.0, 1.0, noise=NOISE)):
        with pytest.raises(RuntimeError, match="calibrate"):
            call()
    for y, times in [(z[:0], [1.0]), (z, [0.0, 1.0]), (z, [])]:
        with pytest.raises(ValueError, match=f"{len(y)} items and times"):
            kernel.calibrate(y, times, seed=0)


def kernels() -> dict[str, Kernel]:
    """One of each kind, for items of two numbers."""
    network = decoder((2,))
    calibrated = GaussianKernel(network, HEAD)
    set_error(calibrated, torch.tensor([1.0]), torch.tensor([0.4]))
    return {
        "deterministic": DeterministicKernel(network),
        "deterministic bridge": DeterministicKernel(network, bridge=True),
        "posterior": GaussianKernel(network, HEAD, variance="posterior"),
        "transition": GaussianKernel(network, HEAD, variance="transition"),
        "optimal": calibrated,
        "vae": small_vae((2,), MLPEncoder((2,), latent=3), HEAD),
        "vae without a latent": small_vae((2,), None, HEAD),
        "oracle": OracleKernel(gaussian([0.3, 1.0])),
    }


@pytest.mark.parametrize("name", kernels())
def test_contract(name: str) -> None:
    kernel, (y, z_s, z_t) = kernels()[name], torch.randn(3, 3, 2, generator=torch.Generator().manual_seed(0))
    randomise(kernel)
    assert tuple(kernel.event_shape) == (2,)
    for s, t in [(0.5, 1.0), (0.0, 1.0), (torch.tensor([0.0, 0.5, 0.3]), torch.tensor([0.2, 1.0, 9.0]))]:
        sample = kernel.sample(z_t, s, t, noise=NOISE)
        assert sample.shape == z_t.shape
        assert sample.dtype == z_t.dtype
        assert sample.isfinite().all()
        assert torch.equal(sample, kernel.sample(z_t, s, t, noise=NOISE))
        with pytest.raises(ValueError, match=r"a condition of shape \(3,\)"):
            kernel.sample(z_t, s, t, noise=NOISE, condition=torch.zeros(3))
        if kernel.has_bound:
            seen = torch.where((torch.as_tensor(s).expand(3) == 0)[:, None], y, z_s)
            terms = kernel.terms(y, seen, z_t, s, t, noise=NOISE)
            assert all(value.shape == (3,) and value.isfinite().all() for value in terms.values())
            with pytest.raises(ValueError, match="takes none"):
                kernel.terms(y, seen, z_t, s, t, noise=NOISE, condition=torch.zeros(3))


def test_kernels_without_a_bound_or_a_loss_say_what_to_use() -> None:
    z = torch.zeros(3, 2)
    deterministic, oracle = kernels()["deterministic"], kernels()["oracle"]
    assert not deterministic.has_bound
    with pytest.raises(TypeError, match="use GaussianKernel or VAEKernel"):
        deterministic.terms(z, z, z, 0.1, 1.0, noise=NOISE)
    with pytest.raises(TypeError, match="nothing to train"):
        oracle.loss(z, z, z, 0.1, 1.0, noise=NOISE, weights={})


def test_the_gaussian_step() -> None:
    """mean A z_t + B yhat and each of the three variances, from what a sample does with unit noise."""
    oracle, s, t = gaussian([0.3, 1.0]), 0.2, 1.1
    z_t = torch.randn(3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    a, b, spread = process.bridge_coefficients(s, t)
    mean, unit = a * z_t + b * oracle.posterior_mean(z_t, t), NOISE.normal("decoder", (2,))
    widths = {"posterior": spread, "transition": process.sigma(t - s) ** 2, "optimal": spread + b**2 * 0.4}
    for variance, width in widths.items():
        kernel = GaussianKernel(OracleDenoiser(oracle), HEAD, variance=variance)
        set_error(kernel, torch.tensor([t]), torch.tensor([0.4]))
        assert torch.allclose(kernel.sample(z_t, s, t, noise=NOISE), mean + width.sqrt() * unit, rtol=ROUNDING)
        assert torch.allclose(kernel.sample(z_t, 0.0, t, noise=NOISE), oracle.posterior_mean(z_t, t), rtol=ROUNDING)
        drawn = kernel.sample(z_t, 0.0, t, noise=NOISE, how=Sampling(last="draw"))
        final = {"posterior": torch.tensor(HEAD.floor**2), "transition": process.sigma(t) ** 2, "optimal": torch.tensor(0.4)}[variance]
        assert torch.allclose(drawn, oracle.posterior_mean(z_t, t) + final.double().sqrt() * unit, rtol=1e-6)  # 0.4 in float32


def test_the_deterministic_step() -> None:
    """Equation (2), and the bridge around the same prediction; the loss of equation (1)."""
    oracle, s, t = gaussian([0.3, 1.0]), 0.2, 1.1
    y, z_t = torch.randn(2, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    yhat, (a, b, spread) = oracle.posterior_mean(z_t, t), process.bridge_coefficients(s, t)
    network = OracleDenoiser(oracle)
    assert torch.equal(DeterministicKernel(network).sample(z_t, s, t, noise=NOISE), yhat)
    bridge = DeterministicKernel(network, bridge=True)
    expected = a * z_t + b * yhat + spread.sqrt() * NOISE.normal("decoder", (2,))
    assert torch.allclose(bridge.sample(z_t, s, t, noise=NOISE), expected, rtol=ROUNDING)
    assert torch.allclose(bridge.sample(z_t, 0.0, t, noise=NOISE), yhat, rtol=ROUNDING)
    loss = bridge.loss(y, y, z_t, s, t, noise=NOISE, weights={"error": 3.0})
    assert torch.allclose(loss["error"], 3 * (y - yhat).square().sum(1), rtol=ROUNDING)


def test_an_exact_draw_may_reuse_any_share_of_the_noise() -> None:
    """z_s keeps its law for every eta; the twin, which takes the posterior mean for a draw, does not."""
    n, s, t = 20_000, 0.3, 1.0
    weights, means, variances = torch.tensor([[0.7, 0.3], [-1.0, 0.8], [0.05, 0.2]], dtype=torch.float64)
    oracle = GaussianMixture(weights, means[:, None], variances[:, None, None])
    z_t, noise = oracle.sample(n, t, seed=1), Noise(2, 0, n)
    alpha = process.alpha(s)
    cdf = mixture_cdf(weights, alpha * means, alpha**2 * variances + process.sigma(s) ** 2)
    mean = DeterministicKernel(OracleDenoiser(oracle), bridge=True)
    for eta in (0.0, 0.5, 1.0):
        assert follows(OracleKernel(oracle).sample(z_t, s, t, noise=noise, how=Sampling(eta=eta)).flatten(), cdf)
        assert not follows(mean.sample(z_t, s, t, noise=noise, how=Sampling(eta=eta)).flatten(), cdf)
    moved = OracleKernel(oracle).sample(z_t, s, t, noise=noise, how=Sampling(eta=0.0))
    assert not torch.allclose(moved, OracleKernel(oracle).sample(z_t, s, t, noise=noise))


@pytest.mark.parametrize("variance", list(Variance))
def test_a_gaussian_step_without_fresh_noise_is_the_same_for_every_variance_that_is_only_noise(variance: Variance) -> None:
    """At eta = 0 nothing is left of the bridge's or the transition's noise; what is left of an optimal variance is the network's error."""
    s, t, error = 0.6, 1.0, 0.1
    kernel = GaussianKernel(OracleDenoiser(gaussian([1.0, 0.5])), HEAD, variance=variance)
    set_error(kernel, torch.tensor([t]), torch.tensor([error]))
    z_t = gaussian([1.0, 0.5]).sample(5, t, seed=1)
    fresh, reused = (kernel.step(z_t[:, :0], z_t, s, t, eta=eta) for eta in (1.0, 0.0))
    _, b, _ = process.bridge_coefficients(s, t, 0.0)
    left = float(b) ** 2 * error if variance is Variance.OPTIMAL else 0.0
    assert torch.allclose(reused.variance, torch.full_like(z_t, left), atol=ROUNDING)
    assert not torch.allclose(fresh.variance, reused.variance, atol=ROUNDING)
    assert not torch.allclose(fresh.mean, reused.mean, atol=ROUNDING)


class Recorder(OracleDenoiser):
    """Remembers the log-SNRs that it was told."""

    def forward(
        self, z: Tensor, log_snr: Tensor, latent: Tensor | None = None, *, data: bool = True
    ) -> tuple[Tensor, list[Tensor], Tensor]:
        self.told = log_snr
        return super().forward(z, log_snr, latent, data=data)


@pytest.mark.parametrize("any_step", [True, False])
@pytest.mark.parametrize("kind", [DeterministicKernel, GaussianKernel])
def test_a_network_is_told_the_same_when_it_trains_and_when_it_samples(kind: type, any_step: bool) -> None:
    network, z = Recorder(gaussian([0.3, 1.0])), torch.zeros(3, 2, dtype=torch.float64)
    options = {} if kind is DeterministicKernel else {"head": HEAD, "variance": "posterior"}
    kernel = kind(network, any_step=any_step, **options)
    kernel.loss(z, z, z, 0.2, 1.0, noise=NOISE, weights={})
    trained = network.told
    kernel.sample(z, 0.2, 1.0, noise=NOISE)
    assert torch.equal(network.told, trained)
    assert trained[:, 1].isposinf().all() or not any_step  # a network for any grid always goes to the data


def test_gaussian_loss_is_edm_weighted() -> None:
    """The squared error in units of what Gaussian data would leave: of mean 1/2 for each dimension there."""
    kernel, t, n = GaussianKernel(decoder((2,), variance=0.7).double(), HEAD), 0.6, 5
    y, noise = gaussian([0.7, 0.7]).sample(n, seed=0), torch.randn(n, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    z_t = process.alpha(t) * y + process.sigma(t) * noise
    loss = kernel.loss(y, y, z_t, 0.0, t, noise=Noise(0, 0, n), weights={})["error"]
    _, _, c_out = scales(process.log_snr(t), torch.tensor(torch.inf), 0.7)
    yhat = kernel.predict(z_t, t)
    assert torch.allclose(loss, (y - yhat).square().sum(1) / (2 * c_out**2), rtol=ROUNDING)
    assert float(c_out**2) == pytest.approx(float(posterior_variance(torch.tensor(0.7), t)), rel=1e-6)  # 0.7 in float32


IMAGE = (1, 8, 8)


@pytest.mark.parametrize(
    "make",
    [
        lambda: DeterministicKernel(decoder((2,))),
        lambda: DeterministicKernel(decoder(IMAGE, architecture=Architecture.UNET)),
        lambda: GaussianKernel(decoder((2,)), HEAD),
        lambda: GaussianKernel(decoder(IMAGE, architecture=Architecture.UNET), DiscretisedHead(17)),
        lambda: small_vae((2,), MLPEncoder((2,), latent=3), HEAD),
        lambda: small_vae((2,), MLPEncoder((2,), latent=3), HEAD, parametrisation="direct", encoder_input="y"),
        lambda: small_vae((2,), None, HEAD),
        lambda: VAEKernel(
            decoder(IMAGE, architecture=Architecture.UNET, outputs=2, latent=4),
            ConvEncoder(IMAGE, latent=4),
            DiscretisedHead(17, outliers=1e-4),
        ),
    ],
    ids=["deterministic", "deterministic images", "gaussian", "gaussian images", "vae", "direct vae", "vae without a latent", "vae images"],
)
def test_every_parameter_learns(make: object) -> None:
    torch.manual_seed(0)
    kernel: nn.Module = make()  # type: ignore[operator]
    randomise(kernel)
    y, z_s, z_t = torch.randn(3, 4, *kernel.event_shape).clamp(-1, 1)
    s, t = torch.tensor([0.0, 0.1, 0.5, 1.0]), torch.tensor([0.3, 0.5, 1.0, 3.0])
    terms = kernel.loss(y, torch.cat([y[:1], z_s[1:]]), z_t, s, t, noise=Noise(0, 0, 4), weights={})
    sum(terms.values()).sum().backward()
    idle = [name for name, p in kernel.named_parameters() if p.grad is None or not p.grad.any() or not p.grad.isfinite().all()]
    assert not idle
