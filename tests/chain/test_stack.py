"""The stack of bits: what is popped is what was pushed, lengths are those of the distributions, and bits never pushed are draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.distributions import Normal

from saltus.chain import Stack
from saltus.errors import SaltusError
from tests.helpers.checks import assert_one_sentence, follows, has_frequencies

WIDTH = 2.0**-4
N = 20_000


def distributions(n: int = N) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return 2 * torch.randn(n, generator=generator).double(), torch.rand(n, generator=generator).double() + 0.3


def on_grid(z: Tensor) -> Tensor:
    return (z / WIDTH).round() * WIDTH


def test_what_is_popped_is_what_was_pushed() -> None:
    mean, std = distributions(300)
    stack, value = Stack(), on_grid(mean + 2 * std)
    masses = torch.rand(40, 7, generator=torch.Generator().manual_seed(1)).double()
    index, before = masses.argmin(1), stack.code()
    stack.push_normal(value, mean, std, WIDTH)
    stack.push_choice(index, masses)
    stack.push_normal(value, mean, std, WIDTH, near=True)
    again = Stack(stack.code())
    assert torch.equal(again.pop_normal(mean, std, WIDTH, near=True), value)
    assert torch.equal(again.pop_choice(masses), index)
    assert torch.equal(again.pop_normal(mean.float(), std.float(), WIDTH), value.float()) is False  # other distributions, other values
    again = Stack(stack.code())
    again.pop_normal(mean, std, WIDTH, near=True)
    again.pop_choice(masses)
    assert torch.equal(again.pop_normal(mean, std, WIDTH), value)
    assert again.code() == before


@pytest.mark.parametrize("near", [False, True])
def test_what_is_popped_first_comes_back_as_it_was(near: bool) -> None:
    """The bits too: all that is lent is given back."""
    mean, std = distributions(500)
    stack = Stack()
    value = stack.pop_normal(mean, std, WIDTH, near=near)
    assert stack.lent > 0
    lent = stack.lent
    stack.push_normal(value, mean, std, WIDTH, near=near)
    assert len(stack.code()) == lent


def test_lengths_are_those_of_the_distributions() -> None:
    """Of numbers the density times the width, but for the curve of the density within a bin: (width / std)^2 / 24 |x^2 - 1| nats each."""
    mean, std = distributions()
    value = on_grid(mean + std * torch.randn(N, generator=torch.Generator().manual_seed(2)).double())
    stack = Stack()
    before = stack.bits
    stack.push_normal(value, mean, std, WIDTH)
    nats = -(Normal(mean, std).log_prob(value) + math.log(WIDTH))
    curve = ((WIDTH / std) ** 2 / 24 * (((value - mean) / std) ** 2 - 1).abs()).sum()
    reach = N * 2 * 16 / WIDTH * 2.0**-24  # of the mass that every place has at least
    assert abs((stack.bits - before) * math.log(2) - float(nats.sum())) < float(curve) + reach + 32
    assert abs((stack.bits - before) * math.log(2) - 1.01 * float(nats.sum())) > float(curve) + reach + 32  # the twin that must fail
    masses = torch.rand(N, 9, generator=torch.Generator().manual_seed(3)).double().softmax(1)
    index, before = torch.arange(N) % 9, stack.bits
    stack.push_choice(index, masses)
    assert stack.bits - before == pytest.approx(-float(masses.gather(1, index[:, None]).log2().sum()), rel=1e-4)


@pytest.mark.parametrize("near", [False, True])
def test_what_was_never_pushed_is_drawn(near: bool) -> None:
    mean, std = distributions()
    stack = Stack()
    value = stack.pop_normal(mean, std, WIDTH, near=near)
    even = WIDTH * (torch.rand(N, generator=torch.Generator().manual_seed(4)).double() - 0.5)  # within a bin
    assert follows((value + even - mean) / std, stats.norm.cdf)
    assert not follows((value + even - mean) / std * 1.1, stats.norm.cdf)  # the twin that must fail
    assert float(((value - mean) / std.max()).abs().max()) < 7.2
    chances = torch.tensor([0.5, 0.3, 0.0, 0.2]).double()
    drawn, least = stack.pop_choice(chances.expand(N, -1)), 2.0**-24
    assert has_frequencies(drawn, chances.clamp_min(least))
    assert not has_frequencies(drawn, torch.tensor([0.45, 0.35, 0.0, 0.2]).double().clamp_min(least))  # the twin that must fail


def test_one_value_and_no_numbers_cost_nothing() -> None:
    stack = Stack()
    before, nothing = stack.code(), torch.zeros(1, 0)
    stack.push_choice(torch.zeros(3, dtype=torch.int64), torch.ones(3, 1))
    stack.push_normal(nothing, nothing, nothing, WIDTH)
    assert stack.pop_normal(nothing, nothing, WIDTH).shape == (1, 0)
    assert stack.pop_choice(torch.ones(3, 1)).tolist() == [0, 0, 0]
    assert stack.code() == before


def test_far_means_do_not_stop_it() -> None:
    mean = torch.tensor([1e6, -1e6, 0.0]).double()
    std = torch.tensor([1e-3, 1.0, 1e4]).double()
    value = torch.tensor([16.0, -16.0, 3.0]).double()
    for near in (False, True):
        stack = Stack()
        stack.push_normal(value, mean, std, WIDTH, near=near)
        assert torch.equal(Stack(stack.code()).pop_normal(mean, std, WIDTH, near=near), value)


def test_distributions_that_are_none_are_refused() -> None:
    one = torch.ones(1)
    for mean, std in ((one * np.nan, one), (one, one * np.inf), (one, one * 0), (one, -one)):
        with pytest.raises(SaltusError) as caught:
            Stack().pop_normal(mean, std, WIDTH)
        assert_one_sentence(caught.value, "not finite")
    with pytest.raises(SaltusError, match="masses are not finite"):
        Stack().push_choice(torch.zeros(1, dtype=torch.int64), torch.full((1, 3), np.nan))


def test_a_code_that_ends_too_early_is_told() -> None:
    mean, std = distributions(1000)
    stack = Stack()
    stack.push_normal(on_grid(mean), mean, std, WIDTH)
    code = stack.code()
    for wrong in (code[: len(code) // 2], b"", b"\0" * 8):
        with pytest.raises(SaltusError) as caught:
            Stack(wrong).pop_normal(mean, std, WIDTH)
        assert_one_sentence(caught.value, "not one of this model's")
    with pytest.raises(SaltusError, match="not one of this model's"):
        Stack().push_normal(torch.full((1,), 17.0), torch.zeros(1), torch.ones(1), WIDTH)
