"""The noise process: its distributions fit together, hold at the ends of time, and refuse what has no meaning."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, localcontext

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from torch import Tensor

from saltus.process import ConstantAlpha, Delta, OrnsteinUhlenbeck

process = OrnsteinUhlenbeck()

ROUNDING = 1e-12  # a few thousand float64 roundings of numbers of order one
SHORTEST = 1e-8  # steps below have a width at which the rounding of z itself, 1e-16, shows in a density
LAST = 50.0  # alpha = e^-50: nothing is left of y

steps = st.floats(SHORTEST, LAST / 2)
three_times = st.tuples(st.floats(0, LAST / 2), st.floats(0, LAST / 2), st.floats(0, LAST / 2)).map(sorted)
few = settings(max_examples=200)


def unit_noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@few
@given(three_times, st.floats(0, 1))
def test_every_member_of_the_bridge_s_family_keeps_the_marginals(times: list[float], eta: float) -> None:
    """Mean A e^{-t} + B = e^{-s} and variance A^2 sigma(t)^2 + S = sigma(s)^2: N(alpha y, sigma^2 I) at t becomes that at s."""
    s, _, t = times
    a, b, spread = process.bridge_coefficients(s, t, eta)
    assert float(a * process.alpha(t) + b) == pytest.approx(math.exp(-s), rel=ROUNDING)
    assert float(a**2 * process.sigma(t) ** 2 + spread) == pytest.approx(-math.expm1(-2 * s), rel=ROUNDING)
    assert float(spread) == pytest.approx(eta**2 * float(process.bridge_coefficients(s, t)[2]), rel=ROUNDING)


@pytest.mark.parametrize("gap", [1e-9, 1e-6, 1e-3])
def test_the_family_is_exact_where_its_ends_nearly_meet(gap: float) -> None:
    """B without its cancellation, against decimals of 50 digits."""
    s, eta = 0.7, 0.6
    with localcontext() as context:
        context.prec = 50
        d, exact_s = Decimal(s + gap) - Decimal(s), Decimal(s)
        variance, total = 1 - (-2 * exact_s).exp(), 1 - (-2 * (exact_s + d)).exp()
        a = ((variance - Decimal(eta) ** 2 * (1 - (-2 * d).exp()) * variance / total) / total).sqrt()
        b = (-exact_s).exp() - (-(exact_s + d)).exp() * a
    assert float(process.bridge_coefficients(s, s + gap, eta)[1]) == pytest.approx(float(b), rel=1e-13)


@few
@given(three_times)
def test_two_jumps_are_one(times: list[float]) -> None:
    s, u, t = times
    one = torch.ones(1, 1, dtype=torch.float64)
    first, second, direct = (process.transition(one, dt) for dt in (u - s, t - u, t - s))
    assert torch.allclose(second.mean * first.mean, direct.mean, rtol=0, atol=ROUNDING)
    assert torch.allclose(second.mean**2 * first.variance + second.variance, direct.variance, rtol=0, atol=ROUNDING)


@few
@given(steps, steps, st.integers(0, 2**32))
def test_both_factorings_of_the_joint_distribution_agree(s: float, dt: float, seed: int) -> None:
    """q(z_s | y) q(z_t | z_s) = q(z_t | y) q(z_s | z_t, y), at points of the process."""
    t = s + dt
    y, for_s, for_t = unit_noise(seed, 3, 4, 2)
    z_s = process.alpha(s) * y + process.sigma(s) * for_s
    z_t = process.alpha(t - s) * z_s + process.sigma(t - s) * for_t
    forwards = process.marginal(y, s).log_prob(z_s) + process.transition(z_s, t - s).log_prob(z_t)
    backwards = process.marginal(y, t).log_prob(z_t) + process.bridge(z_t, y, s, t).log_prob(z_s)
    assert ((forwards - backwards).abs() <= 1e-10 * (1 + forwards.abs())).all()


@pytest.mark.parametrize("N", [1, 3, 10])
def test_constant_alpha_is_the_process_at_other_times(N: int) -> None:
    alpha, view = math.exp(-1 / N), process.per_unit_time(N)
    assert view == ConstantAlpha(alpha, process) == process.discrete(alpha)
    y = unit_noise(0, 5, 2)
    for k, l in [(1, 2), (3, 7), (0, 20)]:
        distribution = view.marginal(y, l)
        assert torch.allclose(distribution.mean, alpha**l * y, rtol=ROUNDING)
        assert torch.allclose(distribution.variance, torch.full_like(y, 1 - alpha ** (2 * l)), rtol=ROUNDING)
        for discrete, continuous in [
            (distribution, process.marginal(y, l / N)),
            (view.transition(y, l), process.transition(y, l / N)),
            (view.bridge(y, y.flip(0), k, l), process.bridge(y, y.flip(0), k / N, l / N)),
        ]:
            assert torch.allclose(discrete.mean, continuous.mean, rtol=ROUNDING)
            assert torch.allclose(discrete.variance, continuous.variance, rtol=ROUNDING)


def impulse_variance(t: float, n: int) -> float:
    """The exact variance of Euler-Maruyama from a point: it is linear in its noise, so unit vectors tell its weights."""
    responses = process.simulate(torch.zeros(n, 1, dtype=torch.float64), t, n, noise=torch.eye(n, dtype=torch.float64)[..., None])
    return float(responses.square().sum())


@pytest.mark.parametrize("n", [1, 2, 10, 100])
@pytest.mark.parametrize("t", [0.1, 1.0])
def test_euler_maruyama_has_its_known_variance(t: float, n: int) -> None:
    h = t / n
    exact = (1 - (1 - h) ** (2 * n)) / (1 - h / 2)
    assert impulse_variance(t, n) == pytest.approx(exact, rel=ROUNDING)


def test_euler_maruyama_has_weak_order_one() -> None:
    t, counts = 1.0, [2**k for k in range(5, 10)]
    variance_errors = [abs(impulse_variance(t, n) - float(process.sigma(t) ** 2)) for n in counts]
    y = torch.ones(1, 1, dtype=torch.float64)
    still = [process.simulate(y, t, n, noise=torch.zeros(n, 1, 1, dtype=torch.float64)) for n in counts]
    mean_errors = [abs(float(z - process.alpha(t))) for z in still]
    for errors in (variance_errors, mean_errors):
        for n, error, next_error in zip(counts, errors, errors[1:], strict=False):
            order, h = math.log2(error / next_error), t / n
            assert abs(order - 1) < 2 * h  # the next order's term
            assert abs(order - 2) > 2 * h  # the twin


@pytest.mark.parametrize("shape", [(3,), (3, 2), (3, 1, 4, 4)])
def test_distributions_without_width_are_points(shape: tuple[int, ...]) -> None:
    y, z = unit_noise(0, 2, *shape)
    cases = [(process.marginal(y, 0), y), (process.transition(z, 0), z), (process.bridge(z, y, 0, 2), y)]
    cases += [(process.bridge(z, y, t, t), z) for t in (0.0, 0.7, torch.tensor([0.0, 1.0, LAST]))]
    for distribution, point in cases:
        assert isinstance(distribution, Delta)
        assert torch.equal(distribution.sample(), point)
        assert torch.equal(distribution.sample((2,)), torch.stack([point, point]))
        assert torch.equal(distribution.mean, point)
        assert not distribution.variance.any()
        assert (distribution.log_prob(point) == torch.inf).all()
        assert (distribution.log_prob(point + 1) == -torch.inf).all()
        assert distribution.log_prob(point).shape == (3,)


def test_mixed_times_may_hold_a_zero() -> None:
    y, noise = unit_noise(1, 2, 3, 2)
    t = torch.tensor([0.0, 0.5, LAST])
    z = process.alpha(t)[:, None] * y + process.sigma(t)[:, None] * noise
    distribution = process.marginal(y, t)
    single = torch.cat([process.marginal(y[i : i + 1], float(t[i])).log_prob(z[i : i + 1]) for i in range(3)])
    assert torch.equal(distribution.log_prob(z), single)
    assert torch.equal(distribution.sample()[0], y[0])
    bridge = process.bridge(z, y, torch.tensor([0.0, 0.0, 1.0]), t)
    assert torch.equal(bridge.log_prob(y)[:2], torch.full((2,), torch.inf, dtype=torch.float64))
    assert torch.isfinite(bridge.log_prob(z)[2])


def test_an_item_at_zero_that_agrees_in_part_has_no_density() -> None:
    y = torch.tensor([[1.0, 2.0], [1.0, 2.0]], dtype=torch.float64)
    value = torch.tensor([[1.0, 3.0], [1.0, 3.0]], dtype=torch.float64)
    mixed = process.marginal(y, torch.tensor([0.0, 1.0])).log_prob(value)
    assert float(mixed[0]) == -math.inf
    assert torch.equal(mixed[1:], process.marginal(y[1:], 1.0).log_prob(value[1:]))


def test_the_far_end_forgets_the_data() -> None:
    y = unit_noise(2, 4, 3)
    distribution = process.marginal(y, LAST)
    standard = torch.distributions.Normal(torch.zeros_like(y), 1.0)
    assert torch.allclose(distribution.log_prob(y), standard.log_prob(y).sum(1), rtol=ROUNDING)
    assert torch.allclose(process.bridge(y, y, LAST - 1, LAST).mean, math.exp(-1) * y, rtol=ROUNDING)


@few
@given(st.floats(1e-300, 1e300))
def test_log_snr_and_its_inverse(t: float) -> None:
    back = float(process.time_at_log_snr(process.log_snr(t)))
    # a rounding of log-SNR, relative eps, moves a small time by eps |log-SNR| in relative terms
    assert back == pytest.approx(t, rel=4 * torch.finfo(torch.float64).eps * (1 + abs(math.log(t))))


def test_log_snr_at_its_ends() -> None:
    assert float(process.log_snr(0)) == torch.inf
    assert float(process.time_at_log_snr(torch.inf)) == 0
    assert float(process.log_snr(LAST)) == -2 * LAST
    assert float(process.log_snr(math.log(2) / 2)) == pytest.approx(0, abs=ROUNDING)  # alpha^2 = sigma^2 = 1/2
    for bad in (-torch.inf, torch.nan):
        with pytest.raises(ValueError, match=f"log_snr = {bad}"):
            process.time_at_log_snr(bad)


@pytest.mark.parametrize("t", [0.05, 0.8, 4.0])
def test_prior_cost_is_the_integral_of_the_log_ratio(t: float) -> None:
    y = torch.tensor([[0.3, -2.0], [0.0, 1.0]], dtype=torch.float64)
    sigma = float(process.sigma(t))

    def cost(mean: float) -> float:
        q = stats.norm(mean, sigma)
        return integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - stats.norm.logpdf(z)), mean - 12 * sigma, mean + 12 * sigma)[0]

    expected = [sum(cost(math.exp(-t) * float(value)) for value in item) for item in y]
    assert process.prior_cost(y, t).tolist() == pytest.approx(expected, abs=1e-7)  # quad promises 1.5e-8 for each of two


Y = torch.zeros(3, 2)


@pytest.mark.parametrize(
    ("call", "given"),
    [
        (lambda: process.alpha(-0.5), "-0.5"),
        (lambda: process.marginal(Y, math.nan), "nan"),
        (lambda: process.marginal(Y, math.inf), "inf"),
        (lambda: process.transition(Y, -1.0), "-1.0"),
        (lambda: process.marginal(Y, torch.ones(2)), "2 times were given for a batch of 3"),
        (lambda: process.marginal(Y, torch.ones(3, 1)), r"\(3, 1\)"),
        (lambda: process.marginal(Y.long(), 1.0), "int64"),
        (lambda: process.prior_cost(Y.long(), 1.0), "int64"),
        (lambda: process.simulate(Y.long(), 1.0, 2), "int64"),
        (lambda: process.marginal(torch.tensor(1.0), 1.0), r"shape \(\)"),
        (lambda: process.bridge_coefficients(0.1, 1.0, 1.5), "eta = 1.5"),
        (lambda: process.bridge(Y, Y, 2.0, 1.0), "s = 2.0 is later than t = 1.0"),
        (lambda: process.bridge(Y, Y, torch.tensor([0.1, 3.0, 0.1]), 1.0), "3.0"),
        (lambda: process.bridge(Y, Y, torch.ones(2), torch.ones(3)), "s has 2 times and t has 3"),
        (lambda: process.bridge(Y, Y[:, :1], 0.1, 1.0), r"\(3, 1\)"),
        (lambda: process.bridge(Y, Y, -0.1, 1.0), "s = -0.1"),
        (lambda: process.prior_cost(Y, 0.0), "t = 0.0"),
        (lambda: process.prior_cost(Y, torch.tensor([0.0, 1.0, 2.0])), "0.0, 1.0, 2.0"),
        (lambda: process.simulate(Y, 1.0, 0), "steps = 0"),
        (lambda: process.simulate(Y, 1.0, 2, noise=torch.zeros(3, 3, 2)), r"\(3, 3, 2\)"),
        (lambda: process.discrete(1.0), "alpha = 1.0"),
        (lambda: process.per_unit_time(0), "N = 0"),
        (lambda: process.discrete(0.5).time(-1), "the time of the level = -0.69"),
    ],
)
def test_errors_say_what_was_given(call: Callable[[], object], given: str) -> None:
    with pytest.raises(ValueError, match=given):
        call()
