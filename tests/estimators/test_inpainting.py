"""Images of which a part is known come back whole, with what is known as it was; what cannot be asked is told in one sentence."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from saltus import Config, ImageModel, Model, SaltusError
from tests.helpers.checks import assert_one_sentence

IMAGES = load_digits().images.astype(np.uint8)[:3]
BOX = np.ones((8, 8), dtype=bool)
BOX[2:6, 3:6] = False
FEW = {"draws": 2, "particles": 4}


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load("digits")


@pytest.fixture(scope="module")
def colours() -> Model:
    rng = np.random.default_rng(0)
    images = (rng.integers(0, 200, (60, 1, 1, 3)) + rng.integers(0, 50, (60, 8, 8, 3))).astype(np.uint8)
    return Model.train(images, Config(updates=2, levels=2), quiet=True)


def test_known_pixels_stay_and_others_vary(model: Model) -> None:
    hidden = np.where(BOX, IMAGES, 255).astype(np.uint8)  # never came, and is not looked at
    drawn = model.inpaint(hidden, BOX, seed=1, **FEW)
    assert (drawn.shape, drawn.dtype) == ((3, 2, 8, 8), np.uint8)
    assert (drawn == IMAGES[:, None])[..., BOX].all()
    assert drawn.max() <= 16
    assert not np.array_equal(drawn[:, 0], drawn[:, 1])
    np.testing.assert_array_equal(drawn, model.inpaint(IMAGES, np.broadcast_to(BOX, (3, 8, 8)), seed=1, **FEW))
    assert ImageModel.load("digits").inpaint(IMAGES, BOX, condition=[0, 1, 2]).shape == (3, 1, 8, 8)


def test_more_particles_come_closer(model: Model) -> None:
    images = load_digits().images.astype(np.uint8)[:40]
    off = [np.square(model.inpaint(images, BOX, particles=P)[:, 0].astype(float) - images)[:, ~BOX].mean() for P in (1, 32)]
    assert off[1] < 0.8 * off[0]


def test_small_images_are_the_means_of_what_is_drawn(model: Model) -> None:
    small = IMAGES.reshape(3, 4, 2, 4, 2).mean((2, 4))
    drawn = model.upscale(small, **FEW)
    means = drawn.reshape(3, 2, 4, 2, 4, 2).mean((3, 5))
    assert np.abs(means - small[:, None]).max() <= 0.5  # half a grey value
    assert ImageModel.load("digits").upscale(small).shape == (3, 1, 8, 8)


def test_grey_images_are_the_greys_of_what_is_drawn(colours: Model) -> None:
    grey = np.full((2, 8, 8), 120.0)
    drawn = colours.colour(grey, **FEW)
    assert drawn.shape == (2, 2, 8, 8, 3)
    assert np.abs(drawn @ [0.299, 0.587, 0.114] - 120).max() <= 1
    drawn = colours.inpaint(drawn[:, 0], BOX, **FEW)
    assert drawn.shape == (2, 2, 8, 8, 3)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.ones((4, 8)), "mask has shape (4, 8)"),
        (np.ones((2, 8, 8)), "mask has shape (2, 8, 8)"),
        (np.zeros((8, 8)), "no pixel of image 0"),
        (np.stack([BOX, np.ones((8, 8)), BOX]), "every pixel of image 1"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(model: Model, mask: np.ndarray, words: str) -> None:
    with pytest.raises(SaltusError) as caught:
        model.inpaint(IMAGES, mask)
    assert_one_sentence(caught.value, words)


def test_other_images_and_models_are_refused(model: Model, colours: Model) -> None:
    table = Model.train(np.random.default_rng(0).normal(size=(60, 3)), Config(updates=1), quiet=True)
    for call, words in (
        (lambda: table.inpaint(IMAGES, BOX), "TableModel.impute"),
        (lambda: table.upscale(IMAGES), "TableModel.impute"),
        (lambda: model.inpaint(IMAGES[:, :4], BOX), "the images have shape (3, 4, 8)"),
        (lambda: model.upscale(IMAGES[:, :3, :3]), "3x3 pixels"),
        (lambda: model.upscale(IMAGES), "8x8 pixels"),
        (lambda: model.upscale(np.full((1, 4, 4), np.nan)), "not finite"),
        (lambda: model.upscale(IMAGES[0, 0]), "axes"),
        (lambda: model.colour(IMAGES), "red, green and blue"),
        (lambda: colours.colour(IMAGES[:, :4]), "grey images have shape (3, 4, 8)"),
        (lambda: model.inpaint(IMAGES, BOX, draws=0), "draws"),
        (lambda: model.inpaint(IMAGES, BOX, particles=1.5), "particles"),
    ):
        with pytest.raises(SaltusError) as caught:
            call()
        assert_one_sentence(caught.value, words)
