"""A step at sampling is tensors in, tensors out: it is traced and compiled as one graph, without a look at a tensor's values."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from saltus.kernels import (
    DEFAULT,
    DeterministicKernel,
    GaussianKernel,
    Kernel,
    LadderKernel,
    Preconditioned,
    Sampling,
    Transition,
    VAEKernel,
)
from saltus.likelihoods import AutoregressiveHead, ColumnsHead, DiscretisedHead, GaussianHead, Head, LogisticMixtureHead, Number
from saltus.networks import ClassCondition, Condition, Ladder, LadderEncoder, MLPEncoder, VectorCondition
from saltus.process import Noise
from tests.helpers.stubs import GivenNoise, network, randomise, set_error, small_vae

HEAD, BINS = GaussianHead(0.05), DiscretisedHead(256, outliers=1e-4)
TABLE = ColumnsHead(GaussianHead(1.0), [Number(0, 99, step=1.0, bend=2.0, std=0.5), Number(0.0, 9.0, atoms=(0.0,), gap=1.0)])
IMAGE = (1, 8, 8)
CLASSES = ClassCondition("abc", [1, 1, 1])
T = 1.0


class Step(nn.Module):
    """One step of a kernel between two times that are numbers, from chosen noise."""

    def __init__(self, kernel: Kernel, s: float, sampling: Sampling = DEFAULT) -> None:
        super().__init__()
        self.kernel, self.s, self.sampling = kernel, s, sampling

    def forward(self, z_t: Tensor, latent: Tensor, eps: Tensor, condition: Tensor | None = None) -> Tensor:
        noise = GivenNoise(0, 0, len(z_t), normals={"latent": latent, "decoder": eps})
        return self.kernel.sample(Transition(z_t, self.s, T, condition, self.sampling.guidance, self.sampling.eta), noise, self.sampling)


class Branching(Step):
    """The twin: it looks at a value to choose its way."""

    def forward(self, z_t: Tensor, latent: Tensor, eps: Tensor, condition: Tensor | None = None) -> Tensor:
        z_s = super().forward(z_t, latent, eps, condition)
        return z_s if bool(z_s.mean() > 0) else -z_s


class Reading(Step):
    """The other twin: it reads a value out, which a graph can hold, but for which a GPU has to wait."""

    def forward(self, z_t: Tensor, latent: Tensor, eps: Tensor, condition: Tensor | None = None) -> Tensor:
        return super().forward(z_t, latent, eps, condition) * z_t.mean().item()


def gaussian(condition: Condition | None = None) -> GaussianKernel:
    kernel = GaussianKernel(network((2,), condition=condition), HEAD)
    set_error(kernel, torch.tensor([0.3, 1.5]), torch.tensor([0.2, 0.7]))
    return kernel


def ladder(condition: Condition | None = None, head: Head = BINS) -> LadderKernel:
    decoder = Preconditioned(Ladder(IMAGE, channels=(8, 16), groups=1, k=2, outputs=2 + head.arrays, condition=condition))
    encoder = LadderEncoder(IMAGE, channels=(8, 16), condition=condition)
    return LadderKernel(decoder, encoder, head)


KERNELS: dict[str, Callable[[Condition | None], Kernel]] = {
    "vae": lambda c: small_vae((2,), MLPEncoder((2,), latent=3), HEAD, condition=c),
    "vae of a table": lambda c: small_vae((2,), MLPEncoder((2,), latent=3), TABLE, condition=c),
    "direct vae": lambda c: small_vae((2,), MLPEncoder((2,), latent=3), HEAD, condition=c, parametrisation="direct"),
    "vae of images": lambda c: VAEKernel(
        network(IMAGE, architecture="unet", channels=(8, 16), outputs=2, latent=3, condition=c), MLPEncoder(IMAGE, latent=3), BINS
    ),
    "ladder": ladder,
    "pixels in sequence": lambda c: ladder(c, AutoregressiveHead(LogisticMixtureHead(256, 1))),
    "gaussian": gaussian,
    "deterministic": lambda c: DeterministicKernel(network((2,), condition=c)),
    "bridge": lambda c: DeterministicKernel(network((2,), condition=c), bridge=True),
}


def arguments(kernel: Kernel, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    z_t = Noise(seed, 0, 3).normal("z", kernel.event_shape).float()
    return z_t, Noise(seed, 0, 3).normal("latent", (kernel.latent,), like=z_t), Noise(seed, 0, 3).normal("eps", z_t.shape[1:], like=z_t)


def looks(program: torch.export.ExportedProgram) -> list[str]:
    """Nodes that look at values: what they return depends on the numbers, not on the shapes."""
    names = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    assert names
    return [name for name in names if any(part in name for part in ("_local_scalar_dense", "aten.item", "nonzero", "sym_constrain"))]


def assert_one_graph(step: Step, *given: Tensor) -> None:
    """The traced program holds no look at a value, and gives the step's numbers, for other arguments than it was traced with too."""
    program = torch.export.export(step, (*arguments(step.kernel, 0), *given))
    assert looks(program) == []
    for seed in (0, 1):
        fresh = arguments(step.kernel, seed)
        assert torch.allclose(program.module()(*fresh, *given), step(*fresh, *given), atol=1e-6)
    assert not torch.allclose(step(*arguments(step.kernel, 0), *given), step(*arguments(step.kernel, 1), *given), atol=1e-3)


