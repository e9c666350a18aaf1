"""The training loop, as an iterator: whoever drives it owns the logging.

    trainer = Trainer(chain, data, config)
    for progress in trainer:
        print(progress.update, progress.loss)
    chain = trainer.averaged()

`trainer.checkpoint()` after an update is all that another trainer of the same chain, data and configuration needs to go on from there.

Which items an update sees, and their noise, are functions of the seed and of the number of items seen before; how many of them
each level gets, and how much its loss counts, follows the loss so far (`LevelSampling`).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace

import torch
from torch import Tensor, nn

from saltus.chain import Batch, Chain, ChainLoss, bits_per_dim
from saltus.data import MEASURED, DataSet
from saltus.errors import SaltusError
from saltus.kernels import MixtureFlow, is_reweighted
from saltus.process import Noise
from saltus.processes import Processes
from saltus.training.checkpoint import Checkpoint
from saltus.training.choices import LevelWeighting
from saltus.training.config import Config
from saltus.training.gradient import GRADIENT, Gradient, fault_of
from saltus.training.level_sampling import LevelSampling
from saltus.training.order import items_after
from saltus.training.progress import Progress, Validation
from saltus.training.schedule import schedule_of
from saltus.training.state import State
from saltus.training.totals import Totals

__all__ = ["BETAS", "Trainer"]

BETAS = (0.9, 0.99)
"""Of AdamW."""

_VALIDATION_ITEMS = 256
_PATIENCE = 100  # updates that may be skipped in a row before the run is given up


class Trainer:
    """AdamW with warm-up and cosine decay, gradient clipping, averaged weights, and the KL's weight raised from 0;
    from then on the bound may be importance-weighted.

    Args:
        chain: trained in place, on the device that it is on.
        data: updates use `data.train`; the variances and the progress `data.validation`.
        config: see `Config`.
        level_sampling: in place of the one that the configuration's `level_weighting` asks for.
        loss: of a `Batch`, in place of `ChainLoss`.
        processes: that train together, each of them with such a trainer; this one alone unless given.

    Attributes:
        level_sampling: how many items the levels get, and how much their losses count; None for kernels that are not trained for their
            bound, or that serve any step, unless it was given.

    Raises:
        ValueError: if the chain's bound is importance-weighted otherwise than the configuration says.
    """

    def __init__(
        self,
        chain: Chain,
        data: DataSet,
        config: Config,
        *,
        level_sampling: LevelSampling | None = None,
        loss: nn.Module | None = None,
        processes: Processes | None = None,
    ) -> None:
        if chain.importance_samples != config.importance_samples:
            raise ValueError(
                f"the chain has {chain.importance_samples} importance samples, the configuration {config.importance_samples}; give one"
            )
        if (chain.condition is None) != (data.conditions is None):
            have, lack = ("chain has", "data have none") if chain.condition else ("data have", "chain has none")
            raise SaltusError(f"the {have} a condition and the {lack}; give both the same")
        self.chain, self.data, self.config = chain, data, config
        self.schedule = schedule_of(config.updates, config.time, config.last_update)
        self._processes = processes or Processes()
        if config.channels_last:
            for module in chain.modules():
                if isinstance(module, nn.Conv2d):
                    module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
        self._average = copy.deepcopy(chain)
        if config.compile:
            for network in (network for kernel in chain.each_kernel() for network in kernel.networks()):
                network.compile()
        self._parameters: list[Tensor] = list(chain.parameters())
        self._averages: list[Tensor] = list(self._average.parameters())
        self._buffers = list(zip(self._average.buffers(), chain.buffers(), strict=True))  # are not averaged, but kept up to date
        self._device, self._updates = self._parameters[0].device, 0
        self._done, self._skipped, self._in_a_row, self._validation, self._fault = 0, 0, 0, Validation(), ""
        self._best_update, self._best_bits = 0, math.inf
        bound, d = all(kernel.trains_bound for kernel in chain.each_kernel()) and not chain.any_step, math.prod(chain.event_shape)
        flows = any(isinstance(kernel, MixtureFlow) for kernel in chain.each_kernel())  # have networks of their own, and few nats
        self._equal = config.level_weighting is LevelWeighting.EQUAL or (config.level_weighting is None and flows)
        self.level_sampling = level_sampling or (LevelSampling(chain.levels.L, d, equal=self._equal) if bound else None)
        self._optimiser = torch.optim.AdamW(self._parameters, betas=BETAS, weight_decay=config.weight_decay, fused=True)
        least = self.level_sampling.least if self.level_sampling else 1 / chain.levels.L
        few = least * config.batch < self._processes.world or config.micro_batch is not None
        uneven = len(chain.kernels) > 1 and few  # a share, or a piece of it, may have no item for a kernel
        loss = self._processes.prepare(loss or ChainLoss(chain), self._optimiser, uneven=uneven)
        if self._processes.sharded:
            self._parameters = list(chain.parameters())
            self._averages = [parameter.detach().clone() for parameter in self._parameters]
        self._gradient = Gradient(loss, config.micro_batch, self._precision, self._processes)
        self._totals = Totals(self._processes, len(self.level_sampling.probabilities) if self.level_sampling else 0)
        self._state = State(self._parameters, self._averages, self._buffers, self._optimiser, self.level_sampling, self._processes)

    def averaged(self) -> Chain:
        """The chain to sample from, at any moment: a copy with averaged weights, calibrated on the validation items."""
        return self._calibrated()

    def best(self) -> Chain:
        """The same with the averaged weights of the best validation, where the bound is trained for; without any, as they are."""
        return self._calibrated(weights=self._state.best or self._averages)

    @property
    def remark(self) -> str:
        """In words, that the best validation was not the last; nothing where it was."""
        last = self._validation.bits_per_dim
        if last is None or not self._state.best or self._best_update == self._done:
            return ""
        kept = f"the best validation was that after update {self._best_update:,}, whose weights are kept"
        return f"{kept}: {self._best_bits:.3f} bits/dim, {last:.3f} at the end"

    def validate(self) -> Validation:
        """The figures of the averaged chain as it is now; empty without a bound."""
        if not self.chain.has_bound:
            return Validation()
        y, condition = self._validation_items(_VALIDATION_ITEMS)
        with self._precision():
            chain = self._calibrated(_VALIDATION_ITEMS)
            bound = chain.bound(y, condition=condition, seed=self.config.seed, eta=self.config.eta)
        bits = bits_per_dim(bound.total.mean(), chain.event_shape)
        return Validation(float(bits), bound.per_level.mean(1).tolist(), bound.kl.mean(1).tolist(), bound.active_units, bound.aggregate_kl)

    def _validation_items(self, n: int = MEASURED) -> tuple[Tensor, Tensor | None]:
        """The first n validation items and their conditions, on the device."""
        told = self.data.conditions_for(self.chain.condition, "validation")
        return self.data.validation[:n].to(self._device), None if told is None else told[:n].to(self._device)

    def _calibrated(self, n: int = MEASURED, weights: Sequence[Tensor] = ()) -> Chain:
        y, condition = self._validation_items(n)
        chain = copy.deepcopy(self._average)
        with torch.no_grad():
            for parameter, weight in zip(chain.parameters(), weights or self._averages, strict=True):
                parameter.copy_(self._processes.whole(weight))
        chain.calibrate(y, seed=self.config.seed, condition=condition)
        return chain.eval()

    def __iter__(self) -> Iterator[Progress]:
        """One `Progress` for each update that is left.

        Raises:
            SaltusError: when the loss or its gradient stays infinite or NaN.
        """
        self.chain.train()
        while not self.schedule.over(update := self._done):
            terms, norm, finite = self._update(update)
            self._skipped, self._in_a_row = self._skipped + (not finite), 0 if finite else self._in_a_row + 1
            if self._in_a_row == _PATIENCE:
                raise SaltusError(
                    f"the loss was not finite for {_PATIENCE} updates in a row, up to update {update + 1}, the last time in {self._fault}; "
                    "try a smaller learning rate"
                )
            self._done = update + 1
            self.schedule.tick(self._processes.mains if self.config.time else float)
            if self.schedule.validates(self._done):
                self._keep_if_best(self.validate())
            yield Progress(self._done, sum(terms.values()), terms, norm, self._skipped, self._validation)

    @property
    def done(self) -> int:
        """Updates made."""
        return self._done

    def warm(self) -> None:
        """An update that is not counted, for a trial of its speed; the weights change."""
        self.chain.train()
        self._update(0)

    @property
    def bits_per_dim(self) -> float | None:
        """Of the validation whose weights are kept; None without a bound, or before the first."""
        return self._best_bits if self._state.best else self._validation.bits_per_dim

    def _keep_if_best(self, validation: Validation) -> None:
        self._validation = self._processes.agreed(lambda: validation)  # or processes might disagree by a rounding
        bits, bound = self._validation.bits_per_dim, all(kernel.trains_bound for kernel in self.chain.each_kernel())
        if bound and bits is not None and bits < self._best_bits and not is_reweighted(self.config.loss_weights):
            self._state.best = [average.detach().clone() for average in self._averages]
            self._best_update, self._best_bits = self._done, bits

    def checkpoint(self) -> Checkpoint:
        """All that is needed to go on after the last update; its tensors are those of the training, and change with the next one."""
        numbers = {
            "averaged": self._updates,
            "seconds": self.schedule.seconds,
            "skipped": self._skipped,
            "in_a_row": self._in_a_row,
            "validation": asdict(self._validation),
            "best": [self._best_update, self._best_bits] if self._state.best else None,
        }
        return Checkpoint(self._done, numbers, self._state.tensors())

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint of the same chain, data and configuration.

        Raises:
            SaltusError: if it is of others.
        """
        numbers = checkpoint.numbers
        try:
            progress = [int(numbers[name]) for name in ("averaged", "skipped", "in_a_row")]
            seconds = float(numbers.get("seconds", 0.0))  # which older ones say nothing of
            validation, best = Validation.from_json(numbers["validation"]), numbers["best"]
            self._best_update, self._best_bits = (0, math.inf) if best is None else (int(best[0]), float(best[1]))
            most = self.config.updates if self.config.time is None else checkpoint.update
            if not 0 <= min(progress) <= max(progress) <= checkpoint.update <= most:
                raise ValueError(f"updates {progress} of {checkpoint.update}")
        except (IndexError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise SaltusError("the checkpoint does not say how far its training was; remove it, or train anew") from error
        self._state.fill(checkpoint.tensors, best is not None)
        self._updates, self._skipped, self._in_a_row = progress
        self.schedule.resume(seconds)
        self._done, self._validation = checkpoint.update, validation

    def _update(self, update: int) -> tuple[dict[str, float], float, bool]:
        """One step of the optimiser, unless loss or gradient is not finite: the terms of the loss, the gradient's norm, and whether."""
        batch = self._batch(update)
        loss = self._gradient.add(batch, self.level_sampling.factors if self.level_sampling and self._equal else None)
        norm, (sums, levels) = self._clipped(), self._totals.of(loss)
        means = {name: total / self.config.batch / batch.y[0].numel() for name, total in sums.items()}
        finite = math.isfinite(norm) and math.isfinite(sum(means.values()))
        if not finite:
            faults = self._processes.everyones(fault_of(loss))
            self._fault = next((fault for fault in faults if fault != GRADIENT), GRADIENT)
        else:
            for group in self._optimiser.param_groups:
                group["lr"] = self.config.learning_rate * self.schedule.learning_rate(update, self.config.warm_up)
            self._optimiser.step()
            if self.level_sampling:
                self.level_sampling.take(levels)
            self._average_weights()
        return means, norm, finite

    def _clipped(self) -> float:
        """The norm of the gradient, which is then no longer than allowed."""
        total = nn.utils.get_total_norm([parameter.grad for parameter in self._parameters if parameter.grad is not None])
        norm = float(self._processes.whole(total))
        if norm > self.config.clip:
            nn.utils.clip_grads_with_norm_(self._parameters, self.config.clip, total)
        return norm

    def _batch(self, update: int) -> Batch:
        """What this process sees of an update."""
        config, first = self.config, update * self.config.batch
        rows = self._processes.dealt(config.batch)
        index = items_after(len(self.data.train), first, config.batch, config.seed)[rows]
        noise = replace(self.chain.noise(config.seed, first + rows.start, len(index)), step=rows.step)
        risen, weights = min(1.0, self.schedule.share(update) / config.kl_warm_up) if config.kl_warm_up else 1.0, config.loss_weights
        weights["kl"] = weights.get("kl", 1.0) * risen
        k = self.chain.importance_samples if risen == 1 else 1
        probabilities = self.level_sampling.probabilities if self.level_sampling else None
        y = self.data.train[index].to(self._device)
        return Batch(y, noise, self._condition(index, noise), weights, probabilities, k, config.eta, (rows.start, config.batch))

    def _condition(self, index: Tensor, noise: Noise) -> Tensor | None:
        """The conditions of items, some of them left out."""
        condition = self.chain.condition
        told = self.data.conditions_for(condition, "train")
        if condition is None or told is None:
            return None
        left_out = noise.uniform("condition dropout") < self.config.condition_dropout
        return condition.drop(told[index], left_out).to(self._device)

    @torch.no_grad()
    def _average_weights(self) -> None:
        warm = (1 + self._updates) / (10 + self._updates)
        decay = min(self.config.ema, warm) if self._updates else 0.0  # the first weights are what they are averaged from
        torch._foreach_lerp_(self._averages, self._parameters, 1 - decay)
        for averaged, current in self._buffers:
            averaged.copy_(current)
        self._updates += 1

    def _precision(self) -> torch.autocast:
        """Of updates, and of validations, whose figures are to watch alone."""
        return torch.autocast(self._device.type, torch.bfloat16, enabled=bool(self.config.bf16))
