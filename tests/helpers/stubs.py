"""Stand-ins: a network that is the truth, and noise that is chosen instead of drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from saltus.kernels import GaussianKernel, OracleDenoiser, Preconditioned, VAEKernel
from saltus.likelihoods import Head
from saltus.networks import MLP, Condition, backbone
from saltus.process import Noise, OrnsteinUhlenbeck

__all__ = ["GivenNoise", "OracleDenoiser", "network", "randomise", "set_error", "small_vae"]

process = OrnsteinUhlenbeck()


@dataclass(frozen=True)
class GivenNoise(Noise):
    """Numbers that were chosen, by role: nodes of a quadrature, for instance."""

    normals: Mapping[str, Tensor] = field(default_factory=dict)
    uniforms: Mapping[str, Tensor] = field(default_factory=dict)

    def normal(self, role: str, shape: Sequence[int], *, like: Tensor | None = None) -> Tensor:
        return self.normals[role]

    def uniform(self, role: str, shape: Sequence[int] = ()) -> Tensor:
        return self.uniforms[role] if role in self.uniforms else super().uniform(role, shape)


def set_error(kernel: GaussianKernel, times: Tensor, errors: Tensor) -> None:
    """Give an `optimal` kernel its squared errors c at ascending times, in place of measuring them."""
    kernel.calibrated_log_snr, kernel.calibrated_error = process.log_snr(times).flip(0), errors.double().flip(0)


def network(event_shape: Sequence[int], variance: float = 1.0, **sizes: Any) -> Preconditioned:
    """A preconditioned backbone of a preset."""
    return Preconditioned(backbone(event_shape, **sizes), variance)


def randomise(module: nn.Module, seed: int = 0) -> None:
    """Fill last layers, which start at zero, with numbers of order one: an untrained network that does something."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            if not parameter.any():
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))


def small_vae(
    event_shape: Sequence[int], encoder: nn.Module | None, head: Head, *, condition: Condition | None = None, **options: Any
) -> VAEKernel:
    """A VAE kernel around a small multi-layer perceptron."""
    latent = 0 if encoder is None else int(encoder.latent)  # type: ignore[arg-type]
    mlp = MLP(event_shape, outputs=2, latent=latent, width=16, depth=1, condition=condition)
    return VAEKernel(Preconditioned(mlp), encoder, head, **options)
