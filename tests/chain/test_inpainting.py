"""Parts of items: what is drawn given the rest has the chain's own distribution, against closed forms, by enumeration and by rejection."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from saltus.chain import Chain, Inpainted, OraclePrior, StandardNormal, inpaint, inpainting
from saltus.errors import SaltusError
from saltus.kernels import FlowKernel, GaussianKernel, Kernel, Known, OracleDenoiser, OracleKernel, Sampling, Transition
from saltus.levels import Levels
from saltus.likelihoods import DiscretisedHead, GaussianHead
from saltus.networks import ClassCondition, MLPEncoder
from saltus.oracles import GaussianMixture, LowRankMixture
from saltus.process import Measurement, OrnsteinUhlenbeck
from tests.helpers.chains import MIXTURE, chain_of
from tests.helpers.checks import assert_one_sentence, gauss_hermite, mean_is, same_mean
from tests.helpers.stubs import randomise, small_vae

DRAWS, PARTICLES, HARD = 1200, 64, 10.0
MEANS = torch.tensor([[-1.0, 0.5, 0.3], [1.0, 1.0, -0.4]], dtype=torch.float64)
FACTORS = torch.tensor([[[0.5], [0.4], [-0.6]], [[-0.3], [0.5], [0.4]]], dtype=torch.float64)
VARIANCES = torch.tensor([[0.05, 0.1, 0.04], [0.1, 0.03, 0.08]], dtype=torch.float64)
WEIGHTS = torch.tensor([0.4, 0.6], dtype=torch.float64)
LOW_RANK = LowRankMixture(WEIGHTS, MEANS, FACTORS, VARIANCES)
KNOWN = torch.tensor([True, False, False])
PAIRS = Measurement(torch.tensor([0, 0, -1]), torch.tensor([0.5, 0.5, 0.0], dtype=torch.float64))
TIMES = (0.0, 0.1, 0.4, 1.0)


def oracle_chain(head: GaussianHead | None = None) -> Chain:
    return Chain(OraclePrior(LOW_RANK), Levels(TIMES), OracleKernel(LOW_RANK, head))


def linear_chain(mean: Tensor, covariance: Tensor) -> Chain:
    """Of steps that are linear in z_t, so that what it draws is Gaussian; its variance is not that of the data."""
    one = GaussianMixture(torch.ones(1), mean[None], covariance[None])
    kernel = GaussianKernel(OracleDenoiser(one), GaussianHead(0.05), variance="transition")
    return Chain(StandardNormal(), Levels(TIMES), kernel)


def distribution_of_linear(chain: Chain, mean: Tensor, covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and covariance of what it draws, step by step."""
    process, eye = OrnsteinUhlenbeck(), torch.eye(3, dtype=torch.float64)
    m, C = torch.zeros(3, dtype=torch.float64), eye
    for s, t in reversed(list(chain.levels.pairs())):
        a, b, _ = (float(value) for value in process.bridge_coefficients(s, t))
        alpha, noise = float(process.alpha(t)), float(process.sigma(t)) ** 2
        gain = alpha * covariance @ torch.linalg.inv(alpha**2 * covariance + noise * eye)
        step = a * eye + b * gain
        width = max(float(process.sigma(t - s)) ** 2, 0.05**2)
        m, C = step @ m + b * (mean - alpha * gain @ mean), step @ C @ step.T + width * eye
    return m, C


