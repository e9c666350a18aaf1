"""A chain's sampler as one graph gives the chain's own samples, for batches of any size."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from saltus.chain import Chain, StandardNormal
from saltus.errors import SaltusError
from saltus.integrations.exporting import NOISE, UNIFORM, Sampler, graph_of
from saltus.kernels import Sampling, VAEKernel
from saltus.levels import Levels
from saltus.likelihoods import DiscretisedHead, GaussianHead
from saltus.networks import MLPEncoder, VectorCondition
from saltus.pretrained import run_folder
from tests.helpers.chains import kernels
from tests.helpers.checks import assert_one_sentence
from tests.helpers.exported import started
from tests.helpers.stubs import network, randomise, small_vae


def rows(**options: object) -> Chain:
    """A chain of rows without an encoding, of two levels, conditioned on two numbers."""
    torch.manual_seed(0)
    kernel = small_vae((3,), MLPEncoder((3,), latent=2), GaussianHead(0.1), condition=VectorCondition(2))
    randomise(kernel)
    return Chain(StandardNormal(), Levels((0.0, 0.3, 2.0)), kernel, **options)  # type: ignore[arg-type]


def brightness(y: Tensor) -> Tensor:
    return (y + 1) / 2


@pytest.mark.parametrize("chain", [Chain.load(run_folder("digits")), started()], ids=["digits", "from a mixture"])
def test_the_module_gives_the_samples_of_a_seed(chain: Chain) -> None:
    sampler = Sampler(chain)
    own = brightness(chain.sample(6, seed=3, first_item=2))
    assert torch.equal(sampler.sample(6, seed=3, first_item=2), own)
    assert not torch.allclose(sampler.sample(6, seed=4, first_item=2), own, atol=0.1)
    assert 0 <= float(own.min()) < 0.1 < 0.9 < float(own.max()) <= 1


@torch.no_grad()
def test_the_graph_gives_them_for_batches_of_any_size() -> None:
    chain = started()
    sampler = Sampler(chain)
    program = graph_of(sampler).module()
    for n, condition in ((1, None), (2, "a"), (7, None), (7, "b")):
        items = program(**sampler.inputs(n, seed=n, condition=condition))
        assert float((items - brightness(chain.sample(n, seed=n, condition=condition))).abs().max()) < 1e-4
    assert chain.training, "what was in training mode is so still"


@pytest.mark.parametrize("name", ["gaussian", "deterministic"])
@torch.no_grad()
def test_steps_without_a_latent_are_graphs_too(name: str) -> None:
    chain = Chain(StandardNormal(), Levels((0.0, 0.5, 2.0)), kernels()[name]())
    sampler = Sampler(chain)
    items = graph_of(sampler).module()(**sampler.inputs(3, seed=0))
    assert torch.allclose(items, chain.sample(3, seed=0), atol=1e-6)


@torch.no_grad()
def test_a_graph_of_a_vector_and_of_another_way_to_sample() -> None:
    chain, way = rows(), Sampling("mean", eta=0.5, temperature=1.5, guidance=2.0)
    sampler = Sampler(chain, way)
    given = torch.tensor([[0.5, -1.0], [2.0, 0.0], [0.0, 0.0]])
    items = graph_of(sampler).module()(**sampler.inputs(3, seed=1, condition=given))
    assert torch.allclose(items, chain.sample(3, seed=1, condition=given, sampling=way), atol=1e-5)
    assert not torch.allclose(items, chain.sample(3, seed=1, condition=given), atol=1e-2)


def test_the_inputs_are_unit_noise_in_the_order_that_is_told() -> None:
    sampler = Sampler(started())
    told = sampler.describe()
    given = sampler.inputs(2000, seed=0)
    assert given[NOISE].shape == (2000, told["noise"]) == (2000, 16 + 2 + 16)
    assert given[UNIFORM].shape == (2000, told["uniform"]) == (2000, 1)
    assert [(use["level"], use["role"]) for use in told["uses"]] == [
        (1, "prior component"), (1, "prior"), (0, "latent"), (0, "decoder"),
    ]  # fmt: skip
    assert (given[NOISE].mean(0).abs() < 5 / 2000**0.5).all()
    assert torch.equal(given[NOISE][:, 16:18], sampler.chain.noise(0, 0, 2000).at(0).normal("latent", (2,), like=given[NOISE]))
    assert told["classes"]["names"] == ["a", "b"]
    assert told["items"] == "brightness from 0 to 1"
    assert Sampler(rows()).describe()["items"].startswith("y")


class Looking(VAEKernel):
    """A kernel that looks at a value to choose its way."""

    def sample(self, transition, noise, sampling=Sampling()):  # type: ignore[no-untyped-def] # noqa: B008
        z = super().sample(transition, noise, sampling)
        return z if bool(z.mean() > 0) else -z


def test_what_is_no_graph_is_refused_in_a_sentence() -> None:
    kernel = Looking(network((2,), outputs=2, latent=2), MLPEncoder((2,), latent=2), DiscretisedHead(4))
    with pytest.raises(SaltusError, match="cannot be written as one graph") as refused:
        graph_of(Sampler(Chain(StandardNormal(), Levels((0.0, 1.0)), kernel)))
    assert_one_sentence(refused.value, "VAE step")
    with pytest.raises(SaltusError, match="guidance"):
        Sampler(Chain(StandardNormal(), Levels((0.0, 1.0)), kernel), Sampling(guidance=2.0))
