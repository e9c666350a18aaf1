"""A training that was killed goes on by the same call, and ends as if it had been left alone."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from saltus import Chain, SaltusError
from saltus.data import DataSet, digits
from saltus.files import to_json
from saltus.training import Config, Trainer, Validation, build_chain, train
from saltus.training import run as running
from saltus.training.checkpoint import Checkpoint, Checkpoints
from saltus.training.display import show
from tests.helpers.checks import assert_one_sentence

UPDATES, KILLS = 60, 3
OPTIONS = {"updates": UPDATES, "batch": 16, "width": 16, "levels": 2, "level_weighting": "nats", "kl_warm_up": 0.5}
SCRIPT = f"""
import sys
from saltus.data import digits
from saltus.training import Config, run
run._SECONDS, run._SHARE = 0.0, 0  # a checkpoint after every update: most kills come while one is written
run.train(digits(), Config(**{OPTIONS!r}), sys.argv[1], quiet=True)
"""


@pytest.fixture(scope="module")
def data() -> DataSet:
    return digits()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, data: DataSet) -> Path:
    """A run that was left alone."""
    home = tmp_path_factory.mktemp("alone") / "run"
    train(data, Config(**OPTIONS), home, quiet=True)
    return home


def figures(home: Path) -> list[dict[str, object]]:
    """The metrics, but for times."""
    lines = [json.loads(line) for line in (home / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in ("seconds", "items_per_second")} for line in lines]


def last_weights(home: Path) -> bytes:
    """Weights, averages and moments after the last update."""
    return sorted((home / "checkpoints").glob("[0-9]*.safetensors"))[-1].read_bytes()


def assert_same_end(home: Path, alone: Path) -> None:
    assert (home / "chain.safetensors").read_bytes() == (alone / "chain.safetensors").read_bytes()
    assert last_weights(home) == last_weights(alone)
    assert figures(home) == figures(alone)


def started(home: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-W", "ignore", "-c", SCRIPT, str(home)], env={**os.environ, "OMP_NUM_THREADS": "1"})


def reached(home: Path) -> int:
    """The update of the newest checkpoint."""
    return max((int(file.stem) for file in (home / "checkpoints").glob("[0-9]*.json")), default=0)


def kill_after(process: subprocess.Popen[bytes], home: Path, update: int, number: signal.Signals, delay: float = 0) -> None:
    """Send a signal once a checkpoint of this update is there."""
    while process.poll() is None and reached(home) < update:
        time.sleep(0.002)
    time.sleep(delay)
    process.send_signal(number)
    process.wait()


def test_a_killed_run_ends_as_one_that_was_left_alone(tmp_path: Path, alone: Path) -> None:
    torch.set_num_threads(1)
    home, chance = tmp_path / "run", random.Random(0)
    for update in sorted(chance.sample(range(1, UPDATES - 5), KILLS)):
        process = started(home)
        kill_after(process, home, update, signal.SIGKILL, chance.uniform(0, 0.02))
        assert process.returncode == -signal.SIGKILL
        assert update <= reached(home) < UPDATES
    assert started(home).wait() == 0
    assert_same_end(home, alone)
    assert not [file.name for file in home.rglob("*.partial") if file.parent.name == "checkpoints"]


def test_sigterm_ends_after_an_update_and_keeps_it(tmp_path: Path, alone: Path) -> None:
    home = tmp_path / "run"
    process = started(home)
    kill_after(process, home, 5, signal.SIGTERM)
    assert process.returncode not in (0, -signal.SIGTERM)  # KeyboardInterrupt, which the command line tells in a sentence
    at = reached(home)
    assert 5 <= at < UPDATES
    assert Chain.load(home).sample(2, seed=0).shape == (2, 1, 8, 8)  # a run in progress can be sampled
    assert started(home).wait() == 0
    assert_same_end(home, alone)


def test_a_trainer_goes_on_from_any_update(data: DataSet) -> None:
    """Without a folder, and a twin that must differ: one whose optimiser begins anew."""
    config = Config(**(OPTIONS | {"prior": "normal", "updates": 12}))

    def trainer() -> Trainer:
        return Trainer(build_chain(config, data), data, config)

    whole, half, other, twin = trainer(), trainer(), trainer(), trainer()
    told = list(whole)
    for progress in half:
        if progress.update == 5:
            break
    at = half.checkpoint()
    at = Checkpoint(at.update, json.loads(json.dumps(at.numbers)), {name: tensor.clone() for name, tensor in at.tensors.items()})
    other.restore(at)
    assert list(other) == told[5:]
    weights = zip(whole.averaged().parameters(), other.averaged().parameters(), strict=True)
    assert all(torch.equal(one, another) for one, another in weights)
    twin.restore(at)
    twin._optimiser.state.clear()
    assert list(twin)[-1].loss != told[-1].loss


def test_the_weights_of_the_best_validation_are_kept(data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a checkpoint too; of a kernel that is trained for something else, those of the end."""
    bits = [3.0, 1.0, 2.5]

    def run(**options: object) -> tuple[list[Chain], Trainer]:
        config = Config(**(OPTIONS | {"prior": "normal", "updates": 3, "level_weighting": None} | options))
        told, made = iter(bits), list[Chain]()
        monkeypatch.setattr(Trainer, "validate", lambda _: Validation(next(told)))
        trainer = Trainer(build_chain(config, data), data, config)
        for _ in trainer:
            made.append(trainer.averaged())
        again = Trainer(build_chain(config, data), data, config)
        again.restore(trainer.checkpoint())
        return [*made, again.best()], again

    def same(one: Chain, other: Chain) -> bool:
        return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))

    chains, trainer = run()
    assert [same(chain, chains[-1]) for chain in chains[:-1]] == [False, True, False]
    assert "after update 2, whose weights are kept: 1.000 bits/dim, 2.500 at the end" in trainer.remark
    chains, trainer = run(objective="quality")
    assert [same(chain, chains[-1]) for chain in chains[:-1]] == [False, False, True]
    assert trainer.remark == ""


