r"""Items of which a measurement is known: draws of the rest by the chain itself.

Particles go down the chain as they do when it samples, except that the measurement of each z_l is drawn from the bridge to what is known,
and the other numbers from the step given it.  Each particle is weighed by p / q of what was drawn otherwise than the chain does, and at
the last step by the probability of what is known (`saltus.kernels.proposal`).  Where weights have grown uneven, particles are drawn again
by what the steps expect of them.  So weighed, they have the chain's own p(y | o) in the limit of many particles, and their mean weight
estimates p(o) without bias (sequential Monte Carlo, Del Moral et al. 2006, https://doi.org/10.1111/j.1467-9868.2006.00553.x).  Without the
weights it is the replacement of known pixels that is common for diffusion models, which is off however many steps there are (Trippe et
al. 2022, https://arxiv.org/abs/2206.04119).

Each draw has particles of its own, so that draws are independent.  How many of them tell something is the effective number of the weights
(Kong 1992): where it is near 1, a draw is the best of its particles, between the proposal and the chain's own distribution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from saltus.chain.chain import Chain
from saltus.chain.completing import resampled
from saltus.chain.modes import evaluating, like
from saltus.chain.process import descend
from saltus.errors import SaltusError
from saltus.kernels import Known, Proposal, Transition
from saltus.networks import ClassCondition

__all__ = ["PARTICLES", "Inpainted", "inpaint"]

PARTICLES = 64
"""Of each draw, unless another number is given."""
_AT_ONCE = 2**19  # numbers of y
_UNEXPECTED = 0.2  # share of particles that are drawn again whatever is expected of them: so no weight is without limit
_UNEVEN = 0.5  # share of particles that are effective, below which they are drawn again


class Inpainted(NamedTuple):
    """Draws of items.

    Attributes:
        y: (N, draws, *E).
        effective: particles of a draw that told something, at the step where they were fewest, the mean over draws, (N,) float64.
        log_prob: an estimate of ln p of what is known of each, (N,) nats, in units of y.
    """

    y: Tensor
    effective: Tensor
    log_prob: Tensor


@torch.no_grad()
def inpaint(
    chain: Chain,
    known: Sequence[Known],
    *,
    draws: int = 1,
    particles: int = PARTICLES,
    condition: Any = None,
    seed: int = 0,
    first_item: int = 0,
) -> Inpainted:
    """Draws of items of which something is known.

    Args:
        chain: of steps that are Gaussian given a latent, or in closed form.
        known: of each of N items.
        draws: of each item, >= 1.
        particles: of each draw, >= 1.  A particle takes a call a level, and one more where the first step has a latent.
        condition: one for all items, or one for each; unless given, classes are drawn along with what is not known.
        seed: of the noise; so many draws of item i are the same, within rounding, whatever other items there are.
        first_item: number of the first item.

    Raises:
        SaltusError: for a chain of other steps, or where no particle has a chance.
        ValueError: without draws, or particles.
    """
    if min(draws, particles) < 1:
        raise ValueError(f"draws = {draws}, particles = {particles}; expected at least 1 of each")
    given = chain.given_condition(condition, len(known))
    found, at_once = [], max(1, _AT_ONCE // (particles * math.prod(chain.event_shape)))
    with evaluating(chain):
        for i, each in enumerate(known):
            own = None if given is None else given[i : i + 1]
            first, parts = (first_item + i) * draws, []
            for start in range(0, draws, at_once):
                of = _Draws(chain, each, first + start, min(at_once, draws - start), particles)
                parts.append(of.drawn(None if own is None else own.expand(of.n * particles, *own.shape[1:]), seed))
            y, effective, log_prob = map(torch.cat, zip(*parts, strict=True))
            found.append((y, effective.mean(), _log_mean(log_prob)))
    return Inpainted(*map(torch.stack, zip(*found, strict=True)))


@dataclass(eq=False)
class _Draws:
    """Some draws of one item, by their numbers, with P particles each."""

    chain: Chain
    known: Known
    first: int
    n: int
    P: int

    def drawn(self, condition: Tensor | None, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        """The draws (n, *E); the effective number of particles of each; and ln of their mean weight."""
        chain = self.chain
        noise = chain.noise(seed, self.first * self.P, self.n * self.P)
        self._uniform = chain.noise(seed, self.first, self.n)
        classes = condition is None and isinstance(chain.condition, ClassCondition)
        frequencies = chain.condition.log_frequencies if classes else None  # type: ignore[union-attr]
        top = noise.at(chain.levels.L)
        z, weight, found = chain.prior.propose(chain.levels.last, self.known, top, condition, frequencies, like=like(chain))
        self._condition = chain.conditions_for(None, noise) if found is None else found
        self._log_weight, self._log_ahead, self._draft = weight, torch.zeros_like(weight), cast(Tensor | None, None)
        self._effective = torch.full((self.n,), float(self.P), dtype=torch.float64)

        def step(level: int, transition: Transition) -> Tensor:
            here = replace(transition, condition=self._condition)
            proposal = chain.kernel(level).propose(here, self.known, self._draft, noise.at(level - 1))
            return self._weighed(proposal, level)

        *_, y = descend(z.to(like(chain)), chain.levels, step)
        log_prob = _log_mean(self._of_each(self._log_weight))
        if not bool(torch.isfinite(log_prob).all()):
            raise SaltusError("nothing that the model draws has what is known; give images such as it was trained on")
        return y[self._picked(self._of_each(self._log_weight), 1, 0)[:, 0]], self._effective, log_prob

    def _weighed(self, proposal: Proposal, level: int) -> Tensor:
        """z_s of the particles; of draws whose weights are uneven they are drawn again, before the last step."""
        if proposal.log_ahead is not None:
            self._log_ahead = self._log_weight + proposal.log_ahead.double()
        self._log_weight, self._draft = self._log_weight + proposal.log_weight.double(), proposal.draft
        chance = self._chances() if level > 1 else self._of_each(self._log_weight).log_softmax(1)
        effective = (-(2 * chance).logsumexp(1)).exp().nan_to_num(0.0)
        self._effective = torch.minimum(self._effective, effective.cpu())
        uneven = (effective < _UNEVEN * self.P)[:, None]
        if level == 1 or not bool(uneven.any()):
            return proposal.z_s
        same = torch.arange(chance.numel(), device=chance.device).reshape(chance.shape)
        picked = torch.where(uneven, self._picked(chance, self.P, level), same).flatten()
        thinned = torch.where(uneven, chance + math.log(self.P), 0.0).flatten()
        ahead = (self._log_ahead - self._log_weight)[picked]
        self._log_weight = (self._log_weight - thinned)[picked]
        self._log_ahead, self._draft = self._log_weight + ahead, self._draft[picked]
        self._condition = None if self._condition is None else self._condition[picked]
        return proposal.z_s[picked]

    def _chances(self) -> Tensor:
        """ln of the chances of particles to be drawn again, (n, P): by what is expected of them, and a share by their weights alone."""
        ahead, here = (self._of_each(value).log_softmax(1) for value in (self._log_ahead, self._log_weight))
        return torch.logaddexp(ahead + math.log1p(-_UNEXPECTED), here + math.log(_UNEXPECTED))

    def _of_each(self, values: Tensor) -> Tensor:
        """Values of all particles, by draw, (n, P)."""
        return values.reshape(self.n, self.P)

    def _picked(self, log_weight: Tensor, k: int, level: int) -> Tensor:
        """k particles of each draw, as often as they weigh, (n, P), (n, k)."""
        uniform = self._uniform.at(level).uniform("resampled").to(log_weight.device)
        places = torch.arange(self.n, device=log_weight.device)[:, None] * self.P
        return places + resampled(log_weight, k, uniform)


def _log_mean(log_weight: Tensor) -> Tensor:
    """ln of the mean of weights (..., n), (...)."""
    return log_weight.logsumexp(-1) - math.log(log_weight.shape[-1])
