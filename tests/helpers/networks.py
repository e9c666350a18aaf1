"""Arguments for networks, and what each of them is checked for in the same way."""

from __future__ import annotations

import torch
from torch import Tensor, nn

ALONE = 1e-5  # float32 through some ten layers, whose sums a batch may order in another way
TIMES = torch.tensor([[1.0, 4.0], [-2.0, torch.inf], [0.3, 0.4]], dtype=torch.float64)


def arrays(*event: int, inputs: int = 1) -> Tensor:
    """(3, inputs, *event)."""
    return torch.randn(3, inputs, *event, generator=torch.Generator().manual_seed(0))


def as_one(output: Tensor | list[Tensor]) -> Tensor:
    """What a network gives as (B, n); a ladder's encoder gives several arrays."""
    return torch.cat([part.flatten(1) for part in ([output] if isinstance(output, Tensor) else output)], dim=1)


@torch.no_grad()
def assert_apart(network: nn.Module, arguments: tuple[Tensor, ...]) -> None:
    """Items do not see each other, and the output changes with every argument, an array and times first."""
    together = as_one(network(*arguments))
    alone = torch.cat([as_one(network(*(x[i : i + 1] for x in arguments))) for i in range(3)])
    assert torch.allclose(together, alone, rtol=ALONE, atol=ALONE)
    for changed in range(len(arguments)):
        others = [x.flip(0) if i == changed else x for i, x in enumerate(arguments)]
        assert (as_one(network(*others)) - together).abs().max() > 100 * ALONE
    log_snr = arguments[1].clone()
    log_snr[:, 1] -= 1  # the time that z is taken to
    assert (as_one(network(arguments[0], log_snr, *arguments[2:])) - together)[[0, 2]].abs().max() > 100 * ALONE
