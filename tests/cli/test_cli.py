"""The command line as a user meets it: results, JSON, exit codes, and one sentence for every error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def saltus(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-m", "saltus", *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a short training run in it."""
    folder = tmp_path_factory.mktemp("home")
    done = saltus("train", "--data", "digits", "--out", "run", "--steps", "30", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["calls"] == 4
    assert len(result["active_units"]) == 4
    assert [use["level"] for use in result["latent_use"]] == [1, 2, 3, 4]
    assert result["nats"]["prior"] < result["nats"]["level 1/decoder"]
    assert "30/30" in done.stderr
    assert "the prior costs" in done.stderr
    return folder


@pytest.mark.parametrize("command", [[], ["demo"], ["train"], ["sample"]])
def test_every_command_has_help(command: list[str], tmp_path: Path) -> None:
    done = saltus(*command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "Usage: saltus" in done.stdout


def test_any_option_of_a_training_can_be_set(home: Path) -> None:
    options = ("--set", "learning_rate=0.002", "--set", "encoder_input=y", "--set", "times=[0, 0.5, 3]", "--steps", "2")
    done = saltus("train", "--data", "digits", "--out", "set", *options, "--levels", "4", cwd=home)
    assert done.returncode == 2
    assert "levels = 4 does not fit the 2 steps of times" in done.stderr
    done = saltus("train", "--data", "digits", "--out", "set", *options, cwd=home)
    assert done.returncode == 0, done.stderr
    kept = json.loads((home / "set" / "config.json").read_text())
    assert (kept["learning_rate"], kept["encoder_input"], kept["times"]) == (0.002, "y", [0.0, 0.5, 3.0])


@pytest.mark.parametrize(
    ("given", "says"), [("learning_rate", "learning_rate has no value; expected NAME=VALUE"), ("rate=1", "there is no option rate")]
)
def test_a_wrong_setting_is_one_sentence(given: str, says: str, tmp_path: Path) -> None:
    done = saltus("train", "--data", "digits", "--out", "run", "--set", given, cwd=tmp_path)
    assert (done.returncode, (tmp_path / "run").exists()) == (2, False)
    assert says in done.stderr


def test_sample_writes_a_grid_and_an_array(home: Path) -> None:
    done = saltus("sample", "run", "--n", "10", "--out", "samples", "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    files = ["samples/samples.npz", "samples/samples.png"]
    assert result == {"samples": 10, "seed": 0, "last": "median", "eta": 1.0, "temperature": 1.0, "calls": 4, "files": files}
    samples = np.load(home / "samples" / "samples.npz")["samples"]
    assert (samples.shape, samples.dtype) == ((10, 8, 8), np.uint8)
    with Image.open(home / "samples" / "samples.png") as picture:
        assert min(picture.size) >= 512
    again = saltus("sample", "run", "--n", "3", "--out", "again", cwd=home)
    assert "3 samples, 4 network calls each" in again.stdout
    assert np.array_equal(np.load(home / "again" / "samples.npz")["samples"], samples[:3])
    reusing = saltus("sample", "run", "--n", "3", "--out", "reusing", "--eta", "0", cwd=home)
    assert reusing.returncode == 0, reusing.stderr
    assert not np.array_equal(np.load(home / "reusing" / "samples.npz")["samples"], samples[:3])
    other = saltus("sample", "run", "--n", "3", "--out", "other", "--seed", "1", cwd=home)
    assert other.returncode == 0
    assert not np.array_equal(np.load(home / "other" / "samples.npz")["samples"], samples[:3])


def test_a_table_is_trained_and_sampled(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "table.npy", rng.normal([3, 100], [1, 20], (200, 2)).astype(np.float32))
    assert saltus("train", "--data", "table.npy", "--out", "run", "--steps", "30", cwd=tmp_path).returncode == 0
    done = saltus("sample", "run", "--n", "5", "--out", "out", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["files"] == ["out/samples.npz"]
    assert np.load(tmp_path / "out" / "samples.npz")["samples"].shape == (5, 2)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nonsense"], 2, "No such command 'nonsense'"),
        (["train", "--out", "x"], 2, "Missing option '--data'"),
        (["train", "--data", "digits", "--out", "x", "--levels", "0"], 2, "option levels was given as 0"),
        (["train", "--data", "digits", "--out", "x", "--kernel", "gan"], 2, "option kernel was given as 'gan'"),
        (["train", "--data", "digits", "--out", "x", "--steps", "many"], 2, "'many' is not a valid integer"),
        (["train", "--data", "nowhere", "--out", "x"], 1, "nowhere"),
        (["train", "--data", "digits", "--out", "run"], 1, "run is already there"),
        (["sample", "nowhere", "--n", "1", "--out", "x"], 1, "nowhere is not there; give the folder of a training run"),
        (["sample", "run", "--n", "0", "--out", "x"], 2, "0 is not in the range"),
        (["sample", "run", "--n", "1", "--out", "x", "--eta", "nan"], 2, "nan is no share; expected a number from 0 to 1"),
        (["sample", "run", "--n", "1", "--out", "x", "--eta", "1.5"], 2, "1.5 is no share"),
        (["sample", "run", "--n", "1", "--out", "x", "--temperature", "nan"], 2, "nan is no temperature; expected a number above 0"),
        (["sample", "run", "--n", "1", "--out", "x", "--temperature", "0"], 2, "0.0 is no temperature"),
        (["train", "--data", "digits", "--out", "x", "--start", "run"], 1, "a VAEKernel can not start another kernel"),
        (
            ["train", "--data", "digits", "--out", "x", "--kernel", "gaussian", "--objective", "quality"],
            2,
            "objective is for the vae kernel",
        ),
        (["sample", "run", "--n", "1", "--out", "run/chain.json"], 1, "saltus: run/chain.json: File exists; give another place"),
        (["train", "--data", "digits", "--out", "x", "--seed", "99999999999999999999"], 2, "99999999999999999999 is not in the range"),
    ],
)
def test_a_mistake_is_one_sentence_and_no_traceback(arguments: list[str], code: int, says: str, home: Path) -> None:
    done = saltus(*arguments, cwd=home)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_wrong_call_with_json_is_json_too(home: Path) -> None:
    done = saltus("train", "--data", "digits", "--out", "x", "--kernel", "gan", "--json", cwd=home)
    assert done.returncode == 2
    assert "option kernel was given as 'gan'" in json.loads(done.stdout)["error"]


def test_a_failure_with_json_is_json_too(home: Path) -> None:
    done = saltus("sample", "nowhere", "--n", "1", "--out", "x", "--json", cwd=home)
    assert done.returncode == 1
    assert "nowhere" in json.loads(done.stdout)["error"]


def test_samples_are_never_overwritten(home: Path) -> None:
    for code in (0, 1):
        done = saltus("sample", "run", "--n", "2", "--out", "kept", cwd=home)
        assert done.returncode == code, done.stderr
    assert "samples.npz is already there" in done.stderr
