"""A chain is a module like any other: `.to`, `state_dict`, copies, dtype and device."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from saltus.chain import Chain
from saltus.pretrained import run_folder
from tests.helpers.exported import started

CHAINS: dict[str, Callable[[], Chain]] = {"digits": lambda: Chain.load(run_folder("digits")), "from a mixture": started}
EACH = pytest.mark.parametrize("name", CHAINS)


@EACH
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_samples_and_bounds_are_of_the_type_that_a_chain_is_put_in(name: str, dtype: torch.dtype) -> None:
    chain, plain = CHAINS[name]().to(dtype), CHAINS[name]()
    assert (plain.dtype, plain.device) == (torch.float32, torch.device("cpu"))
    assert chain.dtype == dtype
    y = chain.sample(4, seed=0)
    assert y.dtype == dtype
    assert float((y.float() - plain.sample(4, seed=0)).abs().max()) <= 0.13, "one grey value of 17"
    bound, own = chain.bound(y).total.double(), plain.bound(y.float()).total.double()
    assert torch.allclose(bound, own, rtol=0.05, atol=2)


def test_the_meta_device_gives_shapes() -> None:
    chain = CHAINS["digits"]().to("meta")
    assert chain.device.type == chain.sample(2, seed=0).device.type == "meta"


@EACH
def test_a_state_dict_holds_all_that_was_trained(name: str) -> None:
    chain, other = CHAINS[name](), CHAINS[name]()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    assert not torch.equal(other.sample(3, seed=0), chain.sample(3, seed=0))
    kept = io.BytesIO()
    torch.save(chain.state_dict(), kept)
    kept.seek(0)
    assert not any(other.load_state_dict(torch.load(kept)))
    assert torch.equal(other.sample(3, seed=0), chain.sample(3, seed=0))


@EACH
def test_a_copy_is_its_own(name: str) -> None:
    chain = CHAINS[name]()
    other, before = copy.deepcopy(chain), chain.sample(3, seed=0)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    assert torch.equal(chain.sample(3, seed=0), before)


def test_a_type_is_saved_with_a_chain(tmp_path: Path) -> None:
    started().double().save(tmp_path)
    assert Chain.load(tmp_path).dtype == torch.float64
