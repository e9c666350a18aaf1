"""A package of a user's own, as if it were installed: a kernel and a network, one file, and one line for each."""

from __future__ import annotations

from pathlib import Path

__all__ = ["declare", "install"]

_MODULE = '''
import torch
from torch import nn

from saltus.kernels import KERNELS, Explanation, GaussianStep, Kernel, Trainable, denoise
from saltus.networks import NETWORKS
from saltus.registry import Configurable


class MyKernel(Kernel):
    """A Gaussian step whose squared error is one number that is learned."""

    any_step = True
    trains_bound = True

    def __init__(self, network, head, *, start):
        super().__init__()
        self.network, self.head = network, head
        self.event_shape, self.condition = network.event_shape, network.condition
        self.log_error = nn.Parameter(torch.full((), float(start)).log())

    @classmethod
    def build(cls, setup):
        return cls(setup.denoiser(), setup.head, start=setup.options["start"])

    @property
    def label(self):
        return "my step"

    def step(self, transition, latent):
        yhat = denoise(self.network, transition).mean
        return GaussianStep.around(transition, yhat, self.log_error.exp(), self.head)

    def explain(self, pair, noise, k=1):
        step = self.step(pair, pair.z_t.new_zeros(len(pair.z_t), 0))
        return Explanation.without_latent({"mine": step.divergence(pair)}, pair.z_t, step)


class MyNet(Configurable, nn.Module):
    """One hidden layer."""

    def __init__(self, event_shape, *, outputs, latent, condition, width=16):
        super().__init__()
        self.event_shape, self.outputs, self.latent, self.condition = tuple(event_shape), outputs, latent, condition
        size = torch.Size(event_shape).numel()
        self.layers = nn.Sequential(nn.Linear(size + 2 + latent, width), nn.SiLU(), nn.Linear(width, outputs * size))

    def forward(self, x, log_snr, latent=None, condition=None):
        told = [x.flatten(1), (log_snr / 8).clamp(-1, 1).to(x.dtype)] + ([] if latent is None else [latent])
        return self.layers(torch.cat(told, dim=1)).reshape(len(x), self.outputs, *self.event_shape)


KERNELS.register("mine", Trainable(MyKernel.build, own={"start": 0.1}))
NETWORKS.register("mynet", MyNet)
'''


def install(site: Path) -> None:
    """Write the package and what pip writes beside it into a folder of PYTHONPATH."""
    declare(site, "mypkg", _MODULE, "[saltus.plugins]\nmypkg = mypkg\n")


def declare(site: Path, name: str, code: str, entry_points: str) -> None:
    """The same for a module of any code, with entry points as pip writes them, or as a pyproject.toml has them."""
    information = site / f"{name}-1.0.dist-info"
    information.mkdir(parents=True)
    (site / f"{name}.py").write_text(code)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    plain = entry_points.replace('project.entry-points."saltus.plugins"', "saltus.plugins").replace('"', "")
    (information / "entry_points.txt").write_text(plain)
