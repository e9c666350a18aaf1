"""Updates on a GPU without the host: one update is captured as a CUDA graph and replayed.

Items, noise, loss, gradient, the optimiser's step and the check that all is finite stay on the device; the host only launches.
The graph serves every training of networks of one shape.
On a CPU the same update runs as it is written, for smoke tests.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from saltus.kernels import Bridge, Pair, Transition
from saltus.process import OrnsteinUhlenbeck

__all__ = ["DeviceNoise", "Fast", "FixedTimes", "Trained", "Updates"]

_process = OrnsteinUhlenbeck()
BETAS, WEIGHT_DECAY, CLIP, EMA = (0.9, 0.99), 0.01, 1.0, 0.999
WARM_UP, KL_WARM_UP = 0.05, 0.1
_FIRST, _TIMED = 3, 20  # updates before the capture, and updates that the speed is measured by
_SLOW = 1000  # updates over which the learning rate would rise, before the speed is known


@dataclass(frozen=True)
class DeviceNoise:
    """The part of `saltus.process.Noise` that a loss asks for, from the device's own generator: a replayed graph draws anew."""

    n: int

    def normal(self, role: str, shape: Sequence[int], *, like: Tensor) -> Tensor:
        """Unit Gaussian (n, *shape), as `like` is."""
        return torch.randn(self.n, *shape, device=like.device, dtype=like.dtype)


@dataclass(frozen=True)
class Trained:
    """What a training did."""

    updates: int
    items: int
    seconds: float
    loss: float
    skipped: int


