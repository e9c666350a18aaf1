"""The normal distribution function and its inverse, against those of torch and SciPy."""

from __future__ import annotations

import numpy as np
import scipy.special
import torch

from saltus.integrations.normal_functions import ndtr, ndtri


def test_the_distribution_function_is_right_in_the_middle_and_in_its_tail() -> None:
    x = torch.linspace(-37, 9, 100_001, dtype=torch.float64)
    expected = scipy.special.ndtr(x.numpy())
    assert np.abs(ndtr(x).numpy() - expected).max() < 1e-15
    assert np.abs(ndtr(x).numpy() / expected - 1).max() < 3e-9


def test_the_inverse_is_right_wherever_there_is_one() -> None:
    small = torch.logspace(-300, -1, 5000, dtype=torch.float64)
    p = torch.cat([small, torch.linspace(0.01, 0.99, 5001, dtype=torch.float64), 1 - torch.logspace(-15, -1, 500, dtype=torch.float64)])
    expected = torch.special.ndtri(p)
    assert float(((ndtri(p) - expected).abs() / (1 + expected.abs())).max()) < 2e-15
    assert ndtri(torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)).tolist() == [-torch.inf, 0.0, torch.inf]


def test_each_undoes_the_other() -> None:
    x = torch.linspace(-8, 5, 1001, dtype=torch.float64)
    assert torch.allclose(ndtri(ndtr(x)), x, rtol=0, atol=1e-9)


def test_the_type_stays() -> None:
    assert ndtr(torch.zeros(2)).dtype == ndtri(torch.full((2,), 0.3)).dtype == torch.float32
