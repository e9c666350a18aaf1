"""What every one of several processes checks of its share: run as `python -m tests.helpers.shares FOLDER`, in each of them."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from saltus.chain import Chain
from saltus.data import DataSet
from saltus.evaluation import likelihood
from saltus.evaluation.shares import shared_samples
from saltus.kernels import DEFAULT
from saltus.launched import together
from saltus.processes import Elsewhere, Processes
from saltus.training import Config, Trainer, build_chain, train
from tests.helpers.chains import chain_of
from tests.helpers.sets import table

__all__ = ["ITEMS", "OPTIONS", "data", "figures"]

OPTIONS: dict[str, Any] = {"updates": 6, "batch": 17, "width": 16, "latent": 2, "levels": 2, "prior": "normal", "closed_forms": False}
"""Of a training whose batch no number of processes divides."""
ITEMS = 520  # more than two batches of a chain
CASES: dict[str, dict[str, Any]] = {
    "levels": {"levels": 3, "prior": "normal"},
    "any step": {"kernel": "gaussian"},  # pairs are stratified over the batch
    "importance samples": {"levels": 2, "prior": "normal", "importance_samples": 3, "kl_warm_up": 0.0},
    "kernels of their own": {"levels": 3, "batch": 40},
    "a share without items for one": {"levels": 3, "batch": 3},
    "in pieces": {"levels": 3, "micro_batch": 3},
}
OF_KERNELS = ("kernels of their own", "a share without items for one", "in pieces")


def data() -> DataSet:
    return table(train=ITEMS + 30, validation=40, test=40)


def _chain(name: str, config: Config) -> Chain:
    return chain_of("one for each level") if name in OF_KERNELS else build_chain(config, data())


def figures(chain: Chain, processes: Processes | None = None) -> tuple[Tensor, list[float], list[int | None]]:
    """Samples of a chain, and the bound of real items and its use of latents."""
    given = processes or Processes()
    samples = shared_samples(chain, ITEMS, given, seed=3, sampling=DEFAULT, condition=None)
    found = likelihood(chain, data().train[:ITEMS], data().encoding, processes=given)
    assert found is not None
    return samples, found.per_item, found.active_units


def _gradients(name: str, processes: Processes | None, *, equal_shares: bool = False) -> dict[str, Tensor | None]:
    config = Config(**{"width": 16, "batch": 17, **CASES[name]})
    trainer = Trainer(_chain(name, config), data(), config, processes=processes)
    trainer.chain.train()
    batch = trainer._batch(3)
    if equal_shares:
        assert batch.place is not None
        batch = replace(batch, place=(batch.place[0], trainer._processes.world * len(batch.y)))
    trainer._gradient.add(batch, None)
    return {name: parameter.grad for name, parameter in trainer.chain.named_parameters()}


def _distance(one: dict[str, Tensor | None], other: dict[str, Tensor | None]) -> float:
    """The largest difference between gradients, where both are or neither is."""
    pairs = [(one[name], other[name]) for name in one]
    assert all((a is None) == (b is None) for a, b in pairs)
    return max(float((a - b).abs().max()) for a, b in pairs if a is not None and b is not None)


def _check_gradients(processes: Processes) -> None:
    for name in CASES:
        assert _distance(_gradients(name, None), _gradients(name, processes)) < 1e-6, name
    alone = _gradients("levels", None)
    assert _distance(alone, _gradients("levels", processes, equal_shares=True)) > 1e-5  # the twin: the mean of means of unequal shares


def _check_agreement(processes: Processes) -> None:
    rank, world, last = processes.rank, processes.world, processes.rank == processes.world - 1
    assert processes.everyones((rank, world)) == [(number, world) for number in range(world)]
    assert list(processes.any(last, False)) == [True, False]
    assert processes.mains(float(rank + 5)) == 5
    assert processes.agreed(lambda: f"made by {rank}") == "made by 0"
    with pytest.raises(ZeroDivisionError if processes.is_main else Elsewhere):
        processes.agreed(lambda: 1 // rank)
    processes.meet()


def main() -> None:
    """Compare gradients, and leave a training and figures to be compared with those of one process."""
    folder = Path(sys.argv[1])
    processes = together(torch.device("cpu"))
    _check_agreement(processes)
    _check_gradients(processes)
    chain = train(data(), Config(**OPTIONS), folder / "run", quiet=True)
    timed = train(data(), Config(**(OPTIONS | {"updates": 5000, "time": 0.5})), quiet=True)  # by the main one's clock
    assert all(torch.equal(a, b) for a, b in zip(processes.agreed(lambda: timed).parameters(), timed.parameters(), strict=True))
    torch.save(figures(chain, processes), folder / f"{processes.rank}.pt")


if __name__ == "__main__":
    main()