def given_mixture(measure: Tensor, o: Tensor, means: Tensor, covariances: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """ln p(o), the mean and the second moments of a mixture given M y = o, with dense matrices."""
    seen = means @ measure.T
    cov = measure @ covariances @ measure.T
    joint = weights.log() + torch.distributions.MultivariateNormal(seen, cov).log_prob(o)
    gain = covariances @ measure.T @ torch.linalg.inv(cov)
    inner = means + (gain @ (o - seen)[..., None])[..., 0]
    spread = covariances - gain @ measure @ covariances
    share = joint.softmax(0)
    second = (share[:, None, None] * (spread + inner[:, :, None] * inner[:, None])).sum(0)
    return joint.logsumexp(0), share @ inner, second


def dense(measurement: Measurement) -> Tensor:
    return measurement.of(torch.eye(3, dtype=torch.float64)).T


def fits(found: Inpainted, distribution: tuple[Tensor, Tensor, Tensor]) -> bool:
    """Whether draws have the moments of a distribution."""
    y, (_, mean, second) = found.y[0].double(), distribution
    products = [(i, j) for i in range(3) for j in range(i, 3)]
    checked = [(y[:, i], mean[i]) for i in range(3)] + [(y[:, i] * y[:, j], second[i, j]) for i, j in products]
    return all(mean_is(values, float(expected)) for values, expected in checked if float(values.std()) > 1e-6)


def unweighed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replacement alone: every particle weighs the same."""
    plain = inpainting.resampled
    monkeypatch.setattr(inpainting, "resampled", lambda log_weight, *others: plain(torch.zeros_like(log_weight), *others))


@pytest.mark.parametrize("measurement", [Measurement.of_known(KNOWN), PAIRS], ids=["a number", "a mean of two"])
def test_an_exact_chain_has_the_mixtures_conditional(measurement: Measurement, monkeypatch: pytest.MonkeyPatch) -> None:
    chain, o = oracle_chain(), torch.tensor([0.2], dtype=torch.float64)
    covariances = FACTORS @ FACTORS.mT + torch.diag_embed(VARIANCES)
    distribution = given_mixture(dense(measurement), o, MEANS, covariances, WEIGHTS)
    found = inpaint(chain, [Known(measurement, o, "sample")], draws=DRAWS, particles=PARTICLES)
    torch.testing.assert_close(measurement.of(found.y[0]), o.expand(DRAWS, 1))
    assert fits(found, distribution)
    assert float(found.log_prob) == pytest.approx(float(distribution[0]), abs=0.05)
    unweighed(monkeypatch)
    assert not fits(inpaint(chain, [Known(measurement, o, "sample")], draws=4 * DRAWS, particles=8), distribution)


@pytest.mark.parametrize("measurement", [Measurement.of_known(KNOWN), PAIRS], ids=["a number", "a mean of two"])
def test_a_linear_chain_has_its_own_conditional(measurement: Measurement, monkeypatch: pytest.MonkeyPatch) -> None:
    mean, covariance = MEANS[0], FACTORS[0] @ FACTORS[0].T + torch.diag(VARIANCES[0])
    chain, o = linear_chain(mean, covariance), torch.tensor([0.3], dtype=torch.float64)
    m, C = distribution_of_linear(chain, mean, covariance)
    distribution = given_mixture(dense(measurement), o, m[None], C[None], torch.ones(1, dtype=torch.float64))
    found = inpaint(chain, [Known(measurement, o, "sample")], draws=DRAWS, particles=PARTICLES)
    assert fits(found, distribution)
    assert float(found.log_prob) == pytest.approx(float(distribution[0]), abs=0.05)
    unweighed(monkeypatch)
    assert not fits(inpaint(chain, [Known(measurement, o, "sample")], draws=4 * DRAWS, particles=8), distribution)


def discrete_chain(times: Sequence[float], latent: int = 2, encoder_input: str = "z_s") -> Chain:
    """Items of two numbers with three values each, by a VAE that looks hard at its latent."""
    torch.manual_seed(3)
    encoder = MLPEncoder((2,), latent=latent, width=16) if latent else None
    kernel = small_vae((2,), encoder, DiscretisedHead(3, outliers=1e-3), encoder_input=encoder_input)
    randomise(kernel)
    with torch.no_grad():
        kernel.decoder.backbone.last.weight.mul_(HARD)
    return Chain(StandardNormal(), Levels(times), kernel.double())


VALUES = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)


def agree(one: Tensor, other: Tensor) -> bool:
    """Whether numbers of two samples have the same chances of each value."""
    return all(same_mean((one == value).double(), (other == value).double()) for value in VALUES)


@torch.no_grad()
def test_a_discrete_chain_has_its_conditional_by_enumeration(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = discrete_chain((0.0, 0.4), latent=1)
    nodes, weights = (torch.from_numpy(value) for value in gauss_hermite(24))
    points, mass = torch.cartesian_prod(nodes, nodes, nodes), torch.cartesian_prod(weights, weights, weights).prod(1)
    step = chain.kernel(1).step(Transition(points[:, :2], 0.0, 0.4), points[:, 2:])
    every = torch.cartesian_prod(VALUES, VALUES)
    p = torch.stack([(mass * (-step.negative_log_prob(y.expand(len(points), 2))).exp()).sum() for y in every]).reshape(3, 3)
    assert float(p.sum()) == pytest.approx(1, abs=1e-6)
    measurement = Measurement.of_known(torch.tensor([True, False]))
    agrees = {}
    for weighed in (True, False):
        if not weighed:
            unweighed(monkeypatch)
        good = []
        for i, value in enumerate(VALUES):
            found = inpaint(chain, [Known(measurement, value[None], "sample")], draws=DRAWS, particles=PARTICLES)
            assert bool((found.y[..., 0] == value).all())
            good += [mean_is((found.y[0, :, 1] == other).double(), float(p[i, j] / p[i].sum())) for j, other in enumerate(VALUES)]
            assert float(found.log_prob) == pytest.approx(float(p[i].sum().log()), abs=0.1)
        agrees[weighed] = all(good)
    assert agrees == {True: True, False: False}


@pytest.mark.parametrize("encoder_input", ["z_s", "y"])
def test_several_steps_have_their_conditional_by_rejection(encoder_input: str) -> None:
    chain = discrete_chain((0.0, 0.2, 0.8), encoder_input=encoder_input)
    drawn = chain.sample(60_000, seed=1, sampling=Sampling(final="sample"), batch=20_000)
    value = VALUES[0]  # the rarer end
    accepted = drawn[drawn[:, 0] == value, 1]
    measurement = Measurement.of_known(torch.tensor([True, False]))

    found = inpaint(chain, [Known(measurement, value[None], "sample")], draws=DRAWS, particles=PARTICLES).y[0, :, 1]
    assert agree(found, accepted)
    assert not agree(found, drawn[:, 1])  # the twin: as if nothing were known


def test_an_exact_step_with_a_head_has_its_conditional_by_rejection() -> None:
    """The mixture's step to data by a head: its conditional by rejection."""
    head = DiscretisedHead(3, outliers=1e-3)
    chain = Chain(OraclePrior(LOW_RANK), Levels((0.0, 0.3)), OracleKernel(LOW_RANK, head))
    drawn = chain.sample(40_000, seed=1, sampling=Sampling(final="sample"), batch=40_000)
    accepted = drawn[drawn[:, 0] == VALUES[2], 2]

    found = inpaint(chain, [Known(Measurement.of_known(KNOWN), VALUES[2:], "sample")], draws=DRAWS, particles=16).y[0, :, 2]
    assert agree(found, accepted)
    assert not agree(found, drawn[:, 2])  # the twin: as if nothing were known


def known_of(y: Tensor) -> list[Known]:
    measurement = Measurement.of_known(torch.tensor([True, False]))
    return [Known(measurement, measurement.of(each[None])[0]) for each in y]


def test_draws_do_not_depend_on_their_company() -> None:
    chain, y = discrete_chain((0.0, 0.2, 0.8)), torch.cartesian_prod(VALUES, VALUES)[[0, 4, 8]]
    whole = inpaint(chain, known_of(y), draws=3, particles=8, seed=2)
    for i in range(3):
        one = inpaint(chain, known_of(y[i : i + 1]), draws=3, particles=8, seed=2, first_item=i)
        torch.testing.assert_close(one.y[0], whole.y[i])
    assert not torch.equal(whole.y, inpaint(chain, known_of(y), draws=3, particles=8, seed=3).y)


def test_many_draws_come_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    chain, known = discrete_chain((0.0, 0.2, 0.8)), known_of(torch.zeros(1, 2).double())
    whole = inpaint(chain, known, draws=5, particles=8)
    monkeypatch.setattr(inpainting, "_AT_ONCE", 2 * 8 * 2)
    torch.testing.assert_close(inpaint(chain, known, draws=5, particles=8), whole)


def test_a_class_is_told_or_drawn_along() -> None:
    """Two classes whose first numbers have other signs: what is known tells the class, unless it is given."""
    classes = LowRankMixture(WEIGHTS, MEANS, FACTORS, VARIANCES, labels=[0, 1])
    chain = Chain(OraclePrior(classes), Levels((0.0, 0.3)), OracleKernel(classes, condition=ClassCondition(["a", "b"], [4, 6])))
    known = [Known(Measurement.of_known(KNOWN), torch.tensor([0.3], dtype=torch.float64), "sample")]
    covariances = FACTORS @ FACTORS.mT + torch.diag_embed(VARIANCES)
    dense_known = dense(known[0].measurement)
    for condition, kept in ((None, [0, 1]), (0, [0])):
        distribution = given_mixture(dense_known, known[0].value, MEANS[kept], covariances[kept], WEIGHTS[kept] / WEIGHTS[kept].sum())
        given = None if condition is None else torch.tensor([condition])
        assert fits(inpaint(chain, known, draws=DRAWS, particles=32, condition=given), distribution)


@pytest.mark.parametrize(
    ("kernel", "prior"),
    [
        (FlowKernel((2,)), StandardNormal()),
        (chain_of("deterministic").kernel(1), StandardNormal()),
        (OracleKernel(MIXTURE), StandardNormal()),
        (chain_of("vae").kernel(1), OraclePrior(MIXTURE)),
    ],
    ids=["flow", "no width", "mixture of full covariances", "prior of full covariances"],
)
def test_other_chains_are_refused_in_one_sentence(kernel: Kernel, prior: StandardNormal | OraclePrior) -> None:
    chain = Chain(prior, Levels((0.0, 0.3)), kernel)
    with pytest.raises(SaltusError) as caught:
        inpaint(chain, known_of(torch.zeros(1, 2, dtype=torch.float64)), particles=4)
    assert_one_sentence(caught.value)
    with pytest.raises(ValueError, match="at least 1"):
        inpaint(chain, [], particles=0)
