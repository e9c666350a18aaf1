"""Long work that is ended goes on: pieces that are whole are kept, others are made again, those of another call are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from saltus import SaltusError
from saltus.cli import sample as command
from saltus.cli.pieces import Pieces, in_pieces, make_part
from tests.helpers.checks import assert_one_sentence
from tests.helpers.terminal import saltus

CALL = {"n": 10, "seed": 0}


def counting(asked: list[tuple[int, int]], ended: int | None = None) -> Callable[[int, int], np.ndarray]:
    """Items that are their numbers; the work ends at one of them."""

    def make(start: int, stop: int) -> np.ndarray:
        if start == ended:
            raise KeyboardInterrupt
        asked.append((start, stop))
        return np.arange(start, stop, dtype=np.uint16)

    return make


def whole(folder: Path, asked: list[tuple[int, int]], ended: int | None = None) -> list[int]:
    return [int(item) for piece in in_pieces(counting(asked, ended), 10, 4, folder, CALL) for item in piece]


def test_work_that_was_ended_goes_on(tmp_path: Path) -> None:
    asked: list[tuple[int, int]] = []
    with pytest.raises(KeyboardInterrupt):
        whole(tmp_path / "pieces", asked, ended=8)
    assert asked == [(0, 4), (4, 8)]
    assert whole(tmp_path / "pieces", asked) == list(range(10))
    assert asked == [(0, 4), (4, 8), (8, 10)]


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: content[:-1] + b"\1", lambda content: content[:0]])
def test_a_piece_that_is_not_whole_is_made_again(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    asked: list[tuple[int, int]] = []
    whole(tmp_path / "pieces", asked)
    piece = sorted((tmp_path / "pieces").glob("00000001-*"))[0]
    piece.write_bytes(damage(piece.read_bytes()))
    asked.clear()
    assert whole(tmp_path / "pieces", asked) == list(range(10))
    assert asked == [(4, 8)]


def test_pieces_of_another_call_are_refused_and_those_of_none_are_not_believed(tmp_path: Path) -> None:
    other = CALL | {"seed": 1}
    list(in_pieces(counting([]), 10, 4, tmp_path / "pieces", other))
    with pytest.raises(SaltusError, match=r"another call \(seed 0 instead of 1\)") as error:
        Pieces(tmp_path / "pieces", CALL, 10, 4)
    assert_one_sentence(error)
    asked: list[tuple[int, int]] = []
    for nobodys in ("{", "[]", "{}", '{"at_once": 0}'):
        (tmp_path / "pieces" / "call.json").write_text(nobodys)
        asked.clear()
        assert whole(tmp_path / "pieces", asked) == list(range(10))
        assert asked == ([(0, 4), (4, 8), (8, 10)] if nobodys == "{" else [])  # the first time they are of the other call


@pytest.mark.parametrize("parts", [1, 3, 7])
def test_parts_make_what_one_would_and_whoever_joins_makes_what_is_missing(
    parts: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, asked = tmp_path / "pieces", list[tuple[int, int]]()
    found = [make_part(counting([]), 100, 40, folder, CALL, (number, parts)) for number in range(parts)]
    assert sum(found) == 100
    assert max(found) - min(found) <= -(-100 // (4 * parts))  # by a piece
    assert make_part(counting(asked, ended=0), 100, 40, folder, CALL, (0, parts)) == found[0]  # again, which is no work
    joined = np.concatenate(list(in_pieces(counting(asked), 100, 40, folder, CALL)))
    assert (joined.tolist(), asked, capsys.readouterr().err) == (list(range(100)), [], "")
    lost = sorted(folder.glob("00000001-*"))[0]
    lost.unlink()
    assert np.concatenate(list(in_pieces(counting(asked), 100, 40, folder, CALL))).tolist() == list(range(100))
    assert len(asked) == 1
    assert "1 of " in capsys.readouterr().err


def test_a_part_of_a_run_is_made_alone_and_joined(home: Path) -> None:
    assert saltus("sample", "any", "--n", "30", "--out", "at-once", cwd=home).code == 0
    for number in ("2/3", "1/3", "3/3"):
        done = saltus("sample", "any", "--n", "30", "--out", "shared", "--part", number, "--json", cwd=home)
        assert (done.json["part"], done.json["files"]) == ([int(number[0]), 3], [])
        assert 8 <= done.json["samples"] <= 12
        assert not (home / "shared" / "samples.npz").exists()
    done = saltus("sample", "any", "--n", "30", "--out", "shared", cwd=home)
    assert (done.code, done.stderr) == (0, "")
    assert sorted(path.name for path in (home / "shared").iterdir()) == ["samples.npz", "samples.png"]
    one, other = (np.load(home / out / "samples.npz") for out in ("at-once", "shared"))
    assert np.array_equal(one["labels"], other["labels"])
    assert np.abs(one["samples"].astype(int) - other["samples"]).max() <= 1  # other batches round otherwise
    for wrong in ("0/3", "4/3", "x", "1/0", "/", "-1/3"):
        done = saltus("sample", "any", "--n", "30", "--out", "none", f"--part={wrong}", cwd=home)
        assert (done.code, (home / "none").exists()) == (2, False)
        assert "is no part; expected its number and how many there are, such as 3/100" in " ".join(done.stderr.split())


def test_little_work_leaves_no_folder(tmp_path: Path) -> None:
    asked: list[tuple[int, int]] = []
    assert len(list(in_pieces(counting(asked), 4, 4, tmp_path / "pieces", CALL))) == 1
    assert not (tmp_path / "pieces").exists()
    with pytest.raises(KeyboardInterrupt):  # nor does what cannot begin
        list(in_pieces(counting(asked, ended=0), 8, 4, tmp_path / "pieces", CALL))
    assert not (tmp_path / "pieces").exists()


def test_sampling_that_was_stopped_goes_on_and_gives_the_same_items(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from saltus.chain import Chain

    monkeypatch.setattr(command, "_AT_ONCE", 4 * 64)
    assert saltus("sample", "fixed", "--n", "11", "--out", "left-alone", cwd=home).code == 0
    alike, made = Chain.sample, list[int]()

    def stopped(self: Chain, n: int, *, first_item: int = 0, **options: object) -> object:
        if first_item == 8 and len(made) == 2:
            made.append(-1)
            raise KeyboardInterrupt
        made.append(first_item)
        return alike(self, n, first_item=first_item, **options)

    monkeypatch.setattr(Chain, "sample", stopped)
    done = saltus("sample", "fixed", "--n", "11", "--out", "stopped", cwd=home)
    assert done.code == 130
    assert "stopped; samples made so far are kept in stopped; to go on, give the same command: saltus sample fixed" in done.stderr
    done = saltus("sample", "fixed", "--n", "12", "--out", "stopped", cwd=home)
    assert "n 12 instead of 11" in done.stderr
    made_before = len(made)
    assert saltus("sample", "fixed", "--n", "11", "--out", "stopped", cwd=home).code == 0
    assert made[made_before:] == [8]
    assert sorted(path.name for path in (home / "stopped").iterdir()) == ["samples.npz", "samples.png"]
    one, other = (np.load(home / out / "samples.npz")["samples"] for out in ("left-alone", "stopped"))
    assert np.array_equal(one, other)
    assert (home / "stopped" / "samples.png").read_bytes() == (home / "left-alone" / "samples.png").read_bytes()
