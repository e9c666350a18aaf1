"""What is told of data before anything is learned: counts that are known beforehand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from saltus.data import digits, inspect
from saltus.data import inspection as module
from tests.helpers.raw import floats, integers


def test_the_digits_are_what_they_are() -> None:
    found, data = inspect("digits")
    assert data is not None
    assert data.fingerprint == digits().fingerprint
    assert found.items == {"train": 1450, "validation": 161, "test": 186}
    assert (found.shape, found.dtype, found.least, found.greatest, found.different) == ((8, 8), "uint8", 0, 16, 17)
    assert (found.copies, found.shared, found.refused, found.columns) == (0, 0, "", ())
    assert sum(found.classes.values()) == 1797
    assert list(found.classes) == list("0123456789")
    assert found.becomes == "images of 8x8 pixels with 17 values"


def test_copies_are_counted_within_parts_and_across_them(tmp_path: Path) -> None:
    raw = integers(90)
    train, test = np.concatenate([raw[:60], raw[:4]]), np.concatenate([raw[60:], raw[:3], raw[60:62]])
    np.savez(tmp_path / "a.npz", train=train, test=test, train_labels=["a", "b"] * 32, test_labels=["b"] * 35, other=np.zeros(3))
    found, _ = inspect(tmp_path / "a.npz")
    assert (found.copies, found.shared) == (4 + 3 + 2, 3)
    assert found.classes == {"a": 32, "b": 67}
    assert found.notes == ("the array other is not used",)
    assert found.name == "a.npz"


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_values_are_counted_piece_by_piece(tmp_path: Path, dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = (integers(90) // 7 * 3).clip(0, 90).astype(dtype)
    np.save(tmp_path / "a.npy", raw)
    monkeypatch.setattr(module, "_AT_ONCE", 200)
    found, _ = inspect(tmp_path / "a.npy")
    assert (found.least, found.greatest, found.different) == (raw.min(), raw.max(), len(np.unique(raw)))
    monkeypatch.setattr(module, "_MOST_VALUES", 10)
    assert inspect(tmp_path / "a.npy")[0].different is None


def test_columns_of_a_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("b,a\n" + "\n".join(f"{k % 3 > 0},{k * 0.5}" for k in range(60)))
    found, _ = inspect(tmp_path / "a.csv")
    one, other = found.columns
    assert (one.name, one.dtype, one.least, one.mean, one.greatest, one.different) == ("b", "bool", 0, pytest.approx(2 / 3), 1, 2)
    assert (other.name, other.dtype, other.least, other.mean, other.greatest, other.different) == ("a", "float64", 0, 14.75, 29.5, 60)
    np.save(tmp_path / "a.npy", floats("vector", 90))
    assert [column.name for column in inspect(tmp_path / "a.npy")[0].columns] == list("01234")


def test_data_that_would_be_refused_are_looked_at_all_the_same(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", integers(7))
    found, data = inspect(tmp_path / "a.npy")
    assert data is None
    assert found.items == {"train": 7}
    assert "7 items are too few to split" in found.refused
    assert found.becomes == ""
