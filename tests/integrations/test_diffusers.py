"""diffusers' schedulers against closed forms: single steps, the exact probability flow, exact variances, and our own steps."""

from __future__ import annotations

import math

import diffusers
import pytest
import torch
from diffusers.schedulers import scheduling_ddpm
from torch import Tensor

from saltus import (
    Chain,
    ClassCondition,
    Denoiser,
    GaussianHead,
    GaussianKernel,
    GaussianMixture,
    Levels,
    Noise,
    SaltusError,
    StandardNormal,
)
from saltus.integrations import SchedulerSampler, Solver
from saltus.kernels import Preconditioned, Prediction, Sampling, predict
from saltus.networks import Condition, backbone
from tests.helpers.checks import assert_one_sentence, mean_is
from tests.helpers.stubs import OracleDenoiser, randomise

EACH = pytest.mark.parametrize("solver", list(Solver))
ORDER = {Solver.DDIM: 1, Solver.DPM_1: 1, Solver.DPM_2: 2, Solver.UNIPC: 3, Solver.HEUN: 2, Solver.DEIS: 2}
FLOW = list(ORDER)
ROUNDING = 1e-8  # float64, and what DEIS leaves
SINGLE = 1e-5  # DPM-Solver keeps its state in float32
MEAN = torch.tensor([1.0, -0.5], dtype=torch.float64)
ROUND = torch.eye(2, dtype=torch.float64)[None] * 0.4
OVAL = torch.tensor([[[0.5, 0.2], [0.2, 0.3]]], dtype=torch.float64)
GRIDS = [Levels.cosine(4, 3.0), Levels.log_snr(5, 6.0, -5.0)]


class Recorded(Denoiser):
    """E[y | z_t] of N(MEAN, covariance), and every call for it; `late` is a factor on the times it is told."""

    event_shape = (2,)

    def __init__(self, covariance: Tensor, late: float = 1.0, condition: Condition | None = None) -> None:
        super().__init__()
        self.covariance, self.late, self.condition = covariance, late, condition
        self.calls: list[tuple[Tensor, float, Tensor]] = []
        self.conditions: list[Tensor | None] = []

    def forward(self, z: Tensor, log_snr: Tensor, latent: Tensor | None = None, condition: Tensor | None = None) -> Prediction:
        assert latent is None
        assert bool((log_snr[:, 1] == torch.inf).all())  # a network for solvers is told that it is taken to the data
        t = float(torch.nn.functional.softplus(-log_snr[0, 0])) / 2  # alpha^2 = sigmoid(log_snr)
        alpha, C = math.exp(-self.late * t), self.covariance[0]
        gain = torch.linalg.solve(alpha**2 * C + (1 - alpha**2) * torch.eye(2), alpha * C)
        yhat = MEAN + (z - alpha * MEAN) @ gain
        if condition is not None:
            yhat = yhat + condition[:, None]
        self.calls.append((z, t, yhat))
        self.conditions.append(condition)
        return Prediction(yhat, None, torch.ones_like(z[:, :1]))


def start(levels: Levels, n: int, seed: int = 0) -> Tensor:
    """z_L of items 0 ... n - 1."""
    return Noise(seed, 0, n).at(levels.L).normal("prior", (2,))


def flow(z: Tensor, t: float, covariance: Tensor) -> Tensor:
    """Where the probability flow of N(MEAN, covariance) takes z_t at s = 0: each principal axis is scaled by the ratio of its widths."""
    v, basis = torch.linalg.eigh(covariance[0])
    alpha = math.exp(-t)
    along = (z - alpha * MEAN) @ basis
    return MEAN + (along * (v / (alpha**2 * v + 1 - alpha**2)).sqrt()) @ basis.T


def small_kernel() -> GaussianKernel:
    """A float32 network that does something."""
    torch.manual_seed(0)
    kernel = GaussianKernel(Preconditioned(backbone((2,))), GaussianHead(0.05), variance="posterior")
    randomise(kernel)
    return kernel


