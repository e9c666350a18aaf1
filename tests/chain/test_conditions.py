"""Chains that are told something: a learned one follows its class, guidance moves it there, and wrong conditions have one sentence.

The data are two classes on a line, one mode each.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from scipy import stats
from torch import Tensor

from saltus.chain import Chain, OraclePrior, StandardNormal
from saltus.errors import SaltusError
from saltus.kernels import GaussianKernel, OracleKernel, Preconditioned, Sampling, VAEKernel
from saltus.levels import Levels
from saltus.likelihoods import GaussianHead
from saltus.networks import MLP, ClassCondition, Condition, ImageCondition, MLPEncoder, VectorCondition
from saltus.oracles import GaussianMixture
from tests.helpers.chains import COVARIANCES, HEAD, MEANS, MIXTURE, WEIGHTS, chain_of, grid
from tests.helpers.checks import STANDARD_ERRORS, assert_one_sentence, follows, mean_is, mixture_cdf, standard_error
from tests.helpers.stubs import randomise

MANY = 10_000

DATA_WEIGHTS = torch.tensor([0.6, 0.4], dtype=torch.float64)
DATA_MEANS = torch.tensor([-0.5, 0.9], dtype=torch.float64)
DATA_VARIANCES = torch.tensor([0.3**2, 0.2**2], dtype=torch.float64)
DATA = GaussianMixture(DATA_WEIGHTS, DATA_MEANS[:, None], DATA_VARIANCES[:, None, None], [0, 1])
KIND = ClassCondition(["left", "right"], DATA_WEIGHTS.tolist())
UPDATES, BATCH, RATE, DROPPED = 250, 256, 1e-2, 0.2
LABELLED = GaussianMixture(WEIGHTS, MEANS, COVARIANCES, [0, 1, 0])


@pytest.fixture(scope="module")
def learned() -> Chain:
    """A conditional VAE of two steps, after seconds of training; a fifth of the conditions is dropped."""
    torch.manual_seed(0)
    decoder = Preconditioned(MLP((1,), outputs=2, latent=1, width=32, depth=1, condition=KIND), float(DATA.marginal(0.0).variance))
    encoder = MLPEncoder((1,), latent=1, width=32, condition=KIND)
    chain = Chain(StandardNormal(), Levels([0, 0.5, 3.0]), VAEKernel(decoder, encoder, GaussianHead(0.01)))
    optimiser = torch.optim.AdamW(chain.parameters(), lr=RATE, weight_decay=0.0)
    rest = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda update: (1 - update / UPDATES) ** 0.5)
    classes = KIND.draw(torch.rand(UPDATES * BATCH))
    data = DATA.sample(len(classes), seed=0, condition=classes).float()
    told = KIND.drop(classes, torch.rand(len(classes)) < DROPPED)
    for y, condition in zip(data.split(BATCH), told.split(BATCH), strict=True):
        optimiser.zero_grad()
        chain.loss(y, condition=condition).total.mean().backward()
        optimiser.step()
        rest.step()
    return chain


def cdf(*classes: int) -> Callable[..., object]:
    """Of the data of these classes."""
    rows = list(classes)
    return mixture_cdf(DATA_WEIGHTS[rows] / DATA_WEIGHTS[rows].sum(), DATA_MEANS[rows], DATA_VARIANCES[rows])


def distance(sample: Tensor, *classes: int) -> float:
    """Of Kolmogorov and Smirnov."""
    return float(stats.kstest(sample.double().flatten().numpy(), cdf(*classes)).statistic)


def test_samples_of_a_class_follow_it(learned: Chain) -> None:
    """Closer to the class than a third of the way to the other one, by name and by number; with no condition given, all of the data."""
    for c in (0, 1):
        sample = learned.sample(MANY, seed=1, condition=c, sampling=Sampling("sample"), batch=MANY)
        assert distance(sample, c) < distance(sample, 1 - c) / 3
        assert torch.allclose(sample[:20], learned.sample(20, seed=1, condition=KIND.names[c], sampling=Sampling("sample")), atol=1e-5)
    for given in (None, -1):  # classes as often as they come; no class at all
        sample = learned.sample(MANY, seed=1, condition=given, sampling=Sampling("sample"), batch=MANY)
        assert distance(sample, 0, 1) < min(distance(sample, 0), distance(sample, 1)) / 2


def test_an_item_costs_less_given_its_class(learned: Chain) -> None:
    classes = KIND.draw(torch.rand(MANY, generator=torch.Generator().manual_seed(0)))
    y = DATA.sample(MANY, seed=5, condition=classes)
    right, wrong, none = (learned.bound(y.float(), condition=c, batch=MANY).total.double() for c in (classes, 1 - classes, -1))
    assert float((wrong - right).mean()) > STANDARD_ERRORS * standard_error(wrong - right)
    assert float((none - right).mean()) > STANDARD_ERRORS * standard_error(none - right)
    for bound, truth in ((right, -DATA.log_prob(y, 0.0, classes)), (none, -DATA.log_prob(y, 0.0))):
        assert float((bound - truth).mean()) > -STANDARD_ERRORS * standard_error(bound - truth)  # on average, no bound is below the truth
    found = learned.class_bound(y.float(), batch=MANY)
    told = found.posterior.argmax(1)
    bayes = torch.stack([DATA.log_prob(y, 0.0, torch.full((MANY,), c)) + KIND.log_frequencies[c] for c in (0, 1)], dim=1).argmax(1)
    assert float((told == classes).double().mean()) > 0.9 * float((bayes == classes).double().mean())
    assert float((found.total + DATA.log_prob(y, 0.0)).mean()) > -STANDARD_ERRORS * standard_error(found.total + DATA.log_prob(y, 0.0))


@pytest.mark.parametrize("c", [0, 1])
def test_what_the_bounds_of_a_class_leave_is_no_more_than_a_density(learned: Chain, c: int) -> None:
    """exp(-E bound) <= p(y | c) of the model, whose integral over y is 1."""
    paths, y = 100, torch.linspace(-2.5, 2.5, 251)
    bounds = learned.bound(y.repeat_interleave(paths)[:, None], condition=c, batch=MANY).total.double().reshape(len(y), paths)
    mean, error = bounds.mean(1), bounds.std(1) / math.sqrt(paths)
    mass = float(torch.trapezoid((-mean).exp(), y.double()))
    spread = float(torch.trapezoid((-mean).exp() * error, y.double()))
    assert 0.8 < mass <= 1 + spread
    lucky = float(torch.trapezoid((-bounds.min(1).values).exp(), y.double()))
    assert lucky > 1 + spread  # the twin: the least of the paths is no bound


def gaussian(kind: Condition | None, **options: object) -> Chain:
    """An untrained chain of a Gaussian step, conditioned on anything."""
    torch.manual_seed(0)
    shape = kind.shape if isinstance(kind, ImageCondition) else (2,)
    kernel = GaussianKernel(Preconditioned(MLP(shape, width=16, depth=1, condition=kind)), HEAD, variance="transition", **options)
    chain = Chain(StandardNormal(), grid(2), kernel)
    randomise(chain)
    return chain


def test_guidance_goes_from_no_condition_through_it_and_beyond(learned: Chain) -> None:
    """At 0 the model without a condition and at 1 the conditional one, item by item; above, samples tell their class more surely."""
    chain = gaussian(KIND)

    def guided(guidance: float, condition: int) -> Tensor:
        return chain.sample(50, seed=1, condition=condition, sampling=Sampling(guidance=guidance))

    assert torch.allclose(guided(0.0, 1), guided(1.0, -1), atol=1e-5)
    assert not torch.allclose(guided(0.0, 1), guided(1.0, 1), atol=1e-5)  # the twin
    assert not torch.allclose(guided(2.0, 1), guided(1.0, 1), atol=1e-5)

    def surely(guidance: float) -> Tensor:
        sampling = Sampling("sample", guidance=guidance)
        y = learned.sample(MANY, seed=1, condition=0, sampling=sampling, batch=MANY).double()
        given, other = (DATA.log_prob(y, 0.0, torch.full((MANY,), c)) for c in (0, 1))
        return (given > other).double()

    gain = surely(2.0) - surely(0.0)
    assert float(gain.mean()) > STANDARD_ERRORS * standard_error(gain)


def test_classes_are_drawn_as_often_as_they_come_and_by_item() -> None:
    """Exact kernels make the data of each class; items keep their classes whatever the batch."""
    chain = Chain(OraclePrior(LABELLED), grid(2), OracleKernel(LABELLED))
    sample = chain.sample(MANY, seed=1, batch=MANY)
    assert follows(sample[:, 0], mixture_cdf(WEIGHTS, MEANS[:, 0], COVARIANCES[:, 0, 0]))
    assert torch.allclose(chain.sample(30, seed=1, first_item=7, batch=4), sample[7:37])
    classes = LABELLED.class_frequencies
    drawn = chain.condition.draw(chain.noise(1, 0, MANY).uniform("condition"))
    assert mean_is((drawn == 1).double(), float(classes[1]))
    assert not mean_is((drawn == 1).double(), 0.5)  # the twin
    for c, rows in ((0, [0, 2]), (1, [1])):
        given = chain.sample(MANY, seed=1, condition=c, batch=MANY)
        weights = WEIGHTS[rows] / WEIGHTS[rows].sum()
        assert follows(given[:, 0], mixture_cdf(weights, MEANS[rows, 0], COVARIANCES[rows, 0, 0]))
        assert torch.equal(given[drawn == c], sample[drawn == c])
        assert not follows(sample[:, 0], mixture_cdf(weights, MEANS[rows, 0], COVARIANCES[rows, 0, 0]))  # the twin


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (KIND, torch.tensor([0, 1, -1, 1, 0])),
        (VectorCondition(3), torch.randn(5, 3, generator=torch.Generator().manual_seed(0))),
        (ImageCondition((1, 8, 8)), torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))),
    ],
    ids=["classes", "vectors", "images"],
)
def test_every_kind_of_condition_goes_with_its_item(kind: Condition, values: Tensor) -> None:
    """Samples, bounds and losses are those of each item alone; those of another condition differ."""
    chain = gaussian(kind)
    sample = chain.sample(5, seed=1, condition=values, batch=2)
    y = torch.randn(5, *chain.event_shape, generator=torch.Generator().manual_seed(0))
    bound = chain.bound(y, condition=values, batch=2).total
    for i in range(5):
        assert torch.allclose(chain.sample(1, seed=1, first_item=i, condition=values[i : i + 1])[0], sample[i], atol=1e-5)
        assert torch.allclose(chain.bound(y[i : i + 1], first_item=i, condition=values[i : i + 1]).total[0], bound[i], rtol=1e-4)
    other = values.roll(1, 0)
    assert not torch.allclose(chain.sample(5, seed=1, condition=other), sample, atol=1e-5)
    assert not torch.allclose(chain.bound(y, condition=other).total, bound, rtol=1e-4)
    loss = chain.loss(y, seed=1, condition=values).total
    assert not torch.allclose(chain.loss(y, seed=1, condition=other).total, loss, rtol=1e-4)
    assert torch.allclose(chain.bound(y).total, chain.bound(y, condition=kind.none(5)).total, rtol=1e-5)


def test_calibration_is_told_the_conditions() -> None:
    y = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    condition = torch.arange(50) % 2
    errors = {}
    for name, given in {"by number": condition, "by name": [KIND.names[c] for c in condition], "other": 1 - condition}.items():
        chain = gaussian(KIND)
        chain.kernel(1).variance = "optimal"
        chain.calibrate(y, condition=given)
        errors[name] = chain.kernel(1).calibrated_error
    assert torch.equal(errors["by number"], errors["by name"])
    assert not torch.allclose(errors["by number"], errors["other"])


def test_a_conditional_chain_says_so() -> None:
    assert repr(gaussian(KIND)).endswith(", conditioned on 2 classes)")
    assert repr(gaussian(VectorCondition(3))).endswith(", conditioned on vectors of 3 numbers)")
    assert "conditioned" not in repr(chain_of("gaussian"))


Y = torch.zeros(3, 2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: gaussian(KIND).sample(1, seed=0, condition=7), ["class 7", "0 to 1"]),
        (lambda: gaussian(KIND).bound(Y, condition="middle"), ["class middle", "left, right"]),
        (lambda: gaussian(KIND).loss(Y, condition=[0, 1]), ["2 conditions", "3 items"]),
        (lambda: gaussian(KIND).sample(3, seed=0, condition=[0, 1]), ["2 conditions", "3 items"]),
        (lambda: gaussian(KIND).encode(Y, condition=[0.5]), ["the classes are"]),
        (lambda: gaussian(None).sample(1, seed=0, condition=0), ["a condition was given", "without one"]),
        (lambda: gaussian(None).bound(Y, condition=0), ["a condition was given"]),
        (lambda: gaussian(None).vary(Y, 1, condition=0), ["a condition was given"]),
        (lambda: gaussian(None).calibrate(Y, condition=0), ["a condition was given"]),
        (lambda: gaussian(None).sample(1, seed=0, sampling=Sampling(guidance=2.0)), ["guidance = 2.0", "this model has none"]),
        (lambda: gaussian(None).class_bound(Y), ["no classes"]),
        (lambda: gaussian(VectorCondition(3)).class_bound(Y), ["no classes"]),
        (lambda: gaussian(VectorCondition(3)).sample(1, seed=0), ["vectors of 3 numbers", "give one for each item"]),
        (lambda: gaussian(VectorCondition(3)).bound(Y, condition=[1.0, 2.0]), ["shape (2,)", "3 numbers"]),
        (lambda: gaussian(ImageCondition((1, 8, 8))).sample(1, seed=0, condition=torch.zeros(1, 4, 4)), ["shape (1, 4, 4)", "8x8"]),
        (lambda: Chain(OraclePrior(LABELLED), grid(2), OracleKernel(LABELLED)).bound(Y.double(), condition=2), ["class 2", "0 to 1"]),
        (lambda: Chain(OraclePrior(MIXTURE), grid(2), OracleKernel(MIXTURE)).bound(Y.double(), condition=0), ["a condition was given"]),
    ],
)
def test_wrong_conditions_have_one_sentence(call: Callable[[], object], words: list[str]) -> None:
    with pytest.raises(SaltusError) as caught:
        call()
    assert_one_sentence(caught.value, *words)
