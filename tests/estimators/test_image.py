"""A model of images gives images as it was given them, of a class where it knows classes, and tells their nats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from saltus import ImageModel, SaltusError
from tests.helpers.checks import assert_one_sentence
from tests.helpers.terminal import saltus


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    found = load_digits()
    return found.images.astype(np.uint8), found.target


@pytest.fixture(scope="module")
def model(digits: tuple[np.ndarray, np.ndarray]) -> ImageModel:
    return ImageModel(time="2s", random_state=0).fit(*digits)


def test_images_come_back_as_they_were(model: ImageModel, digits: tuple[np.ndarray, np.ndarray]) -> None:
    images = model.sample(30)
    assert (images.shape, images.dtype) == ((30, 8, 8), np.uint8)
    assert images.max() <= 16
    assert not np.array_equal(images, model.sample(30))  # other ones at every call
    assert model.classes_ == tuple("0123456789")
    zeros, ones = (model.sample(100, condition=c).mean(0) for c in (0, "1"))
    means = [digits[0][digits[1] == c].mean(0) for c in (0, 1)]
    assert all(np.abs(drawn - mean).mean() < np.abs(drawn - other).mean() for drawn, mean, other in ((zeros, *means), (ones, *means[::-1])))


def test_likely_images_have_more_nats_than_unlikely_ones(model: ImageModel, digits: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = digits[0][:60], digits[1][:60]
    nats = model.score_samples(images)
    assert nats.shape == (60,)
    assert model.score(images) == pytest.approx(nats.mean())
    assert model.score(images) > model.score(np.random.default_rng(0).permuted(images.reshape(60, -1), axis=1).reshape(images.shape))
    assert model.score(images, labels) > model.score(images, (labels + 1) % 10)


def test_a_saved_model_is_the_same_here_and_on_the_command_line(model: ImageModel, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    again = ImageModel.load(tmp_path / "m")
    assert again.get_params() == model.get_params()
    images = again.sample(20)
    np.testing.assert_array_equal(again.score_samples(images), model.score_samples(images))
    assert saltus("sample", "m", "--n", "4", "--condition", "3", "--out", "threes", cwd=tmp_path).code == 0
    for content in ('{"random_state": "x"}', '{"nothing": 1}', "[]", "{"):
        (tmp_path / "m" / "image.json").write_text(content)
        with pytest.raises(SaltusError) as caught:
            ImageModel.load(tmp_path / "m")
        assert_one_sentence(caught.value, "image.json is damaged")
    assert ImageModel.load("digits").sample(2).shape == (2, 8, 8)


@pytest.mark.parametrize(
    ("shape", "dtype"), [((9, 10), np.uint8), ((8, 8, 3), np.float32), ((1, 17, 16), np.uint8), ((16, 18, 1), np.float64)]
)
def test_images_of_every_shape_and_type_are_taken(shape: tuple[int, ...], dtype: type) -> None:
    """In one channel or three, wherever these are, and of sides that no network halves twice."""
    images = np.random.default_rng(0).normal(128, 30, size=(30, *shape)).clip(0, 255).astype(dtype)
    model = ImageModel(updates=1, random_state=0).fit(images)
    drawn = model.sample(3)
    assert (drawn.shape, drawn.dtype) == ((3, *shape), images.dtype)
    assert np.isfinite(model.score_samples(images[:2])).all()
    assert not hasattr(model, "classes_")


def test_images_are_varied_joined_and_made_again(digits: tuple[np.ndarray, np.ndarray]) -> None:
    """As `Model` does it, with other draws at every call."""
    images, model = digits[0][:3], ImageModel.load("digits")
    assert model.vary(images, level=2, draws=4).shape == (3, 4, 8, 8)
    assert not np.array_equal(model.vary(images), model.vary(images))
    between = model.interpolate(images[:2], images[1:], steps=5)
    np.testing.assert_array_equal(between[:, 0], images[:2])
    np.testing.assert_array_equal(between[:, -1], images[1:])
    again = model.reconstruct(images, digits[1][:3])
    assert (again.shape, again.dtype) == (images.shape, images.dtype)
    off = np.abs(again.astype(float) - images).mean()
    assert off < np.abs(again.astype(float) - images[::-1]).mean()


def test_strange_images_are_told_with_their_pixels(model: ImageModel, digits: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    images = digits[0][:40].copy()
    score, parts, shipped = model.anomaly_score(images), model.anomaly_parts(images), ImageModel.load("digits")
    assert set(parts) <= {"terms", "pixels"}
    assert all(part.shape == score.shape == (40,) for part in parts.values())
    odd = images.copy()
    odd[:, 0, 0] = 16
    assert (shipped.anomaly_score(odd) > shipped.anomaly_score(images)).mean() > 0.9
    found = shipped.anomaly_map(odd)
    assert found.shape == (40, 8, 8)
    assert (found[:, 0, 0] > 4).mean() > 0.9
    model.save(tmp_path / "m")
    np.testing.assert_allclose(ImageModel.load(tmp_path / "m").anomaly_score(images), score, atol=0.02)


def test_a_search_takes_images(digits: tuple[np.ndarray, np.ndarray]) -> None:
    search = GridSearchCV(ImageModel(random_state=0), {"updates": [1, 2]}, cv=2).fit(digits[0][:80], digits[1][:80])
    assert search.best_params_["updates"] in (1, 2)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (np.zeros((30, 5)), None, "the images are an array of shape (30, 5); expected (N, H, W)"),
        (np.zeros((30, 4, 4)), None, "an array of shape (30, 4, 4) is neither rows"),
        (np.zeros((30, 8, 8)), None, "every value of the training items is 0.0"),
        (np.zeros((9, 8, 8)), None, "9 samples are too few to learn from"),
        (np.arange(30 * 64).reshape(30, 8, 8) % 7, np.arange(29), "has shape (29,) where 30 labels were expected"),
        (np.arange(30 * 64).reshape(30, 8, 8) % 7, np.zeros(30), "the label of every training item is 0"),
        (np.full((30, 8, 8), "x"), None, "of type <U1"),
    ],
)
def test_what_cannot_be_learned_is_told_in_one_sentence(images: np.ndarray, labels: np.ndarray | None, words: str) -> None:
    with pytest.raises(SaltusError) as caught:
        ImageModel(updates=1).fit(images, labels)
    assert_one_sentence(caught.value, words)


def test_what_a_model_cannot_do_is_told_in_one_sentence(model: ImageModel, digits: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    unconditional, tiny = (
        ImageModel(updates=1, random_state=0).fit(digits[0][:60]),
        ImageModel(updates=1, random_state=0).fit(digits[0][:60]),
    )
    tiny._ordinary = None  # as after a fit whose held-out images are too few
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(size=(60, 2)))
    assert saltus("train", "--data", "rows.npy", "--updates", "1", "--out", "rows", cwd=tmp_path).code == 0
    for call, words in (
        (lambda: model.sample(2, condition="ten"), "class ten was given"),
        (lambda: model.sample(0), "n was given as 0"),
        (lambda: unconditional.sample(2, condition=1), "a condition was given"),
        (lambda: model.score_samples(digits[0][:, :7]), "the array has shape (1797, 7, 8)"),
        (lambda: ImageModel.load(tmp_path / "rows"), "is of rows of 2 columns"),
        (lambda: model.anomaly_score(digits[0][:, :7]), "the array has shape (1797, 7, 8)"),
        (lambda: model.anomaly_score(digits[0][:0]), "no images were given"),
        (lambda: tiny.anomaly_score(digits[0][:2]), "does not know what ordinary images are like"),
        (lambda: model.vary(digits[0][:2], level=2), "level was given as 2"),
        (lambda: model.interpolate(digits[0][:2], digits[0][:3]), "between as many items"),
        (lambda: ImageModel().reconstruct(digits[0][:2]), "has not been fitted"),
    ):
        with pytest.raises(SaltusError) as caught:
            call()
        assert_one_sentence(caught.value, words)
