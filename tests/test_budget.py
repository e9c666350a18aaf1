"""A budget ends what asks torch for too much, before it is made, and lets everything else be."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from saltus.budget import Budget
from saltus.errors import SaltusError
from saltus.machine import keep_freed_memory
from tests.helpers.checks import assert_one_sentence
from tests.helpers.memory import Peak


def test_numbers_are_counted_together_and_before_they_are_made() -> None:
    with Budget(numbers=100):
        assert torch.zeros(60).numel() == 60
        with pytest.raises(SaltusError) as caught:
            torch.ones(41)
    assert_one_sentence(caught.value, "more than 100 numbers", "give smaller ones")
    peak = Peak()
    for make in (torch.zeros, torch.ones, torch.empty, torch.rand, torch.randn, torch.arange):
        with Budget(numbers=1e6, told="too wide; take less"), pytest.raises(SaltusError, match="too wide; take less"):
            make(10**11)
    with Budget(numbers=1e6), pytest.raises(SaltusError):
        nn.Linear(10**6, 10**6)
    with Budget(numbers=1e6), pytest.raises(SaltusError):
        torch.randn(10**11, generator=torch.Generator())
    assert peak.mebibytes < 300  # of the 400 GB that were asked for


def test_the_meta_device_costs_nothing() -> None:
    with Budget(numbers=10), torch.device("meta"):
        assert nn.Linear(10**6, 10**6).weight.is_meta
    with Budget(numbers=10):
        assert torch.empty(10**9, device="meta").is_meta


def test_calls_are_counted() -> None:
    with Budget(calls=10, numbers=100):
        total = torch.zeros(())
        with pytest.raises(SaltusError) as caught:
            sum(iter(lambda: total.add_(1), None))
    assert_one_sentence(caught.value, "more than 10 steps")
    assert 0 < float(total) < 10


def test_random_numbers_are_those_without_a_budget() -> None:
    torch.manual_seed(0)
    expected = nn.Linear(3, 4).weight
    torch.manual_seed(0)
    with Budget(calls=100, numbers=100):
        found = nn.Linear(3, 4).weight
    assert torch.equal(found, expected)


def test_what_is_refused_leaves_gradients_on() -> None:
    """The end of torch.no_grad is a call of torch too."""

    def endless() -> None:
        while True:
            with torch.no_grad():
                torch.zeros(())

    for calls in range(8):
        with Budget(calls=calls, numbers=100), pytest.raises(SaltusError, match="steps to build"):
            endless()
        assert torch.is_grad_enabled()


def test_memory_that_was_let_go_is_still_seen() -> None:
    """The twin of those that take none; even where this process keeps what it frees."""
    keep_freed_memory()
    torch.ones(16 * 2**20)
    peak = Peak()
    assert peak.mebibytes < 40
    torch.ones(16 * 2**20)
    assert peak.mebibytes > 60
