"""Who takes part in a comparison, on which grids, and how steps are sampled."""

from __future__ import annotations

import pytest
import torch

from saltus.chain import Chain, StandardNormal
from saltus.kernels import DeterministicKernel, GaussianKernel, Preconditioned, Sampling
from saltus.levels import Levels
from saltus.networks import MLPEncoder, VectorCondition, backbone
from saltus.studies.compare.samplers import Choice, NamedSampler, grids, of_chain, of_oracle
from tests.helpers.chains import HEAD, MIXTURE, chain_of, grid
from tests.helpers.stubs import randomise, small_vae

ITEMS = MIXTURE.sample(40, seed=1).float()
SCHEDULERS = ["DDPM", "DDIM", "DPM-Solver++ 2M", "UniPC", "Heun", "DEIS"]


def any_step(kernel: type[GaussianKernel] | type[DeterministicKernel]) -> Chain:
    torch.manual_seed(0)
    network = Preconditioned(backbone((2,)))
    built = GaussianKernel(network, HEAD) if kernel is GaussianKernel else DeterministicKernel(network)
    randomise(built)
    return Chain(StandardNormal(), grid(3), built)


def test_every_rival_chooses_among_grids_of_its_own_length_and_one_last_time() -> None:
    for L in (1, 2, 5, 250):
        candidates = grids(L, 2.5)
        assert all(g.L == L and g.last == pytest.approx(2.5, rel=1e-9) for g in candidates.values())
        assert len(set(candidates.values())) == len(candidates) == (1 if L == 1 else 4)


def test_a_chain_of_fixed_levels_takes_part_at_its_own_number_of_calls_only() -> None:
    chain = chain_of("vae")
    (sampler,) = of_chain(chain, ITEMS)
    assert [calls for calls in range(1, 6) if sampler.choices(calls)] == [3]
    assert sampler.network_calls(chain.levels.L) == 3
    assert sampler.has_bound
    assert sampler.on(chain.levels) is chain


def test_a_vae_chooses_eta_and_temperature_and_its_bound_does_not() -> None:
    (named,), (direct,) = of_chain(chain_of("vae"), ITEMS), of_chain(chain_of("direct vae"), ITEMS)
    choices = named.choices(3)
    others = [f", temperature {temperature:g}" for temperature in (0.85, 1.25, 1.5, 1.75, 2.0)]
    etas = ("", ", eta 0.5", ", eta 0")
    assert list(choices) == [f"own{last}{eta}{more}" for last in ("", ", final mode") for eta in etas for more in ("", *others)]
    assert list(named.choices(3, bound=True)) == ["own"]
    assert list(direct.choices(3)) == [f"own{last}{more}" for last in ("", ", final mode") for more in ("", *others)]
    chain = chain_of("vae")
    for choice in choices.values():
        samples = named.sampler(choice).sample(5, seed=1)
        assert torch.equal(samples, chain.sample(5, seed=1, sampling=choice.sampling))
        assert torch.equal(samples, chain.sample(5, seed=1)) is (choice.sampling == Sampling())
    assert len({str(choice.key) for choice in choices.values()}) == len(choices)
    assert named.choices(3, bound=True)["own"].key == {"levels": list(chain.levels)}


def test_a_network_for_all_times_takes_part_with_every_sampler_on_any_grid() -> None:
    samplers = of_chain(any_step(GaussianKernel), ITEMS)
    assert [c.name for c in samplers] == ["Gaussian step", *SCHEDULERS]
    for sampler in samplers:
        for calls in (1, 2, 5):
            for levels in (choice.levels for choice in sampler.choices(calls).values()):
                cost = sampler.network_calls(levels.L)
                assert cost <= calls
                assert cost == calls or (sampler.name == "Heun" and calls % 2 == 0)
                assert sampler.on(levels).sample(3, seed=0).isfinite().all()
                assert sampler.has_bound is (sampler.name == "Gaussian step")
    assert [c.name for c in of_chain(any_step(DeterministicKernel), ITEMS)] == ["plain decoder", "bridge step", *SCHEDULERS]


