"""Presets: which network for which items, sizes in place of a preset's, and networks of one's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from saltus.errors import SaltusError
from saltus.networks import (
    MLP,
    NETWORKS,
    ClassCondition,
    Condition,
    ConvEncoder,
    Ladder,
    LadderEncoder,
    MLPEncoder,
    Preset,
    UNet,
    backbone,
    encoder,
    ladder,
)
from tests.helpers.checks import assert_one_sentence


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    "make",
    [
        lambda preset: backbone((2,), preset, latent=2),
        lambda preset: backbone((1, 16, 16), preset, latent=2),
        lambda preset: backbone((1, 16, 16), preset, architecture="patches", latent=2),
        lambda preset: encoder((2,), preset, latent=2),
        lambda preset: encoder((1, 16, 16), preset, latent=2),
        lambda preset: ladder((1, 16, 16), preset)[0],
        lambda preset: ladder((1, 16, 16), preset)[1],
    ],
    ids=["mlp", "unet", "patches", "mlp encoder", "conv encoder", "ladder", "ladder encoder"],
)
def test_presets_grow(make: Callable[[Preset], nn.Module]) -> None:
    assert all(smaller < larger for smaller, larger in pairwise(parameters(make(preset)) for preset in Preset))


def test_networks_fit_the_items() -> None:
    for image in [(1, 16, 16), (3, 28, 17)]:
        assert isinstance(backbone(image), UNet)
        assert isinstance(encoder(image, latent=1), ConvEncoder)
    for small in [(64,), (1, 8, 8), (1, 15, 40), (2, 2)]:
        assert isinstance(backbone(small), MLP)
        assert isinstance(encoder(small, latent=1), MLPEncoder)
    network, reader = ladder((1, 8, 8))
    assert isinstance(network, Ladder)
    assert isinstance(reader, LadderEncoder)


@pytest.mark.parametrize(("architecture", "kind", "reader"), [("mlp", MLP, MLPEncoder), ("unet", UNet, ConvEncoder)])
def test_an_architecture_may_be_asked_for(architecture: str, kind: type, reader: type) -> None:
    for shape in [(1, 16, 16), (1, 8, 8)]:
        assert isinstance(backbone(shape, "tiny", architecture=architecture), kind)
        assert isinstance(encoder(shape, "tiny", architecture=architecture, latent=1), reader)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(SaltusError) as caught:
        backbone((1, 8, 8), architecture="transformer")
    assert_one_sentence(caught.value, "'transformer'", "unet, mlp")
    with pytest.raises(ValueError, match="huge"):
        backbone((1, 8, 8), "huge")


def test_vectors_get_sinusoids_and_images_do_not() -> None:
    names = {event: [name for name, _ in backbone(event, width=8).named_parameters()] for event in [(5,), (1, 8, 8)]}
    assert any("sinusoids" in name for name in names[5,])
    assert not any("sinusoids" in name for name in names[1, 8, 8])


def test_sizes_take_the_place_of_a_presets() -> None:
    """Those of another architecture change nothing."""
    sizes: dict[str, Any] = {"width": 24, "channels": (8, 24)}
    assert backbone((5,), **sizes).first.out_features == encoder((5,), latent=1, **sizes).layers[0].out_features == 24
    assert backbone((1, 16, 16), **sizes).unet.conv_in.out_channels == 8
    assert encoder((1, 16, 16), latent=1, **sizes).first.out_channels == 8
    assert len(ladder((1, 8, 8), channels=(8, 24))[0].up) == len(ladder((1, 8, 8), channels=(8, 24))[1].reader.down) == 1
    for wrong, words in [({"width": 0}, "width is 0"), ({"width": 2**40}, f"width is {2**40}")]:
        for make in (backbone, encoder):
            with pytest.raises(SaltusError) as caught:
                make((5,), latent=1, **wrong)
            assert_one_sentence(caught.value, words)


def test_conditions_reach_every_network() -> None:
    condition = ClassCondition("abc", [1, 1, 1])
    for shape in [(5,), (1, 16, 16)]:
        made = [
            backbone(shape, condition=condition),
            encoder(shape, latent=1, condition=condition),
            *ladder((1, 8, 8), condition=condition),
        ]
        for network in made:
            assert any(isinstance(part, nn.Embedding) and part.num_embeddings == 4 for part in network.modules())


class Own(nn.Module):
    """A backbone of a user's: one layer."""

    def __init__(
        self, event_shape: Sequence[int], *, outputs: int, latent: int, condition: Condition | None, width: int = 3, channels: Any = None
    ) -> None:
        super().__init__()
        self.event_shape, self.outputs, self.latent, self.condition = tuple(event_shape), outputs, latent, condition
        self.width, self.channels = width, channels
        self.factor = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, log_snr: Tensor, latent: Tensor | None = None, condition: Tensor | None = None) -> Tensor:
        return x * self.factor.reshape(1, -1, *[1] * len(self.event_shape))


def test_a_network_of_ones_own_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NETWORKS, "_things", dict(NETWORKS._things))
    NETWORKS.register("own", Own)
    made = backbone((5,), architecture="own", outputs=2, latent=3)
    assert isinstance(made, Own)
    assert (made.outputs, made.latent, made.width, made.channels) == (2, 3, 3, None)
    assert backbone((5,), architecture="own", width=7).width == 7  # every size that is given goes to it
    assert isinstance(encoder((5,), architecture="own", latent=3), MLPEncoder)
    with pytest.raises(ValueError, match="two things of the kind architecture are named own"):
        NETWORKS.register("own", MLP)
