"""What each step adds: exact steps add nothing, a step that is wrong adds what it spoils."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from saltus import Chain, DataSet, OraclePrior
from saltus.errors import SaltusError
from saltus.evaluation import LEVEL_METRICS, by_level, draw_by_level
from saltus.kernels import Kernel, OracleKernel, Sampling, Transition
from saltus.levels import Levels
from saltus.oracles import GaussianMixture
from saltus.process import Noise


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALTUS_CACHE", str(tmp_path / "cache"))


LAW = GaussianMixture(torch.ones(2), torch.tensor([[-1.0, 0.5], [1.0, -0.5]]), torch.eye(2).expand(2, 2, 2) * 0.1)


class Shifted(OracleKernel):
    """An exact step and a shift."""

    def sample(self, transition: Transition, noise: Noise, sampling: Sampling = Sampling()) -> Tensor:  # noqa: B008
        return super().sample(transition, noise, sampling) + 1.0


def chain(*kernels: Kernel) -> Chain:
    return Chain(OraclePrior(LAW), Levels((0.0, 0.3, 1.0)), list(kernels))


@pytest.fixture(scope="module")
def data() -> DataSet:
    y = LAW.sample(6000, seed=0)
    return DataSet.from_arrays(*(part.numpy() for part in y.split([4000, 1000, 1000])))


def test_exact_steps_add_nothing_and_a_wrong_one_adds_its_own(data: DataSet) -> None:
    std = torch.tensor([column.number.std for column in data.encoding.columns], dtype=torch.float64)  # type: ignore[attr-defined]
    scaled = GaussianMixture(
        torch.ones(2),
        data.encoding.encode(LAW._means.numpy()).double(),
        LAW._basis @ torch.diag_embed(LAW._eigenvalues) @ LAW._basis.mT / (std[:, None] * std),
    )
    exact = OracleKernel(scaled)
    right = Chain(OraclePrior(scaled), Levels((0.0, 0.3, 1.0)), exact)
    rows = by_level(right, data, 1000)
    assert [row.level for row in rows] == [0, 1, 2, 3]
    assert rows[0].added is None
    floor = rows[0].metrics["sliced_wasserstein"]
    assert all(row.metrics["sliced_wasserstein"] < 3 * floor for row in rows)
    wrong = Chain(OraclePrior(scaled), Levels((0.0, 0.3, 1.0)), [exact, Shifted(scaled)])
    spoiled = by_level(wrong, data, 1000)
    assert spoiled[1].metrics["sliced_wasserstein"] < 3 * floor
    assert spoiled[2].added is not None
    assert spoiled[2].added["sliced_wasserstein"] > 3 * floor
    assert set(rows[0].metrics) == set(LEVEL_METRICS)


def test_a_picture_is_drawn(data: DataSet, tmp_path: Path) -> None:
    rows = by_level(chain(OracleKernel(LAW), OracleKernel(LAW)), data, 200)
    draw_by_level(rows, tmp_path / "by_level.png")
    assert (tmp_path / "by_level.png").read_bytes().startswith(b"\x89PNG")


def test_more_items_than_there_are_is_told(data: DataSet) -> None:
    with pytest.raises(SaltusError, match="ask for fewer with --n"):
        by_level(chain(OracleKernel(LAW), OracleKernel(LAW)), data, 2000)
