"""`saltus train` as a user meets it: every option of a training, what is reported, and wrong values."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from saltus.chain import Chain
from saltus.cli.evaluate_samples import read_samples
from saltus.data import Preparation
from saltus.pretrained import PRETRAINED
from saltus.training import Trainer, load_config, load_data
from tests.helpers.terminal import saltus

QUICK = ("--width", "16", "--batch", "16")


def test_a_training_is_reported_in_words_and_as_json(tmp_path: Path) -> None:
    done = saltus(
        "train",
        "--data",
        "digits",
        "--out",
        "run",
        "--updates",
        "8",
        *QUICK,
        "--no-closed-forms",
        "--noisy-steps",
        "vae",
        "--json",
        cwd=tmp_path,
    )
    assert done.code == 0, done.stderr
    found = done.json
    assert (found["run"], found["kernel"], found["calls"]) == ("run", "vae", 4)
    assert len(found["active_units"]) == 4
    assert [use["level"] for use in found["latent_use"]] == [1, 2, 3, 4]
    assert found["nats"]["prior"] < found["nats"]["level 1/decoder"]
    for words in ("digits: 1450 training", "the start is a mixture of", "nats on validation items", "update 8 of 8"):
        assert words in done.stderr


def test_any_option_of_a_training_can_be_given(tmp_path: Path) -> None:
    options = "--learning-rate 0.002 --encoder-input y --times 0,0.5,3 --weights kl=0.5 --weights data=0.1 --no-any-step --channels-last"
    done = saltus("train", "--data", "digits", "--out", "run", "--updates", "2", *QUICK, *options.split(), cwd=tmp_path)
    assert done.code == 0, done.stderr
    kept = load_config(tmp_path / "run")
    assert (kept.learning_rate, kept.encoder_input, kept.times) == (0.002, "y", (0.0, 0.5, 3.0))
    assert (kept.weights, kept.any_step, kept.channels_last, kept.compile) == ({"kl": 0.5, "data": 0.1}, False, True, False)
    assert "sample it with: saltus sample run --n 64 --out run-samples" in done.stdout


def test_a_table_is_trained_for_any_step_and_sampled_as_it_says(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "table.npy", rng.normal([3, 100], [1, 20], (200, 2)).astype(np.float32))
    done = saltus("train", "--data", "table.npy", "--out", "run", "--any-step", "--updates", "5", *QUICK, cwd=tmp_path)
    assert done.code == 0, done.stderr
    command = done.stdout.rstrip().rpartition("sample it with: saltus ")[2]
    assert command == "sample run --n 64 --calls 4 --out run-samples"
    done = saltus(*command.split(), "--json", cwd=tmp_path)
    assert done.json["files"] == ["run-samples/samples.npz"]
    assert np.load(tmp_path / "run-samples" / "samples.npz")["samples"].shape == (64, 2)


def test_a_network_is_started_from_another_kernels(tmp_path: Path) -> None:
    common = ("train", "--data", "digits", "--updates", "2", "--no-closed-forms", *QUICK)
    assert saltus(*common, "--kernel", "gaussian", "--out", "g", cwd=tmp_path).code == 0
    assert saltus(*common, "--start", "g", "--out", "v", cwd=tmp_path).code == 0
    assert json.loads((tmp_path / "v" / "source.json").read_text())["start"]["config"]["kernel"] == "gaussian"
    done = saltus(*common, "--start", "v", "--out", "x", cwd=tmp_path)
    assert (done.code, (tmp_path / "x").exists()) == (1, False)
    assert "a VAEKernel cannot start another kernel; expected a Gaussian or deterministic one for any step" in done.stderr


def test_a_stopped_training_keeps_what_it_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Trainer.__iter__

    def stopped(self: Trainer) -> object:
        yield next(iter(whole(self)))
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "__iter__", stopped)
    done = saltus("train", "--data", "digits", "--out", "run", *QUICK, cwd=tmp_path)
    assert done.code == 130
    assert "stopped; what was reached is kept in run and can be sampled" in done.stderr
    assert Chain.load(tmp_path / "run").sample(2, seed=0).shape == (2, 1, 8, 8)


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        ("", 2, "Missing option '--data'"),
        ("--data digits --levels 0", 2, "option levels was given as '0'"),
        ("--data digits --levels some", 2, "option levels was given as 'some': expected a valid integer"),
        ("--data digits --updates many", 2, "option updates was given as 'many'"),
        ("--data digits --kernel gan", 2, "there is no kernel 'gan'; give one of deterministic, gaussian, vae"),
        ("--data digits --architecture gan", 2, "there is no architecture 'gan'; give one of unet, mlp"),
        ("--data digits --seed 99999999999999999999", 2, "option seed was given as"),
        ("--data digits --weights kl", 2, "kl has no value; expected NAME=VALUE, such as kl=0.7"),
        ("--data digits --weights gan=1", 2, "expected weights from 0 up of kl, decoder, entropy, data, energy, not gan"),
        ("--data digits --times 0,0.5,3 --levels 4", 2, "levels = 4 does not fit the 2 steps of times; leave levels out"),
        ("--data digits --times 0,a", 2, "option times.1 was given as 'a'"),
        ("--data digits --kernel gaussian --objective quality", 2, "objective is for the vae kernel"),
        ("--data nowhere", 1, "nowhere: there is no such file or folder"),
        ("--data digits --condition colour", 1, "the condition 'colour' is not known; expected labels or attributes"),
        ("--data digits --device meta", 1, "device meta cannot be used here"),
        ("--data digits --device nonsense", 1, "device nonsense cannot be used here"),
    ],
)
def test_a_wrong_value_is_one_sentence(options: str, code: int, says: str, tmp_path: Path) -> None:
    done = saltus("train", "--out", "run", *options.split(), cwd=tmp_path)
    assert (done.code, (tmp_path / "run").exists()) == (code, False)
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_is_taken_is_refused(home: Path) -> None:
    done = saltus("train", "--data", "digits", "--out", "fixed", cwd=home)
    assert done.code == 1
    assert "the run in fixed was made otherwise: " in done.stderr
    (home / "else").mkdir()
    (home / "else" / "notes.txt").touch()
    done = saltus("train", "--data", "digits", "--out", "else", cwd=home)
    assert "else is already there and holds no run that can go on" in done.stderr


def test_a_long_chain_is_told_in_few_lines_and_a_folder_with_a_space_can_be_pasted(tmp_path: Path) -> None:
    options = ("--data", "digits", "--levels", "40", "--updates", "1", "--batch", "4", "--width", "8", "--no-closed-forms")
    done = saltus("train", *options, "--out", "mit ü", cwd=tmp_path)
    assert done.code == 0, done.stderr
    assert len(done.stdout.splitlines()) < 80
    assert "24 steps more" in done.stdout
    assert "saltus sample 'mit ü' --n 64 --out 'mit ü-samples'" in done.stdout


def test_help_names_every_chain_that_comes_with_saltus(tmp_path: Path) -> None:
    text = saltus("sample", "--help", cwd=tmp_path).stdout
    assert all(name in text for name in PRETRAINED)


def test_images_of_any_size_are_made_alike_and_so_again_by_the_run(tmp_path: Path) -> None:
    """By a run that goes on, by evaluate, and for samples in a folder."""
    chance = np.random.default_rng(0)
    for folder, n in (("odd", 120), ("others", 12)):
        (tmp_path / folder).mkdir()
        for k in range(n):
            pixels = chance.integers(0, 256, (12 + k % 3, 12 + k % 5, *[3] * (k % 2)), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{k:03}.png")
    (tmp_path / "odd" / "040.png").write_bytes(b"text")
    asked = ("--data", "odd", "--size", "8", "--crop", "--channels", "1")
    train = ("train", *asked, "--levels", "2", "--updates", "2", *QUICK, "--out", "run")
    done = saltus(*train, cwd=tmp_path)
    assert done.code == 0, done.stderr
    notes = json.loads((tmp_path / "run" / "source.json").read_text())["notes"]
    assert "cut to the proportions of 8x8 around its centre, resized to 8x8 pixels (bicubic) and made grey of 8 bits" in notes[0]
    assert "1 of 120 images cannot be read and are left out: 040.png" in notes[-1]
    assert done.stderr.index(notes[0]) < done.stderr.index(notes[-1]) < done.stderr.index("update 2 of 2")  # stated before training
    done = saltus(*train, "--size", "9", cwd=tmp_path)
    assert "holds other data than those that run was trained on" in done.stderr
    assert saltus(*train, "--extend", "--updates", "3", cwd=tmp_path).code == 0
    assert load_data(tmp_path / "run").event_shape == (1, 8, 8)
    done = saltus("evaluate", "run", "--size", "8", cwd=tmp_path)
    assert (done.code, "--size is for samples, and the run in run knows how its data are read" in done.stderr) == (2, True)
    samples, data = read_samples(tmp_path / "others", str(tmp_path / "odd"), Preparation(size=8, crop=True, channels=1))  # type: ignore[arg-type]
    assert samples.shape == (12, 1, 8, 8)
    assert data.fingerprint == load_data(tmp_path / "run").fingerprint
    done = saltus("train", "--data", "odd", "--crop", "--out", "x", cwd=tmp_path)
    assert (done.code, "such as --size 32" in done.stderr) == (2, True)
