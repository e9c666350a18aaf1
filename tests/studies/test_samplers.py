"""Who takes part in a comparison and on which grids; pieces of work that are kept; pages that need nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from saltus.chain import Chain, StandardNormal
from saltus.kernels import DeterministicKernel, GaussianKernel, Sampling
from saltus.levels import Levels
from saltus.networks import decoder
from saltus.studies.cache import ResultCache
from saltus.studies.compare.samplers import Contender, grids, of_chain, of_oracle
from saltus.studies.pages import page, paragraph, table
from tests.helpers.chains import HEAD, MIXTURE, chain_of, grid
from tests.helpers.stubs import randomise

ITEMS = MIXTURE.sample(40, seed=1).float()


def any_step(kernel: type[GaussianKernel] | type[DeterministicKernel]) -> Chain:
    torch.manual_seed(0)
    built = GaussianKernel(decoder((2,)), HEAD) if kernel is GaussianKernel else DeterministicKernel(decoder((2,)))
    randomise(built)
    return Chain(StandardNormal(), grid(3), built)


def test_every_rival_chooses_among_grids_of_its_own_length_and_one_last_time() -> None:
    for L in (1, 2, 5, 250):
        candidates = grids(L, 2.5)
        assert all(g.L == L and g.last == pytest.approx(2.5, rel=1e-9) for g in candidates.values())
        assert len(set(candidates.values())) == len(candidates) == (1 if L == 1 else 4)


def test_a_chain_of_fixed_levels_takes_part_at_its_own_number_of_calls_only() -> None:
    chain = chain_of("vae")
    (contender,) = of_chain(chain, ITEMS)
    assert [calls for calls in range(1, 6) if contender.choices(calls)] == [3]
    assert contender.network_calls(chain.levels.L) == 3
    assert contender.has_bound
    assert contender.on(chain.levels) is chain


def test_a_vae_chooses_eta_and_temperature_and_its_bound_does_not() -> None:
    (contender,), (direct,) = of_chain(chain_of("vae"), ITEMS), of_chain(chain_of("direct vae"), ITEMS)
    choices = contender.choices(3)
    others = [f", temperature {temperature:g}" for temperature in (0.85, 1.25, 1.5, 1.75, 2.0)]
    etas = ("", ", eta 0.5", ", eta 0")
    assert list(choices) == [f"own{last}{eta}{more}" for last in ("", ", last draw") for eta in etas for more in ("", *others)]
    assert list(contender.choices(3, bound=True)) == ["own"]
    assert list(direct.choices(3)) == [f"own{last}{more}" for last in ("", ", last draw") for more in ("", *others)]
    chain = chain_of("vae")
    for choice in choices.values():
        samples = contender.sampler(choice).sample(5, seed=1)
        assert torch.equal(samples, chain.sample(5, seed=1, how=choice.how))
        assert torch.equal(samples, chain.sample(5, seed=1)) is (choice.how == Sampling())
    assert len({str(choice.key) for choice in choices.values()}) == len(choices)
    assert contender.choices(3, bound=True)["own"].key == {"levels": list(chain.levels)}


def test_a_network_for_all_times_takes_part_with_every_way_on_any_grid() -> None:
    contenders = of_chain(any_step(GaussianKernel), ITEMS)
    assert [c.way for c in contenders] == ["Gaussian step", "DDPM", "DDIM", "DPM-Solver++ 2M", "UniPC", "Heun", "DEIS"]
    for contender in contenders:
        for calls in (1, 2, 5):
            for levels in (choice.levels for choice in contender.choices(calls).values()):
                cost = contender.network_calls(levels.L)
                assert cost <= calls
                assert cost == calls or (contender.way == "Heun" and calls % 2 == 0)
                assert contender.on(levels).sample(3, seed=0).isfinite().all()
                assert contender.has_bound is (contender.way == "Gaussian step")
    assert [c.way for c in of_chain(any_step(DeterministicKernel), ITEMS)] == ["equation (2)", "bridge step"]


def test_all_ways_start_from_the_same_noise() -> None:
    """One step of DDIM, of the bridge and of the Gaussian kernel is yhat(z_L) of the same z_L."""
    contenders = of_chain(any_step(GaussianKernel), ITEMS)
    levels = Levels([0.0, 2.0])
    first, *others = [c.on(levels).sample(4, seed=3) for c in contenders]
    assert all(torch.allclose(first, other, atol=1e-5) for other in others)
    assert not torch.allclose(first, contenders[0].on(levels).sample(4, seed=4), atol=1e-5)


def test_the_optimal_variance_is_calibrated_for_every_grid() -> None:
    chain = any_step(GaussianKernel)
    kernel = of_chain(chain, ITEMS)[0].on(Levels([0.0, 0.4, 1.7])).kernel(1)
    assert isinstance(kernel, GaussianKernel)
    direct = GaussianKernel(kernel.network, HEAD)
    direct.calibrate(ITEMS, [0.4, 1.7], seed=5)
    times = torch.tensor([0.4, 1.7])
    error = direct.calibrated_error.flip(0) * (2 / len(ITEMS)) ** 0.5  # one draw of the noise an item: relative error of a mean square
    assert bool(((kernel.error(times) - direct.error(times)).abs() < 5 * error).all())
    assert not torch.allclose(kernel.error(times[:1]), kernel.error(times[1:]), rtol=0.1)


def test_a_chosen_variance_is_kept_and_late_grids_have_no_schedulers() -> None:
    torch.manual_seed(0)
    kernel = GaussianKernel(decoder((2,)), HEAD, variance="posterior")
    first, *_ = of_chain(Chain(StandardNormal(), grid(3), kernel), ITEMS)
    assert first.way == "Gaussian step, posterior variance"
    assert first.on(grid(2)).kernel(1) is kernel
    late = of_chain(Chain(StandardNormal(), Levels([0.0, 1.0, 25.0]), GaussianKernel(decoder((2,)), HEAD)), ITEMS)
    assert [c.way for c in late] == ["Gaussian step"]


def test_the_perfect_denoiser_has_the_exact_kernel_too() -> None:
    contenders: dict[str, Contender] = {c.way: c for c in of_oracle(MIXTURE, ITEMS, HEAD, 3.0, exact_bound=True)}
    exact = contenders["exact kernel"].on(Levels([0.0, 3.0]))
    y = MIXTURE.sample(20, seed=4)
    assert torch.allclose(exact.bound(y).total, -MIXTURE.log_prob(y, 0.0), atol=1e-9)
    without = of_oracle(MIXTURE, ITEMS, HEAD, 3.0, exact_bound=False)
    assert not any(c.has_bound for c in without)


def test_a_piece_is_made_once_and_named_by_all_that_decides_it(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> dict[str, float]:
        made.append(1)
        return {"value": 0.1 + 0.2}

    for _ in range(2):
        cells = ResultCache(tmp_path / "cells")
        assert cells.get({"n": 1}, make) == {"value": 0.1 + 0.2}
    assert len(made) == 1
    cells.get({"n": 2}, make)
    assert len(made) == 2

    def interrupted() -> dict[str, float]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cells.get({"n": 3}, interrupted)
    assert cells.get({"n": 3}, make)["value"] == 0.1 + 0.2


def test_a_tensor_is_made_once(tmp_path: Path) -> None:
    cells = ResultCache(tmp_path)
    file = cells.tensor({"n": 1}, lambda: torch.arange(3.0))
    assert cells.tensor({"n": 1}, lambda: pytest.fail("made again")) == file
    assert torch.equal(cells.load(file.name), torch.arange(3.0))


def test_a_page_is_escaped_and_needs_no_other_file() -> None:
    text = page("a < b", [paragraph("x & y"), table(["way", "1 call"], [["<script>", "2"]])])
    assert "a &lt; b" in text
    assert "x &amp; y" in text
    assert "<script>" not in text
    assert "http" not in text
