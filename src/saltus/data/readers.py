"""Which reader a file or folder gets: raw items and what comes with them.

An .npz file gives `train_images`, `validation_images` and `test_images`; or `x_train`, `x_val` and `x_test`; or
`train`, `validation` and `test`; or everything in `images`, `data` or `x`, or in its only array.  `val` and `valid` are
validation too.  What it does not divide is divided by `saltus.data.split`.  `samples` is a whole too, as `saltus sample` writes it.

Labels are taken along where each array has them, one integer or text an item: `train_labels`, `validation_labels` and
`test_labels`; or `y_train`, `y_val` and `y_test` for `x_train`; or `labels`, `targets` or `y` for a whole.  Of a folder without images of
its own, the folders inside are classes.  Attributes are `train_attributes`, `validation_attributes` and `test_attributes`,
or `attributes` for a whole.  What labels and attributes may be is told in `saltus.data.conditions`.

Where several arrays could be the items, `--array` says which; arrays of labels are never taken for items unless they are asked for.
`columns` names the columns of a table in messages.  All other arrays are passed over, with a note.  Raw units are those of
the file, also if it was standardised before.  Tables in CSV and Parquet are told of in `saltus.data.tables`, folders of images in
`saltus.data.folders`, tar files in `saltus.data.shards`, and data sets of Hugging Face in `saltus.data.hub`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from saltus.data.arrays import read_arrays
from saltus.data.declaring import arrays_declared
from saltus.data.folders import read_folder
from saltus.data.hub import HUB, is_saved, read_hub
from saltus.data.images import EXTENSIONS
from saltus.data.parts import Parts
from saltus.data.preparation import AS_GIVEN, Preparation
from saltus.data.shards import read_shards, shards_at
from saltus.data.table_files import TABLES, table_ending
from saltus.data.tables import read_table
from saltus.errors import SaltusError
from saltus.terminal import in_one_line

__all__ = ["naming", "read_place"]

_ARRAYS = (".npy", ".npz")


@contextmanager
def naming(place: str | Path) -> Iterator[None]:
    """Errors inside name the place."""
    try:
        yield
    except SaltusError as error:
        raise SaltusError(f"{place}: {error}") from error
    except MemoryError as error:
        raise SaltusError(f"{place}: there is not enough memory for its items; give fewer or smaller ones, or an .npy file") from error


def read_place(place: str | Path, condition: str | None = None, preparation: Preparation = AS_GIVEN) -> Parts:
    """The raw items of a file or folder, as it divides them.

    Args:
        place: the path.
        condition: "labels" or "attributes" if it has to hold them.
        preparation: how the items are preprocessed.

    Raises:
        SaltusError: if it cannot be read; the sentence names it.
    """
    with naming(place):
        if str(place).startswith(HUB):
            return read_hub(str(place), preparation, condition)
        return _read(Path(place).expanduser(), condition, preparation)


def _refuse(wrong: bool, words: str) -> None:
    if wrong:
        raise SaltusError(f"{words}; leave it out")


def _refuse_tables(folder: Path) -> None:
    """A folder of tables, such as other programs write in pieces."""
    if table_ending(folder):
        raise SaltusError("this is a folder where a file was expected; join the tables in it into one file, and give that")
    found = sorted(place.name for place in folder.iterdir() if table_ending(place))
    if found and not any(place.is_dir() or place.suffix.lower() in EXTENSIONS for place in folder.iterdir()):
        raise SaltusError(f"this is a folder of tables, such as {in_one_line(found[0])}; join them into one file, and give that")


def _read(path: Path, condition: str | None, preparation: Preparation) -> Parts:
    if is_saved(path):
        return read_hub(path, preparation, condition)
    no_table = "--columns is for the columns of a table, and these are images"
    if shards := shards_at(path):
        _refuse(preparation.array is not None, "--array names an array of a file, and these are images")
        _refuse(preparation.recursive, "--recursive is for folders of images, and these are shards")
        _refuse(bool(preparation.kinds), no_table)
        return read_shards(shards, preparation)
    if os.path.isdir(path):  # of os.path: pathlib raises where a path cannot be
        _refuse(preparation.array is not None, "--array names an array of a file, and this is a folder")
        _refuse(bool(preparation.kinds), no_table)
        _refuse_tables(path)
        return read_folder(path, preparation)
    if not os.path.exists(path):
        raise SaltusError(
            "there is no such file or folder; expected a folder of images, a .npy, .npz, .csv, .parquet or .tar file, hf:NAME, digits or "
            "digits-mixture: check the path"
        )
    if not os.path.isfile(path):
        raise SaltusError("this is a pipe or a device where a file was expected; write what it gives into a file")
    if path.suffix.lower() in EXTENSIONS:
        raise SaltusError("one image is not a data set; expected the folder that holds many: give that folder")
    _refuse(preparation.of_images, "--size, --crop, --channels and --recursive are for images in a folder, and this is none")
    if table_ending(path):
        _refuse(preparation.array is not None, "--array names an array of an .npz file, and this is none")
        return read_table(path, condition, declared=preparation.kinds)
    if path.suffix.lower() not in _ARRAYS:
        raise SaltusError(
            f"files of the type {path.suffix or 'none'} are not read; expected one of {', '.join((*_ARRAYS, *TABLES))}, or a folder of "
            "images: convert it"
        )
    return arrays_declared(read_arrays(path, condition, preparation.array), preparation.kinds)
