"""Closed forms beside a chain: their nats are exact, their samples are theirs, and what they are better at is said."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from saltus import Chain, DataSet, OraclePrior, StandardNormal, digits
from saltus.evaluation import GAUSSIAN, MIXTURE, closed_forms, closed_oracles, closed_samples, fitted_gaussian, remarks
from saltus.kernels import OracleKernel
from saltus.levels import Levels
from saltus.oracles import GaussianMixture
from saltus.training import Config, train


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALTUS_CACHE", str(tmp_path))


def gaussian_rows(n: int = 3000) -> tuple[DataSet, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    mixing = torch.tensor([[1.0, 0.0, 0.0], [0.9, 0.3, 0.0], [-0.5, 0.2, 0.6]])
    rows = torch.randn(n, 3, generator=g) @ mixing.T
    return DataSet.from_arrays(rows.numpy()), mixing @ mixing.T


def test_on_gaussian_data_the_gaussian_costs_the_entropy_and_every_step_its_information() -> None:
    data, covariance = gaussian_rows()
    chain = Chain(OraclePrior(fitted_gaussian(data)), Levels((0.0, 0.3, 1.0)), OracleKernel(fitted_gaussian(data)), encoding=data.encoding)
    found = closed_forms(chain, data, data.test, oracles={GAUSSIAN: fitted_gaussian(data)})[GAUSSIAN]
    entropy = float(0.5 * torch.logdet(2 * torch.pi * torch.e * covariance.double()))
    error = (3 / 2 / found.items) ** 0.5 + (3 / 2 / len(data.train)) ** 0.5  # of a mean of chi squares, and of the fit
    assert abs(found.total - entropy) < 5 * error
    assert found.total == pytest.approx(found.prior + sum(found.per_level) + float(data.encoding.log_jacobian(data.test).mean()))
    assert found.what == "one Gaussian, full covariance"


def test_nats_of_grey_values_are_masses() -> None:
    """Over all values of a pixel the closed form's step to data sums to 1."""
    data = digits()
    oracle = fitted_gaussian(data)
    kernel = OracleKernel(oracle, data.encoding.head())
    given = oracle.components_given(torch.zeros(1, 1, 8, 8), 0.3, most=1)
    head, values = data.encoding.head(), torch.linspace(-1, 1, 17, dtype=torch.float64)
    y = torch.zeros(17, 1, 8, 8, dtype=torch.float64)
    y[:, 0, 4, 4] = values
    mean, variance = (x[0].expand(17, 1, 8, 8) for x in (given.mean[:, 0], given.variance[:, 0]))
    log_mass = head.log_prob(y, mean, variance) - head.log_prob(y[:1], mean[:1], variance[:1])
    one = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    alone = head.log_prob(one + values[:, None, None, None], mean[:, :, 4:5, 4:5], variance[:, :, 4:5, 4:5])
    assert torch.allclose((alone - alone[:1]), log_mass, atol=1e-9)
    assert float(alone.exp().sum()) == pytest.approx(1)
    assert kernel.head is not None


def test_counted_columns_have_floors_that_are_masses() -> None:
    """Of two fair coins a mixture knows all four rows: its masses cost about the entropy, its density is a bound of nothing."""
    coins = torch.randint(0, 2, (4000, 2), generator=torch.Generator().manual_seed(0))
    data = DataSet.from_arrays(coins.numpy())
    oracle = closed_oracles(
        Chain(StandardNormal(), Levels((0.0, 0.05)), OracleKernel(fitted_gaussian(data)), encoding=data.encoding), data
    )[MIXTURE]
    chain = Chain(OraclePrior(oracle), Levels((0.0, 0.05)), OracleKernel(oracle), encoding=data.encoding)
    entropy, found = 2 * math.log(2), closed_forms(chain, data, data.test, oracles={MIXTURE: oracle})[MIXTURE]
    assert entropy - 0.05 < found.total < entropy + 0.2
    assert float(chain.bound(data.test.double()).total.mean()) < entropy - 0.5  # the twin: the chain itself has a density
    drawn = closed_samples(oracle, data, 500, seed=0)
    data.encoding.head().check(drawn)
    assert abs(float(drawn.mean())) < 0.2


def test_what_a_closed_form_is_better_at_is_said() -> None:
    data = digits()
    chain = train(data, Config(levels=2, updates=2, width=16, closed_forms=False), quiet=True)
    floors = closed_forms(chain, data, data.validation)
    assert set(floors) == {GAUSSIAN, MIXTURE}
    assert floors[MIXTURE].oracle is chain.prior.oracle  # type: ignore[attr-defined]
    words = remarks(chain.bound(data.validation).per_level.mean(1).tolist(), floors)
    assert len(words) == 2
    assert all("at this level a closed form (" in line and "is better by" in line for line in words)
    assert remarks([0.0, 0.0], floors) == []


def test_a_chain_from_noise_has_a_mixture_fitted_once() -> None:
    data, _ = gaussian_rows()
    chain = train(data, Config(kernel="gaussian", levels=2, updates=2, width=16), quiet=True)
    first, second = (closed_oracles(chain, data)[MIXTURE] for _ in range(2))
    assert first is not second
    assert torch.equal(first.log_prob(data.test, 0.3), second.log_prob(data.test, 0.3))


def test_samples_of_closed_forms_are_items() -> None:
    images = digits()
    drawn = closed_samples(fitted_gaussian(images), images, 7, seed=0).float()
    images.encoding.head().check(drawn)
    data, covariance = gaussian_rows()
    oracle = fitted_gaussian(data)
    assert isinstance(oracle, GaussianMixture)
    rows = closed_samples(oracle, data, 4000, seed=0)
    scale = torch.tensor([column.number.std for column in data.encoding.columns], dtype=torch.float64)  # type: ignore[attr-defined]
    expected = covariance.double() / (scale[:, None] * scale)
    assert torch.allclose(torch.cov(rows.T), expected, atol=5 * (2 / 3000) ** 0.5)
