"""From a configuration and a data set to an untrained chain."""

from __future__ import annotations

import torch

from saltus.chain import Chain, StandardNormal
from saltus.data import DataSet
from saltus.errors import SaltusError
from saltus.kernels import KERNELS, Setup
from saltus.training.config import Config

__all__ = ["build_chain"]


def build_chain(config: Config, data: DataSet) -> Chain:
    """An untrained chain; the same weights for the same seed, whatever was drawn before.

    Raises:
        SaltusError: if the configuration asks for a condition that the data do not have.
    """
    if config.condition not in (None, data.conditioned_on):
        raise SaltusError(
            f"condition {config.condition} was asked for, and {data.name} was loaded with {data.conditioned_on or 'none'}; "
            f"load it with condition={config.condition!r}"
        )
    encoding, trainable = data.encoding, KERNELS.get(config.kernel)
    options = {**config.model_dump(), **trainable.own, **config.options}
    setup = Setup(data.event_shape, data.variance, encoding.head(), config.levels, options, data.condition)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        kernels = trainable.build(setup)
        return Chain(StandardNormal(), config.grid, kernels, importance_samples=config.importance_samples, encoding=encoding)
