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
    unconditional = ImageModel(updates=1, random_state=0).fit(digits[0][:60])
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(size=(60, 2)))
    assert saltus("train", "--data", "rows.npy", "--updates", "1", "--out", "rows", cwd=tmp_path).code == 0
    for call, words in (
        (lambda: model.sample(2, condition="ten"), "class ten was given"),
        (lambda: model.sample(0), "n was given as 0"),
        (lambda: unconditional.sample(2, condition=1), "a condition was given"),
        (lambda: model.score_samples(digits[0][:, :7]), "the array has shape (1797, 7, 8)"),
        (lambda: ImageModel.load(tmp_path / "rows"), "is of rows of 2 columns"),
    ):
        with pytest.raises(SaltusError) as caught:
            call()
        assert_one_sentence(caught.value, words)
