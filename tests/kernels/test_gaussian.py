"""The Gaussian kernel against what is known of it in closed form."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from torch import Tensor

from saltus.chain import Chain, StandardNormal
from saltus.kernels import GaussianKernel, Pair, Prediction, Sampling, Transition, Variance
from saltus.kernels.denoiser import predict, scales
from saltus.levels import Levels
from saltus.likelihoods import GaussianHead
from saltus.process import Noise, OrnsteinUhlenbeck
from tests.helpers.checks import STANDARD_ERRORS, gauss_hermite
from tests.helpers.distributions import gaussian, posterior_variance
from tests.helpers.stubs import OracleDenoiser, network, set_error

process = OrnsteinUhlenbeck()
ROUNDING = 1e-10  # sums of a few hundred float64 terms of order one, and of logarithms of small variances
HEAD = GaussianHead(1e-4)  # a floor below every standard deviation here
GRIDS = [Levels.log_snr(L, 3.0, -4.0) for L in (1, 2, 4, 8)]
NOISE = Noise(0, 0, 3)


@torch.no_grad()
def gap(kernel: GaussianKernel, variances: list[float], levels: Levels) -> float:
    """Bound minus entropy, averaged over N(0, diag(variances)), with the exact distribution of z_L as prior.

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
        terms = kernel.explain(Pair(z_t, s, t, y=y, z_s=y), Noise(0, 0, len(y))).terms
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
        kernel = GaussianKernel(network((1,), v).double(), HEAD)
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
    kernel, times = GaussianKernel(network((1,)), HEAD), torch.tensor([0.1, 0.5, 2.0], dtype=torch.float64)
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
    kernel, z = GaussianKernel(network((1,)), HEAD), torch.zeros(3, 1)
    for call in (lambda: kernel.sample(Transition(z, 0.0, 1.0), NOISE), lambda: kernel.explain(Pair(z, 0.0, 1.0, y=z, z_s=z), NOISE)):
        with pytest.raises(RuntimeError, match="calibrate"):
            call()
    for y, times in [(z[:0], [1.0]), (z, [0.0, 1.0]), (z, [])]:
        with pytest.raises(ValueError, match=f"{len(y)} items and times"):
            kernel.calibrate(y, times, seed=0)


def test_unknown_variances_are_refused() -> None:
    with pytest.raises(ValueError, match="learned"):
        GaussianKernel(network((1,)), HEAD, variance="learned")


