"""How networks are told times and conditions: every backbone and encoder with every kind of condition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from saltus.errors import SaltusError
from saltus.networks import (
    MLP,
    ClassCondition,
    Condition,
    ConvEncoder,
    ImageCondition,
    Ladder,
    LadderEncoder,
    MLPEncoder,
    UNet,
    VectorCondition,
)
from saltus.networks.conditioning import LOG_SNR_RANGE, ConditionChannels, ConditionEmbedding, log_snr_features
from tests.helpers.checks import assert_one_sentence
from tests.helpers.networks import ALONE, TIMES, arrays, as_one
from tests.helpers.stubs import randomise

IMAGE = (2, 9, 8)
CHANNELS = {"channels": (8, 16)}

CONDITIONS: dict[str, tuple[Condition, Tensor]] = {
    "class": (ClassCondition("abcd", [1, 2, 3, 4]), torch.tensor([0, 3, 1])),
    "vector": (VectorCondition(2), torch.tensor([[0.0, 1.0], [-1.0, 2.0], [0.5, 0.5]])),
    "image": (ImageCondition((3, 9, 8)), torch.linspace(-1, 1, 648).reshape(3, 3, 9, 8)),
}

NETWORKS: dict[str, tuple[int, Callable[[Condition | None], nn.Module]]] = {  # inputs, and how it is made
    "mlp": (1, lambda c: MLP(IMAGE, latent=4, width=16, depth=1, condition=c)),
    "mlp without a latent": (1, lambda c: MLP(IMAGE, outputs=2, width=16, depth=1, condition=c)),
    "sinusoids": (2, lambda c: MLP(IMAGE, inputs=2, latent=4, width=16, depth=1, sinusoids=True, condition=c)),
    "unet": (1, lambda c: UNet(IMAGE, latent=4, condition=c, **CHANNELS)),
    "unet without a latent": (2, lambda c: UNet(IMAGE, inputs=2, outputs=2, condition=c, **CHANNELS)),
    "ladder": (1, lambda c: Ladder(IMAGE, k=2, condition=c, **CHANNELS)),
    "mlp encoder": (2, lambda c: MLPEncoder(IMAGE, latent=3, width=16, condition=c)),
    "conv encoder": (2, lambda c: ConvEncoder(IMAGE, latent=3, condition=c, **CHANNELS)),
    "ladder encoder": (2, lambda c: LadderEncoder(IMAGE, condition=c, **CHANNELS)),
}


def called(name: str, condition: Condition | None) -> Callable[..., Tensor]:
    """A network of three items, as a function of their condition."""
    inputs, make = NETWORKS[name]
    torch.manual_seed(0)
    network = make(condition)
    randomise(network)
    first: tuple[Any, ...] = (arrays(*IMAGE, inputs=inputs), TIMES)
    if "encoder" not in name:
        first += (torch.randn(3, network.latent, generator=torch.Generator().manual_seed(1)) if network.latent else None,)

    def call(*given: Tensor | None) -> Tensor:
        return as_one(network(*first, *given))

    return call


@pytest.mark.parametrize("kind", CONDITIONS)
@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_conditions_are_heard_and_none_is_a_value(name: str, kind: str) -> None:
    condition, values = CONDITIONS[kind]
    call, plain = called(name, condition), called(name, None)
    given, free = call(values), call(None)
    assert given.shape == plain().shape
    assert given.isfinite().all()
    assert free.isfinite().all()
    assert torch.equal(free, call())
    assert torch.equal(free, call(condition.none(3)))
    blind = (name, kind) == ("mlp encoder", "image")  # it says so: of an image it sees nothing
    for other in (free, call(values.flip(0))):
        assert bool(((other - given).abs().amax(1)[[0, 2]] > 100 * ALONE).all()) is not blind
    mixed = call(condition.drop(values, torch.tensor([False, True, False])))
    assert torch.allclose(mixed, torch.stack([given[0], free[1], given[2]]), rtol=ALONE, atol=ALONE)


@pytest.mark.parametrize("kind", CONDITIONS)
@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_conditions_stay_with_their_items(name: str, kind: str) -> None:
    condition, values = CONDITIONS[kind]
    call = called(name, condition)
    changed = torch.cat([values[:2], values[:1]])
    assert torch.allclose(call(changed)[:2], call(values)[:2], rtol=ALONE, atol=ALONE)


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_an_unconditional_network_does_not_look_at_a_condition(name: str) -> None:
    call = called(name, None)
    assert torch.equal(call(), call(torch.tensor([0, 1, 2])))


def test_zero_is_not_no_condition() -> None:
    """The numbers 0 and a black image differ from an absent condition."""
    vector, image = ConditionEmbedding(VectorCondition(2), 5), ConditionChannels(ImageCondition((1, 4, 3)), (2, 4, 3))
    h, pixels = torch.zeros(3, 5), torch.zeros(3, 2, 4, 3)
    assert not torch.allclose(vector(h, torch.zeros(3, 2)), vector(h, None))
    given, free = image(pixels, torch.zeros(3, 1, 4, 3)), image(pixels, None)
    assert given.shape == free.shape == (3, 4, 4, 3)
    assert given[:, 3].unique().tolist() == [1]
    assert free[:, 2:].unique().tolist() == [0]


@pytest.mark.parametrize("kind", [name for name in NETWORKS if name != "mlp encoder"])
def test_images_of_another_size_are_refused(kind: str) -> None:
    for shape in ((3, 8, 9), (1, 4, 4), (2, 9, 9)):
        with pytest.raises(SaltusError) as caught:
            NETWORKS[kind][1](ImageCondition(shape))
        assert_one_sentence(caught.value, f"images of {shape[1]}x{shape[2]} pixels", f"items have shape {IMAGE}", "resize it")


def test_vectors_have_no_image_as_a_condition() -> None:
    with pytest.raises(SaltusError) as caught:
        MLP((5,), condition=ImageCondition((1, 4, 4)))
    assert_one_sentence(caught.value, "items have shape (5,)")


@pytest.mark.parametrize("name", NETWORKS)
def test_values_of_another_size_are_no_condition(name: str) -> None:
    """A network says so at once; the front checks what users give, with a sentence (`Condition.check`)."""
    with pytest.raises((RuntimeError, IndexError)):
        called(name, VectorCondition(2))(torch.zeros(3, 5))
    with pytest.raises((RuntimeError, IndexError)):
        called(name, ClassCondition("ab", [1, 1]))(torch.tensor([0, 1, 2]))


def test_features_of_times() -> None:
    grid = torch.linspace(-LOG_SNR_RANGE, LOG_SNR_RANGE, 200, dtype=torch.float64)[:, None]
    features = log_snr_features(grid, 32)
    assert features.shape == (200, 32)
    assert features.abs().max() <= 1
    near, far = (features[i + 1] - features[i] for i in (0, 100)), torch.cdist(features, features)
    assert all(step.abs().max() > 0.01 for step in near)  # neighbours, a fifth apart in log-SNR, differ
    assert (far + torch.eye(200) > 0.1).all()  # and no two times look the same
    ends = log_snr_features(torch.tensor([[torch.inf, -torch.inf], [LOG_SNR_RANGE, -LOG_SNR_RANGE]]), 32)
    assert torch.equal(ends[0], ends[1])
