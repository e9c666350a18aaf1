"""Weight transfer: what a network without a latent has learned, given to one with a latent.

The target keeps its own first weights for what its source does not have: the latent, further outputs, the time of z_s.
A source that predicts data is told that z_s is the data, which adds one constant vector to its first layer.  The target
gets that vector as a bias, and weight 0 for the time of z_s: with its latent's columns at 0 it is the source.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from saltus.errors import SaltusError
from saltus.networks.conditioning import FEATURES, log_snr_features
from saltus.networks.conditions import Condition

__all__ = ["transfer_weights"]

_WIDER = {
    "mapping.layers.0.weight": 1,
    "first.weight": 1,
    "last.weight": 0,
    "last.bias": 0,
    "unet.conv_in.weight": 1,
    "unet.conv_out.weight": 0,
    "unet.conv_out.bias": 0,
}
"""Weights of an MLP and a U-Net that a latent or further outputs make longer, and along which axis."""


@torch.no_grad()
def transfer_weights(target: nn.Module, source: nn.Module) -> None:
    """Copy the weights of a backbone that was trained to predict data into a larger one of the same kind, in place.

    Raises:
        SaltusError: if they differ in more than the latent and the further outputs.
    """
    theirs = dict(source.named_parameters())
    ours = {name: weight for name, weight in target.named_parameters() if not name.startswith("paint.")}
    if ours.keys() != theirs.keys() or _told(target) != _told(source) or any(_differ(name, ours[name], theirs[name]) for name in ours):
        raise SaltusError(
            f"a {_words(source)} cannot start a {_words(target)}; they may differ in the latent and the outputs only: give both one size"
        )
    for name, weight in ours.items():
        weight[tuple(map(slice, theirs[name].shape))] = theirs[name]
    first = target.get_submodule("mapping.layers.0")
    assert isinstance(first, nn.Linear)
    of_s = slice(FEATURES, 2 * FEATURES)
    told = log_snr_features(torch.full((1, 1), torch.inf), FEATURES)[0].to(first.weight)
    first.bias.add_(first.weight[:, of_s] @ told)
    first.weight[:, of_s] = 0


def _differ(name: str, ours: Tensor, theirs: Tensor) -> bool:
    wider = _WIDER.get(name)
    if ours.ndim != theirs.ndim:
        return True
    axes = enumerate(zip(ours.shape, theirs.shape, strict=True))
    return any(a < b or (a > b and axis != wider) for axis, (a, b) in axes)


def _told(network: nn.Module) -> str | None:
    """What a backbone is conditioned on, in words."""
    condition: Condition | None = getattr(network, "condition", None)
    return None if condition is None else condition.summary()


def _words(network: nn.Module) -> str:
    size, told = sum(parameter.numel() for parameter in network.parameters()), _told(network)
    given = f" given {told}" if told else ""
    return f"{type(network).__name__} of {size} parameters for {tuple(network.event_shape)}{given}"  # type: ignore[arg-type]
