"""Oracles given a class: against integrals, the mixture of that class alone, and the sum over classes."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from scipy import integrate, stats
from torch import Tensor

from saltus.errors import SaltusError
from saltus.oracles import FiniteData, GaussianMixture
from saltus.oracles.components import Components
from saltus.oracles.oracle import Oracle, choose
from saltus.process import Delta, OrnsteinUhlenbeck
from saltus.registry import build, describe
from tests.helpers.checks import assert_one_sentence, follows, mixture_cdf

process = OrnsteinUhlenbeck()
INTEGRAL = 1e-7  # scipy's quad promises 1.5e-8 for each integral, and a quotient has two
ROUNDING = 1e-10  # float64 rounding, through logarithms of densities of some tens of nats
SAMPLES = 20_000

WEIGHTS = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
MEANS = torch.tensor([[-1.0, 0.5], [1.0, 0.0], [0.3, -1.0]], dtype=torch.float64)
COVARIANCES = torch.tensor([[[0.3, 0.1], [0.1, 0.2]], [[0.1, 0.0], [0.0, 0.4]], [[0.2, -0.1], [-0.1, 0.3]]], dtype=torch.float64)
LABELS = [1, 0, 1]
MIXTURE = GaussianMixture(WEIGHTS, MEANS, COVARIANCES, LABELS)
ITEMS = torch.tensor([[-1.0, 0.5], [0.2, 0.3], [1.5, -1.0], [1.5, -1.0], [0.0, 0.0]], dtype=torch.float64)
ITEM_LABELS = [0, 2, 2, 0, 0]
ITEM_ORACLE = FiniteData(ITEMS, ITEM_LABELS)
Z_S, Z_T = torch.randn(2, 6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def of_class(oracle: Oracle, c: int) -> Oracle:
    """The oracle that has only the components of class c, made anew; all of them for -1."""
    if oracle is MIXTURE:
        rows = [k for k, label in enumerate(LABELS) if c in (-1, label)]
        return GaussianMixture(WEIGHTS[rows], MEANS[rows], COVARIANCES[rows])
    return FiniteData(ITEMS[[i for i, label in enumerate(ITEM_LABELS) if c in (-1, label)]])


both = pytest.mark.parametrize(("oracle", "classes"), [(MIXTURE, (0, 1)), (ITEM_ORACLE, (0, 2))], ids=["mixture", "items"])


@both
@pytest.mark.parametrize("t", [0.3, torch.tensor([0.1, 0.2, 0.5, 1.0, 2.0, 5.0])])
def test_a_class_is_the_mixture_of_its_components(oracle: Oracle, classes: tuple[int, ...], t: float | Tensor) -> None:
    for c in (*classes, -1):
        condition, alone = torch.full((6,), c), of_class(oracle, c)
        marginal, known = oracle.marginal(t, condition), alone.marginal(t)
        assert marginal.batch_shape == (6,)
        assert torch.allclose(marginal.mean, known.mean.expand(6, 2), rtol=ROUNDING)
        assert torch.allclose(marginal.variance, known.variance.expand(6, 2), rtol=ROUNDING)
        assert torch.allclose(oracle.log_prob(Z_T, t, condition), alone.log_prob(Z_T, t), rtol=ROUNDING)
        assert torch.allclose(oracle.posterior_mean(Z_T, t, condition), alone.posterior_mean(Z_T, t), rtol=ROUNDING)
        ours, theirs = oracle.reverse(Z_T, 0.05, t, condition), alone.reverse(Z_T, 0.05, t)
        assert torch.allclose(ours.log_prob(Z_S), theirs.log_prob(Z_S), rtol=ROUNDING)
        assert torch.allclose(ours.mean, theirs.mean, rtol=ROUNDING)
        assert torch.allclose(oracle.reverse(Z_T, 0.0, t, condition).mean, alone.reverse(Z_T, 0.0, t).mean, rtol=ROUNDING)
    one, other = (of_class(oracle, c).log_prob(Z_T, 0.3) for c in classes)
    assert not torch.allclose(one, other, rtol=0.01)  # the twin: classes differ


@both
def test_every_item_has_a_condition_of_its_own(oracle: Oracle, classes: tuple[int, ...]) -> None:
    condition = torch.tensor([classes[0], -1, classes[1], classes[1], -1, classes[0]])
    mixed = oracle.log_prob(Z_T, 0.4, condition)
    means = oracle.posterior_mean(Z_T.float(), 0.4, condition)
    assert means.dtype == torch.float32
    for i, c in enumerate(condition.tolist()):
        row = Z_T[i : i + 1]
        assert float(mixed[i]) == pytest.approx(float(of_class(oracle, c).log_prob(row, 0.4)), rel=ROUNDING)
        assert torch.allclose(means[i], of_class(oracle, c).posterior_mean(row, 0.4)[0].float(), rtol=1e-5)
    assert isinstance(oracle.reverse(Z_T, 0.5, 0.5, condition), Delta)


@both
def test_classes_sum_to_the_whole(oracle: Oracle, classes: tuple[int, ...]) -> None:
    """sum_c p(c) q(z_t | c) = q(z_t), and the same of E[y | z_t] with p(c | z_t)."""
    t, frequencies = 0.6, oracle.class_frequencies
    assert float(frequencies.sum()) == pytest.approx(1, rel=ROUNDING)
    conditions = [torch.full((6,), c) for c in classes]
    joint = torch.stack([frequencies[c[0]].log() + oracle.log_prob(Z_T, t, c) for c in conditions])
    assert torch.allclose(joint.logsumexp(0), oracle.log_prob(Z_T, t), rtol=ROUNDING)
    means = torch.stack([oracle.posterior_mean(Z_T, t, c) for c in conditions])
    assert torch.allclose((joint.softmax(0)[..., None] * means).sum(0), oracle.posterior_mean(Z_T, t), rtol=ROUNDING)


def test_class_frequencies() -> None:
    assert MIXTURE.class_frequencies.tolist() == pytest.approx([0.5, 0.5])
    assert ITEM_ORACLE.class_frequencies.tolist() == pytest.approx([0.6, 0.0, 0.4])


@pytest.mark.parametrize(("s", "z_t"), [(0.0, -0.4), (0.2, 1.3)])
def test_a_class_on_a_line_against_integrals(s: float, z_t: float) -> None:
    """The joint distribution of (y, z_s, z_t) given the class, integrated over y; a class of two components out of three."""
    t, members = 0.7, [(0.2, -1.0, 0.04), (0.3, 1.0, 0.25)]
    oracle = GaussianMixture(WEIGHTS, torch.tensor([[-1.0], [0.0], [1.0]]), torch.tensor([[[0.04]], [[0.09]], [[0.25]]]), LABELS)

    def data(y: float) -> float:
        return sum(w / 0.5 * stats.norm.pdf(y, m, math.sqrt(c)) for w, m, c in members)

    def noised(z: float, start: float, dt: float) -> float:
        return stats.norm.pdf(z, math.exp(-dt) * start, math.sqrt(-math.expm1(-2 * dt)))

    def over_y(f: Callable[[float], float]) -> float:
        return integrate.quad(f, -5, 6, points=[-1, 1], limit=200)[0]

    z, condition = torch.tensor([[z_t]], dtype=torch.float64), torch.tensor([1])
    marginal = over_y(lambda y: data(y) * noised(z_t, y, t))
    assert float(oracle.log_prob(z, t, condition).exp()) == pytest.approx(marginal, abs=INTEGRAL)
    mean = over_y(lambda y: y * data(y) * noised(z_t, y, t)) / marginal
    assert float(oracle.posterior_mean(z, t, condition)) == pytest.approx(mean, abs=INTEGRAL / marginal)
    z_s = 0.4
    clean = data(z_s) if s == 0 else over_y(lambda y: data(y) * noised(z_s, y, s))
    density = clean * noised(z_t, z_s, t - s) / marginal
    reverse = oracle.reverse(z, s, t, condition)
    assert float(reverse.log_prob(torch.tensor([[z_s]])).exp()) == pytest.approx(density, abs=INTEGRAL / marginal)
    assert float(oracle.log_prob(z, t).exp()) != pytest.approx(marginal, abs=0.01)  # the twin: without the class


def test_samples_follow_their_class() -> None:
    t, direction = 0.2, torch.tensor([0.6, 0.8], dtype=torch.float64)
    alpha, noise = float(process.alpha(t)), float(process.sigma(t)) ** 2
    centres, spreads = alpha * MEANS @ direction, alpha**2 * torch.einsum("i,kij,j->k", direction, COVARIANCES, direction) + noise
    condition = torch.tensor([0, 1]).repeat(SAMPLES // 2)
    sample = MIXTURE.sample(SAMPLES, t, seed=1, condition=condition) @ direction
    members = [0, 2]
    cdf = mixture_cdf(WEIGHTS[members] / 0.5, centres[members], spreads[members])
    assert follows(sample[condition == 1], cdf)
    assert not follows(sample[condition == 0], cdf)  # the twin
    assert torch.equal(MIXTURE.sample(4, t, seed=1, first_item=10, condition=condition[10:14]) @ direction, sample[10:14])


def test_sampled_items_are_of_their_class() -> None:
    condition = torch.tensor([0, 2, -1]).repeat(200)
    drawn = ITEM_ORACLE.sample(600, seed=3, condition=condition)
    found = (drawn[:, None] == ITEMS).all(2)
    for c, members in [(0, [0, 2, 3, 4]), (2, [1, 2, 3]), (-1, [0, 1, 2, 3, 4])]:  # items 2 and 3 are equal
        assert found[condition == c].any(0).nonzero().flatten().tolist() == members
    again = ITEM_ORACLE.reverse(Z_T, 0.0, 0.5, condition[:6])
    assert torch.isfinite(again.log_prob(ITEMS[[0, 1, 2, 0, 1, 2]])).all()
    assert (again.log_prob(ITEMS[[1, 0, 1, 1, 0, 1]])[[0, 1, 3, 4]] == -torch.inf).all()


def test_a_component_of_weight_zero_is_never_chosen() -> None:
    log_weights = torch.tensor([-torch.inf, 0.0, -torch.inf], dtype=torch.float64)
    assert choose(log_weights, torch.tensor([0.0, 0.5, 1 - 2**-53], dtype=torch.float64)).tolist() == [1, 1, 1]


def test_means_of_many_times_where_items_are_streamed() -> None:
    """More rows than fit in one block: each gets its own mean."""
    items = torch.arange(2.0**21).reshape(-1, 1)
    times = torch.linspace(0.1, 1.0, 9)
    assert torch.allclose(FiniteData(items).marginal(times).mean[:, 0], process.alpha(times) * (2**21 - 1) / 2)


@both
def test_written_down_and_built_again(oracle: Oracle, classes: tuple[int, ...]) -> None:
    again = build(*describe(oracle))
    condition = torch.full((6,), classes[1])
    assert torch.equal(again.log_prob(Z_T, 0.3, condition), oracle.log_prob(Z_T, 0.3, condition))


NO_CLASSES = GaussianMixture(WEIGHTS, MEANS, COVARIANCES)
SIX = torch.zeros(6, dtype=torch.int64)


@pytest.mark.parametrize(
    ("call", "given"),
    [
        (lambda: NO_CLASSES.posterior_mean(Z_T, 0.3, SIX), "no classes"),
        (lambda: FiniteData(ITEMS).sample(6, seed=0, condition=SIX), "no classes"),
        (lambda: NO_CLASSES.class_frequencies, "no classes"),
        (lambda: MIXTURE.reverse(Z_T, 0.1, 0.3, SIX + 2), r"\[2\]; expected -1 for none or one of \[0, 1\]"),
        (lambda: MIXTURE.marginal(0.3, SIX - 2), r"\[-2\]"),
        (lambda: ITEM_ORACLE.log_prob(Z_T, 0.3, SIX + 1), r"\[1\]; expected -1 for none or one of \[0, 2\]"),
        (lambda: MIXTURE.log_prob(Z_T, 0.3, SIX[:5]), r"torch.int64 \(5,\); expected torch.int64 \(6,\)"),
        (lambda: MIXTURE.marginal(torch.ones(5), SIX), r"expected torch.int64 \(5,\)"),
        (lambda: MIXTURE.marginal(0.3, SIX.double()), r"torch.float64 \(6,\); expected torch.int64 \(B,\)"),
        (lambda: MIXTURE.sample(5, seed=0, condition=SIX), r"expected torch.int64 \(5,\)"),
        (lambda: GaussianMixture(WEIGHTS, MEANS, COVARIANCES, [0, 1]), r"\[0, 1\]; expected 3 whole numbers"),
        (lambda: FiniteData(ITEMS, [0, 1, -1, 0, 0]), r"\[0, 1, -1, 0, 0\]; expected 5 whole numbers"),
        (lambda: Components(torch.ones(12), [0.5] * 12), r"\.\.\.\] \(12 of them\)"),
    ],
)
def test_errors_say_what_was_given(call: Callable[[], object], given: str) -> None:
    with pytest.raises(SaltusError, match=given) as caught:
        call()
    assert_one_sentence(caught.value)
