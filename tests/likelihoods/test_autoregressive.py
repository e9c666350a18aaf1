"""Pixels in sequence: masses sum to 1, draws match them, densities are those of the Gaussian that couplings make."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from saltus.kernels.step import GaussianStep
from saltus.likelihoods import AutoregressiveHead, DiscretisedHead, GaussianHead, Head, LogisticMixtureHead
from saltus.likelihoods.autoregressive import NEIGHBOURS
from tests.helpers.checks import mean_is

BINS = 3
Given = tuple[Tensor, Tensor, Tensor]


def given(head: Head, n: int, shape: tuple[int, ...], seed: int = 0) -> Given:
    """A mean, a variance and a network's arrays, for n images alike."""
    generator = torch.Generator().manual_seed(seed)
    mean = torch.rand(1, *shape, generator=generator, dtype=torch.float64) * 2 - 1
    variance = torch.rand(1, *shape, generator=generator, dtype=torch.float64) + 0.2
    extra = torch.randn(1, head.arrays, *shape, generator=generator, dtype=torch.float64)
    return tuple(x.expand(n, *x.shape[1:]) for x in (mean, variance, extra))  # type: ignore[return-value]


def every_image(shape: tuple[int, ...]) -> Tensor:
    values = torch.linspace(-1, 1, BINS, dtype=torch.float64).tolist()
    size = torch.Size(shape).numel()
    return torch.tensor(list(itertools.product(values, repeat=size)), dtype=torch.float64).reshape(-1, *shape)


def heads(channels: int) -> list[Head]:
    return [DiscretisedHead(BINS), LogisticMixtureHead(BINS, channels, components=2)]


