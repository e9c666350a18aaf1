"""Backbones: images of every size, vectors, items apart from each other, and sizes that cannot be made."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from saltus.errors import SaltusError
from saltus.networks import MLP, Patches, UNet
from saltus.networks.backbones import pad_to_multiple
from saltus.networks.groups import MOST_BLOCKS, MOST_WIDTH
from tests.helpers.checks import assert_one_sentence
from tests.helpers.networks import ALONE, TIMES, arrays, assert_apart
from tests.helpers.stubs import randomise

SIZES = [(8, 8), (28, 28), (9, 13)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_images_of_every_size(size: tuple[int, int], channels: int) -> None:
    event = (channels, *size)
    for kind, sizes in ((UNet, {"channels": (8, 16)}), (Patches, {"width": 32, "depth": 1})):
        network = kind(event, inputs=2, outputs=2, latent=3, **sizes)
        randomise(network)
        out = network(arrays(*event, inputs=2), TIMES, torch.ones(3, 3))
        assert out.shape == (3, 2, *event)
        assert out.isfinite().all()


@pytest.mark.parametrize("event", [(2,), (5, 3), (1, 2, 2, 2)])
def test_vectors_and_anything_small(event: tuple[int, ...]) -> None:
    network = MLP(event, inputs=2, outputs=3, latent=4, width=8)
    randomise(network)
    assert network(arrays(*event, inputs=2), TIMES, torch.ones(3, 4)).shape == (3, 3, *event)


@pytest.mark.parametrize(("kind", "event"), [(MLP, (3,)), (UNet, (1, 8, 8)), (Patches, (1, 8, 8))])
def test_a_fresh_network_says_nothing(kind: type, event: tuple[int, ...]) -> None:
    assert not kind(event, outputs=2)(arrays(*event), TIMES).any()


def error_after_training(sinusoids: bool) -> float:
    """Mean squared error of an MLP on a function that changes sign within a third of a standard deviation."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = MLP((1,), width=32, depth=1, sinusoids=sinusoids)
        optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
        for _ in range(300):
            x = torch.randn(128, 1, 1)
            error = (network(x, TIMES[:1].expand(128, 2)) - math.sqrt(2) * torch.sin(9 * x)).square().mean()
            optimiser.zero_grad()
            error.backward()
            optimiser.step()
    return float(error.detach())


def test_sinusoids_learn_what_changes_within_a_fraction_of_the_range() -> None:
    assert error_after_training(sinusoids=True) < 0.2
    assert error_after_training(sinusoids=False) > 0.5


@pytest.mark.parametrize("event", [(1, 7, 8), (5, 8, 8), (0, 8, 8), (8, 8), (1, 1, 8, 8)])
def test_what_is_no_image_is_refused(event: tuple[int, ...]) -> None:
    for kind in (UNet, Patches):
        with pytest.raises(SaltusError, match="images") as caught:
            kind(event)
        assert_one_sentence(caught.value, str(event))


@pytest.mark.parametrize(("name", "most"), [("width", MOST_WIDTH), ("depth", MOST_BLOCKS)])
def test_sizes_of_an_mlp_that_cannot_be_made_are_refused(name: str, most: int) -> None:
    for wrong in (0, -1, most + 1, 10**30, 2.5, "8", None):
        with pytest.raises(SaltusError) as caught:
            MLP((3,), **{name: wrong})
        assert_one_sentence(caught.value, f"{name} is {wrong!r}; expected a number from 1 to {most}")
    assert MLP((3,), **{"width": 8, "depth": 1, name: 1})(arrays(3), TIMES).shape == (3, 1, 3)


def test_sizes_of_a_unet_that_cannot_be_made_are_refused() -> None:
    for wrong in (0, MOST_BLOCKS + 1):
        with pytest.raises(SaltusError) as caught:
            UNet((1, 8, 8), layers=wrong)
        assert_one_sentence(caught.value, f"layers is {wrong}")
    for channels in [(), (12,), (8, 0), (8, -8)]:
        with pytest.raises(SaltusError) as caught:
            UNet((1, 8, 8), channels=channels)
        assert_one_sentence(caught.value, f"channels are {channels}; expected multiples of 8")


def test_sizes_of_patches_that_cannot_be_made_are_refused() -> None:
    for name, wrong in (("width", 0), ("width", 48), ("depth", 0), ("patch", 0), ("patch", 65)):
        with pytest.raises(SaltusError) as caught:
            Patches((1, 8, 8), **{name: wrong})
        assert_one_sentence(caught.value, f"{name} is {wrong}")


def test_a_pixel_is_heard_in_every_square() -> None:
    """Squares attend to each other, and know their places: the same square elsewhere says something else."""
    torch.manual_seed(0)
    network = Patches((1, 8, 8), width=32, depth=1)
    randomise(network)
    x = arrays(1, 8, 8)
    other = x.clone()
    other[..., 0, 0] += 1
    assert ((network(x, TIMES) - network(other, TIMES)).abs().amax((0, 1, 2)) > 100 * ALONE).all()
    same = network(torch.zeros(3, 1, 1, 8, 8), TIMES)
    assert (same[..., :4, :4] - same[..., 4:, 4:]).abs().max() > 100 * ALONE


@pytest.mark.parametrize("multiple", [1, 2, 4])
@pytest.mark.parametrize("size", [*SIZES, (11, 10)])
def test_padding_is_cropped_back(size: tuple[int, int], multiple: int) -> None:
    x = arrays(1, *size)[:, 0]
    padded, crop = pad_to_multiple(x, multiple)
    assert all(side % multiple == 0 for side in padded.shape[-2:])
    assert torch.equal(padded[..., crop[0], crop[1]], x)


def networks() -> dict[str, tuple[nn.Module, tuple[Tensor, ...]]]:
    """Each backbone with an array, times and a latent for it."""
    latent = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
    return {
        "mlp": (MLP((3,), latent=4, width=16), (arrays(3), TIMES, latent)),
        "sinusoids": (MLP((3,), latent=4, width=16, sinusoids=True), (arrays(3), TIMES, latent)),
        "unet": (UNet((1, 9, 13), latent=4, channels=(8, 16)), (arrays(1, 9, 13), TIMES, latent)),
        "patches": (Patches((1, 9, 13), latent=4, width=32, depth=1), (arrays(1, 9, 13), TIMES, latent)),
        "unet with attention": (UNet((1, 9, 13), latent=4, channels=(8, 16), attention=True), (arrays(1, 9, 13), TIMES, latent)),
    }


@pytest.mark.parametrize("name", networks())
def test_items_are_apart_and_every_input_is_heard(name: str) -> None:
    torch.manual_seed(0)
    network, arguments = networks()[name]
    randomise(network)
    assert_apart(network, arguments)


@pytest.mark.parametrize(("name", "first"), [("mlp", "first"), ("unet", "paint"), ("patches", "paint")])
@torch.no_grad()
def test_the_latent_enters_twice(name: str, first: str) -> None:
    """As an input and through the conditioning: without either it is still heard, without both it is not."""
    for silenced in ([first], ["mapping.layers.0"], [first, "mapping.layers.0"]):
        torch.manual_seed(0)
        network, (x, times, latent) = networks()[name]
        randomise(network)
        for layer in silenced:
            network.get_submodule(layer).weight[:, -4:] = 0
        change = (network(x, times, latent) - network(x, times, latent.flip(0))).abs().max()
        assert bool(change > 100 * ALONE) is (len(silenced) == 1)
