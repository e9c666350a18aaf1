"""Images are as strange as the share of ordinary ones that is at least as far away, too cheap as well as too dear; maps say where."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from saltus import Chain, SaltusError
from saltus.estimators.strange_images import FEWEST, Cloud, OrdinaryImages, Seen, Strangeness, seen_of
from tests.helpers.chains import chain_of, data_for
from tests.helpers.checks import assert_one_sentence

HELD = 2000
COVARIANCE = np.array([[4.0, 1.9], [1.9, 1.0]])


def drawn(n: int, seed: int, *, side: int = 14) -> Seen:
    """Two terms that go together, and pixels of which the left half is always free."""
    rng = np.random.default_rng(seed)
    pixels = rng.exponential(3, (n, side, side))
    pixels[:, :, : side // 2] = 0
    return Seen(rng.multivariate_normal([100, 50], COVARIANCE, n), pixels)


@pytest.fixture(scope="module")
def ordinary() -> OrdinaryImages:
    return OrdinaryImages.of_seen(drawn(HELD, 0))


def test_a_cloud_measures_in_standard_deviations_each_way() -> None:
    points = np.random.default_rng(0).multivariate_normal([1, 2], COVARIANCE, 20_000)
    cloud = Cloud.of(points)
    mean, off = np.array([1.0, 2.0]), np.array([[2.0, 1.0], [2.0, -1.0]])
    exact = np.sqrt(np.einsum("ni,ij,nj->n", off, np.linalg.inv(COVARIANCE), off))
    np.testing.assert_allclose(np.exp(cloud.log_distance(mean + off)), exact, rtol=0.05)
    assert exact[1] > 5 * exact[0]  # the twin: distances that know no correlation are equal
    assert np.isfinite(cloud.log_distance(cloud.mean[None])).all()


def test_ordinary_images_have_one_nat_and_a_twentieth_has_three(ordinary: OrdinaryImages) -> None:
    score = ordinary.score(drawn(HELD, 1))
    assert score.mean() == pytest.approx(1, abs=4 * (1 / HELD + 2 / HELD) ** 0.5)  # of those scored, and of those held against
    share, expected = float((score >= 3).mean()), math.exp(-3)
    assert share == pytest.approx(expected, abs=4 * (3 * expected / HELD) ** 0.5)
    parts = ordinary.by_part(drawn(HELD, 1)).mean(0)
    np.testing.assert_allclose(parts, 1, atol=4 * (3 / HELD) ** 0.5)
    assert ordinary.by_part(drawn(HELD, 1)).sum(1).mean() != pytest.approx(1, abs=0.2)  # the twin: parts that are only added


def test_too_cheap_is_as_strange_as_too_dear(ordinary: OrdinaryImages) -> None:
    pixels = np.repeat(np.asarray(drawn(1, 2).pixels), 3, 0)
    terms = np.array([[100.0, 50.0], [112.0, 56.0], [88.0, 44.0]])
    usual, dear, cheap = ordinary.score(Seen(terms, pixels))
    assert min(dear, cheap) > 6 > usual + 2
    assert dear == pytest.approx(cheap, rel=0.15)


def test_a_pixel_that_is_dear_is_strange_where_it_never_was(ordinary: OrdinaryImages) -> None:
    """Ten nats more: ordinary on the right, not on the left."""
    seen = drawn(2, 3)
    assert seen.pixels is not None
    seen.pixels[0, 5, 3] += 10
    seen.pixels[1, 5, 10] += 10
    left, right = ordinary.by_part(seen)
    assert left[1] > 6 > right[1]
    found = Strangeness(seen, ordinary).map()
    assert found.shape == (2, 14, 14)
    assert np.unravel_index(found[0].argmax(), (14, 14)) == (5, 3)
    assert found[0, 5, 3] == pytest.approx(10)  # in nats, as the standard deviation there is below one
    assert found[:, :, 7:].mean() == pytest.approx(0, abs=0.5)


def test_what_is_written_down_says_the_same(ordinary: OrdinaryImages) -> None:
    again = OrdinaryImages.from_json(json.loads(json.dumps(ordinary.to_json())))
    seen = drawn(50, 4)
    np.testing.assert_allclose(again.score(seen), ordinary.score(seen), atol=0.02)
    np.testing.assert_allclose(Strangeness(seen, again).map(), Strangeness(seen, ordinary).map(), atol=1e-3)
    bare = OrdinaryImages.of_seen(Seen(drawn(HELD, 0).terms, None))
    assert bare.by_part(seen).shape == (50, 1)
    assert OrdinaryImages.from_json(json.loads(json.dumps(bare.to_json()))).by_part(seen).shape == (50, 1)
    with pytest.raises(SaltusError) as caught:
        bare.map(seen)
    assert_one_sentence(caught.value, "no likelihood of single pixels")


@pytest.mark.parametrize("part", ["pixels", "clouds", "distances"])
def test_what_does_not_fit_is_told(ordinary: OrdinaryImages, part: str) -> None:
    kept = ordinary.to_json()
    for wrong in ("x", [], [[1.0, math.nan]], [[[1.0], [1.0], [[1.0, 2.0]]]], None):
        if part != "pixels" or wrong is not None:
            with pytest.raises((ValueError, TypeError, KeyError)):
                OrdinaryImages.from_json(kept | {part: wrong})
    with pytest.raises(ValueError, match="do not fit"):
        OrdinaryImages.from_json(kept | {"pixels": None})


def test_few_images_and_chains_without_a_bound_are_told_in_one_sentence() -> None:
    assert np.isfinite(OrdinaryImages.of_seen(drawn(FEWEST, 0)).score(drawn(5, 1))).all()
    chain: Chain = chain_of("deterministic")
    for call, words in (
        (lambda: OrdinaryImages.of_seen(drawn(FEWEST - 1, 0)), "3 ordinary images were given to compare with; expected at least 4"),
        (lambda: seen_of(chain, data_for("deterministic")), "this model has no bound"),
        (lambda: seen_of(chain_of("vae"), data_for("vae")[:0]), "no images were given"),
    ):
        with pytest.raises(SaltusError) as caught:
            call()
        assert_one_sentence(caught.value, words)