@pytest.mark.parametrize("levels", GRIDS)
@pytest.mark.parametrize("solver", [Solver.DDIM, Solver.DPM_1])
def test_a_step_of_order_one_is_the_closed_form(solver: Solver, levels: Levels) -> None:
    denoiser = Recorded(OVAL)
    y = SchedulerSampler(denoiser, levels, solver).sample(5, seed=0)
    after = [*(z for z, _, _ in denoiser.calls[1:]), y]
    assert torch.equal(denoiser.calls[0][0], start(levels, 5))
    for (s, _), (z, t, yhat), z_s in zip(reversed(levels.pairs()), denoiser.calls, after, strict=True):
        noise = (z - math.exp(-t) * yhat) / math.sqrt(1 - math.exp(-2 * t))
        expected = math.exp(-s) * yhat + math.sqrt(1 - math.exp(-2 * s)) * noise
        assert torch.allclose(z_s, expected, rtol=0, atol=SINGLE if solver is Solver.DPM_1 else ROUNDING)
        assert not torch.allclose(z_s, expected + 3 * SINGLE, rtol=0, atol=SINGLE)


def flow_error(solver: Solver, L: int, covariance: Tensor, late: float = 1.0) -> float:
    """The rms distance from the exact flow, on a grid even in log-SNR whose last step changes nothing that counts.

    Of many items, since every grid has its own noise: the rms of 2 x 2000 normals is known within a hundredth.
    """
    levels = Levels.log_snr(L, 14.0, -4.0)
    y = SchedulerSampler(Recorded(covariance, late), levels, solver).sample(2000, seed=0, batch=2000)
    return float((y - flow(start(levels, 2000), levels.last, covariance)).square().mean().sqrt())


@pytest.mark.parametrize("covariance", [ROUND, OVAL], ids=["round", "oval"])
@pytest.mark.parametrize("solver", FLOW)
def test_solvers_follow_the_probability_flow_at_their_order(solver: Solver, covariance: Tensor) -> None:
    order = ORDER[solver]
    coarse, fine = flow_error(solver, 32, covariance), flow_error(solver, 64, covariance)
    assert coarse < {1: 0.1, 2: 0.01, 3: 0.002}[order]
    assert math.log2(coarse / fine) == pytest.approx(order, abs=0.2)


@pytest.mark.parametrize("solver", FLOW)
def test_a_wrong_clock_converges_to_something_else(solver: Solver) -> None:
    coarse, fine = flow_error(solver, 32, OVAL, late=1.2), flow_error(solver, 64, OVAL, late=1.2)
    assert fine > 0.03
    assert abs(math.log2(coarse / fine)) < 0.75


def posterior_by_precision(s: float, t: float) -> tuple[float, float, float]:
    """A, B, S of q(z_s | z_t, y) from the product of N(z_s; alpha_s y, sigma_s^2) and N(z_t; r z_s, 1 - r^2); s > 0."""
    r, alpha, noise = math.exp(s - t), math.exp(-s), 1 - math.exp(-2 * s)
    variance = 1 / (1 / noise + r**2 / (1 - r**2))
    return variance * r / (1 - r**2), variance * alpha / noise, variance


def exact_moments(levels: Levels, mean: float, v: float) -> tuple[float, float]:
    """Mean and variance of the samples of DDPM on N(mean, v): every step is linear in z_t, plus independent noise."""
    m, variance = 0.0, 1.0
    for s, t in reversed(levels.pairs()):
        alpha = math.exp(-t)
        gain = alpha * v / (alpha**2 * v + 1 - alpha**2)
        a, b, spread = posterior_by_precision(s, t) if s > 0 else (0.0, 1.0, 0.0)
        m = a * m + b * (mean + gain * (m - alpha * mean))
        variance = (a + b * gain) ** 2 * variance + spread
    return m, variance


@pytest.mark.parametrize("levels", GRIDS)
def test_ddpm_has_the_exact_mean_and_variance(levels: Levels) -> None:
    sampler = SchedulerSampler(Recorded(ROUND), levels, "ddpm")
    y = sampler.sample(20000, seed=1, batch=20000)
    flowed = SchedulerSampler(Recorded(ROUND), levels, "ddim").sample(20000, seed=1, batch=20000)
    for axis, mean in enumerate(MEAN.tolist()):
        m, variance = exact_moments(levels, mean, 0.4)
        assert mean_is(y[:, axis], m)
        assert mean_is((y[:, axis] - m) ** 2, variance)
        assert not mean_is((flowed[:, axis] - m) ** 2, variance)


