r"""What a chain is made of: a prior for z_L, a grid of levels, a kernel for each step; and the two ways along it.

Forward, `forward_path` draws z_1 ... z_L ~ q_eta( . | y); backward, `descend` is the one reverse loop, which sampling, decoding, the
schedulers of other libraries and the studies share.  Level l is the step t_l -> t_{l-1}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from saltus.chain.modes import evaluating, like
from saltus.chain.prior import Prior
from saltus.errors import SaltusError
from saltus.kernels import Kernel, Pair, Sampling, Transition
from saltus.levels import Levels
from saltus.networks import Condition
from saltus.process import Noise, OrnsteinUhlenbeck
from saltus.registry import Configurable

__all__ = ["ChainProcess", "descend"]

_process = OrnsteinUhlenbeck()


def descend(
    z: Tensor,
    levels: Levels,
    step: Callable[[int, Transition], Tensor],
    *,
    from_level: int | None = None,
    condition: Tensor | None = None,
    guidance: float = 1.0,
    eta: float = 1.0,
) -> Iterator[Tensor]:
    """z_l, ..., z_0 from z_l, (B, *E) each.

    Args:
        z: z_l.
        levels: the grid.
        step: z_{l-1} from the number l of a level and its transition.
        from_level: l; L unless given.
        condition, guidance, eta: of every transition.
    """
    yield z
    steps = list(enumerate(levels.pairs(), 1))[:from_level]
    for level, (s, t) in reversed(steps):
        z = step(level, Transition(z, s, t, condition, guidance, eta))
        yield z


class ChainProcess(Configurable, nn.Module):
    """prior -> kernel at level L -> ... -> kernel at level 1 -> data; the arguments are those of `saltus.Chain`."""

    def __init__(self, prior: Prior, levels: Levels, kernels: Kernel | Sequence[Kernel], *, noise_version: int = Noise.LATEST) -> None:
        super().__init__()
        listed = [kernels] if isinstance(kernels, Kernel) else list(kernels)
        shapes = {tuple(kernel.event_shape) for kernel in listed}
        if len(listed) not in (1, levels.L) or len(shapes) != 1:
            raise ValueError(
                f"{len(listed)} kernels with event shapes {sorted(shapes)} for {levels.L} levels; expected 1 or {levels.L}, of one shape"
            )
        Noise(0, 0, 1, version=noise_version)  # which says so if it does not know the version
        self.prior, self.levels, self.noise_version = prior, levels, noise_version
        self.kernels = nn.ModuleList(listed)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """E."""
        return tuple(self.kernel(1).event_shape)

    @property
    def device(self) -> torch.device:
        """Where the parameters are, as `.to` puts them, and where samples come out."""
        return like(self).device

    @property
    def dtype(self) -> torch.dtype:
        """The type of the parameters and of samples."""
        return like(self).dtype

    @property
    def has_bound(self) -> bool:
        """Whether every kernel has a bound."""
        return all(kernel.has_bound for kernel in self.each_kernel())

    def has_bound_at(self, eta: float) -> bool:
        """Whether the chain that is sampled with this eta has a bound; a step to data is the same at every eta."""
        inner = self.each_kernel() if len(self.kernels) == 1 else self.each_kernel()[1:]
        return self.has_bound and (eta == 1 or self.levels.L == 1 or (eta > 0 and all(kernel.bounds_eta for kernel in inner)))

    @property
    def any_step(self) -> bool:
        """Whether one kernel serves all pairs s < t, so that the number of calls is chosen when sampling."""
        return len(self.kernels) == 1 and self.kernel(1).any_step

    @property
    def condition(self) -> Condition | None:
        """What the model is conditioned on; None for nothing."""
        return self.kernel(1).condition

    def kernel(self, level: int) -> Kernel:
        """The kernel of the step t_level -> t_{level-1}, level in 1 ... L."""
        kernel = self.kernels[0 if len(self.kernels) == 1 else level - 1]
        assert isinstance(kernel, Kernel)
        return kernel

    def each_kernel(self) -> list[Kernel]:
        """Every kernel once, cleanest first."""
        return list(dict.fromkeys(self.kernel(level) for level in range(1, len(self.kernels) + 1)))

    def drawn(
        self, z: Tensor, noise: Noise, sampling: Sampling, condition: Tensor | None = None, *, from_level: int | None = None
    ) -> Iterator[Tensor]:
        """z_l, ..., z_0 from z_l, (B, *E) each, by the kernels and the random numbers of `noise`; l = L unless given."""

        def step(level: int, transition: Transition) -> Tensor:
            return self.kernel(level).sample(transition, noise.at(level - 1), sampling)

        guidance, eta = sampling.guidance, sampling.eta
        return descend(z, self.levels, step, from_level=from_level, condition=condition, guidance=guidance, eta=eta)

    def noise(self, seed: int, first_item: int, n: int) -> Noise:
        """The random numbers of n items, in the version that this chain was made with."""
        return Noise(seed, first_item, n, version=self.noise_version)

    def forward_path(
        self, y: Tensor, noise: Noise, condition: Tensor | None = None, *, levels: Levels | None = None, eta: float = 1.0
    ) -> Iterator[tuple[int, Pair]]:
        """Each level, cleanest first, with its pair along one path; on the chain's grid, unless another is given.

        At eta = 1 the path is that of the noise process.  Below, z_L ~ q(z_L | y) comes first, and then z_s ~ q_eta(z_s | z_t, y).
        """
        grid, z_s = levels or self.levels, y

        def unit(level: int) -> Tensor:
            return noise.at(level).normal("z_t", y.shape[1:], like=y)

        def back(level: int, step: Transition) -> Tensor:
            return step.bridge.sample(step.z_t, y, unit(level - 1)) if level > 1 else y

        down = [] if eta == 1 else list(descend(_process.noised(y, grid.last, unit(grid.L)), grid, back, eta=eta))
        for level, (s, t) in enumerate(grid.pairs(), 1):
            z_t = down[-1 - level] if down else _process.noised(z_s, t - s, unit(level))
            yield level, Pair(z_t, s, t, condition, eta=eta, y=y, z_s=z_s)
            z_s = z_t

    def check_sampling(self, sampling: Sampling) -> None:
        """Raise SaltusError for a way of sampling that the kernels do not know."""
        if sampling.temperature != 1 and not any(kernel.latent for kernel in self.each_kernel()):
            raise SaltusError(f"temperature = {sampling.temperature} is that of latents, and these kernels have none; leave it at 1")
        if sampling.guidance != 1 and self.condition is None:
            raise SaltusError(f"guidance = {sampling.guidance} strengthens a condition, and this model has none; leave it at 1")
        if sampling.guidance != 1 and not any(kernel.guided for kernel in self.each_kernel()):
            raise SaltusError(f"guidance = {sampling.guidance} is of steps that predict data, and this model has none; leave it at 1")

    def calibrate(self, y: Tensor, *, condition: Any = None, seed: int = 0) -> None:
        """Fit what kernels do not learn by gradient (the optimal variance) on data (N, *E) held out of the updates, with its conditions."""
        given = self.given_condition(condition, len(y))
        times: dict[Kernel, list[float]] = {}
        for level, (_, t) in enumerate(self.levels.pairs(), 1):
            times.setdefault(self.kernel(level), []).append(t)
        with evaluating(self):
            for kernel, served in times.items():
                kernel.calibrate(y, served, seed=seed, condition=given, noise_version=self.noise_version)

    def given_condition(self, condition: Any, n: int) -> Tensor | None:
        """A condition for each of n items, on the device of the parameters; None for a model without one, and where none is given."""
        if condition is None:
            return None
        if self.condition is None:
            raise SaltusError("a condition was given, and this model was trained without one; leave it out, or train with --condition")
        return self.condition.check(condition, n).to(like(self).device)

    def conditions_for(self, condition: Any, noise: Noise) -> Tensor | None:
        """A condition for each item of a noise, drawn where none is given; None for a model without one."""
        if condition is None and self.condition is not None:
            return self.condition.draw(noise.uniform("condition")).to(like(self).device)
        return self.given_condition(condition, noise.n)

    def check_items(self, y: Tensor) -> None:
        """Raise SaltusError unless y are items (N, *E) that the parameters and the heads take."""
        if not isinstance(y, Tensor):
            raise SaltusError(f"items are a {type(y).__name__}, and a tensor was expected; encode them, or take saltus.Model for raw items")
        if y.ndim == 0 or tuple(y.shape[1:]) != self.event_shape or len(y) == 0:
            raise SaltusError(
                f"items of shape {tuple(y.shape)} were given; expected (N, {', '.join(map(str, self.event_shape))}): reshape them"
            )
        if y.dtype != like(self).dtype and any(True for _ in self.parameters()):  # closed forms compute in float64 whatever they are given
            raise SaltusError(f"items of {y.dtype} were given, and the parameters are {like(self).dtype}; convert the items")
        for kernel in self.each_kernel():
            kernel.check(y)
