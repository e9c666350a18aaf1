"""From a configuration and a data set to an untrained chain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch

from saltus.chain import Chain, StandardNormal
from saltus.data import DataSet
from saltus.kernels import DeterministicKernel, GaussianKernel, Kernel, LadderKernel, VAEKernel
from saltus.networks import decoder, encoder, ladder
from saltus.training.config import Config, KernelName, Ladders

__all__ = ["build_chain"]

_LARGEST_LATENT = 128


def build_chain(config: Config, data: DataSet) -> Chain:
    """An untrained chain; the same weights for the same seed, whatever was drawn before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return Chain(StandardNormal(), config.grid, _kernels(config, data), scaling=data.encoding.scaling, latents=config.latents)


def _kernels(config: Config, data: DataSet) -> Kernel | list[Kernel]:
    """One for all steps; or a ladder for the step to data, where most nats are, and a plain kernel or another ladder for all others."""
    if config.ladder is None:
        return _kernel(config, data)
    last, others = _ladder(config, data), _ladder if config.ladder is Ladders.EVERY else _kernel
    return [last, *[others(config, data)] * (config.levels - 1)]


def _ladder(config: Config, data: DataSet) -> LadderKernel:
    network, encoder = ladder(data.event_shape, config.preset, variance=data.variance, channels=config.channels)
    return LadderKernel(network, encoder, data.encoding.head(), encoder_input=config.encoder_input)


def _kernel(config: Config, data: DataSet) -> Kernel:
    shape, head = data.event_shape, data.encoding.head()
    sizes: dict[str, Any] = {"architecture": config.architecture, "width": config.width, "channels": config.channels}
    network = partial(decoder, shape, config.preset, variance=data.variance, **sizes)
    match config.kernel:
        case KernelName.DETERMINISTIC:
            return DeterministicKernel(network(), any_step=config.any_step)
        case KernelName.GAUSSIAN:
            return GaussianKernel(network(), head, variance=config.variance, any_step=config.any_step)
        case KernelName.VAE:
            latent = _latent(shape) if config.latent is None else config.latent
            coder = encoder(shape, config.preset, latent=latent, **sizes) if latent else None
            return VAEKernel(
                network(outputs=2, latent=latent), coder, head, parametrisation=config.parametrisation, encoder_input=config.encoder_input
            )


def _latent(shape: Sequence[int]) -> int:
    """Numbers of a vector each say something of their own; pixels repeat what their neighbours say."""
    return min(_LARGEST_LATENT, shape[0] if len(shape) == 1 else max(1, math.prod(shape) // 4))
