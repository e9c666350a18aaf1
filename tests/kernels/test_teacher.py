"""A network of another library in a VAE: it begins as the teacher, can learn all that is new, and is written down and read again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from saltus import Chain, ClassCondition, DiscretisedHead, Levels, Noise, SaltusError, StandardNormal, Transition, VAEKernel
from saltus.integrations import teacher_of
from saltus.kernels import Teacher
from saltus.networks import MLPEncoder
from tests.helpers.checks import assert_one_sentence
from tests.helpers.teachers import scheduler, unet

CLASSES = ClassCondition(["a", "b"], [1, 1])


def teacher(condition: ClassCondition | None = None) -> Teacher:
    return teacher_of(unet(num_class_embeds=2 if condition else None), scheduler(), condition)[0]


def log_snrs(n: int) -> Tensor:
    return torch.tensor([[0.5, 3.0]]).expand(n, 2)


def images(n: int = 4) -> Tensor:
    return torch.randint(3, (n, 1, 8, 8), generator=torch.Generator().manual_seed(0)) - 1.0


def vae(condition: ClassCondition | None = None) -> VAEKernel:
    decoder = teacher(condition).widened(2, 5, 0.6)
    return VAEKernel(decoder, MLPEncoder((1, 8, 8), latent=5, width=16, condition=condition), DiscretisedHead(3))


@pytest.mark.parametrize("condition", [None, CLASSES], ids=["alone", "of classes"])
def test_a_wider_network_begins_as_the_teacher(condition: ClassCondition | None) -> None:
    source, told = teacher(condition), None if condition is None else torch.tensor([0, 1, -1, 0])
    wider, z = source.widened(3, 5, 0.6), images()
    with torch.no_grad():
        expected = source(z, log_snrs(4), None, told)
        found = wider(z, log_snrs(4), torch.randn(4, 5), told)
    torch.testing.assert_close(found.mean, expected.mean, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.std, found.output_scale.expand_as(z))  # a raw scale of 0
    assert found.extra is not None
    assert not found.extra.any()
    with torch.no_grad():
        wider.backbone.unet.conv_in.weight += 0.1  # the twin: a latent that has a weight is heard
        assert not torch.allclose(wider(z, log_snrs(4), torch.randn(4, 5), told).mean, expected.mean, atol=1e-3)


@pytest.mark.parametrize("condition", [None, CLASSES], ids=["alone", "of classes"])
def test_all_that_is_new_can_learn(condition: ClassCondition | None) -> None:
    """In two updates: where one weight of two is 0 the other has no gradient at first."""
    kernel = vae(condition)
    chain = Chain(StandardNormal(), Levels([0.0, 0.4, 1.2]), kernel)
    told = None if condition is None else torch.tensor([0, 1, -1, 0])
    optimiser = torch.optim.SGD(kernel.parameters(), lr=1e-3)
    for seed in range(2):
        optimiser.zero_grad()
        chain.loss(images(), condition=told, seed=seed).total.mean().backward()
        optimiser.step()
    for name, parameter in kernel.named_parameters():
        if "blocks" not in name:  # where keys of attention, for one, have biases that nothing depends on
            assert parameter.grad is not None, name
            assert parameter.grad.any(), name


def test_it_is_written_down_and_read_again(tmp_path: Path) -> None:
    chain = Chain(StandardNormal(), Levels([0.0, 0.4, 1.2]), vae(CLASSES))
    chain.save(tmp_path)
    again = Chain.load(tmp_path)
    torch.testing.assert_close(again.sample(3, seed=1), chain.sample(3, seed=1), rtol=0, atol=0)
    torch.testing.assert_close(again.bound(images(), seed=0).total, chain.bound(images(), seed=0).total, rtol=0, atol=0)


def test_a_digest_tells_weights_and_schedules_apart() -> None:
    one = teacher()
    assert one.digest == teacher().digest
    assert one.digest != teacher_of(unet(), scheduler(beta_end=0.3))[0].digest
    assert one.digest != teacher_of(unet(), scheduler(prediction_type="sample"))[0].digest
    with torch.no_grad():
        one.backbone.unet.conv_out.bias += 1
    assert one.digest != teacher().digest


def test_a_direct_kernel_is_refused() -> None:
    kernel = VAEKernel(teacher().widened(2, 0, 1.0), None, DiscretisedHead(3), parametrisation="direct")
    with pytest.raises(SaltusError) as caught:
        kernel.sample(Transition(images(), 0.3, 1.0), Noise(0, 0, 4))
    assert_one_sentence(caught.value, "parametrisation bridge")
