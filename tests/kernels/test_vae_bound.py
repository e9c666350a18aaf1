"""The terms of the VAE kernel are a bound, and the bound they say: by quadrature over latents and over z_s, without Monte Carlo.

The networks are untrained, with last layers of order one: the bound must hold for any of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from saltus.kernels import Pair, Transition, VAEKernel
from saltus.process import OrnsteinUhlenbeck
from tests.helpers.stubs import GivenNoise
from tests.helpers.vaes import IDS, OPTIONS, ROUNDING, kernel_1d

process = OrnsteinUhlenbeck()


def unit_nodes(n: int, reach: float = 9.0) -> tuple[Tensor, Tensor]:
    """Nodes and log weights for expectations over N(0, 1), whose mass beyond 9 is 2e-19."""
    x = torch.linspace(-reach, reach, n, dtype=torch.float64)
    return x, torch.log_softmax(-(x**2) / 2, 0)


@dataclass
class Step:
    """One step of a one-dimensional kernel, from one z_t and for one y, with everything tabulated."""

    kernel: VAEKernel
    y: float
    z_t: float
    s: float
    t: float
    eta: float = 1.0

    def __post_init__(self) -> None:
        gamma, log_gamma = unit_nodes(121)
        unit, log_unit = unit_nodes(61) if self.s > 0 else (torch.zeros(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64))
        self.weight = (log_unit[:, None] + log_gamma).exp().flatten()
        n = len(self.weight)
        self.gamma = gamma.repeat(len(unit))[:, None]
        self.noise = GivenNoise(0, 0, n, normals={"encoder": self.gamma})
        self.ys, self.z_ts = (torch.full((n, 1), value, dtype=torch.float64) for value in (self.y, self.z_t))
        a, b, spread = process.bridge_coefficients(self.s, self.t, self.eta)
        bridge_mean = a * self.z_t + b * self.y
        self.bridge = Normal(bridge_mean, spread.sqrt()) if self.s > 0 else None
        self.z_ss = (bridge_mean + spread.sqrt() * unit).repeat_interleave(len(gamma))[:, None]
        self.pair = Pair(self.z_ts, self.s, self.t, eta=self.eta, y=self.ys, z_s=self.z_ss)
        self.explanation = self.kernel.explain(self.pair, self.noise)
        self.terms = self.explanation.terms

    def average(self, value: Tensor) -> float:
        """Over z_s and the encoder's noise."""
        return float(self.weight @ value.flatten())

    def bound(self) -> float:
        return self.average(sum(self.terms.values()))

    def joint_divergence(self) -> float:
        """KL(q(z_s, epsilon | y, z_t) || p(z_s, epsilon | z_t)), from log densities alone; at s = 0, z_s being y, without q(z_s)."""
        posterior = self.kernel._posterior(self.pair)
        epsilon = posterior.loc + posterior.scale * self.gamma
        step = self.kernel.step(self.pair, epsilon)
        log_p = Normal(step.mean, step.variance.sqrt()).log_prob(self.z_ss) + Normal(0.0, 1.0).log_prob(epsilon)
        log_q = posterior.log_prob(epsilon) + (self.bridge.log_prob(self.z_ss) if self.bridge else 0.0)
        return self.average(log_q - log_p)

    def exact(self) -> float:
        """KL(q_eta(z_s | z_t, y) || p_eta(z_s | z_t)), or -ln p(y | z_t) at s = 0, by an integral over epsilon ~ N(0, 1)."""
        epsilon, log_weight = unit_nodes(401)
        transition = Transition(torch.full((401, 1), self.z_t, dtype=torch.float64), self.s, self.t, eta=self.eta)
        step = self.kernel.step(transition, epsilon[:, None])
        log_p = (Normal(step.mean, step.variance.sqrt()).log_prob(self.z_ss[:, 0]) + log_weight[:, None]).logsumexp(0)
        return self.average((self.bridge.log_prob(self.z_ss[:, 0]) if self.bridge else 0.0) - log_p)


@pytest.mark.parametrize("options", OPTIONS, ids=IDS)
@pytest.mark.parametrize(("s", "t"), [(0.0, 0.5), (0.02, 0.3), (0.4, 2.0)])
@torch.no_grad()
def test_terms_bound_the_exact_divergence(options: dict[str, str], s: float, t: float) -> None:
    for seed, (y, z_t) in enumerate([(0.8, 0.3), (-1.2, 0.6)]):
        step = Step(kernel_1d(seed, **options), y, z_t, s, t)
        bound, joint, exact = step.bound(), step.joint_divergence(), step.exact()
        assert bound == pytest.approx(joint, abs=ROUNDING)
        assert bound >= exact - ROUNDING
        for name in step.terms:  # the twin: no term may be missing
            rest = bound - step.average(step.terms[name])
            assert abs(rest - joint) > ROUNDING or (name == "entropy" and s == 0)


