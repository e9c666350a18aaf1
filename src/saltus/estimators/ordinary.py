"""What ordinary items are like to a trained model: kept in the folder of its run, or measured on the data of the run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from saltus.chain import Chain, completes
from saltus.data import Columns, DataSet
from saltus.errors import SaltusError
from saltus.estimators.anomaly import Ordinary
from saltus.estimators.strange_images import FEWEST, OrdinaryImages
from saltus.files import AGAIN, read_json, to_json, write_atomically
from saltus.networks import ClassCondition
from saltus.training import load_data
from saltus.words import in_brief

__all__ = ["images_of", "keep_images", "keep_ordinary", "kept_ordinary", "ordinary_images", "ordinary_rows"]

_FILE = "ordinary.json"
T = TypeVar("T")


def keep_ordinary(chain: Chain, data: DataSet, folder: str | Path) -> None:
    """Write into the folder of a run what ordinary items are like, if it can tell: its chain is there as it will stay."""
    if isinstance(data.encoding, Columns) and completes(chain) and chain.condition is None:
        _keep(folder, "costs", Ordinary.of(chain, data).to_json())
    elif (found := images_of(chain, data)) is not None:
        keep_images(found, folder)


def keep_images(found: OrdinaryImages, folder: str | Path) -> None:
    """Write what ordinary images are like, beside the chain of a folder."""
    _keep(folder, "images", found.to_json())


def images_of(chain: Chain, data: DataSet) -> OrdinaryImages | None:
    """What the held-out images of a data set are like; None for other data, too few of them, and a chain that cannot tell."""
    told = chain.condition is None or isinstance(chain.condition, ClassCondition)
    if not (data.encoding.layout.is_image and chain.has_bound and told) or len(data.validation) < FEWEST:
        return None
    found = OrdinaryImages.of(chain, data)
    return found if np.isfinite(found.distances).all() else None


def kept_ordinary(folder: str | Path) -> Ordinary | None:
    """What `keep_ordinary` wrote of rows; None where there is nothing, or it is of the chain before.

    Raises:
        SaltusError: if it is damaged.
    """
    return _kept(folder, "costs", Ordinary.from_json)


def ordinary_rows(folder: Path, chain: Chain) -> Ordinary:
    """What ordinary rows cost: as it is kept, or measured on the validation rows of the run.

    Raises:
        SaltusError: if the run does not say it, and its data are not there.
    """
    return kept_ordinary(folder) or Ordinary.of(chain, _data(folder, "what ordinary rows cost", "rows"))


def ordinary_images(folder: Path, chain: Chain) -> OrdinaryImages:
    """What ordinary images are like: as it is kept, or measured on the validation images of the run.

    Raises:
        SaltusError: if the run does not say it, and its data are not there; and as `OrdinaryImages.of`.
    """
    kept = _kept(folder, "images", OrdinaryImages.from_json)
    return kept or OrdinaryImages.of(chain, _data(folder, "what ordinary images are like", "images"))


def _data(folder: Path, what: str, items: str) -> DataSet:
    try:
        return load_data(folder)
    except SaltusError as error:
        raise SaltusError(
            f"{folder} does not hold {what}, and the {items} that it was trained on cannot be read ({error}); put them there again, or "
            "give the command of the training again"
        ) from error


def _keep(folder: str | Path, name: str, found: Any) -> None:
    write_atomically(Path(folder) / _FILE, to_json({"chain": _digest(Path(folder)), name: found}))


def _kept(folder: str | Path, name: str, read: Callable[[Any], T]) -> T | None:
    file = Path(folder) / _FILE
    if not file.exists():
        return None
    kept = read_json(file)
    try:
        return read(kept[name]) if kept["chain"] == _digest(Path(folder)) else None
    except (KeyError, TypeError, ValueError) as error:
        raise SaltusError(f"{file} is damaged ({in_brief(error)}); {AGAIN}") from error


def _digest(folder: Path) -> str:
    """Which chain is in a folder: its file holds digests of all others."""
    return hashlib.blake2b((folder / "chain.json").read_bytes(), digest_size=16).hexdigest()
