r"""A chain: a prior for z_L, a grid of levels, and a kernel for each step down to the data.

Everything here asks nothing of a kernel but its contract.  Level l of the noise is the step t_l -> t_{l-1}.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from saltus.chain.bound import Bound, measured
from saltus.chain.latents import Code, decode, encode, on_great_circle, reconstruct
from saltus.chain.loss import Loss, training_loss
from saltus.chain.modes import evaluating, like
from saltus.chain.prior import Prior
from saltus.errors import SaltusError
from saltus.kernels import DEFAULT, Kernel, Sampling, Weights, reweighted
from saltus.levels import Levels
from saltus.process import Noise, OrnsteinUhlenbeck
from saltus.registry import Configurable
from saltus.storage import read, write

__all__ = ["Chain"]

_process = OrnsteinUhlenbeck()


class Chain(Configurable, nn.Module):
    """prior -> kernel at level L -> ... -> kernel at level 1 -> data.

    Args:
        prior: p(z_L).
        levels: the grid.
        kernels: one kernel for all levels, or a list of L, cleanest step first.
        scaling: ln of the scaling of the data, added to the bound (sum of ln std for standardised data; 0 for bins).
        latents: of the importance weighting that tightens each step of its bound, >= 1; 1 is the plain bound.

    Raises:
        ValueError: if the number of kernels is neither 1 nor L, or their event shapes differ, or for less than one latent.
    """

    def __init__(self, prior: Prior, levels: Levels, kernels: Kernel | Sequence[Kernel], *, scaling: float = 0.0, latents: int = 1) -> None:
        super().__init__()
        listed = [kernels] if isinstance(kernels, Kernel) else list(kernels)
        shapes = {tuple(kernel.event_shape) for kernel in listed}
        if len(listed) not in (1, levels.L) or len(shapes) != 1:
            raise ValueError(
                f"{len(listed)} kernels with event shapes {sorted(shapes)} for {levels.L} levels; expected 1 or {levels.L}, of one shape"
            )
        if latents < 1:
            raise ValueError(f"latents = {latents}; expected at least 1")
        self.prior, self.levels, self.scaling, self.latents = prior, levels, scaling, latents
        self.kernels = nn.ModuleList(listed)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """E."""
        return tuple(self.kernel(1).event_shape)

    @property
    def has_bound(self) -> bool:
        """Whether every kernel has a bound."""
        return all(self.kernel(level).has_bound for level in range(1, self.levels.L + 1))

    def kernel(self, level: int) -> Kernel:
        """The kernel of the step t_level -> t_{level-1}, level in 1 ... L."""
        kernel = self.kernels[0 if len(self.kernels) == 1 else level - 1]
        assert isinstance(kernel, Kernel)
        return kernel

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        seed: int,
        first_item: int = 0,
        return_path: bool = False,
        how: Sampling = DEFAULT,
        batch: int = 256,
    ) -> Tensor:
        """Generate items `first_item` ... `first_item + n - 1` of a seed.

        Args:
            n: how many, >= 1.
            seed: >= 0; item i of a seed is the same whatever n, `first_item` and `batch` are.
            first_item: number of the first item.
            return_path: whether to return z_0 ... z_L, (L + 1, n, *E); by default only z_0, (n, *E).
            how: what the step to data gives, eta, and the temperature of latents.
            batch: how many items at a time.

        Raises:
            SaltusError: for an eta or a temperature that is not 1 where no kernel has a bridge or a latent.
            ValueError: if n or batch is below 1, seed or first_item below 0.
        """
        self._check_how(how)
        if n < 1 or batch < 1:
            raise ValueError(f"n = {n}, batch = {batch}; expected at least 1")
        starts = range(0, n, batch)
        with evaluating(self):
            parts = [self._paths(Noise(seed, first_item + start, min(batch, n - start)), how, return_path) for start in starts]
        path = torch.cat(parts, dim=1)
        return path if return_path else path[0]

    def _paths(self, noise: Noise, how: Sampling, keep: bool) -> Tensor:
        z = self.prior.sample(self.event_shape, self.levels.last, noise.at(self.levels.L)).to(like(self))
        states = deque(self._descend(z, self.levels.L, noise, how), maxlen=None if keep else 1)
        return torch.stack(list(reversed(states)))

    def _check_how(self, how: Sampling) -> None:
        if how.temperature != 1 and not any(kernel.latent for kernel in self.kernels):
            raise SaltusError(f"temperature = {how.temperature} is that of latents, and these kernels have none; leave it at 1")

    def _descend(self, z: Tensor, level: int, noise: Noise, how: Sampling) -> Iterator[Tensor]:
        """z_level, ..., z_0 from z_level, (B, *E) each."""
        yield z
        for number, (s, t) in reversed(list(enumerate(self.levels.pairs(), 1))[:level]):
            z = self.kernel(number).sample(z, s, t, noise=noise.at(number - 1), how=how)
            yield z

    def loss(
        self,
        y: Tensor,
        *,
        seed: int = 0,
        first_item: int = 0,
        weights: Weights | None = None,
        shares: Sequence[float] | None = None,
        latents: int = 1,
    ) -> Loss:
        """The training loss of data (B, *E), each item at one level.

        Levels are stratified: they ascend along the batch, whose items are assumed to come in random order, and their
        counts differ from their shares of it by less than one.  A kernel with `any_step` that serves every level is given (0, t)
        with t anywhere between the times of the level (`Levels.spread`).

        Args:
            y: the data.
            seed, first_item: of the noise.
            weights: of terms.
            shares: of the batch that the levels get, cleanest first, > 0, summing to 1; in equal parts unless given.  A level's
                items are then weighted by 1 / (L share), which leaves the expected loss as it is.
            latents: with more than 1, the loss is the bound tightened with so many where kernels have a latent; its terms have no
                weights.  1 unless given, whatever the chain's bound is tightened with: training begins so.

        Raises:
            ValueError: for shares that are not such, or of levels that the kernel does not tell apart since it is trained at all times;
                for less than one latent; for weights of a tightened loss.
        """
        if latents < 1 or (latents > 1 and reweighted(weights or {})):
            raise ValueError(f"a loss with {latents} latents and weights {weights}; expected at least 1 latent, and no weights of several")
        return training_loss(self, y, seed=seed, first_item=first_item, weights=weights or {}, shares=shares, latents=latents)

    @torch.no_grad()
    def bound(self, y: Tensor, *, seed: int = 0, first_item: int = 0, latents: int | None = None, batch: int = 256) -> Bound:
        """The chain bound of data (N, *E) on one path each, q(z_1 ... z_L | y), in its named terms.

        Args:
            y: data, in the dtype of the parameters.
            seed: of the paths and latents.
            first_item: number of the first item, for its noise.
            latents: with more than 1, each step is tightened by importance weighting with so many; those of the chain unless given.
            batch: how many items at a time.

        Raises:
            TypeError: if a kernel has no bound.
            ValueError: if the shape of `y` is not (N, *E), its type is not that of the parameters, or its values are not the head's.
        """
        self._check(y)
        latents = self.latents if latents is None else latents
        if batch < 1 or latents < 1:
            raise ValueError(f"batch = {batch} and latents = {latents}; expected at least 1 of each")
        return measured(self, y, seed=seed, first_item=first_item, latents=latents, batch=batch)

    def _check(self, y: Tensor) -> None:
        """Whether these are items (N, *E) that the kernels take."""
        if tuple(y.shape[1:]) != self.event_shape or len(y) == 0:
            raise ValueError(f"y has shape {tuple(y.shape)}; expected (N, {', '.join(map(str, self.event_shape))}) with N >= 1")
        parameter = next(self.parameters(), y)
        if y.dtype != parameter.dtype:
            raise ValueError(f"y is of {y.dtype}; expected {parameter.dtype}")
        self.kernel(1).check(y)

    def forward_path(self, y: Tensor, noise: Noise) -> Iterator[tuple[int, tuple[Tensor, Tensor, float, float]]]:
        """(level, (z_s, z_t, s, t)) along one path of the noise process."""
        z_s = y
        for level, (s, t) in enumerate(self.levels.pairs(), 1):
            z_t = _process.noised(z_s, t - s, noise.at(level).normal("z_t", y.shape[1:], like=y))
            yield level, (z_s, z_t, s, t)
            z_s = z_t

    @torch.no_grad()
    def encode(self, y: Tensor, *, seed: int = 0, first_item: int = 0) -> Code:
        """What the chain would have drawn to generate items (B, *E): z_L, and the latent and the decoder's noise of each step.

        Raises:
            TypeError: if a kernel is not a Gaussian step given a latent.
            ValueError: for items as in `bound`, or a step without width.
        """
        self._check(y)
        return encode(self, y, Noise(seed, first_item, len(y)))

    @torch.no_grad()
    def decode(self, code: Code) -> Tensor:
        """The items (B, *E) of a code; those that were encoded, within rounding."""
        return decode(self, code)

    @torch.no_grad()
    def reconstruct(self, y: Tensor, *, seed: int = 0, first_item: int = 0) -> Tensor:
        """Items (B, *E) again from their z_L and latents, with other noise of the decoder, the last step its median: what latents hold."""
        self._check(y)
        return reconstruct(self, y, Noise(seed, first_item, len(y)))

    @torch.no_grad()
    def interpolate(self, a: Tensor, b: Tensor, n: int, *, seed: int = 0, first_item: int = 0) -> Tensor:
        """n items from each item of a to that of b (B, *E), both ends included, (n, B, *E); both go along the same noise.

        Raises:
            ValueError: if n is below 2, or shapes differ.
        """
        if n < 2 or a.shape != b.shape:
            raise ValueError(f"n = {n} between items of shapes {tuple(a.shape)} and {tuple(b.shape)}; expected at least 2, and one shape")
        ends = [self.encode(y, seed=seed, first_item=first_item) for y in (a, b)]
        shares = torch.linspace(0, 1, n).tolist()
        return torch.stack([self.decode(ends[0].map(partial(on_great_circle, share=share), ends[1])) for share in shares])

    @torch.no_grad()
    def vary(self, y: Tensor, from_level: int, *, seed: int = 0, first_item: int = 0, how: Sampling = DEFAULT) -> Tensor:
        """Other items that share z_l with those given, l = `from_level` in 1 ... L: the noisier the level, the less they share.

        Returns:
            (B, *E); another seed gives other items.

        Raises:
            ValueError: for another level, or items as in `bound`.
        """
        self._check(y)
        self._check_how(how)
        if not 1 <= from_level <= self.levels.L:
            raise ValueError(f"from_level = {from_level}; expected a level from 1 to {self.levels.L}")
        noise = Noise(seed, first_item, len(y))
        with evaluating(self):
            z = _process.noised(y, self.levels.times[from_level], noise.at(from_level).normal("vary", y.shape[1:], like=y))
            return deque(self._descend(z, from_level, noise, how), maxlen=1).pop()

    def bits_per_dim(self, y: Tensor, *, seed: int = 0) -> Tensor:
        """The bound in bits per dimension, (N,)."""
        return self.bound(y, seed=seed).bits_per_dim

    def calibrate(self, y: Tensor, *, seed: int = 0) -> None:
        """Fit what kernels do not learn by gradient (the optimal variance) on data (N, *E) held out of the updates."""
        times: dict[Kernel, list[float]] = {}
        for level, (_, t) in enumerate(self.levels.pairs(), 1):
            times.setdefault(self.kernel(level), []).append(t)
        with evaluating(self):
            for kernel, served in times.items():
                kernel.calibrate(y, served, seed=seed)

    def save(self, folder: str | Path) -> None:
        """Write everything that is needed to sample: `chain.json` and `chain.safetensors`."""
        write(self, Path(folder), "chain")

    @classmethod
    def load(cls, folder: str | Path) -> Chain:
        """The chain that `save` wrote, with no option to repeat.

        Raises:
            SaltusError: if the folder holds no chain, or its files do not fit together.
        """
        chain = read(Path(folder), "chain")
        if not isinstance(chain, cls):
            raise SaltusError(f"{folder} holds a {type(chain).__name__}, not a chain; give the folder that training wrote")
        return chain
