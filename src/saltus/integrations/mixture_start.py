r"""The draw of z_L from a mixture of low-rank Gaussians as tensors in, tensors out, so that it is a part of a graph.

One uniform number picks the component by inverse CDF of the weights, of the item's class where there are classes; its mean, and a root
of its covariance, do the rest:

.. math:: k = \min \{ k : u \le w_1 + \dots + w_k \}, \qquad z_L = m_k + \Sigma_k^{1/2} \epsilon.

The formulas are those of `saltus.oracles`; what is made here once are the tables that they read, at the one time that a chain starts at.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from saltus.chain import Chain, OraclePrior, StandardNormal, like
from saltus.errors import SaltusError
from saltus.networks import ClassCondition
from saltus.oracles import LowRankMixture
from saltus.oracles.gaussians import LowRankGaussians
from saltus.oracles.low_rank_distributions import LowRankMarginal
from saltus.oracles.oracle import choose

__all__ = ["MixtureStart", "start_of"]


class MixtureStart(nn.Module):
    """A mixture at one time.

    Args:
        components: the Gaussians, of d numbers.
        log_weights: of the components for each class, and in the last row for no class, (C + 1, K).
        event_shape: E with d numbers.
    """

    def __init__(self, components: LowRankGaussians, log_weights: Tensor, event_shape: Sequence[int]) -> None:
        super().__init__()
        self.event_shape = tuple(event_shape)
        self.mean: Tensor
        self.diagonal: Tensor
        self.basis: Tensor
        self.excess: Tensor
        self.log_weights: Tensor
        for name in ("mean", "diagonal", "basis", "excess"):
            self.register_buffer(name, getattr(components, name))
        self.register_buffer("log_weights", log_weights)

    def forward(self, uniform: Tensor, normal: Tensor, condition: Tensor | None = None) -> Tensor:
        """z_L (B, *E) from uniform numbers (B,), unit Gaussian ones (B, *E) and classes (B,), -1 for none."""
        none = len(self.log_weights) - 1  # 0 for a mixture that knows no classes
        row = self.log_weights[none] if condition is None or not none else self.log_weights[torch.where(condition < 0, none, condition)]
        k = choose(row, uniform)
        components = LowRankGaussians(self.mean, self.diagonal, self.basis, self.excess)
        return (self.mean[k] + components.root(normal.flatten(1), k)).reshape(normal.shape)


def start_of(chain: Chain) -> MixtureStart | None:
    """The mixture that a chain starts from, in the dtype of its parameters; None for N(0, I).

    Raises:
        SaltusError: if it starts from anything else.
    """
    if isinstance(chain.prior, StandardNormal):
        return None
    oracle = chain.prior.oracle if isinstance(chain.prior, OraclePrior) else chain.prior
    if not isinstance(oracle, LowRankMixture):
        raise SaltusError(f"this chain starts from a {type(oracle).__name__}, whose draw is written in no graph; sample it with saltus")
    kind, t = like(chain), chain.levels.last
    told = isinstance(chain.condition, ClassCondition) and oracle.labelled
    classes = chain.condition.classes if told and isinstance(chain.condition, ClassCondition) else 0
    marginal = oracle.marginal(t, torch.tensor([*range(classes), -1]) if told else None)
    assert isinstance(marginal, LowRankMarginal)  # of one time
    rows = marginal.logits.reshape(classes + 1, -1).to(kind.device)
    return MixtureStart(oracle.at(t, kind.device, kind.dtype), rows, chain.event_shape)