@pytest.mark.parametrize("encoder_input", ["z_s", "y"])
@pytest.mark.parametrize("eta", [0.3, 0.8])
@torch.no_grad()
def test_every_eta_has_its_own_bound(encoder_input: str, eta: float) -> None:
    kernel = kernel_1d(encoder_input=encoder_input)
    for y, z_t in [(0.8, 0.3), (-1.2, 0.6)]:
        step, other = (Step(kernel, y, z_t, 0.4, 2.0, eta=share) for share in (eta, 1.0))
        assert step.bound() == pytest.approx(step.joint_divergence(), abs=ROUNDING)
        assert step.bound() >= step.exact() - ROUNDING
        assert abs(step.bound() - other.bound()) > ROUNDING  # the twin: that of another eta


@pytest.mark.parametrize("options", OPTIONS, ids=IDS)
@pytest.mark.parametrize(("s", "t"), [(0.0, 0.5), (0.4, 2.0)])
@torch.no_grad()
def test_more_latents_tighten_the_bound_towards_the_divergence(options: dict[str, str], s: float, t: float) -> None:
    """One latent: the bound itself.  Two: between it and the divergence.  The mean weight is p(z_s | z_t), without bias."""
    step = Step(kernel_1d(**options), 0.8, 0.3, s, t)
    gamma = step.gamma

    def weighted(*eps: Tensor) -> dict[str, Tensor]:
        noise = GivenNoise(0, 0, len(gamma), normals={"importance": torch.stack(eps, dim=1)})
        return step.kernel.explain(step.pair, noise, len(eps)).terms

    # two latents that are one: the mean of their weights is the weight of one, with every part computed as for several
    one = weighted(gamma, gamma)
    nodes, log_weight = unit_nodes(121)
    two = sum(
        float(w) * step.average(sum(weighted(gamma, torch.full_like(gamma, float(node))).values()))
        for node, w in zip(nodes, log_weight.exp(), strict=True)
    )
    assert step.average(sum(one.values())) == pytest.approx(step.bound(), abs=ROUNDING)
    assert step.exact() - ROUNDING < two < step.bound() - 100 * ROUNDING
    weights = (-one["marginal"]).reshape(-1, len(nodes))
    marginal = -step.average((weights + log_weight).logsumexp(1)[:, None].expand_as(weights))
    assert marginal + step.average(one["entropy"]) == pytest.approx(step.exact(), abs=1e-6)  # an encoder's tail may be cut at 9


@pytest.mark.parametrize("options", OPTIONS, ids=IDS)
@torch.no_grad()
def test_the_bound_is_tight_where_the_encoder_is_exact(options: dict[str, str]) -> None:
    """A fresh decoder makes nothing of its latent, so the exact encoder is the prior: a fresh encoder with its last layer at zero."""
    kernel = kernel_1d(**options)
    for module in (kernel.decoder.backbone.last, kernel.encoder.layers[-1]):
        torch.nn.init.zeros_(module.weight)
        torch.nn.init.zeros_(module.bias)
    for s in (0.0, 0.3):
        step = Step(kernel, 0.8, 0.3, s, 1.0)
        assert step.bound() == pytest.approx(step.exact(), abs=ROUNDING)
        assert step.average(step.terms["kl"]) == pytest.approx(0, abs=ROUNDING)


@pytest.mark.parametrize("parametrisation", ["bridge", "direct"])
@torch.no_grad()
def test_the_encoders_coincide_at_the_step_to_data(parametrisation: str) -> None:
    sees_z_s, sees_y = (kernel_1d(parametrisation=parametrisation, encoder_input=encoder_input) for encoder_input in ("z_s", "y"))
    sees_y.load_state_dict(sees_z_s.state_dict())
    for s, same in [(0.0, True), (0.3, False)]:  # the twin: elsewhere they do not
        first, second = (Step(kernel, 0.8, 0.3, s, 1.0).bound() for kernel in (sees_z_s, sees_y))
        assert (first == pytest.approx(second, abs=ROUNDING)) is same
