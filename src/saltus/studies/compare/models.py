"""What is compared: trained networks, those that differ only in their seed together, and the perfect one.

A figure is kept under the hash of its network, so it outlives the run's folder being renamed, and no other network takes it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

from saltus.chain import Chain
from saltus.data import DataSet, Items
from saltus.errors import SaltusError
from saltus.evaluation import GAUSSIAN, MIXTURE, fitted_gaussian, start_mixture, takes_gaussian
from saltus.oracles import FiniteData, LowRankMixture, Oracle
from saltus.registry import describe
from saltus.studies.compare.samplers import NamedSampler, of_chain, of_closed_forms, of_oracle
from saltus.training import check_data, recipe

__all__ = ["CLOSED", "PERFECT", "Model", "Network", "closed_forms", "load_models", "perfect_model"]

PERFECT = "perfect denoiser"
CLOSED = "closed form"
_CLEANEST = 0.2  # the time that the mixture of starts is fitted for: the earliest of them


@dataclass(frozen=True, eq=False)
class Network:
    """A trained network, or a perfect one.

    Attributes:
        run: place where it is from.
        hash: that of its weights, or of what else it is made of.
        samplers: those that are around it.
    """

    run: str
    hash: str
    samplers: list[NamedSampler]


@dataclass(frozen=True, eq=False)
class Model:
    """Networks that differ in nothing but their training seed.

    Attributes:
        name: for humans.
        networks: one for each seed, with the same samplers in the same order.
        calls: at which it takes part; None for all.
    """

    name: str
    networks: list[Network] = field(default_factory=list)
    calls: Collection[int] | None = None


def load_models(runs: Sequence[Path], data: DataSet) -> list[Model]:
    """The runs, those that differ only in their seed together; where words alone do not tell models apart, a run's folder does.

    Raises:
        SaltusError: if a folder holds no run, or one of other data or of another condition, or a run is given twice.
    """
    groups: dict[str, Model] = {}
    for run in runs:
        chain = Chain.load(run)
        check_data(run, data)
        if chain.condition is not None and (data.condition is None or describe(chain.condition)[0] != describe(data.condition)[0]):
            others = "nothing" if data.condition is None else data.condition.summary()
            raise SaltusError(
                f"{run} is conditioned on {chain.condition.summary()}, and the data on {others}; compare it with runs of its own condition"
            )
        model = groups.setdefault(recipe(run), Model(_words(chain)))
        digest = _digest((run / "chain.json").read_bytes(), (run / "chain.safetensors").read_bytes())
        if twin := next((network.run for model in groups.values() for network in model.networks if network.hash == digest), None):
            raise SaltusError(f"{run} and {twin} hold the same network; give each run once")
        told = data.conditions_for(chain.condition, "validation")
        known = chain.condition is None or data.class_labels is not None
        start = partial(_start, data) if known else None
        model.networks.append(Network(str(run), digest, of_chain(chain, data.validation, told, start)))
    named = Counter(model.name for model in groups.values())
    return [replace(model, name=f"{model.name}, {model.networks[0].run}") if named[model.name] > 1 else model for model in groups.values()]


def closed_forms(data: DataSet, last: float) -> Model:
    """What needs no network: one Gaussian, and a mixture, fitted to the training items."""
    oracles: dict[str, Callable[[], Oracle]] = {MIXTURE: partial(_start, data)}
    if takes_gaussian(data):
        oracles = {GAUSSIAN: cache(partial(fitted_gaussian, data)), **oracles}
    samplers = of_closed_forms(oracles, data.encoding.head(), last)
    return Model(CLOSED, [Network("", _digest(data.fingerprint.encode(), b"closed forms"), samplers)])


def perfect_model(data: DataSet, last: float, *, calls: Collection[int] | None = None) -> Model:
    """What a network without error would give: the distribution that the data were drawn from, or else the training items themselves."""
    if isinstance(data.train, Items):
        raise SaltusError(f"the perfect denoiser sums over all training items, and those of {data.name} are not held; leave --oracle out")
    oracle = data.distribution or FiniteData(data.train)
    samplers = of_oracle(oracle, data.train, data.encoding.head(), last, exact_bound=data.distribution is not None)
    return Model(PERFECT, [Network("", _digest(data.fingerprint.encode(), repr(last).encode()), samplers)], calls)


@cache
def _start(data: DataSet) -> LowRankMixture:
    """The mixture that samplers start from."""
    return start_mixture(data, _CLEANEST)


def _words(chain: Chain) -> str:
    """What a chain is, for humans."""
    name = chain.kernel(1).label.removesuffix(" step")
    grid = "any step" if chain.any_step else f"{chain.levels.L} level{'s' * (chain.levels.L > 1)}"
    told = "" if chain.condition is None else f", {chain.condition.summary()}"
    return f"{name}, {grid}{told}"


def _digest(*parts: bytes) -> str:
    return hashlib.blake2b(b"".join(parts), digest_size=10).hexdigest()
