"""Images in a file come back exactly; a file that is damaged, of another model or machine is told so, and gives no wrong pixels."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from saltus import Config, ImageModel, Model, SaltusError
from saltus.chain import ItemCoder
from saltus.estimators.compression import compress, decompress
from saltus.kernels import GaussianStep
from tests.helpers.checks import assert_one_sentence

IMAGES = load_digits().images.astype(np.uint8)[:3]


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load("digits")


@pytest.fixture(scope="module")
def data(model: Model) -> bytes:
    return model.compress(IMAGES)


@pytest.fixture(scope="module")
def other() -> Model:
    """Of the same kind of images."""
    return Model.train(load_digits().images.astype(np.uint8)[:60], Config(updates=1, levels=2, width=8, closed_forms=False), quiet=True)


def test_images_come_back(model: Model, data: bytes) -> None:
    again = model.decompress(data)
    assert (again.dtype, again.shape) == (np.uint8, (3, 8, 8))
    np.testing.assert_array_equal(again, IMAGES)
    assert model.compress(IMAGES) == data
    images = ImageModel.load("digits")
    np.testing.assert_array_equal(images.decompress(images.compress(IMAGES[:1])), IMAGES[:1])


def test_what_a_file_is_made_of_is_told(model: Model, data: bytes) -> None:
    found = compress(model.chain, model.encoding, IMAGES, check=False)
    assert found.data == data
    assert data[:5] == b"SLTZ\1"
    assert struct.unpack_from("<I", data, 21) == (3,)
    whole = 8 * (len(data) - found.head - found.lent)
    assert whole - 32 < found.bits.sum() <= whole  # words of 32 bits
    assert found.bits.shape == found.nats.shape == (3,)


@pytest.mark.parametrize("values", [(0, 1), tuple(range(5))])
def test_images_of_other_kinds(values: tuple[int, ...]) -> None:
    """In colours, and of two values; a chain that is not conditioned."""
    rng = np.random.default_rng(0)
    images = rng.choice(values, (60, 8, 8, 3)).astype(np.uint8)
    made = Model.train(images, Config(updates=1, levels=1, width=8, prior="normal"), quiet=True)
    np.testing.assert_array_equal(made.decompress(made.compress(images[:2])), images[:2])


def test_a_model_that_was_saved_reads_what_it_wrote(other: Model, tmp_path: Path) -> None:
    code = other.compress(IMAGES[:1])
    other.save(tmp_path)
    again = Model.load(tmp_path)
    again.chain.sampling = again.chain.sampling.__class__(final="mode")  # which no code depends on
    np.testing.assert_array_equal(again.decompress(code), IMAGES[:1])
    with torch.no_grad():
        next(iter(again.chain.parameters())).view(-1)[0] += 1e-3
    with pytest.raises(SaltusError, match="other weights"):
        again.decompress(code)


def test_every_byte_counts(model: Model, data: bytes) -> None:
    for place in range(len(data)):
        wrong = data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]
        with pytest.raises(SaltusError) as caught:
            model.decompress(wrong)
        assert_one_sentence(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[:-4], "damaged or cut short"),
        (lambda data: data[:40], "damaged or cut short"),
        (lambda data: data[:20], "no file of compressed images, or was cut short"),
        (lambda _: b"", "no file of compressed images"),
        (lambda data: data + b"\0\0\0\0", "damaged or cut short"),
        (lambda data: data[:4] + b"\2" + data[5:], "of format 2, and this version of saltus reads 1"),
    ],
)
def test_a_file_that_is_none_is_told(model: Model, data: bytes, change: Callable[[bytes], bytes], words: str) -> None:
    with pytest.raises(SaltusError) as caught:
        model.decompress(change(data))
    assert_one_sentence(caught.value, words)


def test_another_model_is_told(other: Model, data: bytes) -> None:
    with pytest.raises(SaltusError) as caught:
        other.decompress(data)
    assert_one_sentence(caught.value, "written with another model")


def _rounded_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = ItemCoder._step

    def moved(*arguments: Any) -> GaussianStep:
        step = plain(*arguments)
        return GaussianStep(step.mean * (1 + 2e-7), step.variance, step.is_final, step.head, step.extra)

    monkeypatch.setattr(ItemCoder, "_step", moved)


def test_another_machine_is_told_before_anything_is_read(model: Model, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    _rounded_otherwise(monkeypatch)
    monkeypatch.setattr(ItemCoder, "pop", None)
    with pytest.raises(SaltusError) as caught:
        model.decompress(data)
    assert_one_sentence(caught.value, "rounds otherwise than this one", "read it where it was written")


def test_a_machine_that_differs_later_gives_no_wrong_pixels(model: Model, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    probe = ItemCoder(model.chain, [torch.ones(16, dtype=torch.bool)] * 4).probe
    assert probe() == probe()
    plain = ItemCoder.pop

    def pop(*arguments: Any) -> Any:
        _rounded_otherwise(monkeypatch)
        return plain(*arguments)

    monkeypatch.setattr(ItemCoder, "pop", pop)
    for ask in (lambda: model.decompress(data), lambda: model.compress(IMAGES)):
        with pytest.raises(SaltusError) as caught:
            ask()
        assert_one_sentence(caught.value)
        monkeypatch.undo()
        monkeypatch.setattr(ItemCoder, "pop", pop)


def test_what_has_no_code_is_refused_in_one_sentence(model: Model) -> None:
    rows = Model.train(np.random.default_rng(0).normal(size=(60, 3)), Config(updates=1), quiet=True)
    greys = Model.train(np.random.default_rng(0).normal(size=(60, 8, 8)), Config(updates=1, width=8, levels=2), quiet=True)
    for ask, words in (
        (lambda: rows.compress(np.zeros((2, 3))), "one of images was expected"),
        (lambda: greys.compress(np.zeros((2, 8, 8))), "no masses"),
        (lambda: model.compress(IMAGES[:0]), "0 images were given"),
        (lambda: model.compress(IMAGES[:, :4]), "(N, 8, 8) was expected"),
        (lambda: model.compress(IMAGES.astype(float)), "uint8 was expected"),
        (lambda: model.compress(IMAGES + 200), "0 to 16 was expected"),
    ):
        with pytest.raises(SaltusError) as caught:
            ask()
        assert_one_sentence(caught.value, words)


def test_values_between_those_of_the_model_are_refused() -> None:
    """Which a model of listed values would round."""
    images = np.random.default_rng(0).choice([0.0, 0.5, 1.0], (60, 8, 8))
    made = Model.train(images, Config(updates=1, width=8, levels=1), quiet=True)
    np.testing.assert_array_equal(decompress(made.chain, made.encoding, made.compress(images[:1])), images[:1])
    with pytest.raises(SaltusError) as caught:
        made.compress(images[:1] + 1e-4)
    assert_one_sentence(caught.value, "between those of the model")
