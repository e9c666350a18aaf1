"""What a chain starts from, and where closed forms take the place of learned steps: both are chosen on validation items."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Normal

from saltus.chain import Chain, OraclePrior
from saltus.data import DataSet
from saltus.kernels import Kernel, OracleKernel
from saltus.likelihoods import Head
from saltus.oracles import MixtureFit, choose_mixture
from saltus.process import Noise, OrnsteinUhlenbeck, sum_items
from saltus.training.choices import PriorKind
from saltus.training.config import Config

__all__ = ["choose_start", "fit_start", "with_closed_forms"]

_process = OrnsteinUhlenbeck()
_STARTED = ("vae",)  # kernels that start from a mixture unless they are told not to; a flow has more nats after it (record 36)
_FEWEST = 500  # training items: a mixture learns fewer by heart
_LEAST = 0.01  # nats that a closed form must be better by: what rounding cannot make
_ITEMS = 2000  # validation items that a choice looks at


def fit_start(config: Config, data: DataSet) -> MixtureFit:
    """The mixture for the last time of a grid; with components for each class where the model is conditioned on classes."""
    return choose_mixture(data.fitting_items, data.validation, config.grid.last, labels=data.fitting_labels, seed=config.seed % 2**32)


def choose_start(config: Config, data: DataSet) -> tuple[Config, MixtureFit | None, str]:
    """The configuration with its prior decided, the fit of a mixture, and a sentence.

    The mixture is taken where z_L of validation items costs fewer nats under it than under N(0, I), and there are items enough.
    """
    if config.prior is PriorKind.NORMAL or (config.prior is None and (config.kernel not in _STARTED or len(data.train) < _FEWEST)):
        return config.model_copy(update={"prior": PriorKind.NORMAL}), None, config.grid.remark(data.validation)
    started = config.model_copy(update={"prior": PriorKind.MIXTURE})
    fit = fit_start(started, data)
    last, y = started.grid.last, data.validation[:_ITEMS]
    z = _process.noised(y, last, Noise(config.seed, 0, len(y)).normal("start", y.shape[1:], like=y))
    given = _process.marginal(y, last).log_prob(z).double().mean()
    mixture = float(given - fit.mixture.log_prob(z, last).mean())
    normal = float(given - sum_items(Normal(0.0, 1.0).log_prob(z.double())).mean())
    said = f"{mixture:.4g} nats on validation items, and {normal:.4g} from N(0, I) at the same time"
    if config.prior is None and mixture >= normal:
        return config.model_copy(update={"prior": PriorKind.NORMAL}), None, f"the start is N(0, I): {fit.describe()} costs {said}"
    return started, fit, f"the start is {fit.describe()}: {said}"


@torch.no_grad()
def with_closed_forms(chain: Chain, y: Tensor, head: Head, condition: Tensor | None = None, *, seed: int) -> tuple[Chain, list[str]]:
    """The chain with the mixture's exact step wherever that costs fewer nats on items y (N, *E); and words.

    Args:
        chain: that starts from a mixture, of steps on its own grid; conditioned on nothing, or on classes that the mixture knows.
        y: validation items.
        head: the likelihood of the data's values; a closed step to data has it, unless they are continuous.
        condition: of the items.
        seed: of the paths.
    """
    assert isinstance(chain.prior, OraclePrior)
    oracle = chain.prior.oracle
    y, condition = y[:_ITEMS], None if condition is None else condition[:_ITEMS]
    exact = OracleKernel(oracle, head if head.discrete else None, chain.condition)
    floors = Chain(chain.prior, chain.levels, exact, noise_version=chain.noise_version)
    learned = chain.bound(y, condition=condition, seed=seed).per_level.double()
    closed = floors.bound(y.double(), condition=condition, seed=seed).per_level
    kernels, words = list[Kernel](), list[str]()
    for level in range(1, chain.levels.L + 1):
        mine, floor = learned[level - 1], closed[level - 1]
        gain = mine - floor  # item by item on the same paths
        error = float(gain.std()) / len(gain) ** 0.5
        replaced = not float(gain.mean()) <= max(error, _LEAST)  # NaN too
        kernels.append(exact if replaced else chain.kernel(level))
        if replaced:
            nats = f"{float(floor.mean()):.4g} against {float(mine.mean()):.4g}"
            words.append(f"step {level}: a closed form is better by {float(gain.mean()):.2g} nats ({nats}); it takes its place")
    if not words:
        return chain, []
    if len(words) == chain.levels.L:
        words.append("no network is left: train for more updates, or keep the learned steps with --no-closed-forms")
    options = {name: getattr(chain, name) for name in ("scaling", "importance_samples", "encoding", "noise_version")}
    return Chain(chain.prior, chain.levels, kernels, **options).eval(), words
