r"""Rows of which a part is known: draws of the rest by the chain itself.

Of a row with the known numbers K, z_L is proposed along the bridge, $z_K \sim q(z_L \mid y_K)$, and N(0, 1) elsewhere.  A proposal weighs

.. math:: w = \frac{p(z_K)}{q(z_K \mid y_K)}\; p(y_K \mid z_L)\; P(\text{numbers with a range are in it} \mid y_K, z_L),

so that, resampled by w, proposals have the chain's own $p(z_L \mid y_K)$; the other numbers are then drawn given y_K and z_L.  It is exact
in the limit of many proposals (sampling importance resampling, Rubin 1988), which are added until they are worth as many as the draws.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.distributions import Normal

from saltus.chain.chain import Chain
from saltus.chain.modes import evaluating, like
from saltus.chain.prior import StandardNormal
from saltus.errors import SaltusError
from saltus.kernels import AutoregressiveKernel, Transition
from saltus.likelihoods import Within
from saltus.process import Noise, OrnsteinUhlenbeck

__all__ = ["complete", "completes", "given_others", "step_of_rows"]

_process = OrnsteinUhlenbeck()
_PROPOSALS = (4, 16, 64)  # for each draw; more where the ones before are not worth as many as the draws
_AT_ONCE = 2**13  # proposals
_AGAIN = 1  # the level of the noise of what is drawn after resampling


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
        y, known: (N, E); y is anything where it is not known.
        draws: of each row.
        within: where numbers that are not known may be, on the axis of y.
        seed, first_item: of the noise.

    Returns:
        (N, draws, E).

    Raises:
        SaltusError: if the chain is another, or no row is as asked for.
    """
    step_of_rows(chain)
    found, at_once = [], max(1, _AT_ONCE // (_PROPOSALS[0] * draws))
    with evaluating(chain):
        for start in range(0, len(y), at_once):
            rows = slice(start, start + at_once)
            found.append(_some(chain, y[rows], known[rows], draws, dict(within or {}), seed, (first_item + start) * draws))
    return torch.cat(found)


@torch.no_grad()
def given_others(chain: Chain, y: Tensor, *, seed: int = 0) -> Tensor:
    """-ln p(y_j | all other numbers of the row), as far as one z_L of each row tells, (N, E) nats; 0 where a number is absent.

    Args:
        chain: as for `complete`.
        y: whole rows (N, E).
        seed: of z_L.

    Raises:
        SaltusError: if the chain is another.
    """
    kernel, found, t = step_of_rows(chain), [], chain.levels.last
    with evaluating(chain):
        for start in range(0, len(y), _AT_ONCE):
            part = y[start : start + _AT_ONCE]
            noise = chain.noise(seed, start, len(part))
            z = _process.noised(part, t, noise.at(chain.levels.L).normal("z_t", part.shape[1:], like=part))
            other = noise.normal("other", part.shape[1:], like=part)
            known = torch.ones_like(part, dtype=torch.bool)
            found.append(-kernel.log_prob_each(Transition(z, 0.0, t), part, known, other))
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


def _some(chain: Chain, y: Tensor, known: Tensor, draws: int, within: dict[int, Within], seed: int, first: int) -> Tensor:
    kernel, n = step_of_rows(chain), len(y)
    for each in _PROPOSALS:
        z, proposed, told, log_weight = _proposals(chain, y, known, each * draws, within, chain.noise(seed, first * each, n * each * draws))
        if not within or bool((_worth(log_weight) >= draws).all()):
            break
    if bool(log_weight.isneginf().all(1).any()):
        raise SaltusError("no row can be as it was asked for, as far as the model knows; give other conditions")
    fresh = chain.noise(seed, first, n * draws).at(_AGAIN)
    uniform = chain.noise(seed, first, n).at(_AGAIN).uniform("resampled").to(y.device)
    picked = (resampled(log_weight, draws, uniform) + torch.arange(n, device=y.device)[:, None] * log_weight.shape[1]).flatten()
    transition = Transition(z[picked], 0.0, chain.levels.last)
    filled: Tensor = kernel.fill(transition, proposed[picked], told[picked], fresh)[0]
    return filled.reshape(n, draws, -1)


def _proposals(
    chain: Chain, y: Tensor, known: Tensor, each: int, within: dict[int, Within], noise: Noise
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """z_L, rows with what has a range drawn, which numbers they know, (N * each, E); and ln of the weights, (N, each)."""
    kernel, t = step_of_rows(chain), chain.levels.last
    alpha, sigma = float(_process.alpha(t)), float(_process.sigma(t))
    n, y, known = len(y), y.repeat_interleave(each, 0), known.repeat_interleave(each, 0)
    unit = noise.at(chain.levels.L).normal("prior", chain.event_shape, like=like(chain)).to(y)
    z = torch.where(known, alpha * y + sigma * unit, unit)
    here = Normal(torch.where(known, alpha * y, 0.0), torch.where(known, sigma, 1.0), validate_args=False).log_prob(z)
    log_weight = (-0.5 * z.square() - 0.5 * math.log(math.tau) - here).double().sum(1)
    transition = Transition(z, 0.0, t)
    log_weight = log_weight + kernel.log_prob(transition, y, known)
    y, known, log_chance = kernel.fill(transition, y, known, noise.at(0), which=sorted(within), within=within)
    return z, y, known, (log_weight + log_chance).unflatten(0, (n, each))


def _worth(log_weight: Tensor) -> Tensor:
    """How many draws of their own proposals are worth (Kong's effective sample size), (N,)."""
    found: Tensor = (2 * log_weight.logsumexp(1) - (2 * log_weight).logsumexp(1)).exp()
    return found


def resampled(log_weight: Tensor, draws: int, uniform: Tensor) -> Tensor:
    """The places of so many of each row's proposals, (N, draws), as often as they weigh, in systematic resampling.

    Args:
        log_weight: (N, P).
        draws: how many.
        uniform: one number in (0, 1) for each row, (N,) float64.
    """
    above = log_weight.softmax(1).cumsum(1)
    aims = (torch.arange(draws, device=log_weight.device) + uniform[:, None]) / draws * above[:, -1:]
    return torch.searchsorted(above.contiguous(), aims.contiguous()).clamp_max(log_weight.shape[1] - 1)