def test_damaged_checkpoints_are_named_and_the_one_before_is_taken(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    for update in (1, 2, 3):
        kept.save(Checkpoint(update, {"n": update}, {"x": torch.full((100,), float(update))}))
    assert sorted(file.name for file in tmp_path.iterdir()) == [f"00000000{n}.{end}" for n in (2, 3) for end in ("json", "safetensors")]
    newest = tmp_path / "000000003.safetensors"
    raw = bytearray(newest.read_bytes())
    for damage in (raw[:-40], raw[:10], b"", bytes([*raw[:-4], raw[-4] ^ 1, *raw[-3:]])):
        newest.write_bytes(damage)
        with pytest.warns(UserWarning, match=r"000000003\.json cannot be used .*; the one before it is taken"):
            found = kept.latest()
        assert found is not None
        assert (found.update, float(found.tensors["x"][0])) == (2, 2.0)
    newest.write_bytes(raw)
    found = kept.latest()
    assert found is not None
    assert found.update == 3
    document = tmp_path / "000000003.json"
    for text in ("{", "[]", "null", "[" * 10_000, '{"format": 99}', document.read_text().replace('"n": 3', '"n": 4')):
        document.write_text(text)
        with pytest.warns(UserWarning, match="cannot be used"):
            found = kept.latest()
        assert found is not None
        assert found.update == 2


def test_a_run_is_not_changed_but_by_more_updates(tmp_path: Path, data: DataSet) -> None:
    home, config = tmp_path / "run", Config(**(OPTIONS | {"updates": 4}))
    train(data, config, home, quiet=True)
    for options, says in [
        ({"learning_rate": 0.5}, "learning_rate 0.5 instead of 0.001 is asked for now; give its own options"),
        ({"updates": 6}, "updates 6 instead of 4 is asked for now; --extend goes on with more updates"),
    ]:
        with pytest.raises(SaltusError, match=says) as error:
            train(data, config.model_copy(update=options), home, quiet=True)
        assert_one_sentence(error.value)
    train(data, config.model_copy(update={"updates": 6}), home, quiet=True, extend=True)
    assert reached(home) == 6
    with pytest.raises(SaltusError, match="updates 4 instead of 6"):
        train(data, config, home, quiet=True, extend=True)


def test_one_process_trains_in_a_folder(tmp_path: Path, data: DataSet) -> None:
    home, config = tmp_path / "run", Config(**(OPTIONS | {"updates": 2}))
    train(data, config, home, quiet=True)
    with FileLock(home / ".lock"), pytest.raises(SaltusError, match="another process trains in") as error:
        train(data, config, home, quiet=True)
    assert_one_sentence(error.value)
    train(data, config, home, quiet=True)  # finished: nothing is left to do


def test_a_full_disk_does_not_end_a_training(tmp_path: Path, data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(running, "_SECONDS", 0.0)
    monkeypatch.setattr(running, "_SHARE", 0)
    with monkeypatch.context() as once:
        once.setattr(Checkpoints, "save", full)
        with pytest.warns(UserWarning, match=r"no checkpoint was written after update \d .*No space left"):
            train(data, Config(**(OPTIONS | {"updates": 3})), tmp_path / "run", quiet=True)
    assert Chain.load(tmp_path / "run").sample(1, seed=0).shape == (1, 1, 8, 8)


def test_where_no_checkpoint_is_whole_nothing_is_trained_over_the_run(tmp_path: Path, data: DataSet) -> None:
    home, config = tmp_path / "run", Config(**(OPTIONS | {"updates": 3}))
    train(data, config, home, quiet=True)
    before = (home / "chain.safetensors").read_bytes(), (home / "metrics.jsonl").read_bytes()
    for file in (home / "checkpoints").glob("[0-9]*.safetensors"):
        file.write_bytes(b"")
    with pytest.raises(SaltusError, match=r"cannot be used .*, and none before it; take a copy") as error:
        train(data, config, home, quiet=True)
    assert_one_sentence(error.value)
    assert ((home / "chain.safetensors").read_bytes(), (home / "metrics.jsonl").read_bytes()) == before


def test_a_checkpoint_after_a_fallback_is_kept(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    for update in (10, 20):
        kept.save(Checkpoint(update, {}, {"x": torch.zeros(3)}))
    (tmp_path / "000000020.safetensors").write_bytes(b"")
    kept.save(Checkpoint(15, {}, {"x": torch.ones(3)}))
    found = kept.latest()
    assert found is not None
    assert found.update == 15


def test_a_run_goes_on_without_its_lock_file_and_another_start_is_refused(tmp_path: Path, data: DataSet) -> None:
    """Some versions of filelock remove the file, and a copy of a folder may lack it."""
    home, config = tmp_path / "run", Config(**(OPTIONS | {"updates": 3}))
    train(data, config, home, quiet=True)
    (home / ".lock").unlink(missing_ok=True)
    train(data, config, home, quiet=True)
    (home / ".chain.safetensors.0.partial").touch()
    with pytest.raises(SaltusError, match="began from another network than is asked for now"):
        train(data, config, home, start=home, quiet=True)
    assert not list(home.glob(".*.partial"))


def test_what_cannot_begin_leaves_an_empty_folder_as_it_was(tmp_path: Path, data: DataSet) -> None:
    real, linked = tmp_path / "real", tmp_path / "linked"
    real.mkdir(mode=0o750)
    linked.symlink_to(real)
    for home in (real, linked, tmp_path / "new"):
        with pytest.raises(SaltusError):
            train(data, Config(**OPTIONS), home, start=tmp_path, quiet=True)
    assert not (tmp_path / "new").exists()
    assert (list(real.iterdir()), real.stat().st_mode & 0o777, linked.is_symlink()) == ([], 0o750, True)


def test_a_validation_that_is_not_finite_goes_through_a_checkpoint(data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(**(OPTIONS | {"prior": "normal", "updates": 2}))
    monkeypatch.setattr(Trainer, "validate", lambda _: Validation(math.nan, [math.nan, 1.0], [math.inf, 2.0], [1, 2], [None, 1.0]))
    trainer, again = (Trainer(build_chain(config, data), data, config) for _ in range(2))
    for progress in trainer:
        if progress.update == 1:
            break
    at = trainer.checkpoint()
    again.restore(Checkpoint(at.update, json.loads(to_json(at.numbers)), at.tensors))
    (last,) = show(again, "vae")
    assert last.validation.aggregate_kl == [None, 1.0]


@pytest.mark.skipif(sys.platform != "linux", reason="the limit on the size of files is asked of Linux")
def test_a_disk_that_is_full_is_an_error_of_the_disk(tmp_path: Path) -> None:
    script = f"""
import resource, signal, torch
from pathlib import Path
from saltus.training.checkpoint import Checkpoint, Checkpoints
kept = Checkpoints(Path({str(tmp_path)!r}))
kept.save(Checkpoint(1, {{}}, {{"x": torch.zeros(10)}}))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    kept.save(Checkpoint(2, {{}}, {{"x": torch.zeros(100_000)}}))
except OSError:
    print(kept.latest().update)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "1", done.stderr