@pytest.mark.parametrize("levels", [*GRIDS, Levels([0, 0.7])])
def test_ddpm_is_our_own_posterior_step_item_by_item(levels: Levels) -> None:
    kernel = GaussianKernel(OracleDenoiser(GaussianMixture(torch.ones(1), MEAN[None], OVAL)), GaussianHead(0.05), variance="posterior")
    ours = Chain(StandardNormal(), levels, kernel).sample(6, seed=2, first_item=3, sampling=Sampling("mode"))
    theirs = SchedulerSampler(kernel.network, levels, Solver.DDPM).sample(6, seed=2, first_item=3)
    assert torch.allclose(theirs, ours, rtol=0, atol=ROUNDING)
    wide = GaussianKernel(kernel.network, kernel.head, variance="transition")
    if levels.L > 1:
        assert not torch.allclose(
            theirs, Chain(StandardNormal(), levels, wide).sample(6, seed=2, first_item=3, sampling=Sampling("mode")), atol=1e-2
        )


@pytest.mark.parametrize("levels", GRIDS)
def test_ddpm_is_the_ddpm_scheduler(levels: Levels, monkeypatch: pytest.MonkeyPatch) -> None:
    """DDIM with eta = 1 against diffusers' DDPMScheduler, given the same noise."""
    betas = [-math.expm1(-2 * (t - s)) for s, t in levels.pairs()]
    scheduler = diffusers.DDPMScheduler(levels.L, trained_betas=betas, clip_sample=False, prediction_type="sample")
    scheduler.set_timesteps(levels.L)
    denoiser, z = Recorded(OVAL), start(levels, 6)
    for timestep in scheduler.timesteps:
        given = Noise(0, 0, 6).at(int(timestep)).normal("decoder", (2,))
        monkeypatch.setattr(scheduling_ddpm, "randn_tensor", lambda *_, given=given, **__: given)
        z = scheduler.step(predict(denoiser, z, float(levels.times[timestep + 1])), timestep, z).prev_sample
    assert torch.allclose(SchedulerSampler(Recorded(OVAL), levels, "ddpm").sample(6, seed=0), z, rtol=0, atol=SINGLE)


@pytest.mark.parametrize("L", [1, 2, 5])
@EACH
def test_the_network_is_called_as_often_as_told_at_the_times_of_the_grid(solver: Solver, L: int) -> None:
    levels, denoiser = Levels.cosine(L, 3.0), Recorded(OVAL)
    sampler = SchedulerSampler(denoiser, levels, solver)
    sampler.sample(3, seed=0)
    down = levels.times.flip(0)[:-1]
    expected = torch.cat([down[:1], down[1:].repeat_interleave(2)]) if solver is Solver.HEUN else down
    assert [t for _, t, _ in denoiser.calls] == pytest.approx(expected.tolist(), rel=1e-12)
    assert len(denoiser.calls) == sampler.calls


@EACH
def test_a_budget_is_spent_as_far_as_it_goes(solver: Solver) -> None:
    for calls in range(1, 10):
        steps = solver.steps(calls)
        assert solver.calls(steps) <= calls < solver.calls(steps + 1)