def test_the_step() -> None:
    """mean A z_t + B yhat and each of the three variances, from what a sample does with unit noise."""
    oracle, s, t = gaussian([0.3, 1.0]), 0.2, 1.1
    z_t = torch.randn(3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    a, b, spread = process.bridge_coefficients(s, t)
    yhat = oracle.posterior_mean(z_t, t)
    mean, unit = a * z_t + b * yhat, NOISE.normal("decoder", (2,))
    widths = {"posterior": spread, "transition": process.sigma(t - s) ** 2, "optimal": spread + b**2 * 0.4}
    finals = {"posterior": torch.tensor(HEAD.floor**2), "transition": process.sigma(t) ** 2, "optimal": torch.tensor(0.4)}
    for variance, width in widths.items():
        kernel = GaussianKernel(OracleDenoiser(oracle), HEAD, variance=variance)
        set_error(kernel, torch.tensor([t]), torch.tensor([0.4]))
        inner, final = Transition(z_t, s, t), Transition(z_t, 0.0, t)
        assert torch.allclose(kernel.sample(inner, NOISE), mean + width.sqrt() * unit, rtol=ROUNDING)
        for way in ("mode", "mean"):
            assert torch.allclose(kernel.sample(final, NOISE, Sampling(way)), yhat, rtol=ROUNDING)
        sample = kernel.sample(final, NOISE, Sampling("sample"))
        assert torch.allclose(sample, yhat + finals[variance].double().sqrt() * unit, rtol=1e-6)  # 0.4 in float32


@pytest.mark.parametrize("variance", list(Variance))
def test_without_fresh_noise_the_step_is_the_same_for_every_variance_that_is_only_noise(variance: Variance) -> None:
    """At eta = 0 nothing is left of the bridge's or the transition's noise; what is left of an optimal variance is the network's error."""
    s, t, error = 0.6, 1.0, 0.1
    kernel = GaussianKernel(OracleDenoiser(gaussian([1.0, 0.5])), HEAD, variance=variance)
    set_error(kernel, torch.tensor([t]), torch.tensor([error]))
    z_t = gaussian([1.0, 0.5]).sample(5, t, seed=1)
    fresh, reused = (kernel.step(Transition(z_t, s, t, eta=eta), z_t[:, :0]) for eta in (1.0, 0.0))
    _, b, _ = process.bridge_coefficients(s, t, 0.0)
    left = float(b) ** 2 * error if variance is Variance.OPTIMAL else 0.0
    assert torch.allclose(reused.variance, torch.full_like(z_t, left), atol=ROUNDING)
    assert not torch.allclose(fresh.variance, reused.variance, atol=ROUNDING)
    assert not torch.allclose(fresh.mean, reused.mean, atol=ROUNDING)


def test_the_loss_is_edm_weighted() -> None:
    """The squared error in units of what Gaussian data would leave: of mean 1/2 for each dimension there."""
    kernel, t, n = GaussianKernel(network((2,), 0.7).double(), HEAD), 0.6, 5
    y, noise = gaussian([0.7, 0.7]).sample(n, seed=0), torch.randn(n, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    z_t = process.alpha(t) * y + process.sigma(t) * noise
    pair = Pair(z_t, 0.0, t, y=y, z_s=y)
    loss = kernel.loss(pair, Noise(0, 0, n), {})["error"]
    _, _, c_out = scales(process.log_snr(t), torch.tensor(torch.inf), 0.7)
    yhat = predict(kernel.network, z_t, t)
    assert torch.allclose(loss, (y - yhat).square().sum(1) / (2 * c_out**2), rtol=ROUNDING)
    assert float(c_out**2) == pytest.approx(float(posterior_variance(torch.tensor(0.7), t)), rel=1e-6)  # 0.7 in float32
    assert torch.equal(kernel.loss(pair, Noise(0, 0, n), {"error": 3.0})["error"], 3 * loss)


class Zero(OracleDenoiser):
    """Says 0, and remembers what it was conditioned on."""

    def forward(self, z: Tensor, log_snr: Tensor, latent: Tensor | None = None, condition: Tensor | None = None) -> Prediction:
        self.__dict__.setdefault("seen", []).append(condition)
        prediction = super().forward(z, log_snr, latent)
        return prediction._replace(mean=torch.zeros_like(z))


def test_calibration_measures_the_error_of_the_network() -> None:
    """On N(0, v) the mean squared error of its own denoiser is the posterior variance; of a denoiser that says 0 it is v."""
    n, v, t = 20_000, 0.6, 0.5
    y = gaussian([v]).sample(n, seed=3)
    known = float(posterior_variance(torch.tensor(v), t))
    for denoiser, expected, other in [(OracleDenoiser(gaussian([v])), known, v), (Zero(gaussian([v])), v, known)]:
        kernel = GaussianKernel(denoiser, HEAD)
        kernel.calibrate(y, [t], seed=1)
        error, tolerance = float(kernel.error(t)), STANDARD_ERRORS * math.sqrt(2 / n)
        assert error == pytest.approx(expected, rel=tolerance)
        assert error != pytest.approx(other, rel=tolerance)


def test_calibration_keeps_conditions_with_their_items() -> None:
    kernel, condition = GaussianKernel(Zero(gaussian([1.0])), HEAD), torch.arange(300)
    kernel.calibrate(torch.zeros(300, 1), [0.5, 1.0], seed=1, condition=condition)
    assert torch.equal(torch.cat(kernel.network.seen), condition.repeat(2))
