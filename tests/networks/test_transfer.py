"""Weight transfer: a target whose latent is silent is its source."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from saltus.errors import SaltusError
from saltus.kernels import Preconditioned
from saltus.networks import ClassCondition, Condition, ImageCondition, VectorCondition, ladder, transfer_weights
from tests.helpers.checks import assert_one_sentence
from tests.helpers.networks import ALONE, TIMES
from tests.helpers.stubs import network, randomise

CASES = {
    "vector": ((5,), None, None),
    "image": ((1, 16, 16), None, None),
    "class": ((5,), ClassCondition("abc", [1, 1, 1]), torch.tensor([0, 2, -1])),
    "vector given": ((1, 16, 16), VectorCondition(2), torch.randn(3, 2, generator=torch.Generator().manual_seed(0))),
    "image given": ((1, 16, 16), ImageCondition((2, 16, 16)), torch.linspace(-1, 1, 1536).reshape(3, 2, 16, 16)),
    "small image given": ((1, 4, 4), ImageCondition((1, 4, 4)), torch.linspace(-1, 1, 48).reshape(3, 1, 4, 4)),
}


@pytest.mark.parametrize("name", CASES)
@torch.no_grad()
def test_a_target_whose_latent_is_silent_is_its_source(name: str) -> None:
    """At every time of z_s; with its own weights for the latent it is not."""
    event, condition, values = CASES[name]
    torch.manual_seed(0)
    source, target = network(event, condition=condition), network(event, condition=condition, outputs=2, latent=3)
    randomise(source)
    transfer_weights(target.backbone, source.backbone)
    z, latent = torch.randn(3, *event), torch.randn(3, 3)
    to_data = torch.stack([TIMES[:, 0], torch.full((3,), torch.inf)], dim=1)
    wanted = source(z, to_data, None, values).mean
    assert not torch.allclose(target(z, TIMES, latent, values).mean, wanted, atol=ALONE)
    theirs = dict(source.named_parameters())
    for key, weight in target.named_parameters():
        if key in theirs and weight.ndim > 1 and weight.shape[1] > theirs[key].shape[1]:
            assert weight[:, theirs[key].shape[1] :].all()
            weight[:, theirs[key].shape[1] :] = 0
    assert torch.allclose(target(z, TIMES, latent, values).mean, wanted, atol=ALONE)


def given(condition: Condition | None, latent: int = 0) -> Preconditioned:
    return network((1, 4, 4), condition=condition, latent=latent)


CLASSES, MORE = ClassCondition("abc", [1, 1, 1]), ClassCondition("abcd", [1, 1, 1, 1])
REFUSED: dict[str, tuple[nn.Module, nn.Module]] = {
    "narrower": (network((5,), latent=3, width=64), network((5,))),
    "of shorter items": (network((4,), latent=3), network((5,))),
    "without the latent": (network((5,)), network((5,), latent=3)),
    "of another kind": (network((1, 16, 16), architecture="mlp"), network((1, 16, 16))),
    "with a condition": (given(CLASSES, 3), given(None)),
    "without the condition": (given(None, 3), given(CLASSES)),
    "of more classes": (given(MORE, 3), given(CLASSES)),
    "given an image": (given(ImageCondition((1, 4, 4)), 3), given(None)),
    "given an image of more channels": (given(ImageCondition((3, 4, 4)), 3), given(ImageCondition((1, 4, 4)))),
    "a ladder": (Preconditioned(ladder((1, 16, 16))[0]), network((1, 16, 16))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_networks_start_nothing(name: str) -> None:
    target, source = REFUSED[name]
    before = [parameter.clone() for parameter in target.parameters()]
    with pytest.raises(SaltusError) as caught:
        transfer_weights(target.backbone, source.backbone)
    assert_one_sentence(caught.value, "cannot start", "give both one size")
    if name == "of more classes":
        assert "given 3 classes cannot start a MLP" in str(caught.value)
    assert all(torch.equal(now, then) for now, then in zip(target.parameters(), before, strict=True))