SHAPES = [(1, 3, 3), (2, 2, 2), (1, 1, 5)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("which", [0, 1])
def test_masses_sum_to_one(shape: tuple[int, ...], which: int) -> None:
    head = AutoregressiveHead(heads(shape[0])[which])
    y = every_image(shape)
    mass = head.log_prob(y, *given(head, len(y), shape)).exp()
    assert float(mass.sum()) == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("shape", [(1, 2, 3), (2, 2, 1)])
def test_draws_match_masses(shape: tuple[int, ...]) -> None:
    head, n = AutoregressiveHead(LogisticMixtureHead(BINS, shape[0], components=2)), 200_000
    mean, variance, extra = given(head, n, shape)
    eps = torch.randn(mean.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    drawn, y = head.sample(mean, variance, eps, extra), every_image(shape)
    digits = torch.tensor([BINS**i for i in reversed(range(mean[0].numel()))])
    share = torch.bincount(((drawn + 1).round().long().flatten(1) * digits).sum(1), minlength=len(y)) / n
    alone = LogisticMixtureHead(BINS, shape[0], components=2)

    def matches(mass: Tensor) -> bool:
        return bool(((share - mass).abs() <= 5 * (mass * (1 - mass) / n).sqrt() + 1e-12).all())

    mean, variance, extra = given(head, len(y), shape)
    assert matches(head.log_prob(y, mean, variance, extra).exp())
    assert not matches(alone.log_prob(y, mean, variance, extra[:, : alone.arrays]).exp())  # the twin that must fail: no neighbours


def gaussian_of(mean: Tensor, variance: Tensor, extra: Tensor) -> MultivariateNormal:
    """y = mean + K (y - mean) + sigma eps, solved for y: K has the neighbours of each pixel, found here by its row and column."""
    h, w = mean.shape[-2:]
    k = extra[0, -NEIGHBOURS:, 0]
    matrix = torch.zeros(h * w, h * w, dtype=torch.float64)
    corners, sides = ((-1, -1), (-1, 1), (1, -1), (1, 1)), ((-1, 0), (1, 0), (0, -1), (0, 1))
    for i, j in itertools.product(range(h), range(w)):
        if i % 2 == 0 and j % 2 == 0:
            step = 2  # the coarser scale, of pixels 0, 2: 4 fills none of 3 x 3
            if (i % 4, j % 4) == (0, 0):
                continue
            away = corners if i % 4 and j % 4 else sides
        else:
            step, away = 1, corners if i % 2 and j % 2 else sides
        for n, (down, right) in enumerate(away):
            a, b = i + step * down, j + step * right
            if 0 <= a < h and 0 <= b < w:
                matrix[i * w + j, a * w + b] = k[n, i, j]
    solved = torch.linalg.inv(torch.eye(h * w, dtype=torch.float64) - matrix)
    return MultivariateNormal(mean[0].flatten(), solved @ torch.diag(variance[0].flatten()) @ solved.T)


def test_around_gaussians_it_is_the_gaussian_that_couplings_make() -> None:
    head, shape = AutoregressiveHead(GaussianHead(1e-6)), (1, 5, 3)
    mean, variance, extra = given(head, 1, shape)
    y = torch.randn(7, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = gaussian_of(mean, variance, extra).log_prob(y.flatten(1))
    alike = (x.expand(7, *x.shape[1:]) for x in (mean, variance, extra))
    assert torch.allclose(head.log_prob(y, *alike), expected, atol=1e-9)
    assert torch.allclose(head.mean(mean, variance, extra), mean)
    assert torch.allclose(head.mode(mean, variance, extra), mean)


@pytest.mark.parametrize("shape", [(1, 12, 9), (3, 8, 8)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_noise_makes_what_it_was_found_for(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    head = AutoregressiveHead(LogisticMixtureHead(256, shape[0]))
    mean, variance, extra = (x.to(dtype) for x in given(head, 8, shape))
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    extra, variance = extra / 4, variance / 50
    y = head.sample(mean, variance, noise, extra)
    assert torch.equal(head.sample(mean, variance, head.eps(y, mean, variance, extra), extra), y)


def test_without_arrays_it_is_the_inner_head() -> None:
    inner = LogisticMixtureHead(256, 1)
    mean, variance, _ = given(inner, 4, (1, 6, 6))
    y = ((mean + 1) * 127.5).round() / 127.5 - 1
    assert torch.allclose(AutoregressiveHead(inner).log_prob(y, mean, variance), inner.log_prob(y, mean, variance))


def test_it_ends_in_a_sample() -> None:
    """Of neighbours that agree: two pixels of a tie that is tight are alike in samples, and the mode is theirs without noise."""
    head, n = AutoregressiveHead(GaussianHead(1e-6)), 1000
    mean, variance, extra = torch.zeros(n, 1, 1, 2), torch.tensor([1.0, 1e-6]).expand(n, 1, 1, 2), torch.ones(n, NEIGHBOURS, 1, 1, 2)
    eps = torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
    y = GaussianStep(mean, variance, True, head, extra).sample(eps, "auto").flatten(1)
    assert torch.allclose(y[:, 0], y[:, 1], atol=0.01)
    assert float(y.std()) == pytest.approx(1, abs=5 / n**0.5)
    assert not GaussianStep(mean, variance, True, head, extra).sample(eps, "mode").any()


def test_refuses_no_scale() -> None:
    with pytest.raises(ValueError, match="expected 1 to 8"):
        AutoregressiveHead(DiscretisedHead(3), scales=0)


@pytest.mark.parametrize("which", [0, 1])
def test_pixels_that_are_filled_in_weigh_what_is_known(which: int) -> None:
    """The mean of the known pixels' masses, given what was drawn before them, is their probability; the twin takes the drawn ones too."""
    shape, n = (1, 3, 3), 20_000
    head = AutoregressiveHead(heads(1)[which])
    every = every_image(shape)
    known = torch.tensor([1, 0, 0, 1, 1, 0, 0, 1, 0]).bool().reshape(1, *shape)
    y = every[4321:4322]
    mass = head.log_prob(every, *given(head, len(every), shape)).exp()
    expected = float(mass[(every == y).logical_or(~known).flatten(1).all(1)].sum())
    generator = torch.Generator().manual_seed(1)
    mean, variance, extra = given(head, n, shape)
    eps = torch.randn(n, *shape, generator=generator).double()
    filled = head.fill(y.expand(n, *shape), known.expand(n, *shape), mean, variance, eps, extra)
    assert bool((filled == y)[:, known[0]].all())
    each = head.log_prob_each(filled, mean, variance, extra)
    torch.testing.assert_close(each.flatten(1).sum(1), head.log_prob(filled, mean, variance, extra))
    assert mean_is(torch.where(known, each, 0.0).flatten(1).sum(1).exp(), expected)
    assert not mean_is(each.flatten(1).sum(1).exp(), expected)