@EACH
def test_an_item_is_the_same_in_every_batch(solver: Solver) -> None:
    sampler = SchedulerSampler(small_kernel().network, GRIDS[0], solver)
    whole = sampler.sample(7, seed=4)
    assert whole.dtype == torch.float32
    assert whole.shape == (7, 2)
    assert torch.allclose(sampler.sample(7, seed=4, batch=3), whole, rtol=1e-5, atol=1e-5)
    assert torch.allclose(sampler.sample(2, seed=4, first_item=5), whole[5:], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(sampler.sample(7, seed=5), whole, rtol=0, atol=0.1)


@EACH
def test_one_step_is_the_prediction(solver: Solver) -> None:
    """Whatever the range: data around 1 and -0.5 would show a clip to [-1, 1]."""
    for last in (0.5, 3.0, 20.0):
        denoiser, levels = Recorded(OVAL), Levels([0, last])
        y = SchedulerSampler(denoiser, levels, solver).sample(50, seed=0)
        assert torch.allclose(y, denoiser.calls[0][2], rtol=0, atol=SINGLE if last == 20 else ROUNDING)
        assert torch.allclose(denoiser.calls[0][0], start(levels, 50), rtol=0, atol=ROUNDING)
        assert last > 0.5 or float(y.abs().max()) > 1.5


@pytest.mark.parametrize("levels", [Levels.cosine(250, 3.0), Levels.log_snr(250, 20.0, -6.0)], ids=["cosine", "log-SNR"])
@pytest.mark.parametrize("solver", FLOW)
def test_many_levels_lose_nothing_to_rounding(solver: Solver, levels: Levels) -> None:
    """diffusers' own float32 schedules are NaN on the second grid."""
    y = SchedulerSampler(Recorded(OVAL), levels, solver).sample(3, seed=0)
    assert float((y - flow(start(levels, 3), levels.last, OVAL)).abs().max()) < (0.03 if ORDER[solver] == 1 else 1e-3)


def test_evaluation_mode_and_back() -> None:
    class Watched(Recorded):
        seen: tuple[bool, bool] | None = None

        def forward(self, *given: Tensor | None) -> Prediction:
            self.seen = (self.training, torch.is_grad_enabled())
            return super().forward(*given)

    network = Watched(OVAL).train()
    SchedulerSampler(network, GRIDS[0], "ddim").sample(1, seed=0)
    assert network.seen == (False, False)
    assert network.training
    SchedulerSampler(network.eval(), GRIDS[0], "ddim").sample(1, seed=0)
    assert not network.training


@EACH
def test_every_call_is_told_the_condition_of_its_items(solver: Solver) -> None:
    condition = ClassCondition(["a", "b", "c"], [0.2, 0.3, 0.5])
    denoiser = Recorded(OVAL, condition=condition)
    sampler, given = SchedulerSampler(denoiser, GRIDS[0], solver), torch.tensor([2, 0, 1, 1, 0])
    whole = sampler.sample(5, seed=0, condition=given)
    assert all(torch.equal(seen, given) for seen in denoiser.conditions)
    assert torch.allclose(sampler.sample(5, seed=0, condition=given, batch=2), whole, rtol=0, atol=1e-5)
    assert not torch.allclose(sampler.sample(5, seed=0, condition=given.flip(0)), whole, atol=0.1)


def test_classes_are_drawn_as_a_chain_draws_them_unless_given() -> None:
    condition = ClassCondition(["a", "b", "c"], [0.2, 0.3, 0.5])
    denoiser = Recorded(OVAL, condition=condition)
    sampler = SchedulerSampler(denoiser, GRIDS[0], "ddim")
    kernel = GaussianKernel(denoiser, GaussianHead(0.05), variance="posterior")
    Chain(StandardNormal(), GRIDS[0], kernel).sample(40, seed=3, first_item=7)
    drawn = denoiser.conditions[-1]
    sampler.sample(40, seed=3, first_item=7)
    assert torch.equal(denoiser.conditions[-1], drawn)
    assert drawn.unique().tolist() == [0, 1, 2]
    sampler.sample(40, seed=4, first_item=7)
    assert not torch.equal(denoiser.conditions[-1], drawn)


def test_the_noise_is_that_of_older_chains_where_it_was_asked_for() -> None:
    kernel = small_kernel()
    for version in (1, Noise.LATEST):
        ours = Chain(StandardNormal(), GRIDS[0], kernel, noise_version=version).sample(6, seed=2, sampling=Sampling("mode"))
        theirs = SchedulerSampler(kernel.network, GRIDS[0], "ddpm", noise_version=version).sample(6, seed=2)
        assert torch.allclose(theirs, ours, rtol=0, atol=1e-4)
    assert not torch.allclose(ours, SchedulerSampler(kernel.network, GRIDS[0], "ddpm", noise_version=1).sample(6, seed=2), atol=0.1)


def test_mistakes_are_told() -> None:
    sampler = SchedulerSampler(Recorded(OVAL), GRIDS[0], "dpm++2m")
    with pytest.raises(SaltusError, match="the last level is t = 40") as error:
        SchedulerSampler(Recorded(OVAL), Levels([0, 40.0]), "ddim")
    assert_one_sentence(error.value)
    with pytest.raises(ValueError, match="'euler'"):
        SchedulerSampler(Recorded(OVAL), GRIDS[0], "euler")
    for arguments in ({"n": 0, "seed": 0}, {"n": 1, "seed": 0, "batch": 0}, {"n": 1, "seed": -1}):
        with pytest.raises(ValueError, match="expected"):
            sampler.sample(**arguments)
