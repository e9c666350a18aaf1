"""From a configuration and a data set to an untrained chain."""

from __future__ import annotations

import torch

from saltus.budget import Budget
from saltus.chain import Chain, OraclePrior, StandardNormal
from saltus.data import DataSet
from saltus.errors import SaltusError
from saltus.kernels import KERNELS, Setup, Teacher
from saltus.likelihoods import AutoregressiveHead, ColumnsHead, DiscretisedHead, GaussianHead, Head, LogisticMixtureHead, MixtureHead
from saltus.machine import memory
from saltus.oracles import MixtureFit
from saltus.training.choices import HeadKind, PriorKind
from saltus.training.config import Config
from saltus.training.start import fit_start

__all__ = ["build_chain", "check_condition", "head_for"]

_BYTES = 32  # for each parameter: itself, its gradient, two moments, two averages, and a copy of each of these in a checkpoint
_MOST_CHANNELS = 3  # that logistics take in sequence
_MANY = 10_000  # training images: of fewer, mixtures of logistics learn the pixels by heart (docs/decisions/0035-heads.md)
_MANY_ROWS = 5000  # as few as mixtures in each column were measured with


def check_condition(config: Config, data: DataSet) -> None:
    """Raise SaltusError if the configuration asks for a condition that the data do not have."""
    if config.condition not in (None, data.conditioned_on):
        raise SaltusError(
            f"condition {config.condition} was asked for, and {data.name} was loaded with {data.conditioned_on or 'none'}; "
            f"load it with condition={config.condition!r}"
        )


def head_for(config: Config, data: DataSet) -> Head:
    """The likelihood of the step to data.

    Raises:
        SaltusError: if logistics were asked for, and the data are no images of at most 3 channels with known values; or a mixture, and
            they are no rows of a table.
    """
    head, asked, n = data.encoding.head(), config.head, len(data.train)
    rows = isinstance(head, GaussianHead | ColumnsHead) and len(data.event_shape) == 1
    images = isinstance(head, DiscretisedHead) and len(data.event_shape) == 3 and data.event_shape[0] <= _MOST_CHANNELS
    if asked not in (None, HeadKind.GAUSSIAN) and config.kernel != "vae":
        raise SaltusError(f"head {asked} is of the vae kernel, and the kernel is {config.kernel}; leave it out")
    if asked is HeadKind.MIXTURE and not rows:
        raise SaltusError(f"head mixture is of rows of a table, and {data.name} holds others; leave it out")
    if asked in (HeadKind.LOGISTIC, HeadKind.AUTOREGRESSIVE) and not images:
        raise SaltusError(f"head {asked} is of images with 1 to 3 channels of whole values, and {data.name} holds others; leave it out")
    if config.kernel != "vae" or asked is HeadKind.GAUSSIAN:
        return head
    if isinstance(head, GaussianHead) and rows and (asked or n >= _MANY_ROWS):
        return MixtureHead(head.floor)
    if isinstance(head, ColumnsHead) and (asked or n >= _MANY_ROWS):
        return ColumnsHead(MixtureHead(1.0), head.numbers)
    if isinstance(head, DiscretisedHead) and images and (asked or n >= _MANY):
        logistic = LogisticMixtureHead(head.bins, data.event_shape[0])
        return logistic if asked is HeadKind.LOGISTIC else AutoregressiveHead(logistic)
    return head


def build_chain(config: Config, data: DataSet, start: MixtureFit | None = None, teacher: Teacher | None = None) -> Chain:
    """An untrained chain; the same weights for the same seed, whatever was drawn before.

    Args:
        config: how.
        data: what for.
        start: the mixture that it starts from, if that is fitted already.
        teacher: whose network its steps are made of; they begin with its weights.

    Raises:
        SaltusError: if the configuration asks for a condition that the data do not have, or for networks that memory cannot hold.
    """
    check_condition(config, data)
    encoding, trainable = data.encoding, KERNELS.get(config.kernel)
    options = {**config.model_dump(), **trainable.own, **config.options}
    mixture = (start or fit_start(config, data)).mixture.compact() if config.prior is PriorKind.MIXTURE else None
    skipped_to = mixture if config.residual else None
    head, items = head_for(config, data), data.fitting_items if len(data.event_shape) == 1 else None
    setup = Setup(data.event_shape, data.variance, head, config.levels, options, data.condition, skipped_to, mixture, items, teacher)
    prior = StandardNormal() if mixture is None else OraclePrior(mixture)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        with _within_memory():
            kernels = trainable.build(setup)
        return Chain(prior, config.grid, kernels, importance_samples=config.importance_samples, encoding=encoding)


def _within_memory() -> Budget:
    """What is made within may have as many parameters as memory holds in a training."""
    most = memory() / _BYTES
    told = f"the networks have more than the {most:.3g} parameters that can be trained in the {memory() / 1e9:.3g} GB of memory here"
    return Budget(numbers=most, told=f"{told}; take a smaller width, latent, channels or preset")
