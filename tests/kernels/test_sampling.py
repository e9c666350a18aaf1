"""How steps are sampled: a value with ranges."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from saltus.errors import SaltusError
from saltus.kernels import DEFAULT, Sampling
from tests.helpers.checks import assert_one_sentence


def test_the_default_is_the_model_itself() -> None:
    assert Sampling() == DEFAULT == Sampling("auto", eta=1.0, temperature=1.0, guidance=1.0)
    with pytest.raises(FrozenInstanceError):
        DEFAULT.eta = 0.5  # type: ignore[misc]


@pytest.mark.parametrize("final", ["auto", "mode", "mean", "sample"])
@pytest.mark.parametrize("eta", [0, 0.5, 1])
@pytest.mark.parametrize(("temperature", "guidance"), [(1e-6, 0), (100.0, 7.5)])
def test_every_value_in_its_range_is_kept(final: Any, eta: float, temperature: float, guidance: float) -> None:
    sampling = Sampling(final, eta, temperature, guidance)
    assert (sampling.final, sampling.eta, sampling.temperature, sampling.guidance) == (final, eta, temperature, guidance)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"final": "median"}, ("final = 'median'", "mode, mean, sample")),
        ({"eta": -0.1}, ("eta = -0.1", "from 0 to 1")),
        ({"eta": 1.1}, ("eta = 1.1",)),
        ({"eta": math.nan}, ("eta = nan",)),
        ({"temperature": 0.0}, ("temperature = 0.0", "positive")),
        ({"temperature": math.inf}, ("temperature = inf",)),
        ({"temperature": math.nan}, ("temperature = nan",)),
        ({"guidance": -1.0}, ("guidance = -1.0", "from 0 up")),
        ({"guidance": math.inf}, ("guidance = inf",)),
        ({"guidance": math.nan}, ("guidance = nan",)),
    ],
)
def test_others_are_refused_in_one_sentence(options: dict[str, Any], words: tuple[str, ...]) -> None:
    with pytest.raises(SaltusError) as caught:
        Sampling(**options)
    assert_one_sentence(caught.value, *words)
