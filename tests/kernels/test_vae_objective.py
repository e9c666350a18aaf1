"""What training may add to the bound: the decoder in the space of data, and the energy score of the prior's predictions."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

from saltus.errors import SaltusError
from saltus.kernels import Pair, Preconditioned, Prediction, VAEKernel
from saltus.likelihoods import GaussianHead
from saltus.networks import MLPEncoder
from saltus.process import Noise, OrnsteinUhlenbeck
from saltus.training import Config
from tests.helpers.checks import assert_one_sentence, mean_is
from tests.helpers.stubs import randomise, small_vae

N, S, T = 40_000, 0.2, 1.0
WIDTH = 0.5


class Nothing(nn.Module):
    """The shapes of a backbone that is not called."""

    event_shape, latent = (1,), 1


class Echo(Preconditioned):
    """yhat = the latent: N(0, I), whatever z_t is."""

    def __init__(self) -> None:
        super().__init__(Nothing())

    def forward(self, z: Tensor, log_snr: Tensor, latent: Tensor | None = None, condition: Tensor | None = None) -> Prediction:
        assert latent is not None
        return Prediction(latent, torch.zeros_like(z), torch.full_like(z, WIDTH))


def energies(y: Tensor, z: Tensor) -> Tensor:
    """Of data y where z_s = z_t = z, (N, 1) each."""
    kernel = VAEKernel(Echo(), MLPEncoder((1,), latent=1), GaussianHead(1e-3)).double()
    with torch.no_grad():
        return kernel.loss(Pair(z, S, T, y=y, z_s=z), Noise(0, 0, N), {"energy": 1.0})["energy"]


@pytest.mark.parametrize("y", [0.0, -1.3])
def test_the_energy_is_the_energy_score_of_the_predictions(y: float) -> None:
    """For N(0, 1): E|x - y| - E|x - x'| / 2 = 2 phi(y) + y (2 Phi(y) - 1) - 1 / sqrt(pi), in units of the width."""
    unit = Normal(0.0, 1.0)
    to_y = 2 * float(unit.log_prob(torch.tensor(y)).exp()) + y * (2 * float(unit.cdf(torch.tensor(y))) - 1)
    ys = torch.full((N, 1), y, dtype=torch.float64)
    found = energies(ys, ys)
    assert mean_is(found, (to_y - 1 / math.sqrt(math.pi)) / WIDTH)
    assert not mean_is(found, to_y / WIDTH)  # the twin: without what keeps predictions apart


def test_predictions_of_the_right_distribution_have_the_least_energy() -> None:
    """Over y ~ N(0, 1), N(0, 1) itself scores better than it does over a narrower or a wider distribution of y."""
    y = torch.randn(N, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    # predictions N(0, scale^2): y and widths in units of the scale
    scores = {scale: float(scale * energies(y / scale, y).mean()) for scale in (0.5, 1.0, 2.0)}
    assert min(scores, key=scores.__getitem__) == 1.0


def test_what_has_no_weight_is_not_computed_and_data_is_its_log_likelihood() -> None:
    torch.manual_seed(0)
    kernel = small_vae((2,), MLPEncoder((2,), latent=3, width=16), GaussianHead(1e-3))
    randomise(kernel)
    y, noise = torch.randn(4, 2), Noise(0, 0, 4)
    pair = Pair(y, S, T, y=y, z_s=y)
    plain = kernel.loss(pair, noise, {"energy": 0.0})
    assert set(plain) == {"kl", "decoder", "entropy"}
    more = kernel.loss(pair, noise, {"data": 0.5, "energy": 2.0, "decoder": 0.0})
    assert set(more) == {"kl", "decoder", "entropy", "data", "energy"}
    assert not more["decoder"].any()
    latent = kernel.explain(pair, noise).latent
    process = OrnsteinUhlenbeck()
    a, b, spread = process.bridge_coefficients(S, T)
    step = kernel.step(pair, latent)
    yhat, variance = (step.mean - a * y) / b, (step.variance - spread) / b**2
    assert torch.allclose(more["data"], -0.5 * Normal(yhat, variance.sqrt()).log_prob(y).sum(1), rtol=1e-4)


def test_a_kernel_that_does_not_predict_data_has_neither() -> None:
    kernel = small_vae((2,), None, GaussianHead(1e-3), parametrisation="direct")
    zeros = torch.zeros(1, 2)
    with pytest.raises(SaltusError, match="a weight of energy is for kernels that predict data") as caught:
        kernel.loss(Pair(zeros, S, T, y=zeros, z_s=zeros), Noise(0, 0, 1), {"energy": 1.0})
    assert_one_sentence(caught.value)


def test_objectives_are_weights_and_weights_are_checked() -> None:
    assert Config().loss_weights == {}
    assert Config(objective="quality").loss_weights == {"kl": 0.7}
    assert Config(objective="quality", weights={"energy": 0, "kl": 0.3}).loss_weights == {"energy": 0, "kl": 0.3}
    for wrong in ({"noise": 1.0}, {"kl": -1.0}):
        with pytest.raises(SaltusError, match="option weights was given as"):
            Config(weights=wrong)
