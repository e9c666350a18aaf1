"""Axes of columns: they go one way, come back exactly, know their slope, and leave no gap between values."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from saltus.likelihoods import Number, Numbers

AXES = {
    "straight": Number(-3.0, 4.0, mean=0.2, std=1.3),
    "counted": Number(0, 40, step=1.0, mean=13.0, std=9.0),
    "decimals": Number(-1.0, 3.0, step=0.1, mean=1.0, std=0.7),
    "one value": Number(7.0, 7.0, step=1.0),
    "tail": Number(1e-4, 3000.0, centre=0.0, bend=1e-3, mean=0.005, std=0.003),
    "two tails": Number(-900.0, 800.0, centre=2.0, bend=3.0, std=4.0),
    "counted tail": Number(0, 9000, step=1.0, bend=0.7, mean=2.0, std=1.5),
    "spikes": Number(-5.0, 5.0, atoms=(-1.0, 0.0, 2.5), gap=0.8, mean=1.0, std=1.7),
    "a spike at the end of a tail": Number(0.0, 500.0, bend=0.05, atoms=(0.0,), gap=0.2, std=0.3),
    "shares": Number(0, 4, step=1.0, shares=(0.2, 0.0005, 0.6, 0.0995, 0.1)),
    "a rare first value": Number(0, 1, step=1.0, shares=(1e-6, 1 - 1e-6)),
    "a spike among counted values": Number(1, 99, step=1.0, atoms=(40.0,), gap=14.0, mean=50.0, std=16.0),
}
EACH = pytest.mark.parametrize("number", AXES.values(), ids=AXES)


def values(number: Number, n: int = 4001) -> Tensor:
    """All counted values, or an even grid with the atoms in it and nothing close to them, increasing, (n, 1)."""
    if number.step:
        places = torch.arange(round((number.high - number.low) / number.step) + 1, dtype=torch.float64)
        return (number.low + number.step * places)[:, None]
    grid = torch.linspace(number.low, number.high, n, dtype=torch.float64)
    for atom in number.atoms:
        grid = grid[(grid - atom).abs() > 1e-4]
    return torch.cat([grid, torch.tensor(number.atoms, dtype=torch.float64)]).sort().values[:, None]


@EACH
def test_values_come_back_through_float32(number: Number) -> None:
    numbers, x = Numbers([number]), values(number)
    y = numbers.forward(x)
    assert (y.diff(dim=0) > 0).all()
    back = numbers.inverse(y.float().double())
    exact = torch.isin(x, torch.tensor(number.atoms, dtype=torch.float64)) | bool(number.step)
    assert torch.allclose(back[exact], x[exact], rtol=0, atol=1e-12)
    slope = (-numbers.log_jacobian(y)).exp()
    rounding = torch.finfo(torch.float32).eps * (1 + y.abs()) / slope
    assert ((back - x).abs() <= rounding)[~exact].all()
    assert numbers.inverse(torch.tensor([[-1e9], [1e9]], dtype=torch.float64)).flatten().tolist() == [number.low, number.high]
    assert not numbers.off(y.float().double()).any()


@EACH
def test_the_log_jacobian_is_the_slope_by_autograd_and_by_differences(number: Number) -> None:
    numbers = Numbers([number])
    if number.step:
        assert not numbers.log_jacobian(numbers.forward(values(number))).any()
        return
    x = values(number)
    x = x[~torch.isin(x, torch.tensor(number.atoms, dtype=torch.float64))][:, None].requires_grad_()
    y = numbers.forward(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    assert torch.allclose(numbers.log_jacobian(y), -slope.log(), atol=1e-9)
    step = 1e-6 * (number.high - number.low) / len(x) + 1e-9
    differences = (numbers.forward(x + step) - numbers.forward(x - step)) / (2 * step)
    inside = slice(1, -1)
    assert torch.allclose(differences[inside].log(), slope[inside].log(), atol=1e-3)
    for atom in number.atoms:
        assert float(numbers.log_jacobian(numbers.forward(torch.tensor([[atom]], dtype=torch.float64)))) == 0


@EACH
def test_what_values_own_leaves_no_gap(number: Number) -> None:
    numbers, x = Numbers([number]), values(number)
    below, above, counted = numbers.cells(numbers.forward(x))
    assert counted.all() if number.step else counted.sum() == len(number.atoms)
    if number.step:
        assert torch.allclose(above[:-1], below[1:], atol=1e-12)
        assert (float(below[0]), float(above[-1])) == (-math.inf, math.inf)
    for atom in number.atoms:
        here = (x == atom).flatten()
        room = float((above - below)[here]) * number.std - (number.gap if not number.step else number.gap + number.step)
        assert room == pytest.approx(0, abs=1e-9) or atom in (number.low, number.high)
    own = numbers.cells(numbers.forward(x), closed=True)
    inside = own.below + torch.rand(len(x), 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * (own.above - own.below)
    assert torch.allclose(numbers.inverse(inside)[counted], x[counted], atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.integers(-(10**12), 10**12), st.integers(1, 2**17), st.integers(1, 1000), st.floats(0.01, 1e4), st.floats(-1, 2), st.data())
def test_counted_values_come_back_whatever_the_axis(
    low: int, places: int, step: int, bend: float, where: float, data: st.DataObject
) -> None:
    high = low + step * places
    centre = low + where * (high - low)
    draft = Number(low, high, step=step, centre=centre, bend=bend * step)
    drawn = [low + step * data.draw(st.integers(0, places)) for _ in range(20)]
    x = torch.tensor([low, high, *drawn], dtype=torch.float64)[:, None]
    u = Numbers([draft]).forward(x)
    number = Number(low, high, step=step, centre=centre, bend=bend * step, mean=float(u.mean()), std=float(u.std()))
    numbers = Numbers([number])
    assert torch.equal(numbers.inverse(numbers.forward(x).float().double()), x)


def test_columns_keep_to_themselves() -> None:
    """Of several at once, each is as it is alone."""
    together, x = Numbers(list(AXES.values())), torch.cat([values(n)[[0, -1]] for n in AXES.values()], dim=1)
    y = together.forward(x)
    for j, number in enumerate(AXES.values()):
        alone = Numbers([number])
        assert torch.equal(y[:, j], alone.forward(x[:, [j]])[:, 0])
        assert torch.equal(together.inverse(y)[:, j], alone.inverse(y[:, [j]])[:, 0])
        assert torch.equal(together.log_jacobian(y)[:, j], alone.log_jacobian(y[:, [j]])[:, 0])
        assert torch.equal(together.columns(y.device).least[[j]], alone.columns(y.device).least)


@EACH
def test_values_are_counted_from_the_first_one_on(number: Number) -> None:
    numbers, x = Numbers([number]), values(number)
    y = numbers.forward(x)
    expected = torch.arange(len(x)) if number.step else torch.zeros(len(x), dtype=torch.int64)
    assert torch.equal(numbers.places(y)[:, 0], expected)
    assert torch.equal(numbers.places(y.float().double())[:, 0], expected)
    beyond = numbers.places(torch.tensor([[-50.0], [50.0]], dtype=torch.float64))[:, 0]
    assert beyond.tolist() == ([0, len(x) - 1] if number.step else [0, 0])


def test_a_number_that_is_always_there_has_the_same_axis() -> None:
    optional = Number(0, 40, step=1.0, mean=13.0, std=9.0, optional=True)
    always, x = optional.always(), values(optional)
    assert (always.optional, optional.optional) == (False, True)
    there = torch.ones(len(x), 1, dtype=torch.float64)
    both = Numbers([Number(0, 1, step=1.0, shares=(0.4, 0.6)), optional])
    assert torch.equal(Numbers([always]).forward(x)[:, 0], both.forward(torch.cat([there, x], 1))[:, 1])
    assert always.always() is always
    changed = Number(0, 4, step=1.0, shares=(0.2,) * 5)
    changed.optional = True  # as where a table is looked at
    assert not changed.always().optional
    assert changed.always().shares == changed.shares


def test_values_beyond_the_range_own_what_others_do() -> None:
    numbers = Numbers([AXES["counted"]])
    y = numbers.forward(torch.tensor([[-3.0], [45.0]], dtype=torch.float64))
    below, above, _ = numbers.cells(y)
    assert torch.allclose(above - below, torch.full_like(y, 1 / 9))
    assert numbers.inverse(y).flatten().tolist() == [0, 40]


@pytest.mark.parametrize(
    "options",
    [
        {"step": -1.0},
        {"bend": 0.0},
        {"std": 0.0},
        {"std": math.nan},
        {"mean": math.inf},
        {"atoms": (1.0, 0.5), "gap": 1.0},
        {"atoms": (1.0,)},
    ],
)
def test_axes_that_are_none(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected finite numbers"):
        Number(0.0, 1.0, **options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected finite numbers"):
        Number(1.0, 0.0)


def test_values_with_shares_have_them_under_the_standard_normal() -> None:
    number = AXES["shares"]
    below, above, _ = Numbers([number]).cells(Numbers([number]).forward(values(number)))
    masses = torch.special.ndtr(above) - torch.special.ndtr(below)
    assert torch.allclose(masses[:, 0], torch.tensor(number.shares, dtype=torch.float64), atol=1e-12)


ROW = [Number(0, 1, step=1.0, shares=(0.3, 0.7)), Number(0, 9, step=1.0, mean=4.0, std=3.0, optional=True), Number(-2.0, 2.0)]


def test_absent_numbers_are_nothing() -> None:
    numbers = Numbers(ROW)
    x = torch.tensor([[0.0, math.nan, 0.5], [1.0, 7.0, 0.5]], dtype=torch.float64)
    y = numbers.forward(x)
    assert float(y[0, 1]) == 0
    assert numbers.absent(y).tolist() == [[False, True, False], [False, False, False]]
    assert numbers.cells(y).counted.tolist() == [[True, False, False], [True, True, False]]
    assert torch.equal(numbers.inverse(y).isnan(), x.isnan())
    assert torch.equal(numbers.inverse(y)[1], x[1])
    assert not numbers.off(y).any()
    other = y.clone()
    other[0, 1] = 0.7  # where nothing is
    assert numbers.off(other).tolist() == [[False, True, False], [False, False, False]]
    assert torch.equal(numbers.settled(other), y)
    for wrong in ([ROW[1]], [ROW[2], ROW[1]]):
        with pytest.raises(ValueError, match="is optional"):
            Numbers(wrong)


@pytest.mark.parametrize("options", [{"shares": (0.5, 0.6)}, {"shares": (0.0, 1.0)}, {"shares": (0.2, 0.3, 0.5)}])
def test_shares_that_are_none(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected positive ones"):
        Number(0, 1, step=1.0, **options)  # type: ignore[arg-type]
