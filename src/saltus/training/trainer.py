"""The training loop, as an iterator: whoever drives it owns the logging.

    trainer = Trainer(chain, data, config)
    for progress in trainer:
        print(progress.step, progress.loss)
    chain = trainer.averaged()

Which items a step sees, and their noise, are functions of the seed and of the number of items seen before; how many of them
each level gets, and how much its loss counts, follows the loss so far (`LevelSampling`).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from saltus.chain import Chain, bits_per_dim
from saltus.data import DataSet
from saltus.errors import SaltusError
from saltus.kernels import VAEKernel
from saltus.networks import MLP, ConvEncoder, Ladder, LadderEncoder, MLPEncoder, UNet
from saltus.training.config import Config
from saltus.training.level_sampling import LevelSampling

__all__ = ["VALIDATIONS", "Progress", "Trainer", "Validation"]

_NETWORKS = (MLP, UNet, MLPEncoder, ConvEncoder, Ladder, LadderEncoder)  # what is compiled
VALIDATIONS = 20
"""Of a run, at most, evenly spread over its updates."""

_VALIDATION_ITEMS = 256
_PATIENCE = 100  # updates that may be skipped in a row before the run is given up


@dataclass(frozen=True)
class Validation:
    """The averaged chain on up to 256 validation items, which it was calibrated on too: a figure to watch, not to report.

    Attributes:
        bits_per_dim: the bound, tightened as the chain's is; None where the kernel has none.
        per_level: the bound's terms of each step, cleanest first, nats per item.
        kl: KL of the latent of each step, nats per item.
        active_units: of each step; None without a latent.
        aggregate_kl: of the latents taken together to N(0, I), of each step, nats; None without a latent.
    """

    bits_per_dim: float | None = None
    per_level: list[float] = field(default_factory=list)
    kl: list[float] = field(default_factory=list)
    active_units: list[int | None] = field(default_factory=list)
    aggregate_kl: list[float | None] = field(default_factory=list)


@dataclass(frozen=True)
class Progress:
    """One update.

    Attributes:
        step: updates done.
        loss: mean over items of the training loss, nats per dimension (squared error per dimension for equation (1)).
        terms: its named terms, likewise.
        gradient_norm: before clipping.
        skipped: updates skipped so far because loss or gradient was not finite.
        validation: the latest.
    """

    step: int
    loss: float
    terms: dict[str, float]
    gradient_norm: float
    skipped: int
    validation: Validation


class Trainer:
    """AdamW with warm-up and cosine decay, gradient clipping, averaged weights, and the KL's weight raised from 0;
    from then on the bound may be tightened with several latents.

    Args:
        chain: trained in place, on the device that it is on.
        data: updates use `data.train`; the variances and the progress `data.validation`.
        config: see `Config`.

    Attributes:
        shares: of each batch that the levels get, and how much their losses count; None for kernels that are not trained for their bound.

    Raises:
        ValueError: if the chain's bound is tightened otherwise than the configuration says.
    """

    def __init__(self, chain: Chain, data: DataSet, config: Config) -> None:
        if chain.latents != config.latents:
            raise ValueError(
                f"the chain tightens its bound with {chain.latents} latents, the configuration with {config.latents}; give one"
            )
        self.chain, self.data, self.config = chain, data, config
        if config.channels_last:
            for module in chain.modules():
                if isinstance(module, nn.Conv2d):
                    module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
        self._average = AveragedModel(chain, multi_avg_fn=_ema(config.ema))
        if config.compile:
            for module in chain.modules():
                if isinstance(module, _NETWORKS):
                    module.compile()
        self._parameters = list(chain.parameters())
        self._device = self._parameters[0].device
        for_bound, d = all(isinstance(kernel, VAEKernel) for kernel in chain.kernels), math.prod(chain.event_shape)
        self.shares = LevelSampling(chain.levels.L, d, alike=config.alike) if for_bound else None
        self._optimiser = torch.optim.AdamW(self._parameters, betas=(0.9, 0.99), weight_decay=config.weight_decay, fused=True)

    def averaged(self) -> Chain:
        """The chain to sample from, at any moment: a copy with averaged weights, calibrated on the validation items."""
        return self._calibrated(self.data.validation.to(self._device))

    def validate(self) -> Validation:
        """The figures of the averaged chain as it is now; empty without a bound."""
        if not self.chain.has_bound:
            return Validation()
        y = self.data.validation[:_VALIDATION_ITEMS].to(self._device)
        with self._precision():
            chain = self._calibrated(y)
            bound = chain.bound(y, seed=self.config.seed)
            plain = bound if bound.latents == 1 else chain.bound(y, seed=self.config.seed, latents=1)
        bits = bits_per_dim(bound.total.mean(), chain.event_shape)
        return Validation(float(bits), bound.per_level.mean(1).tolist(), plain.kl.mean(1).tolist(), plain.active_units, plain.aggregate_kl)

    def _calibrated(self, y: Tensor) -> Chain:
        chain = copy.deepcopy(self._average.module)
        assert isinstance(chain, Chain)
        chain.calibrate(y, seed=self.config.seed)
        return chain.eval()

    def __iter__(self) -> Iterator[Progress]:
        """One `Progress` for each update, `config.steps` in all.

        Raises:
            SaltusError: when the loss or its gradient stays infinite or NaN.
        """
        config, skipped, in_a_row, validation = self.config, 0, 0, Validation()
        interval = math.ceil(config.steps / VALIDATIONS)
        self.chain.train()
        for step in range(config.steps):
            terms, norm = self._update(step)
            finite = math.isfinite(norm)
            skipped, in_a_row = skipped + (not finite), 0 if finite else in_a_row + 1
            if in_a_row == _PATIENCE:
                raise SaltusError(
                    f"the loss was not finite for {_PATIENCE} updates in a row, up to step {step + 1}; try a smaller learning rate"
                )
            if (step + 1) % interval == 0 or step + 1 == config.steps:
                validation = self.validate()
            yield Progress(step + 1, sum(terms.values()), terms, norm, skipped, validation)

    def _update(self, step: int) -> tuple[dict[str, float], float]:
        """One step of the optimiser, unless the gradient is not finite: the terms of the loss, and the gradient's norm."""
        config, first = self.config, step * self.config.batch
        y = self.data.train[_items(len(self.data.train), first, config.batch, config.seed)].to(self._device)
        ramp = config.kl_warm_up * config.steps
        risen, weights = min(1.0, step / ramp) if ramp else 1.0, config.loss_weights
        weights["kl"] = weights.get("kl", 1.0) * risen
        latents = self.chain.latents if risen == 1 else 1
        shares = self.shares.current if self.shares else None
        with self._precision():
            loss = self.chain.loss(y, seed=config.seed, first_item=first, weights=weights, shares=shares, latents=latents)
        factors = loss.total.new_tensor(self.shares.factors)[loss.level - 1] if self.shares else 1.0
        each_dim = (factors * loss.total).mean() / y[0].numel()
        self._optimiser.zero_grad()
        each_dim.backward()
        norm = float(nn.utils.clip_grad_norm_(self._parameters, config.clip))
        if math.isfinite(norm):
            for group in self._optimiser.param_groups:
                group["lr"] = self._learning_rate(step)
            self._optimiser.step()
            if self.shares:
                self.shares.update(loss)
            self._average.update_parameters(self.chain)
        return {name: float(value.detach().mean()) / y[0].numel() for name, value in loss.terms.items()}, norm

    def _precision(self) -> torch.autocast:
        """Of updates, and of validations, whose figures are to watch alone."""
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self.config.bf16)

    def _learning_rate(self, step: int) -> float:
        rise = max(1, round(self.config.warm_up * self.config.steps))
        return self.config.learning_rate * min((step + 1) / rise, 0.5 * (1 + math.cos(math.pi * step / self.config.steps)))


def _items(n: int, first: int, count: int, seed: int) -> Tensor:
    """Places of the items that follow after `first` items were seen: one permutation of the data after another."""
    epochs = range(first // n, (first + count - 1) // n + 1)
    order = np.concatenate([_permutation(n, epoch, seed) for epoch in epochs])
    start = first - epochs[0] * n
    return torch.from_numpy(order[start : start + count])


@lru_cache(maxsize=2)  # a batch may straddle two epochs
def _permutation(n: int, epoch: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(n)


_Tensors = tuple[Tensor, ...] | list[Tensor]


def _ema(decay: float) -> Callable[[_Tensors, _Tensors, Tensor | int], None]:
    @torch.no_grad()
    def update(averaged: _Tensors, current: _Tensors, updates: Tensor | int) -> None:
        warm = (1 + float(updates)) / (10 + float(updates))
        torch._foreach_lerp_(averaged, current, 1 - min(decay, warm))

    return update