@pytest.mark.parametrize(("s", "condition"), [(0.2, CLASSES), (0.0, None)], ids=["inner, of a class", "final"])
@pytest.mark.parametrize("name", KERNELS)
@torch.no_grad()
def test_a_step_is_one_graph(name: str, s: float, condition: Condition | None) -> None:
    torch.manual_seed(0)
    kernel = KERNELS[name](condition)
    randomise(kernel)
    assert_one_graph(Step(kernel, s), *([] if condition is None else [torch.tensor([0, 2, -1])]))


@pytest.mark.parametrize(
    ("s", "sampling"),
    [(0.0, Sampling("mean")), (0.0, Sampling("sample")), (0.2, Sampling(eta=0.5, temperature=1.5, guidance=2.0))],
    ids=["mean", "sample", "guided with less fresh noise"],
)
@torch.no_grad()
def test_every_sampling_is_one_graph(s: float, sampling: Sampling) -> None:
    torch.manual_seed(0)
    kernel = small_vae((2,), MLPEncoder((2,), latent=3), BINS, condition=VectorCondition(2))
    randomise(kernel)
    assert_one_graph(Step(kernel, s, sampling), torch.tensor([[0.5, 1.0], [2.0, -1.0], [torch.nan] * 2]))


@torch.no_grad()
def test_a_look_at_a_value_is_seen() -> None:
    kernel = KERNELS["vae"](None)
    randomise(kernel)
    with pytest.raises(Exception, match="data-dependent"):
        torch.export.export(Branching(kernel, 0.2), arguments(kernel, 0))
    assert looks(torch.export.export(Reading(kernel, 0.2), arguments(kernel, 0)))


@pytest.mark.parametrize("s", [0.2, 0.0], ids=["inner", "final"])
@pytest.mark.parametrize(
    "name", ["vae", "vae of a table", "ladder", pytest.param("pixels in sequence", marks=pytest.mark.slow), "gaussian"]
)
@torch.no_grad()
def test_a_step_compiles_without_a_break(name: str, s: float) -> None:
    """`fullgraph` raises at whatever would end a graph; the batch of the second call is another one."""
    torch.manual_seed(0)
    torch.compiler.reset()
    kernel = KERNELS[name](CLASSES)
    randomise(kernel)

    def step(z_t: Tensor, latent: Tensor, eps: Tensor, condition: Tensor) -> Tensor:
        return kernel.step(Transition(z_t, s, T, condition), latent).sample(eps, "auto")

    compiled = torch.compile(step, fullgraph=True, backend="eager")
    for n in (3, 2):
        given = *(values[:n] for values in arguments(kernel, n)), torch.tensor([0, 2, -1])[:n]
        assert torch.allclose(compiled(*given), step(*given), atol=1e-6)


@torch.no_grad()
def test_a_break_is_seen() -> None:
    kernel = KERNELS["vae"](None)
    with pytest.raises(Exception, match=r"[Dd]ata.dependent"):
        torch.compile(Branching(kernel, 0.2), fullgraph=True, backend="eager")(*arguments(kernel, 0))
