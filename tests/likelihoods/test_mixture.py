"""A mixture of Gaussians for each column: densities integrate to 1, draws match them, and noise makes what it was found for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, Normal

from saltus.likelihoods import GaussianHead, MixtureHead
from tests.helpers.checks import follows, mean_is

M, D = 3, 2


def given(n: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """A mean, a variance and a network's arrays, the same for n rows."""
    generator = torch.Generator().manual_seed(seed)
    mean = torch.randn(1, D, generator=generator, dtype=torch.float64)
    variance = torch.rand(1, D, generator=generator, dtype=torch.float64) + 0.05
    extra = torch.randn(1, 3 * M, D, generator=generator, dtype=torch.float64)
    return mean.expand(n, -1), variance.expand(n, -1), extra.expand(n, -1, -1)


def distribution(seed: int = 0) -> MixtureSameFamily:
    """torch's own, of each column."""
    mean, variance, extra = (x[0] for x in given(1, seed))
    probability, offset, width = extra.split(M)
    centre = mean + variance.sqrt() * (offset + torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)[:, None])
    scale = variance.sqrt() * width.exp()
    return MixtureSameFamily(Categorical(logits=probability.T), Normal(centre.T, scale.T))


def test_the_density_is_that_of_torchs_mixture_and_integrates_to_one() -> None:
    head, line = MixtureHead(1e-3, components=M), torch.linspace(-60, 60, 240_001, dtype=torch.float64)
    y = torch.stack([line, line.flip(0)], 1)
    found = head.log_prob(y, *given(len(y)))
    assert torch.allclose(found, distribution().log_prob(y).sum(1), atol=1e-9)
    assert not torch.allclose(found, distribution(1).log_prob(y).sum(1), atol=1e-2)
    mean, variance, extra = given(len(line))
    alone = head.log_prob(line[:, None], mean[:, :1], variance[:, :1], extra[:, :, :1])
    assert float(torch.trapezoid(alone.exp(), line)) == pytest.approx(1, abs=1e-6)


def test_draws_match_the_density() -> None:
    head, n = MixtureHead(1e-3, components=M), 50_000
    mean, variance, extra = given(n)
    eps = torch.randn(n, D, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    drawn = head.sample(mean, variance, eps, extra)
    for column in range(D):

        def cdf(x: object, column: int = column, seed: int = 0) -> object:
            return distribution(seed).cdf(torch.as_tensor(x)[:, None].expand(-1, D))[:, column].numpy()

        assert follows(drawn[:, column], cdf)  # type: ignore[arg-type]
        assert not follows(drawn[:, column], lambda x, c=column: cdf(x, c, 1))  # type: ignore[misc]  # the twin
        assert mean_is(drawn[:, column], float(head.mean(mean, variance, extra)[0, column]))


def test_noise_makes_what_it_was_found_for() -> None:
    head = MixtureHead(1e-3, components=M)
    mean, variance, extra = given(500)
    y = distribution().sample((500,))
    noise = head.eps(y, mean, variance, extra)
    assert torch.allclose(head.sample(mean, variance, noise, extra), y, atol=1e-6)
    assert float(noise.abs().max()) < 10


def test_the_mode_is_where_the_highest_peak_is() -> None:
    head = MixtureHead(1e-3, components=M)
    mean, variance, extra = given(1)
    far = extra.clone()
    far[:, M : 2 * M] = torch.tensor([-30.0, 0.0, 30.0])[:, None]  # so that peaks do not overlap
    found = head.mode(mean, variance, far)
    for column in range(D):
        wide = torch.linspace(-40, 40, 800_001, dtype=torch.float64)[:, None]
        parts = (x[:, ..., column : column + 1].expand(len(wide), *x.shape[1:-1], 1) for x in (mean, variance, far))
        assert float(wide[head.log_prob(wide, *parts).argmax()]) == pytest.approx(float(found[0, column]), abs=1e-3)


def test_one_component_is_a_gaussian_and_none_is_refused() -> None:
    y, mean, variance = torch.randn(3, 7, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64).unbind(0)
    one, gaussian = MixtureHead(0.01, components=1), GaussianHead(0.01)
    variance = variance.square() + 0.01
    assert torch.allclose(one.log_prob(y, mean, variance), gaussian.log_prob(y, mean, variance))
    assert torch.allclose(one.mode(mean, variance), mean)
    narrow = torch.full_like(variance, 1e-9)
    assert torch.allclose(one.log_prob(y, mean, narrow), gaussian.log_prob(y, mean, narrow))  # both at their floor
    for options in ({"floor": 0.0}, {"floor": 0.1, "components": 0}):
        with pytest.raises(ValueError, match="expected a positive standard deviation"):
            MixtureHead(**options)
