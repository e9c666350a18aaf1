"""The files that `saltus sample` writes: an array with a picture, or a table like the one that was learned, part by part."""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from saltus.data import Encoding, TableKind
    from saltus.data.layout import Array

__all__ = ["write_arrays", "write_table"]

_PICTURED = 400  # items in the picture, at most


def write_arrays(parts: Iterator[Array], n: int, encoding: Encoding, files: list[Path], labels: Sequence[str] | None) -> None:
    """The n items as one array in an .npz file, part by part, their labels beside them, and the first of them as a picture."""
    import numpy as np

    from saltus.evaluation import save_grid
    from saltus.files import atomically

    first = next(parts)  # what is refused is so before there is a folder
    files[0].parent.mkdir(parents=True, exist_ok=True)
    pictured: list[Array] = []
    with atomically(files[0]) as place, zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("samples.npy", "w", force_zip64=True) as array:
            header = {"descr": np.lib.format.dtype_to_descr(first.dtype), "fortran_order": False, "shape": (n, *first.shape[1:])}
            np.lib.format.write_array_header_2_0(array, header)
            for raw in itertools.chain([first], parts):
                array.write(np.ascontiguousarray(raw).tobytes())
                pictured.append(raw[: max(0, _PICTURED - sum(map(len, pictured)))])
        if labels is not None:
            with archive.open("labels.npy", "w") as array:
                np.lib.format.write_array(array, np.array(labels), allow_pickle=False)
    if len(files) > 1:
        save_grid(encoding.encode(np.concatenate(pictured)), files[1], shown=encoding.shown)


def write_table(parts: Iterator[Array], file: Path, table: TableKind, labels: Sequence[str] | None) -> None:
    """The items as a table like the one that was learned."""
    from saltus.data import table_writer
    from saltus.files import atomically

    first, done = next(parts), 0
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomically(file) as place, table_writer(place, table, labelled=labels is not None) as write:
        for raw in itertools.chain([first], parts):
            write(raw, None if labels is None else labels[done : done + len(raw)])
            done += len(raw)
