"""What Inception is shown, and what a user hears who has not got it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from saltus.errors import SaltusError
from saltus.evaluation.inception import inception_features, inception_network


class StandIn(nn.Module):
    """Means of the pixels of each channel, and a note of what came in."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, pixels: Tensor) -> Tensor:
        self.seen.append(pixels)
        return pixels.float().mean((2, 3))


@pytest.mark.parametrize(("channels", "used"), [(1, [0, 0, 0]), (2, [0, 0, 0]), (3, [0, 1, 2]), (4, [0, 1, 2])])
def test_inception_sees_bytes_in_three_colours(channels: int, used: list[int]) -> None:
    y = torch.linspace(-1, 1, channels)[:, None, None].expand(70, channels, 8, 9).clone()
    y[:, :, 0, 0] = 7  # what no picture shows
    network = StandIn()
    found = inception_features(y, network, shown=(-1, 1))
    assert found.dtype == torch.float64
    assert found.shape == (70, 3)
    seen = torch.cat(network.seen)
    assert seen.dtype == torch.uint8
    assert seen.shape == (70, 3, 8, 9)
    assert (seen[:, :, 0, 0] == 255).all()
    expected = ((y[0, used, 1, 1] + 1) * 127.5).round()
    assert torch.equal(seen[5, :, 1, 1].float(), expected)


def test_inception_that_cannot_be_had_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import torchmetrics.image.fid as fid

    monkeypatch.setattr(fid, "_TORCH_FIDELITY_AVAILABLE", False)
    with pytest.raises(SaltusError, match="pip install torch-fidelity"):
        inception_network()

    def unreachable(**_: object) -> None:
        raise OSError("the name could not be resolved.\nmore")

    monkeypatch.setattr(fid, "FrechetInceptionDistance", unreachable)
    with pytest.raises(SaltusError, match=r"\(the name could not be resolved\); connect"):
        inception_network()
