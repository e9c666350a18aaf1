"""Images of every kind become arrays of one kind, and what was done to them is told."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from saltus.data.images import ImageReader
from saltus.data.preparation import AS_GIVEN, Preparation
from saltus.errors import SaltusError
from tests.helpers.checks import assert_one_sentence


def picture(mode: str = "RGB", height: int = 16, width: int = 16) -> Image.Image:
    """A gradient down and across."""
    down, across = np.mgrid[:height, :width]
    colours = np.stack([(down + 0.5) * 255 / height, (across + 0.5) * 255 / width, np.full_like(down, 40.0, dtype=float)], -1)
    return Image.fromarray(np.rint(colours).astype(np.uint8)).convert(mode)


def read(*images: Image.Image, ending: str = "png", reader: ImageReader | None = None, **options: object) -> list[np.ndarray | None]:
    """Images by way of files."""
    reader = reader or ImageReader(AS_GIVEN)
    files = [io.BytesIO() for _ in images]
    for file, image in zip(files, images, strict=True):
        image.save(file, ending, **options)
    return [reader.read(file, f"{k}.{ending}") for k, file in enumerate(files)]


@pytest.mark.parametrize(
    ("mode", "ending", "shape", "dtype", "said"),
    [
        ("1", "png", (16, 16), np.bool_, ""),
        ("L", "png", (16, 16), np.uint8, ""),
        ("LA", "png", (16, 16, 2), np.uint8, ""),
        ("P", "png", (16, 16, 3), np.uint8, ""),
        ("RGBA", "png", (16, 16, 4), np.uint8, ""),
        ("CMYK", "tiff", (16, 16, 3), np.uint8, "of 1 images all are CMYK (made RGB)"),
        ("YCbCr", "tiff", (16, 16, 3), np.uint8, "of 1 images all are YCbCr (made RGB)"),
        ("I;16", "png", (16, 16), np.uint16, ""),
        ("F", "tiff", (16, 16), np.float32, ""),
    ],
)
def test_every_mode_is_an_array(mode: str, ending: str, shape: tuple[int, ...], dtype: type, said: str) -> None:
    reader = ImageReader(AS_GIVEN)
    image = picture("L").convert("I").convert("I;16") if mode == "I;16" else picture(mode)
    (found,) = read(image, ending=ending, reader=reader)
    assert found is not None
    assert (found.shape, found.dtype) == (shape, dtype)
    assert reader.notes == ((said,) if said else ())
    if mode in ("CMYK", "YCbCr", "P"):
        assert np.abs(found.astype(int) - np.asarray(picture(mode).convert("RGB"))).max() == 0


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_mixed_kinds_become_one_where_channels_are_given(channels: int, mode: str) -> None:
    reader = ImageReader(Preparation(channels=channels))
    deep = Image.fromarray(np.asarray(picture("L")).astype(np.uint16) * 257)
    found = read(*(picture(kind) for kind in ("1", "L", "LA", "RGB", "RGBA", "P")), deep, reader=reader)
    for item in found:
        assert item is not None
        assert (item.shape, item.dtype) == ((16, 16) if channels == 1 else (16, 16, channels), np.uint8)
    np.testing.assert_array_equal(found[3], np.asarray(picture("RGB").convert(mode)))
    np.testing.assert_array_equal(found[6], np.asarray(picture("L").convert(mode)))
    alpha = ", 2 have alpha (shown on white)" if channels < 4 else ""
    assert sorted(reader.notes[1].removeprefix("of 7 images ").split(", ")) == sorted(f"1 have 16 bits (made 8){alpha}".split(", "))
    assert reader.notes[0] == f"every image is made {'grey' if mode == 'L' else mode} of 8 bits"


def test_what_is_transparent_is_shown_on_white_or_set_to_nothing() -> None:
    pixels = np.asarray(picture("RGBA")).copy()
    pixels[:8, :, 3], pixels[8:12, :, 3] = 0, 51
    image = Image.fromarray(pixels)
    (kept,) = read(image)
    assert kept is not None
    assert not kept[:8].any()
    np.testing.assert_array_equal(kept[8:], pixels[8:])
    (shown,) = read(image, reader=ImageReader(Preparation(channels=3)))
    assert shown is not None
    assert (shown[:8] == 255).all()
    assert np.abs(shown[8:12].astype(float) - (255 + (pixels[8:12, :, :3].astype(float) - 255) * 0.2)).max() <= 1
    np.testing.assert_array_equal(shown[12:], pixels[12:, :, :3])


def test_a_size_stretches_or_crops_around_the_centre() -> None:
    """A gradient tells where its pixels are from."""
    wide = picture("RGB", 40, 80)
    reader, cropping = ImageReader(Preparation(size="10x10")), ImageReader(Preparation(size=10, crop=True))  # type: ignore[arg-type]
    (stretched,), (cropped,) = read(wide, reader=reader), read(wide, reader=cropping)
    assert stretched is not None
    assert cropped is not None
    assert stretched.shape == cropped.shape == (10, 10, 3)
    np.testing.assert_allclose(stretched[5, :, 1], (np.arange(10) + 0.5) * 25.5, atol=4)
    np.testing.assert_allclose(cropped[5, :, 1], 63.75 + (np.arange(10) + 0.5) * 12.75, atol=4)
    np.testing.assert_allclose(cropped[:, 5, 0], (np.arange(10) + 0.5) * 25.5, atol=4)
    assert reader.notes == ("every image is resized to 10x10 pixels (bicubic)", "of 1 images all are stretched (--crop keeps proportions)")
    assert cropping.notes[0] == "every image is cut to the proportions of 10x10 around its centre and resized to 10x10 pixels (bicubic)"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGBA", "I;16", "F"])
def test_every_mode_is_resized_in_its_own_range(mode: str) -> None:
    grey = picture("L")
    image = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257) if mode == "I;16" else grey.convert(mode)
    reader = ImageReader(Preparation(size=(24, 8)))
    (plain,), (found,) = read(image, ending="tiff"), read(image, ending="tiff", reader=reader)
    assert plain is not None
    assert found is not None
    assert (found.shape[:2], found.dtype) == ((24, 8), plain.dtype)
    assert abs(found.astype(float).mean() - plain.astype(float).mean()) < 0.05 * float(plain.max())
    if mode == "1":
        assert set(np.unique(found)) == {False, True}


def test_photographs_are_turned_and_the_first_frame_is_taken() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    reader = ImageReader(AS_GIVEN)
    (turned,) = read(picture("RGB", 8, 16), ending="jpeg", reader=reader, exif=exif)
    assert turned is not None
    assert turned.shape == (16, 8, 3)
    first, other = picture("RGB", 16, 8), Image.new("RGB", (8, 16))
    (frame,) = read(first, ending="tiff", reader=reader, save_all=True, append_images=[other])
    np.testing.assert_array_equal(frame, np.asarray(first))
    assert reader.notes == ("of 2 images 1 have several frames (the first is taken), 1 are turned as their camera says",)


def test_colours_of_16_bits_are_told() -> None:
    deep = bytes.fromhex("89504e470d0a1a0a")

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    rows = b"".join(b"\0" + bytes([200, 1] * 24) for _ in range(8))
    header = (8).to_bytes(4, "big") * 2 + bytes([16, 2, 0, 0, 0])
    png = deep + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    reader = ImageReader(AS_GIVEN)
    found = reader.read(io.BytesIO(png), "a.png")
    assert found is not None
    assert (found == 200).all()
    assert reader.notes == ("of 1 images all have colours of 16 bits (the upper 8 are read)",)


def bomb() -> io.BytesIO:
    """A PNG of few bytes that says it has 20,000 x 20,000 pixels."""
    file = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(file, "png")
    return file


def test_what_cannot_be_read_is_left_out_and_a_bomb_is_not_unpacked() -> None:
    reader = ImageReader(AS_GIVEN)
    assert all(item is not None for item in read(*[picture()] * 60, reader=reader))
    half = io.BytesIO()
    picture().save(half, "png")
    half.truncate(half.tell() // 2)
    assert reader.read(bomb(), "bomb.png") is None
    assert reader.read(half, "ha\x1b[31mlf.png") is None
    reader.check()
    (note,) = reader.notes
    assert note.startswith("2 of 62 images cannot be read and are left out: bomb.png (")
    assert "pixels" in note
    assert "\\x1b[31m" in note
    assert "\x1b" not in note
    for k in range(2):
        assert reader.read(io.BytesIO(b"text"), f"{k}.png") is None
    with pytest.raises(SaltusError) as caught:
        reader.check()
    assert_one_sentence(caught.value, "4 of 64 images cannot be read, such as bomb.png")


@pytest.mark.parametrize(
    ("other", "hints"),
    [
        (picture("L"), ["--channels 3"]),
        (picture("RGBA"), ["--channels 3"]),
        (picture("RGB", 12, 20), ["--size 12 (and --crop to keep proportions)"]),
        (picture("L", 20, 18), ["--size 16", "--channels 3"]),
    ],
)
def test_images_that_differ_are_refused_with_the_options_that_help(other: Image.Image, hints: list[str]) -> None:
    with pytest.raises(SaltusError) as caught:
        read(picture(), other)
    assert_one_sentence(caught.value, "0.png is 16x16 in 3 channels of uint8 and 1.png is", *hints)
    assert ("--channels" in str(caught.value)) == ("--channels" in " ".join(hints))


def test_deep_images_that_no_byte_holds_are_refused() -> None:
    with pytest.raises(SaltusError) as caught:
        read(picture("F"), ending="tiff", reader=ImageReader(Preparation(channels=1)))
    assert_one_sentence(caught.value, "leave --channels out")
