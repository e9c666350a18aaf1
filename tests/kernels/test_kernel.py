"""The contract of a kernel, which every kind keeps: samples, terms, capabilities, conditions, calls of networks, gradients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from saltus.kernels import (
    DeterministicKernel,
    Explanation,
    GaussianKernel,
    Kernel,
    LadderKernel,
    OracleKernel,
    Pair,
    Preconditioned,
    Sampling,
    Transition,
    VAEKernel,
    is_reweighted,
)
from saltus.kernels.kernel import weighted
from saltus.likelihoods import DiscretisedHead, GaussianHead
from saltus.networks import ClassCondition, Condition, ConvEncoder, Ladder, LadderEncoder, MLPEncoder
from saltus.process import Noise
from tests.helpers.distributions import gaussian
from tests.helpers.stubs import network, randomise, set_error, small_vae

HEAD, BINS = GaussianHead(1e-4), DiscretisedHead(17, outliers=1e-4)
NOISE = Noise(0, 0, 3)
IMAGE = (1, 8, 8)
CLASSES = ClassCondition("abc", [1, 1, 1])
EACH = (torch.tensor([0.0, 0.5, 0.3]), torch.tensor([0.2, 1.0, 9.0]))
STEPS: list[tuple[Any, Any]] = [(0.5, 1.0), (0.0, 1.0), EACH]
"""Times of an inner step, of the step to data, and of items at steps of their own."""


def ladder(condition: Condition | None = None) -> LadderKernel:
    decoder = Preconditioned(Ladder(IMAGE, channels=(8, 16), groups=1, k=2, condition=condition))
    return LadderKernel(decoder, LadderEncoder(IMAGE, channels=(8, 16), condition=condition), BINS)


def optimal(condition: Condition | None = None) -> GaussianKernel:
    kernel = GaussianKernel(network((2,), condition=condition), HEAD)
    set_error(kernel, torch.tensor([1.0]), torch.tensor([0.4]))
    return kernel


def vae(condition: Condition | None = None, **options: Any) -> VAEKernel:
    return small_vae((2,), MLPEncoder((2,), latent=3, condition=condition), HEAD, condition=condition, **options)


KERNELS: dict[str, Callable[..., Kernel]] = {
    "deterministic": lambda c=None: DeterministicKernel(network((2,), condition=c)),
    "deterministic bridge": lambda c=None: DeterministicKernel(network((2,), condition=c), bridge=True),
    "posterior": lambda c=None: GaussianKernel(network((2,), condition=c), HEAD, variance="posterior"),
    "transition": lambda c=None: GaussianKernel(network((2,), condition=c), HEAD, variance="transition"),
    "optimal": optimal,
    "vae": vae,
    "vae of y": lambda c=None: vae(c, encoder_input="y", any_step=True),
    "direct vae": lambda c=None: vae(c, parametrisation="direct"),
    "vae without a latent": lambda c=None: small_vae((2,), None, HEAD, condition=c),
    "ladder": ladder,
}
"""One of each kind, with a condition or without."""


def make(name: str, condition: Condition | None = None) -> Kernel:
    torch.manual_seed(0)
    kernel = OracleKernel(gaussian([0.3, 1.0])) if name == "oracle" else KERNELS[name](condition)
    randomise(kernel)
    return kernel


def tensors(kernel: Kernel) -> tuple[Tensor, Tensor, Tensor]:
    """y, z_s and z_t of three items."""
    y, z_s, z_t = torch.randn(3, 3, *kernel.event_shape, generator=torch.Generator().manual_seed(0))
    return (BINS.mode(y, y) if len(kernel.event_shape) == 3 else y), z_s, z_t


def pair_of(kernel: Kernel, s: Any, t: Any, condition: Tensor | None = None) -> Pair:
    y, z_s, z_t = tensors(kernel)
    final = (torch.as_tensor(s).expand(3) == 0).reshape(3, *[1] * len(kernel.event_shape))
    return Pair(z_t, s, t, condition, y=y, z_s=torch.where(final, y, z_s))


@pytest.mark.parametrize("name", [*KERNELS, "oracle"])
@pytest.mark.parametrize(("s", "t"), STEPS, ids=["inner", "final", "each"])
def test_samples_and_terms(name: str, s: Any, t: Any) -> None:
    kernel = make(name)
    pair = pair_of(kernel, s, t)
    for final in ("mode", "mean", "sample"):
        sample = kernel.sample(pair, NOISE, Sampling(final))
        assert sample.shape == pair.z_t.shape
        assert sample.dtype == pair.z_t.dtype
        assert sample.isfinite().all()
        assert torch.equal(sample, kernel.sample(pair, NOISE, Sampling(final)))
    if kernel.has_bound:
        for k in (1, 3):
            explanation = kernel.explain(pair, NOISE, k)
            assert isinstance(explanation, Explanation)
            assert all(value.shape == (3,) and value.isfinite().all() for value in explanation.terms.values())
            assert explanation.latent.shape == explanation.posterior.loc.shape == (3, kernel.latent)
            assert explanation.kl.shape == (3,)
            assert (explanation.kl > 0).all() if kernel.latent else not explanation.kl.any()
            assert (explanation.step is None) is (name == "oracle")


@pytest.mark.parametrize("name", [name for name in [*KERNELS, "oracle"] if not name.startswith("deterministic")])
@torch.no_grad()
def test_items_are_apart(name: str) -> None:
    kernel = make(name)
    pair = pair_of(kernel, *EACH)
    together, terms = kernel.sample(pair, NOISE, Sampling("sample")), kernel.explain(pair, NOISE).terms
    for i in range(3):
        row, noise = slice(i, i + 1), Noise(0, i, 1)
        alone = Pair(pair.z_t[row], pair.s[row], pair.t[row], y=pair.y[row], z_s=pair.z_s[row])
        assert torch.allclose(kernel.sample(alone, noise, Sampling("sample")), together[row], atol=1e-4)
        for term, value in kernel.explain(alone, noise).terms.items():
            assert torch.allclose(value, terms[term][row], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize(("s", "t"), STEPS, ids=["inner", "final", "each"])
@torch.no_grad()
def test_conditions_reach_every_part(name: str, s: Any, t: Any) -> None:
    """Samples and terms know their conditions, and None is the value that says so."""
    kernel, values = make(name, CLASSES), torch.tensor([0, 2, 1])
    assert kernel.condition is CLASSES

    def sample(condition: Tensor | None) -> Tensor:
        return kernel.sample(pair_of(kernel, s, t, condition), NOISE, Sampling("mean"))

    given = sample(values)
    assert torch.equal(sample(None), sample(CLASSES.none(3)))
    for other in (None, values.flip(0)):
        assert not torch.equal(sample(other), given)
    if kernel.has_bound:
        totals = [sum(kernel.explain(pair_of(kernel, s, t, c), NOISE).terms.values()) for c in (values, None, CLASSES.none(3))]
        assert not torch.allclose(totals[0], totals[1])
        assert torch.equal(totals[1], totals[2])
    losses = [sum(kernel.loss(pair_of(kernel, 0.2, 1.0, c), NOISE, {}).values()) for c in (values, None)]
    assert not torch.allclose(*losses)


def capabilities(kernel: Kernel) -> tuple[object, ...]:
    return (kernel.label, kernel.has_bound, kernel.trains_bound, kernel.can_start, kernel.reuses_noise, kernel.any_step, kernel.latent)


CAPABILITIES: dict[str, tuple[object, ...]] = {
    # label, has_bound, trains_bound, can_start, reuses_noise, any_step, latent
    "deterministic": ("plain decoder", False, False, False, False, True, 0),
    "deterministic bridge": ("bridge step", False, False, False, True, True, 0),
    "posterior": ("Gaussian step, posterior variance", True, False, False, True, True, 0),
    "transition": ("Gaussian step, transition variance", True, False, False, True, True, 0),
    "optimal": ("Gaussian step", True, False, False, True, True, 0),
    "vae": ("VAE step", True, True, True, True, False, 3),
    "vae of y": ("VAE step", True, True, True, True, True, 3),
    "direct vae": ("VAE step", True, True, True, False, False, 3),
    "vae without a latent": ("Gaussian step, learned variance", True, True, True, True, False, 0),
    "ladder": ("VAE step", True, True, False, True, False, 2 * (64 + 16)),
    "oracle": ("exact kernel", True, False, False, True, True, 0),
}


@pytest.mark.parametrize("name", CAPABILITIES)
def test_capabilities(name: str) -> None:
    kernel = make(name)
    assert capabilities(kernel) == CAPABILITIES[name]
    predicts = name in ("deterministic", "deterministic bridge", "posterior", "transition", "optimal")
    assert kernel.denoiser is (kernel.network if predicts else None)
    steps = kernel.steps_around()
    if name.startswith("deterministic"):
        assert [(label, step.bridge, step.network) for label, step in steps.items()] == [
            ("plain decoder", False, kernel.network),
            ("bridge step", True, kernel.network),
        ]
    else:
        assert steps == {kernel.label: kernel}
    decoder = getattr(kernel, "decoder", kernel)
    assert kernel.sampling_network is decoder
    backbones = [module.backbone for module in kernel.modules() if isinstance(module, Preconditioned)]
    encoders = [encoder for encoder in [getattr(kernel, "encoder", None)] if encoder is not None]
    if name != "oracle":
        assert kernel.networks() == backbones + encoders


@pytest.mark.parametrize("name", [*KERNELS, "oracle"])
def test_kernels_that_reuse_noise_can_be_sampled_with_less_of_it(name: str) -> None:
    kernel = make(name)
    less, all_fresh = (Transition(tensors(kernel)[2], 0.5, 1.0, eta=eta) for eta in (0.3, 1.0))
    if kernel.reuses_noise:
        assert not torch.equal(kernel.sample(less, NOISE), kernel.sample(all_fresh, NOISE))
    else:
        with pytest.raises(ValueError, match=r"eta = 0\.3"):
            kernel.sample(less, NOISE)


@pytest.mark.parametrize("encoder_input", ["z_s", "y"])
@pytest.mark.parametrize("kind", ["vae", "ladder"])
@pytest.mark.parametrize(("s", "t"), STEPS, ids=["inner", "final", "each"])
@torch.no_grad()
def test_explaining_calls_each_network_as_often_as_it_must(kind: str, encoder_input: str, s: Any, t: Any) -> None:
    """The encoder once, the decoder once for each latent."""
    kernel = ladder() if kind == "ladder" else vae()
    kernel.encoder_input, calls = type(kernel.encoder_input)(encoder_input), Counter[str]()
    kernel.decoder.backbone.register_forward_hook(lambda *_: calls.update(["decoder"]))
    kernel.encoder.register_forward_hook(lambda *_: calls.update(["encoder"]))
    for k in (1, 2, 5):
        calls.clear()
        kernel.explain(pair_of(kernel, s, t), NOISE, k)
        assert calls == {"encoder": 1, "decoder": k}
    calls.clear()
    kernel.sample(pair_of(kernel, s, t), NOISE)
    assert calls == {"decoder": 1}
    calls.clear()
    kernel.loss(pair_of(kernel, s, t), NOISE, {"data": 1.0})
    assert calls == {"encoder": 1, "decoder": 1}


def test_guidance_calls_the_network_twice_and_only_where_it_is_asked_for() -> None:
    kernel, calls = make("optimal", CLASSES), Counter[str]()
    kernel.network.backbone.register_forward_hook(lambda *_: calls.update(["network"]))
    for guidance, expected in [(1.0, 1), (2.0, 2), (0.0, 2)]:
        calls.clear()
        kernel.sample(Transition(torch.zeros(3, 2), 0.2, 1.0, torch.tensor([0, 1, 2]), guidance), NOISE)
        assert calls["network"] == expected


@pytest.mark.parametrize(
    "make",
    [
        lambda: DeterministicKernel(network((2,))),
        lambda: DeterministicKernel(network(IMAGE, architecture="unet")),
        lambda: GaussianKernel(network((2,)), HEAD),
        lambda: GaussianKernel(network(IMAGE, architecture="unet"), BINS),
        lambda: vae(),
        lambda: vae(parametrisation="direct", encoder_input="y"),
        lambda: small_vae((2,), None, HEAD),
        lambda: VAEKernel(network(IMAGE, architecture="unet", outputs=2, latent=4), ConvEncoder(IMAGE, latent=4), BINS),
    ],
    ids=["deterministic", "deterministic images", "gaussian", "gaussian images", "vae", "direct vae", "vae without a latent", "vae images"],
)
def test_every_parameter_learns(make: Callable[[], Kernel]) -> None:
    torch.manual_seed(0)
    kernel = make()
    randomise(kernel)
    y, z_s, z_t = torch.randn(3, 4, *kernel.event_shape).clamp(-1, 1)
    s, t = torch.tensor([0.0, 0.1, 0.5, 1.0]), torch.tensor([0.3, 0.5, 1.0, 3.0])
    terms = kernel.loss(Pair(z_t, s, t, y=y, z_s=torch.cat([y[:1], z_s[1:]])), Noise(0, 0, 4), {})
    sum(terms.values()).sum().backward()
    idle = [name for name, p in kernel.named_parameters() if p.grad is None or not p.grad.any() or not p.grad.isfinite().all()]
    assert not idle


def test_weights() -> None:
    one = torch.ones(2)
    assert weighted({"kl": one, "decoder": one}, {"kl": 0.5, "absent": 3.0})["kl"].tolist() == [0.5, 0.5]
    assert weighted({"kl": one, "decoder": one}, {"kl": 0.5})["decoder"].tolist() == [1, 1]
    for weights in ({}, {"kl": 1.0}, {"data": 0.0, "energy": 0.0, "kl": 1.0}):
        assert not is_reweighted(weights)
    for weights in ({"kl": 0.5}, {"data": 0.1}, {"energy": 1.0}, {"decoder": 0.0}):
        assert is_reweighted(weights)


@pytest.mark.parametrize("name", ["optimal", "vae", "ladder"])
def test_data_that_the_head_cannot_explain_are_refused(name: str) -> None:
    kernel = make(name)
    kernel.check(tensors(kernel)[0])
    if name == "ladder":
        with pytest.raises(ValueError, match="17 bins"):
            kernel.check(torch.full((1, *IMAGE), 0.01))
