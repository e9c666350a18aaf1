"""How a chain is best sampled: what its last step returns, the temperature of latents and eta, by a distance to validation items.

The settings are chosen one after the other.  The value that looks best is sampled again with seeds of its own, and taken only where
Student's t-test finds its distance smaller (``scipy.stats.ttest_ind``, one-sided): chance changes a setting once in a hundred choices.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import count
from pathlib import Path
from typing import Any

from saltus.chain import Chain
from saltus.data import DataSet
from saltus.evaluation.cost import multiply_adds
from saltus.evaluation.evaluator import Evaluator, Progress, silent
from saltus.evaluation.metrics import METRICS
from saltus.evaluation.report import ChainSampler
from saltus.kernels import DEFAULT, Sampling

__all__ = ["CHOICE_ITEMS", "CHOICE_SEED", "TEMPERATURES", "choose_sampling", "chosen_by", "keep_sampling", "words_of"]

CHOICE_ITEMS = 500
"""Samples of each figure that a choice is made by, at most."""
CHOICE_SEED = 2**32
"""Of these samples; no reported figure has it."""
TEMPERATURES = (1.0, 0.85, 1.25, 1.5, 1.75, 2.0)
"""Of latents, the default first."""
_ETAS = (1.0, 0.5)
_SEEDS = 3
_BY_CHANCE = 0.01
_MOST_CALLS = 32  # of a sample: with more, settings matter little and figures take long
_MOST = 2**40  # multiply-adds of the samples of one figure: a minute of one core, or so


def chosen_by(data: DataSet) -> str:
    """The metric that grids and ways of sampling are chosen by, on validation items.

    On images the sliced Wasserstein distance rewards latents that are too wide (docs/decisions/0038-choices.md).
    """
    is_images, enough = len(data.event_shape) == 3, len(data.validation) >= METRICS["frechet"].fewest
    return "frechet" if is_images and enough else "sliced_wasserstein"


def choose_sampling(chain: Chain, data: DataSet, *, progress: Progress = silent) -> Sampling:
    """The best of a few ways to sample a chain, the default where none is clearly better.

    Only such are tried as the chain has a bound for.  Guidance is left to the user.  A chain whose samples would take long, or data with
    too few validation items, have the default.
    """
    from scipy.stats import ttest_ind  # takes a second or two

    metric, n = chosen_by(data), min(CHOICE_ITEMS, len(data.validation), len(data.train))
    if not any(_tried(chain)) or n < METRICS[metric].fewest or chain.levels.L > _MOST_CALLS or n * multiply_adds(chain) > _MOST:
        return DEFAULT
    evaluator = Evaluator(data, n, part="validation", metrics=(metric,))
    told = data.conditions_for(chain.condition, "validation")

    seeds = count(CHOICE_SEED)

    def distances(sampling: Sampling, times: int) -> list[float]:
        sampler = ChainSampler(chain, sampling, told)
        return [evaluator.measure(sampler.sample(n, seed=next(seeds)).float())[metric] for _ in range(times)]

    progress("how it is best sampled")
    chosen, figures = DEFAULT, distances(DEFAULT, _SEEDS)
    for alternatives in _tried(chain):
        once = {sampling: distances(sampling, 1)[0] for sampling in (replace(chosen, **change) for change in alternatives)}
        found = min(once, key=lambda sampling: once[sampling], default=chosen)
        if once and once[found] < min(figures):
            again = distances(found, _SEEDS)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # of figures that do not differ, as of a chain that draws one item
                by_chance = ttest_ind(figures, again, alternative="greater").pvalue
            if by_chance < _BY_CHANCE:
                chosen, figures = found, again
    return chosen


def keep_sampling(chain: Chain, data: DataSet, folder: str | Path | None = None, *, progress: Progress = silent) -> None:
    """Have the chain sampled as `choose_sampling` says from now on, in its folder too."""
    chosen = choose_sampling(chain, data, progress=progress)
    if chosen != chain.sampling:
        chain.sampling = chosen
        if folder is not None:
            chain.save(folder)


def _tried(chain: Chain) -> Iterator[list[dict[str, Any]]]:
    """What else each setting may be, one setting after the other."""
    kernels = list(chain.each_kernel())
    head = chain.kernel(1).head
    yield [] if head is None or head.ends_in == "mode" else [{"final": "mode"}]
    latent = any(kernel.latent for kernel in kernels)
    yield [{"temperature": temperature} for temperature in TEMPERATURES[1:] if latent]
    reuses = chain.levels.L > 1 and all(kernel.reuses_noise for kernel in kernels)
    yield [{"eta": eta} for eta in _ETAS[1:] if reuses and chain.has_bound_at(eta)]


def words_of(sampling: Sampling) -> str:
    """What is not the default: "final mode, temperature 0.85"; nothing where that is nothing."""
    changed = {name: value for name, value in asdict(sampling).items() if value != getattr(DEFAULT, name)}
    return ", ".join(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in changed.items())
