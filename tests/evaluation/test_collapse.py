"""The collapse of the exact decoder to the mean, and when it does not collapse."""

from __future__ import annotations

import math

import pytest
import torch

from saltus import FiniteData, GaussianMixture, Levels, Noise, Transition
from saltus.data import digits
from saltus.evaluation import decoder_path, exact_decoder_path, measure_collapse, spread


@pytest.mark.parametrize("levels", [Levels.cosine(4, 20.0), Levels.constant(math.exp(-5), 4)])
def test_the_exact_decoder_collapses(levels: Levels) -> None:
    """With z_L that is independent of y, z_{L-1} = E y and all samples coincide."""
    y = digits().train[:400]
    found = measure_collapse(exact_decoder_path(FiniteData(y), levels, 8, seed=0), y.double().mean(0))
    assert found.first_from_mean < 1e-5
    assert found.between_samples < 1e-5


def test_the_exact_decoder_does_not_collapse_while_z_L_tells_of_y() -> None:
    y = digits().train[:400]
    path = exact_decoder_path(FiniteData(y), Levels.cosine(4, 1.0), 8, seed=0)
    assert measure_collapse(path, y.double().mean(0)).between_samples > 0.1
    assert spread(path)[-1] == pytest.approx(1, abs=0.2)


def test_final_samples_coincide_but_need_not_be_the_mean() -> None:
    oracle = GaussianMixture(torch.tensor([0.3, 0.7]), torch.tensor([[-1.0], [1.0]]), torch.full((2, 1, 1), 0.01))
    found = measure_collapse(exact_decoder_path(oracle, Levels.cosine(6, 20.0), 8, seed=0), torch.tensor([0.4]))
    assert found.first_from_mean < 1e-5
    assert found.between_samples < 1e-5
    assert found.final_from_mean > 0.1


LEVELS = Levels([0.0, 0.2, 0.7, 2.0])


def linear(transition: Transition) -> torch.Tensor:
    """Shrinks by 1 + t, and moves."""
    return transition.z_t / (1 + transition.t) + 3


def start(n: int) -> torch.Tensor:
    return Noise(1, 0, n).normal("prior", (3,))


def test_the_path_of_a_decoder_is_its_steps_from_the_noisiest_level_down() -> None:
    path = decoder_path(linear, LEVELS, start(4))
    assert torch.equal(path[3], start(4))
    for level, t in ((3, 2.0), (2, 0.7), (1, 0.2)):
        assert torch.allclose(path[level - 1], path[level] / (1 + t) + 3)
