"""Which rows a report compares: the parts of a run's own table, or all rows of another one, in the same columns and units."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from saltus.data import load
from saltus.errors import SaltusError
from saltus.evaluation.quality import TwoSample
from saltus.studies.quality import rows as module
from saltus.studies.quality.measure import measured
from saltus.studies.quality.rows import compared
from saltus.training import Config, train
from tests.helpers.checks import assert_one_sentence
from tests.helpers.compared import cells, write_csv

NAMES = ("size", "count", "weight", "day", "kept")
TOLD = TwoSample(0.5, 0.1, 20, 1, (0.0,) * 5)
"""In place of what takes seconds."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A table and a run, another table of the same kind, and a run that is told the category."""
    folder = tmp_path_factory.mktemp("home")
    write_csv(folder / "own.csv", cells(300, 0))
    write_csv(folder / "other.csv", cells(40, 1))
    write_csv(folder / "labelled.csv", cells(300, 0), ("label", *NAMES[1:]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SALTUS_CACHE", str(folder / "cache"))
        tiny = Config(updates=10, batch=16)
        train(load(folder / "own.csv"), tiny, folder / "run", quiet=True)
        train(load(folder / "labelled.csv", condition="labels"), tiny, folder / "told", quiet=True)
        np.savez(folder / "array.npz", train=cells(300, 0)[:, :2])
        train(load(folder / "array.npz"), tiny, folder / "array", quiet=True)
        yield folder


def as_set(rows: np.ndarray) -> set[bytes]:
    return {row.tobytes() for row in np.nan_to_num(rows, nan=-1)}


def test_of_its_own_table_rows_that_were_not_trained_on_are_held_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = compared(home / "run", home / "own.csv", n=30)
    data = load(home / "own.csv")
    assert [column.name for column in found.columns] == list(NAMES)
    assert found.categorical.tolist() == [True, False, False, False, True]
    assert len(found.train) == len(data.train)
    assert len(found.held_out) == len(data.test) + len(data.validation)
    assert found.part == "the test and validation parts of own.csv"
    assert not as_set(found.train) & as_set(found.held_out)
    written = cells(300, 0)
    written[:, 2] = np.round(written[:, 2], 4)
    order = ["high", "low", "middle"]
    written[:, 0] = [order.index(("low", "middle", "high")[int(k)]) for k in written[:, 0]]
    assert as_set(found.train) | as_set(found.held_out) == as_set(written)
    assert found.synthetic.shape == (30, 5)
    assert set(found.synthetic[:, 0]) <= {0, 1, 2}
    assert found.y is not None
    np.testing.assert_array_equal(found.y.numpy(), np.concatenate([data.test, data.validation]))
    monkeypatch.setattr(module, "_SMALL", 10)
    large = compared(home / "run", home / "own.csv", n=30)
    assert large.part == "the test part of own.csv"
    assert len(large.held_out) == len(data.test)
    np.testing.assert_array_equal(large.synthetic, found.synthetic)
    assert not np.array_equal(compared(home / "run", home / "own.csv", n=30, seed=1).synthetic, found.synthetic)


def test_a_table_that_has_moved_is_the_same_and_another_one_is_held_out_whole(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(home / "own.csv", home / "moved.csv")
    assert compared(home / "run", home / "moved.csv", n=20).part == "the test and validation parts of moved.csv"
    other = compared(home / "run", home / "other.csv", n=20)
    assert (other.part, len(other.held_out)) == ("all rows of other.csv", 40)
    assert len(other.train) == len(load(home / "own.csv").train)
    monkeypatch.setattr(module, "MOST_ROWS", 25)
    few = compared(home / "run", home / "other.csv")
    assert len(few.held_out) == len(few.synthetic) == 25


def test_a_label_that_the_run_is_told_is_a_column_too(home: Path) -> None:
    write_csv(home / "relabelled.csv", cells(40, 1), ("label", *NAMES[1:]))
    for table in ("labelled.csv", "relabelled.csv"):
        found = compared(home / "told", home / table, n=30)
        assert [column.name for column in found.columns] == [*NAMES[1:], "label"]
        assert found.columns[-1].categories == ("high", "low", "middle")
        for rows in (found.synthetic, found.held_out, found.train):
            assert set(rows[:, -1]) <= {0, 1, 2}
        assert found.condition is not None
        assert found.condition.tolist() == found.held_out[:, -1].tolist()
        low, high = (found.train[found.train[:, -1] == k, 0].mean() for k in (1, 0))
        assert high > low + 10  # labels belong to their rows
    assert found.target == 4
    assert compared(home / "told", home / "labelled.csv", target="count", n=20).target == 0


def test_the_bound_stands_beside_closed_forms(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saltus.studies.quality.measure.by_column", lambda rows, *_, **__: [TOLD] * rows.shape[1])
    monkeypatch.setattr("saltus.studies.quality.measure.told_apart", lambda *_, **__: TOLD)
    for run, table in (("run", "own.csv"), ("told", "labelled.csv")):
        bound = measured(compared(home / run, home / table, n=20)).bound
        assert bound is not None
        assert bound.own.items > 20
        assert set(bound.floors) == {"one Gaussian", "mixture"}
        assert all(abs(floor.total - bound.own.total) < 30 for floor in bound.floors.values())


def test_rows_that_the_run_cannot_take_have_no_bound_and_all_else(home: Path) -> None:
    rows = cells(40, 1)
    write_csv(home / "halves.csv", rows)
    text = (home / "halves.csv").read_text().splitlines()
    first = text[1].split(",")
    (home / "halves.csv").write_text("\n".join([text[0], ",".join([first[0], "3.5", *first[2:]]), *text[2:]]))
    found = compared(home / "run", home / "halves.csv", n=20)
    assert found.y is None
    assert "3.5" in found.refused
    assert found.held_out[0, 1] == 3.5


@pytest.mark.parametrize(
    ("run", "table", "words"),
    [
        ("nowhere", "own.csv", ("nowhere is not there", "saltus train")),
        ("own.csv", "own.csv", ("own.csv is no training run", "saltus train")),
        ("array", "own.csv", ("array is a run of other data than a file of a table",)),
        ("run", "nothing.csv", ("nothing.csv is not there", "the same columns")),
        ("run", "array.npz", ("array.npz is no CSV or Parquet file",)),
        ("run", "lacking.csv", ("lacking.csv", "there is no column kept")),
        ("run", "short.csv", ("19 rows are too few", "at least 20")),
        ("run", "strange.csv", ("strange.csv", "the column size", "huge", "row 4")),
        ("told", "unlabelled.csv", ("unlabelled.csv", "no column of labels")),
    ],
)
def test_what_cannot_be_compared_is_told_in_one_sentence(home: Path, run: str, table: str, words: tuple[str, ...]) -> None:
    write_csv(home / "short.csv", cells(19, 1))
    write_csv(home / "unlabelled.csv", cells(40, 1))
    lines = (home / "other.csv").read_text().splitlines()
    (home / "lacking.csv").write_text("\n".join(line.rpartition(",")[0] for line in lines))
    (home / "strange.csv").write_text("\n".join([*lines[:5], f"huge,{lines[5].partition(',')[2]}", *lines[6:]]))
    with pytest.raises(SaltusError) as caught:
        compared(home / run, home / table, n=20)
    assert_one_sentence(caught.value, *words)


def test_an_unknown_target_label_or_place_of_the_training_rows_is_told(home: Path, tmp_path: Path) -> None:
    with pytest.raises(SaltusError) as caught:
        compared(home / "run", home / "own.csv", target="price")
    assert_one_sentence(caught.value, "'price'", "size, count, weight, day, kept", "--target")
    text = (home / "labelled.csv").read_text()
    (home / "tall.csv").write_text(text.replace("high,", "tall,"))
    with pytest.raises(SaltusError) as caught:
        compared(home / "told", home / "tall.csv")
    assert_one_sentence(caught.value, '"tall"', "3 classes")
    gone = tmp_path / "gone.csv"
    shutil.copy(home / "own.csv", gone)
    train(load(gone), Config(updates=2, batch=16), tmp_path / "run", quiet=True)
    gone.unlink()
    with pytest.raises(SaltusError) as caught:
        compared(tmp_path / "run", home / "other.csv")
    assert_one_sentence(caught.value, "gone.csv", "put their file back")
    assert compared(tmp_path / "run", home / "own.csv", n=20).part.endswith("own.csv")  # the same rows elsewhere