class Averaged:
    """Running averages of parameters, and their exchange."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.parameters, self.averages, self.updates = list(parameters), [p.detach().clone() for p in parameters], 0

    @torch.no_grad()
    def update(self) -> None:
        """Take in the parameters as they are."""
        decay = min(EMA, (1 + self.updates) / (10 + self.updates)) if self.updates else 0.0
        torch._foreach_lerp_(self.averages, self.parameters, 1 - decay)
        self.updates += 1

    @torch.no_grad()
    def take(self) -> None:
        """Put the averages in the place of the parameters."""
        torch._foreach_copy_(self.parameters, self.averages)


class FixedTimes:
    """The coefficients of steps from t to s, on a device, in places that a captured graph reads: they may change under it.

    Args:
        like: items (B, *E).
        final: whether s is 0.
    """

    def __init__(self, like: Tensor, final: bool) -> None:
        self.final = final
        self._tensors = self._coefficients(like, 0.0 if final else 0.5, 1.0)

    @staticmethod
    def _coefficients(like: Tensor, s: float, t: float) -> list[Tensor]:
        transition, scales = Transition(like, s, t), [f(time) for time in (s, t - s) for f in (_process.alpha, _process.sigma)]
        bridge = transition.bridge
        return [*(x.to(like).reshape(()) for x in scales), bridge.coef_z, bridge.coef_y, bridge.var, transition.log_snr]

    def move(self, like: Tensor, s: float, t: float) -> None:
        """To other times."""
        for mine, new in zip(self._tensors, self._coefficients(like, s, t), strict=True):
            mine.copy_(new)

    def pair(self, y: Tensor) -> Pair:
        """A pair (z_s, z_t) of items; its times are stand-ins, since kernels look at its coefficients alone."""
        alpha_s, sigma_s, alpha, sigma, coef_z, coef_y, var, log_snr = self._tensors
        z_s = y if self.final else alpha_s * y + sigma_s * torch.randn_like(y)
        pair = Pair(alpha * z_s + sigma * torch.randn_like(y), 0.0 if self.final else 0.5, 1.0, y=y, z_s=z_s)
        pair.__dict__.update(bridge=Bridge(coef_z, coef_y, var), log_snr=log_snr)
        return pair


@dataclass(frozen=True)
class Fast:
    """How numbers are kept: whether products are in bfloat16 rather than in TF32, and whether channels are last in memory."""

    bf16: bool = True
    channels_last: bool = True


class Updates:
    """Updates of a module on tensors that stay in their places, so that one graph serves several trainings.

    Args:
        module: on its device.
        loss: nats per dimension of items (B, *E), given the weight of the KL, a number on the device.
        data: all training items, on the device.
        batch: items in an update.
        rate: the largest learning rate; it falls along a half cosine.
        flip: whether to mirror half of the images.
        fast: how numbers are kept.
    """

    def __init__(
        self,
        module: nn.Module,
        loss: Callable[[Tensor, Tensor], Tensor],
        data: Tensor,
        *,
        batch: int,
        rate: float,
        flip: bool = False,
        fast: Fast | None = None,
    ) -> None:
        self._fast = Fast() if fast is None else fast
        for part in module.modules():
            if isinstance(part, nn.Conv2d) and self._fast.channels_last:
                part.weight.data = part.weight.data.contiguous(memory_format=torch.channels_last)
        self._parameters: list[Tensor] = [p for p in module.parameters() if p.requires_grad]
        self._first = [p.detach().clone() for p in self._parameters]
        device = self._parameters[0].device
        self._cuda = device.type == "cuda"
        self._rate, self._kl_weight = torch.zeros((), device=device), torch.zeros((), device=device)
        self._found, self._skipped = torch.zeros((), device=device), torch.zeros((), device=device)
        self._loss, self._data, self._batch, self._flip, self._most = loss, data, batch, flip, rate
        self._optimiser = torch.optim.AdamW(
            self._parameters, lr=self._rate, betas=BETAS, weight_decay=WEIGHT_DECAY, fused=True, capturable=self._cuda
        )
        self._run: Callable[[], None] | None = None

    def _update(self) -> None:
        y = self._data[torch.randint(len(self._data), (self._batch,), device=self._data.device)]
        if self._flip:
            mirrored = torch.rand(len(y), 1, 1, 1, device=y.device) < 0.5
            y = torch.where(mirrored, y.flip(-1), y)
        with torch.autocast(y.device.type, torch.bfloat16, enabled=self._fast.bf16, cache_enabled=not self._cuda):
            loss = self._loss(y, self._kl_weight)
        loss.backward()
        grads = [p.grad for p in self._parameters if p.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(grads)))
        bad = (~torch.isfinite(norm)).float()
        torch._foreach_mul_(grads, (CLIP / norm.clamp_min(CLIP)).nan_to_num(0.0))
        self._optimiser.found_inf, self._optimiser.grad_scale = bad, None  # type: ignore[attr-defined]  # then the fused step does nothing
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=not self._cuda)
        self._found.copy_(loss.detach())
        self._skipped.add_(bad)

    def speed(self) -> float:
        """Updates a second."""
        self._run = self._run or (self._captured() if self._cuda else self._update)
        self._synchronise()
        start = time.perf_counter()
        for _ in range(_TIMED):
            self._run()
        self._synchronise()
        return _TIMED / (time.perf_counter() - start)

    def train(self, seconds: float) -> Trained:
        """Train anew for so many seconds by the clock, after the first graph is captured, and leave the averages in the parameters."""
        self._run = self._run or (self._captured() if self._cuda else self._update)
        self._reset()
        average = Averaged(self._parameters)
        self._synchronise()
        start, done, total = time.perf_counter(), 0, math.inf
        while done < total:
            share, rise = (done / total, (done + 1) / max(1.0, WARM_UP * total)) if total < math.inf else (0.0, (done + 1) / _SLOW)
            self._rate.fill_(self._most * min(rise, 1.0, 0.5 * (1 + math.cos(math.pi * share))))
            self._kl_weight.fill_(min(1.0, share / KL_WARM_UP))
            self._run()
            average.update()
            done += 1
            if done == _TIMED:
                self._synchronise()
                spent = time.perf_counter() - start
                total = done + max(1, int((seconds - spent) / (spent / _TIMED)))
        self._synchronise()
        average.take()
        return Trained(done, done * self._batch, time.perf_counter() - start, float(self._found), int(self._skipped))

    @torch.no_grad()
    def _reset(self) -> None:
        torch._foreach_copy_(self._parameters, self._first)
        for state in self._optimiser.state.values():
            for value in state.values():
                value.zero_()
        self._skipped.zero_()

    def _synchronise(self) -> None:
        if self._cuda:
            torch.cuda.synchronize()

    def _captured(self) -> Callable[[], None]:
        """An update as a graph; those before it allocate."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_FIRST):
                self._update()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._update()
        return graph.replay
