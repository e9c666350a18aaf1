"""The likelihood that is reported is the chain's bound, with its convention and its error."""

from __future__ import annotations

import math

import pytest
import torch

from saltus.chain import Chain
from saltus.errors import SaltusError
from saltus.evaluation import latent_use, likelihood
from tests.helpers.chains import chain_of, data_for
from tests.helpers.sets import images, table


@pytest.mark.parametrize("name", ["gaussian", "vae", "mixture"])
def test_the_likelihood_is_the_chains_bound(name: str) -> None:
    chain, y = chain_of(name), data_for(name)
    found = likelihood(chain, y, table().encoding, seed=2)
    bound = chain.bound(y, seed=2)
    assert found is not None
    assert found.items == len(y)
    assert found.bits_per_dim == pytest.approx(float(bound.total.double().mean()) / (2 * math.log(2)), rel=1e-6)
    assert found.standard_error == pytest.approx(float(bound.bits_per_dim.double().std()) / math.sqrt(len(y)), rel=1e-6)
    assert sum(found.nats.values()) == pytest.approx(found.bits_per_dim * 2 * math.log(2), rel=1e-5)
    assert len(found.per_level) == len(found.active_units) == chain.levels.L
    assert sum(found.per_level) + found.nats["prior"] + found.nats["log_jacobian"] == pytest.approx(sum(found.nats.values()), rel=1e-5)
    assert found.per_item == pytest.approx(bound.total.tolist())
    assert found.figure == (found.total, found.total_error, "nats an item")
    assert found.total_error == pytest.approx(found.standard_error * 2 * math.log(2))
    floor = 0.01 if chain.kernel(1).head is None else 0.05  # of the data's encoding, where the chain has no head of its own
    expected = f"density in the units of the file, by a Gaussian whose standard deviation is at least {floor} of the data's"
    assert found.convention == expected


def test_what_y_does_not_tell_is_a_term_of_its_own() -> None:
    chain, y = chain_of("gaussian"), data_for("gaussian")
    surprise = torch.arange(len(y), dtype=torch.float64)
    plain, found = (likelihood(chain, y, table().encoding, surprise=nats) for nats in (None, surprise))
    assert plain is not None
    assert found is not None
    assert "determined" not in plain.nats
    assert found.nats == plain.nats | {"determined": pytest.approx((len(y) - 1) / 2)}
    assert found.per_item == pytest.approx([nats + k for k, nats in enumerate(plain.per_item)])
    assert found.total == pytest.approx(plain.total + (len(y) - 1) / 2)


def test_a_chain_with_importance_samples_reports_its_bound_and_says_so() -> None:
    plain, y = chain_of("vae"), data_for("vae")
    chain = Chain(plain.prior, plain.levels, plain.kernel(1), importance_samples=4)
    found, other = (likelihood(one, y, table().encoding) for one in (chain, plain))
    assert found is not None
    assert other is not None
    assert (found.importance_samples, other.importance_samples) == (4, 1)
    assert found.total < other.total
    assert (found.weighting, other.weighting) == (", importance-weighted with 4 samples a step", "")
    uses = latent_use(chain, y)
    assert [use.nats for use in uses] == pytest.approx(found.per_level, rel=1e-5)
    assert [use.kl for use in uses] == pytest.approx(chain.bound(y, importance_samples=1).kl.mean(1).tolist(), rel=1e-5)


def test_the_convention_of_bins_is_told() -> None:

    assert images().encoding.head().convention == "probability of 17 values, by a discretised Gaussian with an outlier share of 0.0001"


def test_a_chain_without_a_bound_has_no_likelihood() -> None:
    chain: Chain = chain_of("deterministic")
    assert likelihood(chain, data_for("deterministic"), table().encoding) is None
    with pytest.raises(SaltusError, match="1 items have no standard error"):
        likelihood(chain, data_for("deterministic")[:1], table().encoding)
