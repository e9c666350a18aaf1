"""Encoders: shapes, items apart from each other, and sizes that cannot be made."""

from __future__ import annotations

import pytest
import torch

from saltus.errors import SaltusError
from saltus.networks import ConvEncoder, MLPEncoder
from saltus.networks.groups import MOST_WIDTH
from tests.helpers.checks import assert_one_sentence
from tests.helpers.networks import TIMES, arrays, assert_apart
from tests.helpers.stubs import randomise


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (9, 13), (1, 1)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_images_of_every_size(size: tuple[int, int], channels: int) -> None:
    event = (channels, *size)
    assert ConvEncoder(event, latent=5, channels=(8, 16))(arrays(*event, inputs=2), TIMES).shape == (3, 2, 5)


@pytest.mark.parametrize("event", [(2,), (5, 3), (1, 2, 2, 2)])
def test_vectors_and_anything_small(event: tuple[int, ...]) -> None:
    encoder = MLPEncoder(event, latent=5, width=8)
    assert encoder.latent == 5
    assert encoder(arrays(*event, inputs=2), TIMES).shape == (3, 2, 5)


@pytest.mark.parametrize("kind", ["mlp", "conv"])
def test_items_are_apart_and_every_input_is_heard(kind: str) -> None:
    torch.manual_seed(0)
    event = (3,) if kind == "mlp" else (1, 9, 13)
    encoder = MLPEncoder(event, latent=4, width=16) if kind == "mlp" else ConvEncoder(event, latent=4, channels=(16, 32))
    randomise(encoder)
    assert_apart(encoder, (arrays(*event, inputs=2), TIMES))


def test_sizes_that_cannot_be_made_are_refused() -> None:
    for wrong in (0, -3, MOST_WIDTH + 1, 1.5):
        with pytest.raises(SaltusError) as caught:
            MLPEncoder((3,), latent=2, width=wrong)
        assert_one_sentence(caught.value, f"width is {wrong}")
    for channels in [(), (12,), (8, 0)]:
        with pytest.raises(SaltusError) as caught:
            ConvEncoder((1, 8, 8), latent=2, channels=channels)
        assert_one_sentence(caught.value, f"channels are {channels}")
