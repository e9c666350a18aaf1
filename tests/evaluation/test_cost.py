"""Multiply-adds of a sample are counted from the shapes of the layers that it goes through."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from saltus import Levels
from saltus.evaluation import multiply_adds
from tests.helpers.chains import chain_of


class Layers:
    """A sampler of n items through a product of 3 x 5, a convolution of 8 x 8 pixels and a second product, once for each level."""

    def __init__(self, levels: Levels) -> None:
        self.levels = levels
        self.first, self.image = nn.Linear(3, 5, bias=False), nn.Conv2d(2, 4, 3, padding=1, bias=False)

    def sample(self, n: int, *, seed: int, **_: object) -> Tensor:
        with torch.no_grad():
            for _ in self.levels.pairs():
                self.first(torch.zeros(n, 3))
                self.image(torch.zeros(n, 2, 8, 8))
        return torch.zeros(n, 3)


def test_products_and_convolutions_are_counted_for_every_call() -> None:
    one = 3 * 5 + 8 * 8 * 4 * 2 * 9
    assert [multiply_adds(Layers(Levels.cosine(L, 3.0))) for L in (1, 4)] == [one, 4 * one]


def test_a_chain_costs_one_pass_through_its_decoder_a_level() -> None:
    chain = chain_of("vae")
    per_call = sum(m.in_features * m.out_features for m in chain.kernel(1).sampling_network.modules() if isinstance(m, nn.Linear))
    assert multiply_adds(chain) == 3 * per_call
