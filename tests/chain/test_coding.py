"""Items as bits: they come back exactly, and take as many bits as the chain's own distribution and its bound say."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from saltus.chain import Chain, ItemCoder, OraclePrior, Plan, Stack, StandardNormal, plan
from saltus.data import digits
from saltus.errors import SaltusError
from saltus.kernels import DeterministicKernel, GaussianKernel, LadderKernel, OracleKernel, Preconditioned, VAEKernel
from saltus.levels import Levels
from saltus.likelihoods import AutoregressiveHead, DiscretisedHead, GaussianHead, Head, LogisticMixtureHead
from saltus.networks import ConvEncoder, Ladder, LadderEncoder, MLPEncoder, VectorCondition, backbone
from saltus.oracles import FiniteData, LowRankMixture
from saltus.pretrained import run_folder
from tests.helpers.checks import assert_one_sentence, mean_is
from tests.helpers.stubs import network, randomise

SHAPE, COLOURS = (1, 8, 8), (3, 8, 8)
GRID = Levels((0.0, 0.2, 0.6, 1.5))
ROUNDED = 5e-3  # nats a number: of what random weights think impossible, many masses are a few times the least one


def mixture(shape: tuple[int, ...] = SHAPE, labels: list[int] | None = None) -> LowRankMixture:
    torch.manual_seed(1)
    d = math.prod(shape)
    return LowRankMixture(torch.rand(4) + 0.1, torch.randn(4, *shape) / 2, torch.randn(4, d, 3) / 4, torch.rand(4, d) / 9 + 0.01, labels)


def vae(shape: tuple[int, ...], head: Head, **options: str) -> VAEKernel:
    return VAEKernel(network(shape, outputs=2 + head.arrays, latent=4), ConvEncoder(shape, latent=4), head, **options)


def ladder() -> LadderKernel:
    head = AutoregressiveHead(LogisticMixtureHead(256, 1, components=2))
    made = Preconditioned(Ladder(SHAPE, outputs=2 + head.arrays, channels=(8, 16), groups=2, k=2))
    return LadderKernel(made, LadderEncoder(SHAPE, channels=(8, 16)), head)


def chains() -> dict[str, Chain]:
    """Of every kind that has a code, with random weights."""
    torch.manual_seed(0)
    grey, colours = DiscretisedHead(17, outliers=1e-4), AutoregressiveHead(LogisticMixtureHead(256, 3, components=2))
    gaussian = GaussianKernel(Preconditioned(backbone(SHAPE)), grey, variance="transition")
    found = {
        "vae": Chain(StandardNormal(), GRID, vae(SHAPE, grey)),
        "direct": Chain(StandardNormal(), GRID, vae(SHAPE, grey, parametrisation="direct")),
        "encoder of data": Chain(StandardNormal(), Levels((0.0, 0.4)), vae(SHAPE, grey, encoder_input="y")),
        "gaussian": Chain(StandardNormal(), GRID, gaussian),
        "without latent": Chain(StandardNormal(), GRID, VAEKernel(network(SHAPE, outputs=2), None, grey)),
        "ladder after a mixture": Chain(OraclePrior(mixture()), Levels((0.0, 0.3)), ladder()),
        "two ladders": Chain(OraclePrior(mixture()), Levels((0.0, 0.2, 0.7)), [ladder(), ladder()]),
        "closed forms": Chain(OraclePrior(mixture()), GRID, OracleKernel(mixture(), grey)),
        "a vae after closed forms": Chain(OraclePrior(mixture()), Levels((0.0, 0.3, 0.9)), [vae(SHAPE, grey), OracleKernel(mixture())]),
        "colours": Chain(OraclePrior(mixture(COLOURS)), Levels((0.0, 0.3)), vae(COLOURS, colours)),
    }
    for chain in found.values():
        randomise(chain)
    return found


CHAINS = chains()


def items(chain: Chain, n: int) -> Tensor:
    head = chain.kernel(1).head
    assert head is not None
    drawn = torch.randn(n, *chain.event_shape, generator=torch.Generator().manual_seed(2)) / 2
    return head.settled(drawn.to(chain.dtype))


def all_used(chain: Chain) -> list[Tensor]:
    return [torch.ones(chain.kernel(level).latent, dtype=torch.bool) for level in range(1, chain.levels.L + 1)]


class Watched(Stack):
    """Keeps the nats of every value that it gave or took: what its distribution has between the ends of its place, at least 2^-24."""

    nats = pushed = 0.0
    numbers = 0

    def _keep(self, sign: int, masses: Tensor) -> None:
        nats = -float((masses.double() + 2.0**-24).log().sum())
        self.nats, self.numbers, self.pushed = self.nats + sign * nats, self.numbers + masses.numel(), self.pushed + max(0.0, sign * nats)

    def push_normal(self, value: Tensor, mean: Tensor, std: Tensor, width: float, *, near: bool = False) -> None:
        super().push_normal(value, mean, std, width, near=near)
        self._keep(1, between(value, mean, std, width))

    def pop_normal(self, mean: Tensor, std: Tensor, width: float, *, near: bool = False) -> Tensor:
        value = super().pop_normal(mean, std, width, near=near)
        self._keep(-1, between(value, mean, std, width))
        return value

    def push_choice(self, index: Tensor, masses: Tensor) -> None:
        super().push_choice(index, masses)
        self._keep(1, masses.gather(1, index[:, None])[:, 0] / masses.sum(1))

    def pop_choice(self, masses: Tensor) -> Tensor:
        index = super().pop_choice(masses)
        self._keep(-1, masses.gather(1, index[:, None])[:, 0] / masses.sum(1))
        return index


def between(value: Tensor, mean: Tensor, std: Tensor, width: float) -> Tensor:
    distribution = Normal(mean.double(), std.double())
    return (distribution.cdf(value.double() + width / 2) - distribution.cdf(value.double() - width / 2)).flatten()


@pytest.mark.parametrize("name", CHAINS)
def test_items_come_back_in_the_bits_of_their_path(name: str) -> None:
    """The last one first.  They take the nats of all distributions along their paths: masses are rounded to multiples of 2^-24."""
    chain = CHAINS[name]
    y, stack, coder = items(chain, 3), Watched(), ItemCoder(chain, all_used(chain))
    for one in y:
        coder.push(stack, one[None], None)
    bits = (stack.bits - 8 * stack.lent) * math.log(2)
    assert abs(bits - stack.nats) < ROUNDED * stack.numbers
    assert abs(bits - stack.pushed) > ROUNDED * stack.numbers  # the twin that must fail: without what is popped
    again = Stack(stack.code())
    for one in reversed(y):
        assert torch.equal(coder.pop(again), one[None])
    assert len(again.code()) == stack.lent  # what was lent is all that is left


def test_a_code_is_as_long_as_the_bound_says() -> None:
    chain = Chain.load(run_folder("digits"))
    y, stack = digits().test[:60], Stack()
    found = plan(chain, y)
    assert found.classes is not None
    coder, lengths = ItemCoder(chain, found.used), [0]
    for one, c in zip(y, found.classes.tolist(), strict=True):
        coder.push(stack, one[None], c)
        lengths.append(stack.bits - 8 * stack.lent)
    nats = torch.tensor(lengths).diff() * math.log(2)
    bound = chain.bound(y, condition=found.classes, seed=1).total.double()  # on other paths
    assert mean_is(nats - (bound - chain.condition.log_frequencies[found.classes]), 0.0)  # type: ignore[union-attr]
    wrong = chain.bound(y, condition=(found.classes + 1) % 10, seed=1).total.double()
    assert not mean_is(nats - wrong, 0.0)  # the twin that must fail
    again = Stack(stack.code())
    assert all(torch.equal(coder.pop(again), one[None]) for one in reversed(y))


def test_latents_that_no_item_uses_are_left_out() -> None:
    used = plan(Chain.load(run_folder("digits")), digits().test[:4]).used
    assert 0 < sum(int(level.sum()) for level in used) < sum(map(len, used))
    chain, lent = CHAINS["ladder after a mixture"], []
    y, every = items(chain, 1), all_used(chain)[0]
    for which in (every, torch.arange(len(every)) % 4 == 0, torch.zeros_like(every)):  # less is lent for fewer
        stack, coder = Stack(), ItemCoder(chain, [which])
        coder.push(stack, y, None)
        lent.append(stack.lent)
        assert torch.equal(coder.pop(Stack(stack.code())), y)
    assert lent[0] > lent[1] > lent[2]


def test_a_labelled_start_is_told_the_class() -> None:
    torch.manual_seed(0)
    oracle = mixture(labels=[0, 1, 1, 0])
    kernel = OracleKernel(oracle, DiscretisedHead(17, outliers=1e-4))
    chain = Chain(OraclePrior(oracle), Levels((0.0, 0.3)), kernel)
    y, stack = items(chain, 4), Stack()
    width = 2.0**-4
    z = (y / width).round() * width
    for c in (0, 1):
        chain.prior.push(stack, z[:1], 0.3, width, torch.tensor([c]))
    for c in (1, 0):
        assert torch.equal(chain.prior.pop(stack, SHAPE, 0.3, width, torch.tensor([c])), z[:1].double())


def test_the_plan_takes_the_class_of_the_least_bound() -> None:
    chain = Chain.load(run_folder("digits"))
    y = digits().test[:3]
    found: Plan = plan(chain, y)
    assert found.classes is not None
    frequencies = chain.condition.log_frequencies  # type: ignore[union-attr]
    each = torch.stack([chain.bound(y, condition=torch.tensor([c])).total.double() - frequencies[c] for c in range(10)], 1)
    assert torch.equal(found.classes, each.argmin(1))
    torch.testing.assert_close(found.nats, each.amin(1))
    assert plan(CHAINS["vae"], items(CHAINS["vae"], 2)).classes is None


def test_a_condition_that_is_no_class_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = CHAINS["vae"]
    monkeypatch.setattr(chain.kernel(1), "condition", VectorCondition(2))
    with pytest.raises(SaltusError) as caught:
        plan(chain, items(chain, 1))
    assert_one_sentence(caught.value, "take one of classes or of nothing")


def refused() -> dict[str, tuple[Any, str]]:
    """Chains without a code, and what is said."""
    torch.manual_seed(0)
    grey, levels = DiscretisedHead(17), Levels((0.0, 0.3))
    decoder = Preconditioned(backbone(SHAPE))
    density = VAEKernel(network((2,), outputs=2, latent=3), MLPEncoder((2,), latent=3, width=16), GaussianHead(0.1))
    return {
        "density": (Chain(StandardNormal(), levels, density), "no masses"),
        "many values": (Chain(StandardNormal(), levels, vae(SHAPE, DiscretisedHead(5000))), "no masses of up to 4,096"),
        "deterministic": (Chain(StandardNormal(), levels, DeterministicKernel(decoder)), "no masses"),
        "mixture of points": (Chain(StandardNormal(), levels, OracleKernel(FiniteData(torch.zeros(3, *SHAPE)), grey)), "are no Gaussians"),
        "items": (Chain(OraclePrior(FiniteData(torch.zeros(3, *SHAPE))), levels, vae(SHAPE, grey)), "have no factors"),
        "encoder of data": (Chain(StandardNormal(), GRID, vae(SHAPE, grey, encoder_input="y")), "looks at the data"),
    }


@pytest.mark.parametrize("name", refused())
def test_chains_without_a_code_are_refused_in_one_sentence(name: str) -> None:
    chain, words = refused()[name]
    with pytest.raises(SaltusError) as caught:
        ItemCoder(chain, all_used(chain)).push(Stack(), torch.zeros(1, *SHAPE), None)
    assert_one_sentence(caught.value, words)
