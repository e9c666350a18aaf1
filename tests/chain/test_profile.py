"""The parts that a profile has add up to the bound, item by item, and pixels to their step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from saltus import Model, SaltusError
from saltus.chain import Chain, profile
from tests.helpers.chains import chain_of, data_for


@pytest.fixture(scope="module")
def chain() -> Chain:
    return Model.load("digits").chain


def test_terms_and_pixels_add_up_to_the_bound(chain: Chain) -> None:
    y = chain.sample(6, seed=0)
    found, bound = profile(chain, y, seed=3), chain.bound(y, seed=3)
    np.testing.assert_allclose(torch.stack(list(found.terms.values())).sum(0), bound.total - bound.log_jacobian - entropies(bound.terms))
    assert found.pixels is not None
    assert found.pixels.shape == (6, 8, 8)
    np.testing.assert_allclose(found.pixels.sum((1, 2)), bound.terms["level 1/decoder"], rtol=1e-5)
    assert not np.allclose(profile(chain, y, seed=4).terms["level 1/decoder"], found.terms["level 1/decoder"])  # the twin: another path


def entropies(terms: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.stack([value for name, value in terms.items() if name.endswith("/entropy")]).sum(0)


def test_items_have_the_same_parts_in_batches_of_any_size(chain: Chain) -> None:
    y = chain.sample(5, seed=0)
    whole, parts = profile(chain, y), profile(chain, y, batch=2)
    for name, nats in whole.terms.items():
        np.testing.assert_allclose(nats, parts.terms[name], rtol=1e-4, atol=1e-4)


def test_rows_have_no_pixels() -> None:
    found = profile(chain_of("vae"), data_for("vae"))
    assert found.pixels is None
    assert set(found.terms) == {"prior", *(f"level {l}/{name}" for l in (1, 2, 3) for name in ("kl", "decoder"))}
    with pytest.raises(SaltusError, match="deterministic"):
        profile(chain_of("deterministic"), data_for("deterministic"))
