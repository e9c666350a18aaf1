"""Kernels are built as a training is configured."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from saltus.errors import SaltusError
from saltus.kernels import KERNELS, GaussianKernel, Kernel, LadderKernel, Pair, Setup, VAEKernel
from saltus.likelihoods import DiscretisedHead, GaussianHead
from saltus.networks import MLP, ClassCondition, ConvEncoder, MLPEncoder, UNet
from saltus.process import Noise
from tests.helpers.checks import assert_one_sentence

OPTIONS: dict[str, Any] = {
    "preset": "tiny",
    "architecture": None,
    "width": None,
    "channels": None,
    "any_step": None,
    "variance": "optimal",
    "latent": None,
    "parametrisation": "bridge",
    "encoder_input": "z_s",
    "ladder": None,
}
CLASSES = ClassCondition("abc", [1, 1, 1])


def setup(event_shape: tuple[int, ...] = (5,), levels: int = 3, condition: ClassCondition | None = None, **options: Any) -> Setup:
    head = DiscretisedHead(256) if len(event_shape) == 3 else GaussianHead(0.05)
    return Setup(event_shape, 0.7, head, levels, OPTIONS | options, condition)


def built(kernel: str, *arguments: Any, **options: Any) -> Kernel:
    made = KERNELS.get(kernel).build(setup(*arguments, **options))
    assert isinstance(made, Kernel)
    return made


def test_kernels_by_name() -> None:
    assert KERNELS.names() == ("deterministic", "gaussian", "vae", "flow", "autoregressive")
    assert KERNELS.get("gaussian").options == {"variance"}
    assert "latent" in KERNELS.get("vae").options
    assert KERNELS.get("deterministic").options == frozenset()
    with pytest.raises(SaltusError) as caught:
        KERNELS.get("score")
    assert_one_sentence(caught.value, "'score'", "deterministic, gaussian, vae")


@pytest.mark.parametrize("kernel", ["deterministic", "gaussian", "vae"])
@pytest.mark.parametrize("event", [(5,), (1, 16, 16)])
def test_every_kernel_knows_the_data(kernel: str, event: tuple[int, ...]) -> None:
    made = built(kernel, event, condition=CLASSES)
    assert tuple(made.event_shape) == event
    assert made.condition is CLASSES
    denoiser = made.decoder if isinstance(made, VAEKernel) else made.denoiser
    assert denoiser.variance == 0.7
    assert isinstance(denoiser.backbone, UNet if len(event) == 3 else MLP)
    if isinstance(made, VAEKernel):
        assert isinstance(made.encoder, ConvEncoder if len(event) == 3 else MLPEncoder)


@pytest.mark.parametrize(("kernel", "default"), [("deterministic", True), ("gaussian", True), ("vae", False)])
def test_any_step_is_as_asked_for_or_by_default(kernel: str, default: bool) -> None:
    assert built(kernel).any_step is default
    for asked in (True, False):
        assert built(kernel, any_step=asked).any_step is asked


@pytest.mark.parametrize(
    ("event", "asked", "latent"),
    [
        ((5,), None, 5),
        ((300,), None, 128),
        ((1, 16, 16), None, 64),
        ((3, 32, 32), None, 128),
        ((1, 1, 2), None, 1),
        ((5,), 2, 2),
        ((5,), 0, 0),
    ],
)
def test_the_size_of_the_latent(event: tuple[int, ...], asked: int | None, latent: int) -> None:
    kernel = built("vae", event, latent=asked)
    assert kernel.latent == latent
    assert (kernel.encoder is None) is (latent == 0)


def test_options_reach_the_kernel() -> None:
    gaussian = built("gaussian", variance="transition")
    assert isinstance(gaussian, GaussianKernel)
    assert gaussian.variance == "transition"
    vae = built("vae", parametrisation="direct", encoder_input="y", width=24)
    assert (vae.parametrisation, vae.encoder_input) == ("direct", "y")
    assert vae.decoder.backbone.first.out_features == vae.encoder.layers[0].out_features == 24
    images = built("vae", (1, 16, 16), channels=(8, 16))
    assert images.decoder.backbone.unet.conv_in.out_channels == images.encoder.first.out_channels == 8
    assert isinstance(built("gaussian", (1, 16, 16), architecture="mlp").denoiser.backbone, MLP)


def kinds(**options: Any) -> list[type]:
    made = KERNELS.get("vae").build(setup((1, 8, 8), channels=(8, 16), **options))
    return [type(kernel) for kernel in (made if isinstance(made, list) else [made])]


def test_ladders() -> None:
    """For the step to data, with a plain VAE or another ladder for all others; one ladder serves any step."""
    assert kinds(ladder=None) == [VAEKernel]
    assert kinds(ladder="last") == [LadderKernel, VAEKernel, VAEKernel]
    assert kinds(ladder="every") == [LadderKernel] * 3
    assert kinds(ladder="last", levels=1) == kinds(ladder="last", any_step=True) == [LadderKernel]
    last, *others = KERNELS.get("vae").build(setup((1, 8, 8), channels=(8, 16), ladder="every", encoder_input="y"))
    assert others[0] is others[1] is not last
    assert last.encoder_input == others[0].encoder_input == "y"


@pytest.mark.parametrize("kernel", ["deterministic", "gaussian", "vae"])
def test_a_fresh_kernel_trains(kernel: str) -> None:
    made, y = built(kernel, condition=CLASSES), torch.zeros(2, 5)
    losses = made.loss(Pair(y, 0.1, 1.0, torch.tensor([0, -1]), y=y, z_s=y), Noise(0, 0, 2), {})
    assert all(value.shape == (2,) and value.isfinite().all() for value in losses.values())
