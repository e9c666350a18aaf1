r"""Rows of which a part is known: draws of the rest by the chain itself.

Of a row with the known numbers K, z_L is proposed: half of the proposals have $z_K \sim q(z_L \mid y_K)$, as training saw them, half the
prior's z_K, so that no weight is without limit (Hesterberg 1995), and all N(0, 1) elsewhere.  A proposal weighs

.. math:: w = \frac{2\, p(z_K)}{p(z_K) + q(z_K \mid y_K)}\; p(y_K \mid z_L)\; P(\text{numbers with a range are in it} \mid y_K, z_L),

so that, resampled by w, proposals have the chain's own $p(z_L \mid y_K)$; the other numbers are then drawn given y_K and z_L.  It is exact
in the limit of many proposals (sampling importance resampling, Rubin 1988).  Of P proposals with an effective number of n (Kong 1992),
draws differ from the chain's distribution by about 1/n - 1/P; a row gets more of them until that is small and n as large as the number of
its draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from saltus.chain.chain import Chain
from saltus.chain.modes import evaluating, like
from saltus.chain.prior import StandardNormal
from saltus.errors import SaltusError
from saltus.kernels import AutoregressiveKernel, Transition
from saltus.likelihoods import Within
from saltus.process import Noise, OrnsteinUhlenbeck

__all__ = ["complete", "completes", "given_others", "resampled", "step_of_rows"]

_process = OrnsteinUhlenbeck()
_PROPOSALS = (4, 16, 64)  # for each draw
_OFF = 0.02  # how far draws may be from the chain's distribution before there are more proposals
_AT_ONCE = 2**13  # proposals
_AGAIN = 1  # the level of the noise of what is drawn after resampling; that of P proposals is P


@torch.no_grad()
def complete(
    chain: Chain,
    y: Tensor,
    known: Tensor,
    *,
    draws: int = 1,
    within: Mapping[int, Within] | None = None,
    seed: int = 0,
    first_item: int = 0,
) -> Tensor:
    """Draws of rows of which a part is known.

    Args:
        chain: of one step, by an `AutoregressiveKernel`, from N(0, I).
        y, known: (N, E); y is anything where it is not known, and an optional number is known only with the one before it.
        draws: of each row, >= 1.
        within: where numbers that are not known may be, on the axis of y; of an optional one it has to be known that it is there.
        seed: of the noise; the draws of row i are the same, within rounding, whatever other rows there are.
        first_item: number of the first row.

    Returns:
        (N, draws, E).

    Raises:
        SaltusError: if the chain is another, or no row is as asked for.
    """
    step_of_rows(chain)
    asked = _Asked(chain, y, known, draws, dict(within or {}), seed, first_item)
    found, worth = y.new_empty(len(y), draws, y.shape[1]), torch.zeros(len(y), dtype=torch.float64, device=y.device)
    left = torch.arange(len(y), device=y.device)
    with evaluating(chain):
        for P in (each * draws for each in _PROPOSALS):
            for rows in left.split(max(1, _AT_ONCE // P)) if len(left) else ():
                found[rows], worth[rows] = _some(asked, rows, P)
            left = left[(worth[left] < draws) | (1 / worth[left] - 1 / P > _OFF)]
    if bool((worth == 0).any()):
        raise SaltusError("no row can be as it was asked for, as far as the model knows; give other conditions")
    return found


@torch.no_grad()
def given_others(chain: Chain, y: Tensor, known: Tensor | None = None, *, seed: int = 0) -> Tensor:
    """-ln p(y_j | all other known numbers of the row), as far as one z_L of each row tells, (N, E) nats; 0 where a number is absent.

    Args:
        chain: as for `complete`.
        y: rows (N, E).
        known: which of their numbers are known, (N, E) bool; all unless given.
        seed: of z_L.

    Raises:
        SaltusError: if the chain is another.
    """
    kernel, found, t = step_of_rows(chain), [y[:0]], chain.levels.last
    with evaluating(chain):
        for start in range(0, len(y), _AT_ONCE):
            part = y[start : start + _AT_ONCE]
            noise = chain.noise(seed, start, len(part))
            told = torch.ones_like(part, dtype=torch.bool) if known is None else known[start : start + _AT_ONCE]
            unit = noise.at(chain.levels.L).normal("z_t", part.shape[1:], like=part)
            z, other = torch.where(told, _process.noised(part, t, unit), unit), noise.normal("other", part.shape[1:], like=part)
            found.append(-kernel.log_prob_each(Transition(z, 0.0, t), part, told, other))
    return torch.cat(found)


def completes(chain: Chain) -> bool:
    """Whether `complete` and `given_others` take this chain."""
    return isinstance(chain.kernel(1), AutoregressiveKernel) and chain.levels.L == 1 and isinstance(chain.prior, StandardNormal)


def step_of_rows(chain: Chain) -> AutoregressiveKernel:
    """The step of a chain that can take a part of a row as known.

    Raises:
        SaltusError: if it has none.
    """
    kernel = chain.kernel(1)
    if not isinstance(kernel, AutoregressiveKernel) or not completes(chain):
        raise SaltusError(
            f"a part of a row was given as known, and this model draws whole rows ({chain.levels.L} of {kernel.label}); "
            "train one with kernel autoregressive"
        )
    return kernel


@dataclass(frozen=True, eq=False)
class _Asked:
    """The arguments of `complete`."""

    chain: Chain
    y: Tensor
    known: Tensor
    draws: int
    within: dict[int, Within]
    seed: int
    first_item: int

    def noise(self, rows: Tensor, level: int, draw: Callable[[Noise], Tensor]) -> Tensor:
        """What `draw` makes of the noise of increasing rows (R,), each by its own number, (R, ...)."""
        numbers = (self.first_item + rows).tolist()
        noise = self.chain.noise(self.seed, numbers[0], len(numbers)).at(level)
        if numbers[-1] - numbers[0] + 1 == len(numbers):
            return draw(noise)
        return torch.cat([draw(replace(noise, first_item=number, n=1)) for number in numbers])


def _some(asked: _Asked, rows: Tensor, P: int) -> tuple[Tensor, Tensor]:
    """Draws of some rows by P proposals each, (R, draws, E), and the effective number of these, (R,); 0 where none has a chance."""
    chain, draws, E = asked.chain, asked.draws, asked.y.shape[1]
    z, y, known, log_weight = _proposals(asked, rows, P)
    worth = (2 * log_weight.logsumexp(1) - (2 * log_weight).logsumexp(1)).exp().nan_to_num(0.0)
    aim = asked.noise(rows, _AGAIN, lambda noise: noise.uniform("resampled"))
    picked = resampled(log_weight, draws, aim.to(y.device)) + P * torch.arange(len(rows), device=y.device)[:, None]
    transition = Transition(z[picked.flatten()], 0.0, chain.levels.last)
    uniform = asked.noise(rows, _AGAIN, lambda noise: noise.uniform("decoder", (draws, E))).flatten(0, 1)
    filled, _, _ = step_of_rows(chain).fill(transition, y[picked.flatten()], known[picked.flatten()], uniform)
    return filled.unflatten(0, (len(rows), draws)), worth


def _proposals(asked: _Asked, rows: Tensor, P: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """z_L, rows with what has a range drawn, which numbers they know, (R * P, E) each; and ln of the weights, (R, P)."""
    chain, within = asked.chain, asked.within
    kernel, t, E = step_of_rows(chain), chain.levels.last, asked.y.shape[1]
    alpha, sigma = float(_process.alpha(t)), float(_process.sigma(t))
    y, known = (value[rows].repeat_interleave(P, 0) for value in (asked.y, asked.known))
    unit = asked.noise(rows, P, lambda noise: noise.normal("prior", (P, E), like=like(chain))).flatten(0, 1).to(y)
    from_y = known & (torch.arange(len(y), device=y.device) % 2 == 0)[:, None]
    z = torch.where(from_y, alpha * y + sigma * unit, unit)
    along = 0.5 * (z.square() - ((z - alpha * y) / sigma).square()) - math.log(sigma)
    log_weight = -torch.where(known, along, 0.0).double().sum(1).exp().log1p()  # but for ln 2
    transition = Transition(z, 0.0, t)
    log_weight = log_weight + kernel.log_prob(transition, y, known)
    uniform = asked.noise(rows, P, lambda noise: noise.uniform("decoder", (P, E))).flatten(0, 1)
    y, known, log_chance = kernel.fill(transition, y, known, uniform, which=sorted(within), within=within)
    return z, y, known, (log_weight + log_chance).unflatten(0, (len(rows), P))


def resampled(log_weight: Tensor, draws: int, uniform: Tensor) -> Tensor:
    """The places of so many of each row's proposals, (N, draws), as often as they weigh, in systematic resampling.

    Args:
        log_weight: (N, P); a row without a chance picks anything.
        draws: how many.
        uniform: one number in (0, 1) for each row, (N,) float64.
    """
    above = log_weight.softmax(1).nan_to_num(0.0).cumsum(1)
    aims = (torch.arange(draws, device=log_weight.device) + uniform[:, None]) / draws * above[:, -1:]
    return torch.searchsorted(above.contiguous(), aims.contiguous()).clamp_max(log_weight.shape[1] - 1)
