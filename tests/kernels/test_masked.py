"""The network that is told some numbers of a row: each adds its own, what is unknown or absent nothing, and y has all its digits."""

from __future__ import annotations

import pytest
import torch

from saltus.errors import SaltusError
from saltus.kernels.masked import MaskedNetwork, Told
from saltus.likelihoods import Number, NumberDistributions
from saltus.networks import VectorCondition
from tests.helpers.checks import assert_one_sentence
from tests.helpers.rows import EVERY, NUMBERS, rows_of
from tests.helpers.stubs import randomise

LAWS = NumberDistributions(NUMBERS)


def network(distributions: NumberDistributions = LAWS, **options: object) -> MaskedNetwork:
    torch.manual_seed(0)
    made = MaskedNetwork(distributions, width=16, **options)  # type: ignore[arg-type]
    randomise(made)
    made.gaussian.factors.copy_(torch.randn_like(made.gaussian.factors))
    return made.double()


def nothing(made: MaskedNetwork, n: int) -> Told:
    """What it knows of n rows that start at 0."""
    return made.begin(torch.zeros(n, len(made.distributions.numbers), dtype=torch.float64), None)


@torch.no_grad()
def test_what_is_told_is_the_sum_of_what_each_known_number_adds() -> None:
    made, y = network(), rows_of(EVERY)
    row, known = LAWS.row(y), torch.rand(y.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    begun = nothing(made, len(y))
    each = [made.told_of(begun, j, row.of(slice(j, j + 1)), known[:, j]).first - begun.first for j in range(4)]
    assert torch.allclose(made.told(begun, row, known).first, begun.first + torch.stack(each).sum(0), atol=1e-12)
    for j in range(4):
        assert not each[j][~known[:, j]].any()
        seen = each[j][known[:, j] & ~row.absent[:, j]]
        assert bool(seen.any(1).all())
    assert not each[2][row.absent[:, 2]].any()


@torch.no_grad()
def test_numbers_told_one_after_another_tell_the_same_and_are_forgotten_again() -> None:
    made, y = network(rank=3), rows_of(EVERY)
    row, known = LAWS.row(y), torch.rand(y.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    begun = nothing(made, len(y))
    told = made.told(begun, row, known)
    found = begun
    for j in range(4):
        found = made.told_of(found, j, row.of(slice(j, j + 1)), known[:, j])
    assert _same(found, told)
    assert not torch.allclose(told.given.mean, begun.given.mean, atol=1e-3)
    for j in range(4):
        found = made.told_of(found, j, row.of(slice(j, j + 1)), known[:, j], forget=True)
    assert _same(found, begun)


def _same(one: Told, other: Told) -> bool:
    pairs = ((one.first, other.first), *zip(one.given, other.given, strict=True))
    return all(torch.allclose(a, b, atol=1e-9) for a, b in pairs)


@torch.no_grad()
def test_different_values_add_different_things() -> None:
    """Each of few values its own; of many those that lie close too, and far beyond the range of the features."""
    made, x = network(), EVERY[EVERY[:, 0] == 0]
    x = x[:70].clone()  # missing cells, each of the seventy values
    row, known = LAWS.row(rows_of(x)), torch.tensor([False, False, False, True]).expand(70, -1)
    added = made.told(nothing(made, 70), row, known).first
    apart = torch.cdist(added, added) + torch.eye(70)
    assert float(apart.min()) > 1e-3
    wide = network(NumberDistributions([Number(-1e6, 1e6)]))
    far = torch.tensor([[8.0], [9.0]], dtype=torch.float64)
    one, other = wide.told(nothing(wide, 2), wide.distributions.row(far), torch.ones(2, 1, dtype=torch.bool)).first
    assert not torch.allclose(one, other, atol=1e-3)


@torch.no_grad()
def test_parameters_of_a_number_are_its_part_of_all() -> None:
    made, y = network(rank=3), rows_of(EVERY)
    told = made.told(nothing(made, len(y)), LAWS.row(y), torch.tensor([True, False, False, True]).expand(len(y), -1))
    parts, about = zip(*(made.parameters_of(told, j) for j in range(4)), strict=True)
    assert [part.shape[1] for part in parts] == [LAWS.size] * 4
    assert torch.allclose(torch.cat(parts, 1), made.out(made.hidden(told)), atol=1e-12)
    for j, moments in enumerate(about):
        assert all(torch.allclose(a, b[:, j], atol=1e-12) for a, b in zip(moments, made.gaussian.moments(told.given), strict=True))


@torch.no_grad()
def test_it_begins_with_what_is_known_of_the_columns_whatever_it_is_told() -> None:
    made = MaskedNetwork(LAWS, width=16, condition=VectorCondition(3))
    z, vector = torch.randn(4, 4), torch.randn(4, 3)
    assert torch.allclose(made.out(made.hidden(made.begin(z, vector))), torch.zeros(4, 4 * LAWS.size))
    assert not torch.allclose(made.begin(z, vector).first, made.begin(z, None).first)


@pytest.mark.parametrize(("options", "words"), [({"width": 2**20}, "width is 1048576"), ({"blocks": 0}, "blocks is 0")])
def test_sizes_that_make_no_network(options: dict[str, int], words: str) -> None:
    with pytest.raises(SaltusError) as caught:
        MaskedNetwork(LAWS, **options)
    assert_one_sentence(caught.value, words)
