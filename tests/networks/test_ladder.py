"""The ladder as a network: shapes of its latents, features, items apart from each other, and sizes that cannot be made."""

from __future__ import annotations

import math

import pytest
import torch

from saltus.errors import SaltusError
from saltus.networks import Ladder, LadderEncoder
from saltus.networks.groups import MOST_BLOCKS
from tests.helpers.checks import assert_one_sentence
from tests.helpers.networks import ALONE, TIMES, arrays, assert_apart
from tests.helpers.stubs import randomise

CHANNELS = (8, 16)


@pytest.mark.parametrize("patch", [1, 2])
@pytest.mark.parametrize("event", [(1, 8, 8), (3, 9, 7), (2, 5, 12)])
@torch.no_grad()
def test_groups_from_coarse_to_fine(event: tuple[int, int, int], patch: int) -> None:
    torch.manual_seed(0)
    network = Ladder(event, channels=CHANNELS, groups=2, k=3, patch=patch)
    sides = [[math.ceil(side / (2 * patch)) * part for side in event[1:]] for part in (1, 2)]
    assert network.shapes == [(3, *sides[0])] * 2 + [(3, *sides[1])] * 2
    assert network.latent == sum(math.prod(shape) for shape in network.shapes)
    randomise(network)
    out = network(arrays(*event), TIMES, torch.ones(3, network.latent))
    assert out.shape == (3, 2, *event)
    assert out.isfinite().all()
    features = LadderEncoder(event, channels=CHANNELS, patch=patch)(arrays(*event, inputs=2), TIMES)
    assert [tuple(feature.shape) for feature in features] == [(3, c, *side) for c, side in zip(CHANNELS, reversed(sides), strict=True)]
    drawn, latent, mean, raw = network(arrays(*event), TIMES, torch.zeros(3, network.latent), features=features)
    assert drawn.shape == out.shape
    assert torch.equal(latent, mean)  # without noise
    assert latent.shape == raw.shape == (3, network.latent)
    assert torch.allclose(network(arrays(*event), TIMES, latent), drawn, atol=ALONE)


def test_a_fresh_ladder_says_nothing() -> None:
    network = Ladder((1, 8, 8), channels=CHANNELS)
    assert not network(arrays(1, 8, 8), TIMES, torch.ones(3, network.latent)).any()


def test_items_are_apart_and_every_input_is_heard() -> None:
    torch.manual_seed(0)
    event = (1, 9, 13)
    network, encoder = Ladder(event, channels=CHANNELS, k=2), LadderEncoder(event, channels=CHANNELS)
    randomise(network)
    randomise(encoder)
    assert_apart(network, (arrays(*event), TIMES, torch.randn(3, network.latent)))
    assert_apart(encoder, (arrays(*event, inputs=2), TIMES))


def test_vectors_have_no_ladder() -> None:
    with pytest.raises(SaltusError, match="a ladder takes images") as caught:
        Ladder((5,))
    assert_one_sentence(caught.value, "(5,)")


def test_sizes_that_cannot_be_made_are_refused() -> None:
    for wrong in (0, -1, MOST_BLOCKS + 1, 1.5):
        with pytest.raises(SaltusError) as caught:
            Ladder((1, 8, 8), channels=CHANNELS, groups=wrong)
        assert_one_sentence(caught.value, f"groups is {wrong}; expected a number from 1 to {MOST_BLOCKS}")
    for kind in (Ladder, LadderEncoder):
        with pytest.raises(SaltusError) as caught:
            kind((1, 8, 8), channels=(12,))
        assert_one_sentence(caught.value, "channels are (12,)")
