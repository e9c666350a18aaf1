"""One Gaussian step: around an estimate, sampled and read back, its divergence, and the head where s = 0."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from saltus.kernels import GaussianStep, Pair, Transition
from saltus.likelihoods import DiscretisedHead, GaussianHead
from saltus.process import OrnsteinUhlenbeck

process = OrnsteinUhlenbeck()
ROUNDING = 1e-10
HEAD = GaussianHead(1e-4)
Y, Z_S, Z_T, EPS = torch.randn(4, 4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
S, T = torch.tensor([0.0, 0.2, 0.0, 0.5]), torch.tensor([0.3, 0.4, 1.0, 2.0])


def test_around_an_estimate() -> None:
    """A z_t + B y and S + B^2 c, at every share of fresh noise."""
    error = torch.rand(4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for eta in (0.0, 0.4, 1.0):
        step = GaussianStep.around(Transition(Z_T, 0.2, 1.1, eta=eta), Y, error, HEAD)
        a, b, spread = process.bridge_coefficients(0.2, 1.1, eta)
        assert torch.allclose(step.mean, a * Z_T + b * Y, rtol=ROUNDING)
        assert torch.allclose(step.variance, spread + b**2 * error, rtol=ROUNDING)
        sure = GaussianStep.around(Transition(Z_T, 0.2, 1.1, eta=eta), Y, 0.0, HEAD)
        assert torch.allclose(sure.variance, spread.expand(4, 2), rtol=ROUNDING)
    final = GaussianStep.around(Transition(Z_T, 0.0, 1.1), Y, error, HEAD)
    assert torch.allclose(final.mean, Y, rtol=ROUNDING)
    assert torch.allclose(final.variance, error, rtol=ROUNDING)


@pytest.mark.parametrize("head", [HEAD, DiscretisedHead(17)], ids=["density", "bins"])
def test_where_s_is_0_the_head_takes_over_item_by_item(head: GaussianHead | DiscretisedHead) -> None:
    mixed = GaussianStep.around(Transition(Z_T, S, T), Y, 0.3, head)
    for final in ("mode", "mean", "sample"):
        sample = mixed.sample(EPS, final)
        for i in range(4):
            row = slice(i, i + 1)
            alone = GaussianStep.around(Transition(Z_T[row], float(S[i]), float(T[i])), Y[row], 0.3, head)
            assert torch.allclose(sample[row], alone.sample(EPS[row], final), rtol=1e-6)  # float32 times
            inner = alone.mean + alone.variance.sqrt() * EPS[row]
            expected = {"mode": head.mode, "mean": head.mean, "sample": lambda m, v, e=EPS[row]: head.sample(m, v, e)}[final]
            assert torch.allclose(alone.sample(EPS[row], final), inner if S[i] > 0 else expected(alone.mean, alone.variance))


@pytest.mark.parametrize("s", [0.0, 0.2, S], ids=["final", "inner", "mixed"])
def test_eps_of_a_sample_makes_it_again(s: float | torch.Tensor) -> None:
    for head in (HEAD, DiscretisedHead(17)):
        step = GaussianStep.around(Transition(Z_T, s, T), Y, 0.3, head)
        sample = step.sample(EPS, "sample")
        eps = step.eps(sample)
        assert torch.allclose(step.sample(eps, "sample"), sample, rtol=1e-6)
        continuous = torch.as_tensor(s).expand(4) > 0 if isinstance(head, DiscretisedHead) else torch.ones(4, dtype=torch.bool)
        assert torch.allclose(eps[continuous], EPS[continuous], rtol=1e-6)


@pytest.mark.parametrize("head", [HEAD, DiscretisedHead(17)], ids=["density", "bins"])
def test_divergence_and_log_probability_item_by_item(head: GaussianHead | DiscretisedHead) -> None:
    y = head.mode(Y, torch.ones_like(Y))  # on the bins, if there are bins
    z_s = torch.where((S == 0)[:, None], y, Z_S)
    step, pair = GaussianStep.around(Transition(Z_T, S, T), 0.5 * Y, 0.3, head), Pair(Z_T, S, T, y=y, z_s=z_s)
    divergence, surprise = step.divergence(pair), step.negative_log_prob(z_s)
    for i in range(4):
        s, t = float(S[i]), float(T[i])
        if s == 0:
            expected = -head.log_prob(y[i : i + 1], step.mean[i : i + 1], step.variance[i : i + 1])
            assert torch.allclose(divergence[i : i + 1], expected)
            assert torch.allclose(surprise[i : i + 1], expected)
            continue
        a, b, spread = process.bridge_coefficients(s, t)
        ours = Normal(step.mean[i], step.variance[i].sqrt())
        truth = Normal(a * Z_T[i] + b * y[i], spread.sqrt().expand(2))
        assert float(divergence[i]) == pytest.approx(float(kl_divergence(truth, ours).sum()), rel=1e-6)
        assert float(surprise[i]) == pytest.approx(-float(ours.log_prob(z_s[i]).sum()), rel=1e-6)
