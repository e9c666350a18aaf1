"""A transition: log-SNRs and the bridge of its times, and whether it leads to data, without a look at a tensor's values."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch
from torch import Tensor

from saltus.kernels import GaussianStep, Pair, Transition
from saltus.likelihoods import GaussianHead
from saltus.process import OrnsteinUhlenbeck

process = OrnsteinUhlenbeck()
ROUNDING = 1e-10
Z = torch.randn(3, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
S, T = torch.tensor([0.0, 0.2, 1.0]), torch.tensor([0.3, 0.4, 2.0])


@pytest.mark.parametrize(("s", "t"), [(0.2, 1.1), (0.0, 0.3), (S, T), (0.0, T), (torch.tensor(0.2), 1.1)])
def test_log_snrs_are_of_t_and_of_s(s: float | Tensor, t: float | Tensor) -> None:
    log_snr = Transition(Z, s, t).log_snr
    assert log_snr.dtype == torch.float64
    assert log_snr.shape == (3, 2)
    for column, time in enumerate((t, s)):
        alpha, sigma = process.alpha(time).expand(3), process.sigma(time).expand(3)
        assert torch.allclose(log_snr[:, column], 2 * (alpha / sigma).log())


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("s", "t"), [(0.2, 1.1), (0.0, 0.3), (S, T)])
def test_the_bridge_keeps_the_distribution_of_z_s(s: float | Tensor, t: float | Tensor, eta: float) -> None:
    """For every eta, from z_t = alpha(t) y + sigma(t) noise: the mean of z_s is alpha(s) y and its variance sigma(s)^2."""
    bridge, y = Transition(Z, s, t, eta=eta).bridge, torch.ones_like(Z)

    def column(x: Tensor) -> Tensor:
        return x.expand(3).reshape(3, 1, 1)

    assert bridge.coef_z.shape == bridge.coef_y.shape == bridge.var.shape == (3, 1, 1)
    mean = bridge.mean(column(process.alpha(t)) * y, y)
    assert torch.allclose(mean, column(process.alpha(s)).expand_as(mean), rtol=ROUNDING)
    variance = bridge.coef_z**2 * column(process.sigma(t)) ** 2 + bridge.var
    assert torch.allclose(variance, column(process.sigma(s)) ** 2, rtol=ROUNDING, atol=ROUNDING)
    eps = torch.full_like(Z, 2.0)
    assert torch.allclose(bridge.sample(Z, y, eps), bridge.mean(Z, y) + 2 * bridge.var.sqrt(), rtol=ROUNDING)
    assert eta < 1 or torch.equal(bridge.var, Transition(Z, s, t).bridge.var)


@pytest.mark.parametrize("kind", [float, np.float64, np.float32])
def test_a_number_says_whether_it_is_final(kind: type) -> None:
    for s, final in [(0.0, True), (0.5, False)]:
        transition = Transition(Z, kind(s), 1.0)
        assert transition.is_final is final
        step = GaussianStep.around(transition, Z, 0.0, GaussianHead(0.1))
        assert torch.equal(step.sample(torch.ones_like(Z), "mode"), step.mean if final else step.mean + step.variance.sqrt())
    assert Transition(Z, 0, 1).is_final is True


def test_one_time_each_says_so_for_each() -> None:
    assert Transition(Z, S, T).is_final.tolist() == [True, False, False]
    assert Transition(Z, torch.tensor(0.0), 1.0).is_final.tolist() == [True] * 3


def test_transitions_are_values() -> None:
    pair = Pair(Z, 0.1, 1.0, y=Z, z_s=Z)
    assert (pair.condition, pair.guidance) == (None, 1.0)
    assert pair.bridge is pair.bridge
    with pytest.raises(FrozenInstanceError):
        pair.s = 0.2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("s", "t", "words"),
    [
        (1.0, 0.5, "s <= t"),
        (-0.1, 0.5, "expected finite times >= 0"),
        (0.1, float("nan"), "expected finite times >= 0"),
        (S[:2], T[:2], "expanded size"),
        (S, T[:2], "expected as many"),
    ],
)
def test_times_that_are_none_are_refused(s: float | Tensor, t: float | Tensor, words: str) -> None:
    with pytest.raises((ValueError, RuntimeError), match=words):
        Transition(Z, s, t).bridge  # noqa: B018
