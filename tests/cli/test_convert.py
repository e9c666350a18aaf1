"""`saltus convert` as a user meets it: a model of diffusers, its own bound, and a run that is sampled like any other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from saltus.data import digits
from tests.helpers.teachers import saved, scheduler, unet
from tests.helpers.terminal import saltus

QUICK = ("--data", "digits", "--bound-levels", "3", "--bound-items", "8", "--seed", "1")
SMALL = ("--calls", "2", "--updates", "2", "--batch", "8", "--latent", "3")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("teacher") / "model")


def test_a_model_is_converted_and_sampled_and_its_bound_is_kept(model: Path, tmp_path: Path) -> None:
    call = ("convert", str(model), *QUICK, *SMALL, "--out", "run", "--json")
    done = saltus(*call, cwd=tmp_path)
    assert done.code == 0, done.stderr
    found = done.json
    assert (found["calls"], found["teacher"]["levels"], found["teacher"]["items"], found["chain"]["items"]) == (2, 3, 8, 8)
    assert found["chain"]["bits_per_dim"] > 0
    assert json.loads((tmp_path / "run" / "teacher.json").read_text()) == found["teacher"]
    again = saltus(*call, cwd=tmp_path)  # a run that is done stays as it is, and the bound is not measured again
    assert again.code == 0, again.stderr
    assert again.json == found
    assert "3 levels, 8 items" in done.stderr
    assert "3 levels, 8 items" not in again.stderr
    assert saltus("sample", "run", "--n", "2", "--out", "new", cwd=tmp_path).code == 0
    other = saltus(*call, "--no-closed-forms", cwd=tmp_path)
    assert other.code == 1
    assert "made otherwise" in other.stderr
    assert saltus(*call, "--updates", "3", "--extend", cwd=tmp_path).json["teacher"] == found["teacher"]


def test_without_a_folder_the_bound_alone_is_told(model: Path, tmp_path: Path) -> None:
    done = saltus("convert", str(model), *QUICK, cwd=tmp_path)
    assert done.code == 0, done.stderr
    assert "Gaussian steps of the best variance on 3 of its 12 levels" in done.stdout
    assert "bits/dim on 8 test items" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_classes_takes_those_of_the_data(tmp_path: Path) -> None:
    place = saved(tmp_path / "model", unet(num_class_embeds=10), scheduler(prediction_type="v_prediction"))
    done = saltus("convert", str(place), *QUICK, *SMALL, "--condition", "labels", "--out", "run", "--json", cwd=tmp_path)
    assert done.code == 0, done.stderr
    assert saltus("sample", "run", "--n", "2", "--condition", "7", "--out", "sevens", cwd=tmp_path).code == 0


@pytest.mark.parametrize(
    ("changes", "options", "word"),
    [
        ({"sample_size": 16}, (), "--size"),
        ({"in_channels": 3, "out_channels": 3}, (), "--channels"),
        ({"num_class_embeds": 10}, (), "--condition labels"),
        ({}, ("--condition", "labels"), ""),
        ({}, ("--noisy-steps", "flow", "--prior", "normal"), "prior mixture"),
    ],
    ids=["another size", "other channels", "classes without", "classes that are new", "a flow without a mixture"],
)
def test_models_and_data_that_do_not_fit(changes: dict[str, object], options: tuple[str, ...], word: str, tmp_path: Path) -> None:
    place = saved(tmp_path / "model", unet(**changes))
    done = saltus("convert", str(place), *QUICK, *SMALL, *options, "--out", "run", cwd=tmp_path)
    assert done.code == (1 if word else 0), done.stderr
    assert done.stderr.splitlines()[-1].startswith("saltus: ") == bool(word)
    assert word in done.stderr
    assert (tmp_path / "run").exists() is not bool(word)


def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    done = saltus("convert", "nowhere", *QUICK, cwd=tmp_path)
    assert (done.code, done.stderr) == (1, "saltus: nowhere is not there; give a folder that save_pretrained wrote, or hf:OWNER/NAME\n")
    wrong = saltus("convert", "hf:nowhere", *QUICK, cwd=tmp_path)
    assert wrong.code == 1
    assert "OWNER/NAME" in wrong.stderr


def test_the_bound_of_the_run_is_on_the_same_items(model: Path, tmp_path: Path) -> None:
    """More items than there are give them all."""
    n = len(digits().test)
    done = saltus("convert", str(model), "--data", "digits", "--bound-levels", "1", "--bound-items", "5000", "--json", cwd=tmp_path)
    assert done.json["teacher"]["items"] == n