def test_a_deterministic_network_meets_the_schedulers_and_has_no_bound() -> None:
    samplers = of_chain(any_step(DeterministicKernel), ITEMS)
    assert not any(sampler.has_bound for sampler in samplers)
    ddim, gaussian = (
        next(s for s in of_chain(any_step(kind), ITEMS) if s.name == "DDIM") for kind in (DeterministicKernel, GaussianKernel)
    )
    levels = Levels([0.0, 0.5, 2.0])
    assert torch.equal(ddim.on(levels).sample(4, seed=3), gaussian.on(levels).sample(4, seed=3))  # of the same network


def test_a_vae_for_any_step_takes_part_on_any_grid_alone() -> None:
    chain = Chain(StandardNormal(), grid(3), small_vae((2,), MLPEncoder((2,), latent=3, width=16), HEAD, any_step=True))
    (named,) = of_chain(chain, ITEMS)
    assert (named.name, named.own, named.has_bound) == ("VAE step", None, True)
    for calls in (1, 5):
        assert {choice.levels.L for choice in named.choices(calls, bound=True).values()} == {calls}
        assert any(choice.sampling == Sampling("auto", 0.5, 1.25) for choice in named.choices(calls).values())
    assert named.on(Levels([0.0, 1.0])).bound(ITEMS, seed=0).total.isfinite().all()


def test_all_samplers_start_from_the_same_noise() -> None:
    """One step of DDIM, of the bridge and of the Gaussian kernel is yhat(z_L) of the same z_L."""
    samplers = of_chain(any_step(GaussianKernel), ITEMS)
    levels = Levels([0.0, 2.0])
    first, *others = [c.sampler(Choice(levels, c.samplings[0] and Sampling("mode"))).sample(4, seed=3) for c in samplers]
    assert all(torch.allclose(first, other, atol=1e-5) for other in others)
    assert not torch.allclose(first, samplers[0].on(levels).sample(4, seed=4), atol=1e-5)


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
    kernel = GaussianKernel(Preconditioned(backbone((2,))), HEAD, variance="posterior")
    first, *_ = of_chain(Chain(StandardNormal(), grid(3), kernel), ITEMS)
    assert first.name == "Gaussian step, posterior variance"
    kept = first.on(grid(2)).kernel(1)
    assert isinstance(kept, GaussianKernel)
    assert (kept.variance, kept.network) == (kernel.variance, kernel.network)
    late = of_chain(Chain(StandardNormal(), Levels([0.0, 1.0, 25.0]), GaussianKernel(Preconditioned(backbone((2,))), HEAD)), ITEMS)
    assert [c.name for c in late] == ["Gaussian step"]


def test_the_perfect_denoiser_has_the_exact_kernel_too() -> None:
    samplers: dict[str, NamedSampler] = {c.name: c for c in of_oracle(MIXTURE, ITEMS, HEAD, 3.0, exact_bound=True)}
    exact = samplers["exact kernel"].on(Levels([0.0, 3.0]))
    y = MIXTURE.sample(20, seed=4)
    assert torch.allclose(exact.bound(y).total, -MIXTURE.log_prob(y, 0.0), atol=1e-9)
    without = of_oracle(MIXTURE, ITEMS, HEAD, 3.0, exact_bound=False)
    assert not any(c.has_bound for c in without)


@pytest.mark.parametrize("name", ["Gaussian step", "UniPC"])
def test_samples_of_a_conditional_network_are_given_held_out_conditions(name: str) -> None:
    """Vectors cannot be drawn from a distribution: each sample is given the condition of a held-out item, other ones for another seed."""
    network = Preconditioned(backbone((2,), condition=VectorCondition(1)))
    chain = Chain(StandardNormal(), grid(3), GaussianKernel(network, HEAD))
    conditions = torch.arange(len(ITEMS)).float()[:, None]
    (named,) = (sampler for sampler in of_chain(chain, ITEMS, conditions) if sampler.name == name)
    sampler = named.sampler(named.choices(3)["cosine"])
    seen: list[torch.Tensor] = []
    network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[3]))
    for seed in (0, 1):
        sampler.sample(7, seed=seed)
    told = [values for values in seen if len(values) == 7]
    assert len(told) == 6
    assert all(bool(torch.isin(values, conditions).all()) for values in told)
    assert torch.equal(told[0], told[2])
    assert not torch.equal(told[0], told[3])
