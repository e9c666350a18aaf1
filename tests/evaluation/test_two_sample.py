"""The two-sample test cannot tell equal distributions apart, and tells others."""

from __future__ import annotations

import math

import pytest
import torch

from saltus.evaluation import two_sample_accuracy
from tests.helpers.sets import normal


def test_the_two_sample_test_cannot_tell_equal_distributions_and_tells_others() -> None:
    x, real = normal(150, 2, 3), normal(120, 2, 3, seed=1)
    error = 0.5 / math.sqrt(240)
    found = two_sample_accuracy(x, real)
    assert abs(found - 0.5) < 5 * error
    assert two_sample_accuracy(x, real) == found
    assert two_sample_accuracy(x + 5, real) > 0.99
    assert two_sample_accuracy(x, real[:15]) < 0.8  # "sample" for every item would be right in 10 of 11 cases
    with pytest.raises(ValueError, match="150 samples and 4 real items"):
        two_sample_accuracy(x, real[:4])


def test_the_two_sample_test_sees_what_no_single_dimension_tells() -> None:
    real = normal(300, 2)
    turned = real @ torch.tensor([[1.0, 0.95], [0.0, math.sqrt(1 - 0.95**2)]], dtype=torch.float64)
    assert two_sample_accuracy(turned, normal(300, 2, seed=1)) > 0.65
