"""What training minimises: stratified levels, probabilities that leave the expected loss, and the pairs of all grids for any step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from torch import Tensor, distributed
from torch.nn.parallel import DistributedDataParallel

from saltus.chain import Batch, Chain, ChainLoss, StandardNormal
from saltus.errors import SaltusError
from saltus.kernels import DeterministicKernel, GaussianKernel, Kernel, Pair, Preconditioned, Terms, VAEKernel, Weights
from saltus.levels import Levels, random_pairs
from saltus.levels.cosine import EARLIEST, cosine_time
from saltus.networks import MLP, ClassCondition, MLPEncoder, backbone
from saltus.process import Noise, OrnsteinUhlenbeck
from tests.helpers.chains import HEAD, MIXTURE, chain_of, grid
from tests.helpers.checks import mean_is, same_mean
from tests.helpers.stubs import randomise, small_vae

MANY = 10_000
process = OrnsteinUhlenbeck()


def fixed_gaussian() -> Chain:
    """A kernel for the times of its own grid, with a loss at each."""
    torch.manual_seed(0)
    chain = Chain(StandardNormal(), grid(3), GaussianKernel(Preconditioned(backbone((2,))), HEAD, any_step=False))
    randomise(chain)
    return chain


def any_step_vae() -> Chain:
    torch.manual_seed(0)
    encoder = MLPEncoder((2,), latent=3, width=16)
    decoder = Preconditioned(MLP((2,), outputs=2, latent=3, width=16, depth=1))
    chain = Chain(StandardNormal(), grid(3), VAEKernel(decoder, encoder, HEAD, any_step=True))
    randomise(chain)
    return chain


STRATIFIED: dict[str, Callable[[], Chain]] = {
    "vae": lambda: chain_of("vae"),
    "gaussian": fixed_gaussian,
    "one for each level": lambda: chain_of("one for each level"),
}


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("name", STRATIFIED)
def test_levels_of_a_batch_are_stratified(batch: int, name: str) -> None:
    chain, y = STRATIFIED[name](), torch.zeros(batch, 2)
    counts = torch.zeros(3, dtype=torch.long)
    for first in range(0, 40 * batch, batch):
        loss = chain.loss(y, seed=0, first_item=first)
        in_batch = torch.bincount(loss.level - 1, minlength=3)
        assert in_batch.max() - in_batch.min() <= 1
        assert loss.total.shape == (batch,)
        assert torch.allclose(loss.total, sum(loss.terms.values()))
        counts += in_batch
    assert counts.min() > 0  # every level has its turn, in batches of one item too


PROBABILITIES = (0.1, 0.1, 0.8)


@pytest.mark.parametrize("name", ["vae", "one for each level"])
def test_level_probabilities_move_items_between_levels_and_leave_the_expected_loss(name: str) -> None:
    chain, y = chain_of(name), MIXTURE.sample(10 * MANY, seed=3).float()
    with torch.no_grad():
        loss, plain = chain.loss(y, seed=0, level_probabilities=PROBABILITIES), chain.loss(y, seed=1)
    counts = torch.bincount(loss.level - 1, minlength=3)
    assert (counts - len(y) * torch.tensor(PROBABILITIES)).abs().max() < 1 + 1e-3
    assert torch.allclose(loss.weight, (1 / (3 * torch.tensor(PROBABILITIES)))[loss.level - 1])
    assert torch.equal(plain.weight, torch.ones(len(y)))
    assert same_mean(loss.total, plain.total)
    assert not same_mean(loss.total / loss.weight, plain.total)  # the twin


@pytest.mark.parametrize("probabilities", [(0.5, 0.5), (0.5, 0.5, 0.0), (0.5, 0.3, 0.1)])
def test_level_probabilities_that_are_none(probabilities: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="of 3 levels; expected 3 positive ones that sum to 1"):
        chain_of("vae").loss(torch.zeros(4, 2), level_probabilities=probabilities)


def test_a_kernel_for_any_step_has_no_level_probabilities() -> None:
    chain = Chain(StandardNormal(), grid(3), DeterministicKernel(Preconditioned(backbone((2,)))))
    with pytest.raises(ValueError, match="of a kernel for any step; expected none"):
        chain.loss(torch.zeros(4, 2), level_probabilities=PROBABILITIES)


def test_kernels_of_each_level_get_their_own_items() -> None:
    """The same kernel three times is the same as the kernel once."""
    torch.manual_seed(0)
    kernel, y = small_vae((2,), MLPEncoder((2,), latent=3, width=16), HEAD), torch.randn(9, 2)
    randomise(kernel)
    one, three = Chain(StandardNormal(), grid(3), kernel), Chain(StandardNormal(), grid(3), [kernel] * 3)
    assert torch.allclose(one.loss(y, seed=1).total, three.loss(y, seed=1).total, rtol=1e-4)
    assert torch.equal(one.bound(y, seed=1).total, three.bound(y, seed=1).total)
    assert torch.equal(one.sample(5, seed=1), three.sample(5, seed=1))


def test_kernels_of_each_level_get_the_conditions_of_their_own_items() -> None:
    """Three equal kernels are the kernel once, whatever the conditions; conditions in another order are another loss."""
    kind = ClassCondition(["a", "b"], [1, 1])
    torch.manual_seed(0)
    kernels = [GaussianKernel(Preconditioned(MLP((2,), width=16, depth=1, condition=kind)), HEAD, any_step=False) for _ in range(3)]
    randomise(kernels[0])
    for kernel in kernels[1:]:
        kernel.load_state_dict(kernels[0].state_dict())
    y, condition = torch.randn(9, 2), torch.arange(9) % 2
    one, three = Chain(StandardNormal(), grid(3), kernels[0]), Chain(StandardNormal(), grid(3), kernels)
    expected = one.loss(y, seed=1, condition=condition).total
    assert torch.allclose(three.loss(y, seed=1, condition=condition).total, expected, rtol=1e-4)
    assert not torch.allclose(three.loss(y, seed=1, condition=1 - condition).total, expected, rtol=1e-4)  # the twin


def test_a_loop_of_ones_own_sees_new_noise_at_every_call() -> None:
    chain, y = chain_of("vae"), MIXTURE.sample(16, seed=3).float()

    def pair() -> list[Tensor]:
        return [chain.loss(y).total.detach() for _ in range(2)]

    torch.manual_seed(5)
    one, other = pair()
    assert not torch.equal(one, other)
    torch.manual_seed(5)
    assert all(map(torch.equal, pair(), (one, other)))
    torch.manual_seed(6)
    assert not torch.equal(pair()[0], one)
    assert torch.equal(chain.loss(y, seed=0).total, chain.loss(y, seed=0).total)
    assert not torch.equal(chain.loss(y, seed=0).total, chain.loss(y, seed=1).total)


@torch.no_grad()
def test_a_loss_with_importance_samples_is_the_importance_weighted_bound() -> None:
    chain, y = chain_of("vae"), MIXTURE.sample(2 * MANY, seed=3).float()
    loss = chain.loss(y, seed=0, importance_samples=8)
    assert set(loss.terms) == {"marginal", "entropy"}
    tight, plain = (chain.bound(y, seed=1, importance_samples=k).per_level.sum(0) for k in (8, 1))
    assert same_mean(3 * loss.total, tight)
    assert not same_mean(3 * loss.total, plain)  # the twin
    chain.loss(y[:4], weights={"kl": 1.0, "energy": 0.0}, importance_samples=8)


@pytest.mark.parametrize(("k", "weights"), [(0, {}), (8, {"kl": 0.5}), (8, {"energy": 1.0})])
def test_an_importance_weighted_loss_has_samples_and_no_weights(k: int, weights: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"a loss with {k} importance samples and weights .*; expected at least 1"):
        chain_of("vae").loss(torch.zeros(4, 2), weights=weights, importance_samples=k)


def test_importance_samples_of_a_loss_teach_encoder_and_decoder() -> None:
    chain = chain_of("vae")
    chain.loss(MIXTURE.sample(64, seed=3).float(), seed=0, importance_samples=4).total.mean().backward()
    for part in (chain.kernel(1).decoder, chain.kernel(1).encoder):
        moved = torch.cat([p.grad.flatten() for p in part.parameters() if p.grad is not None])
        assert moved.isfinite().all()
        assert moved.abs().max() > 0


def test_kernels_without_a_latent_have_their_own_loss_whatever_the_importance_samples() -> None:
    kernel = small_vae((2,), None, HEAD)
    randomise(kernel)
    y = MIXTURE.sample(8, seed=3).float()
    deterministic = Chain(StandardNormal(), grid(3), DeterministicKernel(Preconditioned(backbone((2,)))))
    for chain in (deterministic, Chain(StandardNormal(), grid(3), kernel)):
        assert torch.equal(chain.loss(y, seed=0, importance_samples=4).total, chain.loss(y, seed=0).total)
    with torch.no_grad():
        assert torch.equal(chain.bound(y, importance_samples=4).kl, torch.zeros(3, 8))


def gradients(loss: torch.nn.Module, batch: Batch) -> list[Tensor]:
    loss.zero_grad()
    loss(batch).total.mean().backward()
    return [p.grad.clone() for p in loss.parameters() if p.grad is not None]


def test_a_wrapper_for_many_processes_sees_the_loss(tmp_path: Path) -> None:
    """Wrappers work around `forward`: in a group of one process gradients are those without it."""
    loss, y = ChainLoss(chain_of("vae")), MIXTURE.sample(32, seed=3).float()
    batch = Batch(y, Noise(1, 0, len(y)), weights={"kl": 0.5})
    alone = gradients(loss, batch)
    assert len(alone) == len(list(loss.parameters()))
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        wrapped = DistributedDataParallel(loss)
        assert all(map(torch.equal, gradients(wrapped, batch), alone))
        other = Batch(y, Noise(2, 0, len(y)), weights={"kl": 0.5})
        assert not all(map(torch.equal, gradients(wrapped, other), alone))  # the twin
    finally:
        distributed.destroy_process_group()
    direct = chain_of("vae").loss(y, seed=1, weights={"kl": 0.5})
    assert torch.equal(loss(Batch(y, loss.chain.noise(1, 0, len(y)), weights={"kl": 0.5})).total, direct.total)


def test_the_loss_of_an_any_step_kernel_is_the_weighted_loss_of_random_pairs() -> None:
    chain, y = any_step_vae(), MIXTURE.sample(12, seed=3).float()
    loss = chain.loss(y, seed=4, first_item=24, weights={"kl": 0.5})
    noise = chain.noise(4, 24, 12)
    s, t, weight = random_pairs(chain.levels.last, (torch.arange(noise.n) + noise.uniform("level")) / noise.n, noise.uniform("pair"))
    z_s, z_t = (noise.normal(role, (2,), like=y) for role in ("z_s", "z_t"))
    z_s = (torch.exp(-s) * y.T + (-torch.expm1(-2 * s)).sqrt() * z_s.T).T.float()
    z_t = (torch.exp(s - t) * z_s.T + (-torch.expm1(2 * (s - t))).sqrt() * z_t.T).T.float()
    terms, weight = chain.kernel(1).loss(Pair(z_t, s, t, y=y, z_s=z_s), noise, {"kl": 0.5}), weight / 3
    assert torch.allclose(loss.total, (weight * sum(terms.values())).float(), rtol=1e-3)
    assert torch.equal(loss.weight, weight.float())
    assert not loss.level.any()


def test_a_least_squares_loss_of_an_any_step_kernel_is_of_times_all_over_its_grid() -> None:
    """Its levels have the same number of items each, and its loss does not look at s."""
    chain, y = chain_of("gaussian"), torch.zeros(12, 2)
    loss = chain.loss(y, seed=4)
    noise = chain.noise(4, 0, 12)
    t = chain.levels.spread((torch.arange(12) + noise.uniform("level")[0]) / 12)
    edges = chain.levels.times[1:-1]
    assert torch.bincount(torch.searchsorted(edges, t), minlength=3).tolist() == [4, 4, 4]
    z_t = ((-torch.expm1(-2 * t)).sqrt() * noise.normal("z_t", (2,), like=y).T).T.float()
    pair = Pair(z_t, torch.zeros_like(t), t, y=y, z_s=y)
    assert torch.allclose(loss.total, chain.kernel(1).loss(pair, noise, {})["error"], rtol=1e-3)
    assert torch.equal(loss.weight, torch.ones(12))


class TimesAlone(Kernel):
    """A kernel whose loss is a function of s and t."""

    event_shape, any_step, trains_bound = (1,), True, True

    def explain(self, pair: Pair, noise: Noise, k: int = 1) -> NoReturn:
        raise SaltusError("it has no bound; take another")

    def loss(self, pair: Pair, noise: Noise, weights: Weights) -> Terms:
        return {"f": of_times(pair.s, pair.t)}


def of_times(s: Tensor, t: Tensor) -> Tensor:
    """Rough in t, so that it matters where steps end."""
    return torch.sin(20 * t) + s * t + torch.where(s == 0, 0.3, 0.0)


@pytest.mark.parametrize(("batch", "batches"), [(1, 1500), (5, 500)])
def test_batches_of_any_step_kernels_estimate_the_mean_over_grids_without_bias(batch: int, batches: int) -> None:
    """Against the sum over the steps of each grid, integrated over offsets; L times the mean over items is the sum over steps."""
    last, n_offsets = 2.0, 4000
    chain = Chain(StandardNormal(), Levels([0, 0.5, last]), TimesAlone())
    offsets = (torch.arange(n_offsets, dtype=torch.float64) + 0.5) / n_offsets
    expected = 0.0
    for n in (1, 2, 4, 8, 16):
        ends = torch.stack([cosine_time((offsets + k) / n, last).clamp_min(EARLIEST) for k in range(n)])
        starts = torch.cat([torch.zeros(1, n_offsets), ends[:-1]])
        expected += float(of_times(starts, ends).sum(0).mean()) / 5
    y = torch.zeros(batch, 1, dtype=torch.float64)
    losses = [chain.loss(y, seed=0, first_item=first) for first in range(0, batches * batch, batch)]
    assert mean_is(torch.stack([2 * loss.total.mean() for loss in losses]), expected)
    assert not mean_is(torch.stack([(loss.total / loss.weight).mean() for loss in losses]), expected)  # the twin: no weights
