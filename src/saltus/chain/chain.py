"""A chain: a prior for z_L, a grid of levels, and a kernel for each step down to the data."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from saltus.chain.bound import MOST_SAMPLES, Bound, measured
from saltus.chain.classes import ClassBound, class_bound
from saltus.chain.encoded import Encoded, check_encoding, log_jacobian
from saltus.chain.latents import Code, between, decode, encode, reconstruct
from saltus.chain.loss import Batch, ChainLoss, Loss
from saltus.chain.modes import cast_parameters, evaluating, like
from saltus.chain.prior import Prior
from saltus.chain.process import ChainProcess
from saltus.errors import SaltusError
from saltus.kernels import DEFAULT, Kernel, Sampling, Weights
from saltus.levels import Levels
from saltus.networks import ClassCondition
from saltus.process import Noise, OrnsteinUhlenbeck
from saltus.storage import read, write

__all__ = ["Chain"]

_process = OrnsteinUhlenbeck()
_MOST_SEEDS = 2**62


class Chain(ChainProcess):
    """prior -> kernel at level L -> ... -> kernel at level 1 -> data.

    Args:
        prior: p(z_L).
        levels: the grid.
        kernels: one kernel for all levels, or a list of L, cleanest step first.
        scaling: ln of the scaling of the data, added to the bound of a chain without an encoding.
        importance_samples: latents that each step of its bound is importance-weighted with, >= 1; 1 is the plain bound.
        encoding: how raw values become y and back; None for a chain that knows y alone.
        noise_version: of its random numbers, see `saltus.process.Noise`.
        sampling: how it is sampled unless `sample` is told otherwise, or the same as a dictionary.

    Raises:
        ValueError: if the number of kernels is neither 1 nor L, event shapes differ, or importance samples or scaling are out of range.
    """

    def __init__(
        self,
        prior: Prior,
        levels: Levels,
        kernels: Kernel | Sequence[Kernel],
        *,
        scaling: float = 0.0,
        importance_samples: int = 1,
        encoding: Encoded | None = None,
        noise_version: int = Noise.LATEST,
        sampling: Sampling | Mapping[str, Any] = DEFAULT,
    ) -> None:
        super().__init__(prior, levels, kernels, noise_version=noise_version)
        if not 1 <= importance_samples <= MOST_SAMPLES:
            raise ValueError(f"importance_samples = {importance_samples}; expected 1 to {MOST_SAMPLES:,}")
        check_encoding(encoding, scaling, self.event_shape)
        self.importance_samples, self.encoding, self.scaling = importance_samples, encoding, scaling
        self.sampling = sampling if isinstance(sampling, Sampling) else Sampling(**sampling)

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        seed: int,
        first_item: int = 0,
        return_path: bool = False,
        sampling: Sampling | None = None,
        condition: Any = None,
        batch: int = 256,
    ) -> Tensor:
        """Generate items `first_item` ... `first_item + n - 1` of a seed.

        Args:
            n: how many, >= 1.
            seed: >= 0; item i of a seed is the same, within rounding, whatever n, `first_item` and `batch` are.
            first_item: number of the first item.
            return_path: whether to return z_0 ... z_L, (L + 1, n, *E); by default only z_0, (n, *E).
            sampling: what the step to data returns, eta, the temperature of latents, guidance; the chain's own unless given.
            condition: one for all items, or one for each; unless given, classes are drawn as often as they came in the data.
            batch: how many items at a time.

        Raises:
            SaltusError: for a condition or a way of sampling that the kernels do not know.
            ValueError: if n or batch is below 1, seed or first_item below 0.
        """
        sampling = sampling or self.sampling
        self.check_sampling(sampling)
        if n < 1 or batch < 1:
            raise ValueError(f"n = {n}, batch = {batch}; expected at least 1")
        conditions = self.conditions_for(condition, self.noise(seed, first_item, n))
        parts = []
        with evaluating(self):
            for start in range(0, n, batch):
                given = None if conditions is None else conditions[start : start + batch]
                parts.append(self._path(self.noise(seed, first_item + start, min(batch, n - start)), sampling, given, return_path))
        path = torch.cat(parts, dim=1)
        return path if return_path else path[0]

    def _path(self, noise: Noise, sampling: Sampling, condition: Tensor | None, keep: bool) -> Tensor:
        z = self.prior.sample(self.event_shape, self.levels.last, noise.at(self.levels.L), condition, like=like(self)).to(like(self))
        states = self.drawn(z, noise, sampling, condition)
        return torch.stack(list(reversed(deque(states, maxlen=None if keep else 1))))

    def loss(
        self,
        y: Tensor,
        *,
        condition: Any = None,
        seed: int | None = None,
        first_item: int = 0,
        weights: Weights | None = None,
        level_probabilities: Sequence[float] | None = None,
        importance_samples: int = 1,
        eta: float = 1.0,
    ) -> Loss:
        """The training loss of data (B, *E), each item at one level; `ChainLoss` is the same as a module.

        Args:
            y: the data.
            condition: of the items, as for `sample`.
            seed: of the noise.  Unless given, torch's generator gives a new one at every call, so that a loop of your own sees new noise.
            first_item: number of the first item.
            weights, level_probabilities, importance_samples, eta: see `Batch`.
        """
        seed = int(torch.randint(_MOST_SEEDS, ())) if seed is None else seed
        noise, given = self.noise(seed, first_item, len(y)), self.given_condition(condition, len(y))
        batch = Batch(y, noise, given, weights or {}, level_probabilities, importance_samples, eta)
        loss: Loss = ChainLoss(self)(batch)
        return loss

    @torch.no_grad()
    def bound(
        self,
        y: Tensor,
        *,
        condition: Any = None,
        seed: int = 0,
        first_item: int = 0,
        importance_samples: int | None = None,
        batch: int = 256,
        eta: float = 1.0,
    ) -> Bound:
        """The chain bound of data (N, *E) on one path each, q(z_1 ... z_L | y), in its named terms.

        Args:
            y: data, in the dtype of the parameters.
            condition: c of each item, for the bound of -ln p(y | c); None for none, while `class_bound` is that of what `sample` draws.
            seed: of the paths and latents.
            first_item: number of the first item, for its noise.
            importance_samples: with more than 1, each step is importance-weighted with so many latents; those of the chain unless given.
            batch: how many items at a time.
            eta: in (0, 1]; the bound is of the chain that is sampled with it.

        Raises:
            SaltusError: if a kernel has no bound, or none at this eta, or `y` has another shape or type, or values unknown to the head.
        """
        self.check_items(y)
        k = self.importance_samples if importance_samples is None else importance_samples
        if batch < 1 or not 1 <= k <= MOST_SAMPLES:
            raise SaltusError(f"batch = {batch} and importance_samples = {k}; expected at least 1 of each, of these up to {MOST_SAMPLES:,}")
        if not 0 < eta <= 1:
            raise SaltusError(f"eta = {eta} was given for a bound; expected a share above 0 up to 1: without fresh noise there is none")
        given = self.given_condition(condition, len(y))
        added = log_jacobian(y, self.encoding, self.scaling)
        options: dict[str, Any] = {"importance_samples": k, "log_jacobian": added, "condition": given, "eta": eta}
        return measured(self, y, seed=seed, first_item=first_item, batch=batch, **options)

    @torch.no_grad()
    def class_bound(self, y: Tensor, *, seed: int = 0, batch: int = 256) -> ClassBound:
        """The bound on -ln p(y) of a model of classes, and p(c | y): two bounds for each class, on independent paths.

        Raises:
            SaltusError: if the model is not conditioned on classes; and as `bound`.
        """
        if not isinstance(self.condition, ClassCondition):
            raise SaltusError("a bound over classes was asked for, and this model has no classes; take the bound itself")
        K = self.condition.classes

        def bounds(first_item: int) -> Tensor:
            found = [self.bound(y, condition=torch.tensor([c]), seed=seed, first_item=first_item, batch=batch).total for c in range(K)]
            return torch.stack(found, dim=1)

        return class_bound(bounds(0), bounds(len(y)), self.condition.log_frequencies)

    @torch.no_grad()
    def encode(self, y: Tensor, *, condition: Any = None, seed: int = 0, first_item: int = 0) -> Code:
        """What the chain would have drawn to generate items (B, *E): z_L, and the latent and the decoder's noise of each step.

        Raises:
            SaltusError: for items as in `bound`, a kernel that is no Gaussian step given a latent, or a step without width.
        """
        self.check_items(y)
        return encode(self, y, self.noise(seed, first_item, len(y)), self.given_condition(condition, len(y)))

    @torch.no_grad()
    def decode(self, code: Code) -> Tensor:
        """The items (B, *E) of a code; those that were encoded, within rounding."""
        return decode(self, code)

    @torch.no_grad()
    def reconstruct(self, y: Tensor, *, condition: Any = None, seed: int = 0, first_item: int = 0) -> Tensor:
        """Items (B, *E) again from their z_L and latents, with other noise of the decoder, the last step its mode: what latents hold."""
        self.check_items(y)
        return reconstruct(self, y, self.noise(seed, first_item, len(y)), self.given_condition(condition, len(y)))

    @torch.no_grad()
    def interpolate(self, a: Tensor, b: Tensor, n: int, *, condition: Any = None, seed: int = 0, first_item: int = 0) -> Tensor:
        """n items from each item of a to that of b (B, *E), both ends included, (n, B, *E); both go along the same noise.

        Raises:
            ValueError: if n is below 2, or shapes differ.
        """
        if n < 2 or a.shape != b.shape:
            raise ValueError(f"n = {n} between items of shapes {tuple(a.shape)} and {tuple(b.shape)}; expected at least 2, and one shape")
        one, other = (self.encode(y, condition=condition, seed=seed, first_item=first_item) for y in (a, b))
        return torch.stack([self.decode(code) for code in between(one, other, n)])

    @torch.no_grad()
    def vary(
        self, y: Tensor, from_level: int, *, condition: Any = None, seed: int = 0, first_item: int = 0, sampling: Sampling | None = None
    ) -> Tensor:
        """Other items (B, *E) that share z_l with those given, l = `from_level`: the noisier the level, the less they share.

        Raises:
            ValueError: for another level, or items as in `bound`.
        """
        self.check_items(y)
        sampling = sampling or self.sampling
        self.check_sampling(sampling)
        if not 1 <= from_level <= self.levels.L:
            raise ValueError(f"from_level = {from_level}; expected a level from 1 to {self.levels.L}")
        noise, given = self.noise(seed, first_item, len(y)), self.given_condition(condition, len(y))
        with evaluating(self):
            z = _process.noised(y, self.levels.times[from_level], noise.at(from_level).normal("vary", y.shape[1:], like=y))
            *_, z_0 = self.drawn(z, noise, sampling, given, from_level=from_level)
        return z_0

    def on(self, levels: Levels) -> Chain:
        """This chain on another grid, with the same kernel.

        Raises:
            SaltusError: if its kernels are made for their own grid.
        """
        if levels == self.levels:
            return self
        if not self.any_step:
            raise SaltusError(
                f"{levels.L} calls on another grid were asked for, and this model was trained for its own of {self.levels.L}; "
                "leave the calls out, or train with --any-step"
            )
        kept = ("scaling", "importance_samples", "encoding", "noise_version", "sampling")
        same: dict[str, Any] = {name: getattr(self, name) for name in kept}
        return Chain(self.prior, levels, self.kernel(1), **same).train(self.training)

    def save(self, folder: str | Path, *, compact: bool = False) -> None:
        """Write all that is needed to sample; compact, with parameters in float16, which are float32 again when loaded."""
        write(cast_parameters(copy.deepcopy(self), torch.float16) if compact else self, Path(folder), "chain")

    @classmethod
    def load(cls, folder: str | Path) -> Chain:
        """The chain that `save` wrote, with no option to repeat.

        Raises:
            SaltusError: if the folder holds no chain, or its files are damaged or do not fit together.
        """
        chain = read(Path(folder), "chain")
        if not isinstance(chain, cls):
            raise SaltusError(f"{folder} holds a {type(chain).__name__}, not a chain; give the folder that training wrote")
        if chain.encoding is None and chain.noise_version == 1 and (Path(folder) / "data.json").exists():  # of the older format
            chain.encoding = cast(Encoded, read(Path(folder), "data"))
        return cast_parameters(chain, torch.float32) if like(chain).dtype == torch.float16 else chain

    def __repr__(self) -> str:
        kernels = ", ".join(f"{kernel.label} ({sum(p.numel() for p in kernel.parameters()):,} parameters)" for kernel in self.each_kernel())
        told = "" if self.condition is None else f", conditioned on {self.condition.summary()}"
        grid = f"any grid up to t = {self.levels.last:g}" if self.any_step else f"t = {', '.join(f'{t:.3g}' for t in self.levels)}"
        return f"Chain({self.levels.L} calls, {grid}, items {self.event_shape}: {kernels}{told})"
