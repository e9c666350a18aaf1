r"""Items as bits, without loss, by the chain's own distribution: bits-back coding (Townsend, Bird and Barber 2019,
https://arxiv.org/abs/1901.04866), level by level (Kingma, Abbeel and Ho 2019, Bit-Swap, https://arxiv.org/abs/1905.06845).

Of one item, from the data to z_L,

.. math::
    \text{pop}\quad  & z_t \sim q(z_t \mid z_s), \qquad \epsilon \sim q(\epsilon \mid z_s, z_t) \\
    \text{push}\quad & z_s \text{ by } p(z_s \mid \epsilon, z_t), \qquad \epsilon \text{ by } \mathcal N(0, I)

and then z_L by its prior.  What is popped are bits of the items before, which come back when the item is read, so that one costs

.. math::
    \sum_l \big[\ln q(z_l \mid z_{l-1}) + \ln q(\epsilon_l \mid z_{l-1}, z_l) - \ln p(z_{l-1} \mid \epsilon_l, z_l)
        - \ln \mathcal N(\epsilon_l)\big] - \ln p(z_L),

whose mean is the chain's bound.  Reading does the same backwards.  Both compute with one item at a time, in one thread and by the same
functions of the same numbers, since one other bit of a distribution makes another code.

A step in closed form, a mixture, is coded as `saltus.chain.mixture_code` does.  Latents that the items of a code do not use stay 0 and cost
nothing.  The class of an item, which comes first, is the one that makes the bound least (`saltus.chain.coding_plan`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from saltus.chain.chain import Chain
from saltus.chain.mixture_code import pop_mixture, push_mixture
from saltus.chain.modes import evaluating, like
from saltus.chain.stack import Stack
from saltus.errors import SaltusError
from saltus.kernels import GaussianStep, MixtureStep, Pair, Transition
from saltus.likelihoods import Head
from saltus.networks import ClassCondition, Draw
from saltus.process import OrnsteinUhlenbeck

__all__ = ["ItemCoder", "coded_head"]

_process = OrnsteinUhlenbeck()
_LATENT_WIDTH = 2.0**-4  # of the grid of latents, which are N(0, 1) a priori
_FINE = 8  # widths of a grid, at least, in the standard deviation of the noise that leads to it
_MOST_BINS = 4096  # whose masses are computed for every number


def coded_head(chain: Chain) -> Head:
    """The head of the step to data.

    Raises:
        SaltusError: if the chain is not on the CPU, or the head has no masses of a few thousand values at most.
    """
    head = chain.kernel(1).head
    if head is None or not 0 < head.bins <= _MOST_BINS:
        raise SaltusError(
            f"a number of this model's items has no masses of up to {_MOST_BINS:,} values, so that items have no code; "
            "take a model of images whose pixels are whole numbers"
        )
    if chain.device.type != "cpu":
        raise SaltusError(f"the model is on {chain.device}, and codes are written and read on the CPU; move it there with .to('cpu')")
    return head


class ItemCoder:
    """Pushes and pops items of a chain.

    Args:
        chain: on the CPU.
        used: for each level which numbers of the latent are coded, (latent,) bool.

    Raises:
        SaltusError: as `coded_head`; from methods, if the prior or a kernel has no code.
    """

    def __init__(self, chain: Chain, used: Sequence[Tensor]) -> None:
        head = coded_head(chain)
        self.chain, self.used, self.head = chain, list(used), head
        times = chain.levels.pairs()
        self._widths = [2.0 ** math.floor(math.log2(float(_process.sigma(t - s)) / _FINE)) for s, t in times]

    def push(self, stack: Stack, y: Tensor, c: int | None) -> None:
        """An item (1, *E) of the class c."""
        with _alike(self.chain):
            condition, z_s = self._condition(c), _own(self.head.settled(y.to(self.chain.dtype)))
            for level, (s, t) in enumerate(self.chain.levels.pairs(), 1):
                z_t = self._forward(z_s, t - s, level, stack)
                if (mixed := self.chain.kernel(level).mixture_step(Transition(z_t, s, t, condition))) is not None:
                    self._push_mixed(stack, level, z_s, mixed)
                    z_s = z_t
                    continue
                latent = self.chain.kernel(level).latent_of(Pair(z_t, s, t, condition, y=z_s, z_s=z_s), self._popping(stack, level))
                step = self._step(level, Transition(z_t, s, t, condition), latent)
                if level == 1:
                    self._push_data(stack, z_s, step)
                else:
                    stack.push_normal(z_s, step.mean, step.variance.sqrt(), self._widths[level - 2])
                self._push_latent(stack, level, latent)
                z_s = z_t
            self.chain.prior.push(stack, z_s, self.chain.levels.last, self._widths[-1], condition)
            if c is not None:
                stack.push_choice(torch.tensor([c]), self._frequencies())

    def pop(self, stack: Stack) -> Tensor:
        """The item that was pushed last, (1, *E)."""
        with _alike(self.chain):
            c = None if self.chain.condition is None else int(stack.pop_choice(self._frequencies()))
            condition, shape = self._condition(c), self.chain.event_shape
            z_t = _own(self.chain.prior.pop(stack, shape, self.chain.levels.last, self._widths[-1], condition).to(self.chain.dtype))
            for level, (s, t) in reversed(list(enumerate(self.chain.levels.pairs(), 1))):
                if (mixed := self.chain.kernel(level).mixture_step(Transition(z_t, s, t, condition))) is not None:
                    z_s = _own(self._pop_mixed(stack, level, mixed))
                    self._forward(z_s, t - s, level, stack, z_t)
                    z_t = z_s
                    continue
                latent = self._pop_latent(stack, level)
                step = self._step(level, Transition(z_t, s, t, condition), latent)
                if level == 1:
                    z_s = self._pop_data(stack, step)
                else:
                    z_s = stack.pop_normal(step.mean, step.variance.sqrt(), self._widths[level - 2])
                z_s = _own(z_s)
                self._push_posterior(stack, level, Pair(z_t, s, t, condition, y=z_s, z_s=z_s), latent)
                self._forward(z_s, t - s, level, stack, z_t)
                z_t = z_s
            return z_t

    def probe(self) -> bytes:
        """The code of an item that is the same everywhere: another machine or version that computes otherwise has another one."""
        stack, noise = Stack(), self.chain.noise(0, 0, 1)
        y = noise.normal("probe", self.chain.event_shape, like=like(self.chain))
        self.push(stack, y, None if self.chain.condition is None else 0)
        return stack.code()

    def _condition(self, c: int | None) -> Tensor | None:
        return None if c is None else torch.tensor([c])

    def _frequencies(self) -> Tensor:
        assert isinstance(self.chain.condition, ClassCondition)
        return self.chain.condition.log_frequencies.double().exp()[None]

    def _forward(self, z_s: Tensor, dt: float, level: int, stack: Stack, z_t: Tensor | None = None) -> Tensor:
        """z_t of q(z_t | z_s), popped; one that is given is pushed."""
        mean, width = _process.alpha(dt).to(z_s) * z_s, self._widths[level - 1]
        std = _process.sigma(dt).to(z_s).expand_as(mean)
        if z_t is None:
            return _own(stack.pop_normal(mean, std, width, near=True))
        stack.push_normal(z_t, mean, std, width, near=True)
        return z_t

    def _step(self, level: int, transition: Transition, latent: Tensor) -> GaussianStep:
        return self.chain.kernel(level).step(transition, latent)

    def _push_data(self, stack: Stack, y: Tensor, step: GaussianStep) -> None:
        """In reverse order, as they are popped in the order of the head."""
        places, each = self.head.index(y).long(), list[tuple[Tensor, Tensor]]()

        def choose(masses: Tensor, of: Callable[[Tensor], Tensor]) -> Tensor:
            each.append((of(places), masses))
            return each[-1][0]

        self.head.chosen(choose, step.mean, step.variance, step.extra)
        for index, masses in reversed(each):
            stack.push_choice(index, masses)

    def _pop_data(self, stack: Stack, step: GaussianStep) -> Tensor:
        return self.head.chosen(lambda masses, _: stack.pop_choice(masses), step.mean, step.variance, step.extra)

    def _push_mixed(self, stack: Stack, level: int, z_s: Tensor, mixed: MixtureStep) -> None:
        """By a step in closed form."""
        if mixed.gaussians is not None:
            push_mixture(stack, z_s.double().flatten(1), mixed.gaussians, mixed.log_weights, self._widths[level - 2])
            return
        k = stack.pop_choice(_of_component(mixed, z_s))
        self._push_data(stack, z_s, mixed.steps[int(k)])
        stack.push_choice(k, mixed.log_weights.softmax(1))

    def _pop_mixed(self, stack: Stack, level: int, mixed: MixtureStep) -> Tensor:
        if mixed.gaussians is not None:
            x = pop_mixture(stack, mixed.gaussians, mixed.log_weights, self._widths[level - 2])
            return x.reshape(1, *self.chain.event_shape).to(self.chain.dtype)
        k = stack.pop_choice(mixed.log_weights.softmax(1))
        y = _own(self._pop_data(stack, mixed.steps[int(k)]))
        stack.push_choice(k, _of_component(mixed, y))
        return y

    def _popping(self, stack: Stack, level: int) -> Draw:
        """Groups of a latent in turn, popped by their posteriors where they are used."""
        rest = self.used[level - 1]

        def draw(mean: Tensor, std: Tensor) -> Tensor:
            nonlocal rest
            used, rest = rest.split([mean.shape[1], len(rest) - mean.shape[1]])
            found = torch.zeros_like(mean)
            found[:, used] = stack.pop_normal(mean[:, used], std[:, used], _LATENT_WIDTH, near=True)
            return found

        return draw

    def _push_posterior(self, stack: Stack, level: int, pair: Pair, latent: Tensor) -> None:
        """A latent by its posterior, the last group first."""
        distributions: list[tuple[Tensor, Tensor]] = []

        def told(mean: Tensor, std: Tensor) -> Tensor:
            start = sum(distribution[0].shape[1] for distribution in distributions)
            distributions.append((mean, std))
            return latent[:, start : start + mean.shape[1]]

        self.chain.kernel(level).latent_of(pair, told)
        end = latent.shape[1]
        for mean, std in reversed(distributions):
            part = slice(end - mean.shape[1], end)
            used, end = self.used[level - 1][part], part.start
            stack.push_normal(latent[:, part][:, used], mean[:, used], std[:, used], _LATENT_WIDTH, near=True)

    def _push_latent(self, stack: Stack, level: int, latent: Tensor) -> None:
        used = latent[:, self.used[level - 1]]
        stack.push_normal(used, torch.zeros_like(used), torch.ones_like(used), _LATENT_WIDTH)

    def _pop_latent(self, stack: Stack, level: int) -> Tensor:
        used = self.used[level - 1]
        latent = torch.zeros(1, len(used), dtype=self.chain.dtype)
        unit = torch.zeros(1, int(used.sum()), dtype=self.chain.dtype)
        latent[:, used] = stack.pop_normal(unit, torch.ones_like(unit), _LATENT_WIDTH)
        return latent


def _of_component(mixed: MixtureStep, y: Tensor) -> Tensor:
    """The probability of each component of a step to data given y, (1, n)."""
    each = [-step.negative_log_prob(y).double() for step in mixed.steps]
    return (mixed.log_weights + torch.stack(each, 1)).softmax(1)


def _own(z: Tensor) -> Tensor:
    """The same in memory of its own and in plain order: kernels of torch may round otherwise for another layout."""
    return z.detach().flatten().clone().reshape(z.shape)


@contextmanager
def _alike(chain: Chain) -> Iterator[None]:
    """One thread, no gradients, evaluation."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad(), evaluating(chain):
            yield
    finally:
        torch.set_num_threads(threads)
