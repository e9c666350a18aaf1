"""Runs go to the hub and come back, on a stand-in that is a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard

from saltus import Chain, Model, SaltusError
from saltus.integrations import load_teacher, push
from saltus.pretrained import run_folder
from tests.helpers.checks import assert_one_sentence
from tests.helpers.hubs import Hub
from tests.helpers.teachers import saved
from tests.helpers.terminal import saltus


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    made = Hub(tmp_path / "hub")
    made.install(monkeypatch)
    return made


def test_a_run_of_images_goes_as_a_pipeline_and_comes_back(hub: Hub, tmp_path: Path) -> None:
    push("digits", "somebody/of-digits", private=True, license="cc-by-4.0")
    assert hub.asked[0] == ("create_repo", {"repo_id": "somebody/of-digits", "private": True, "exist_ok": True})
    place = hub.home / "somebody" / "of-digits"
    assert (place / "model_index.json").exists()
    assert ModelCard.load(place / "README.md").data.license == "cc-by-4.0"
    again, own = Chain.load(run_folder("hf:somebody/of-digits")), Chain.load(run_folder("digits"))
    assert torch.equal(again.sample(3, seed=5), own.sample(3, seed=5))
    assert saltus("sample", "hf:somebody/of-digits", "--n", "2", "--out", "new", cwd=tmp_path).code == 0
    push("digits", "somebody/of-digits")  # what is there is replaced
    assert hub.asked[-2][1]["private"] is None


def test_a_run_of_rows_goes_as_it_is(hub: Hub, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(size=(60, 2)))
    options = ("--updates", "1", "--width", "16", "--kernel", "vae")
    assert saltus("train", "--data", "rows.npy", "--out", "run", *options, cwd=tmp_path).code == 0
    done = saltus("push", "run", "somebody/rows", "--json", cwd=tmp_path)
    assert done.code == 0, done.stderr
    assert done.json["name"] == "somebody/rows"
    place = hub.home / "somebody" / "rows"
    assert (place / "chain.json").exists()
    assert not (place / "model_index.json").exists()
    assert not (place / "checkpoints").exists()
    assert str(tmp_path) not in (place / "source.json").read_text()
    one, other = (Model.load(where).sample(3, seed=1) for where in ("hf:somebody/rows", tmp_path / "run"))
    np.testing.assert_array_equal(one, other)


def test_a_model_of_diffusers_comes_from_the_hub_without_what_is_not_read(hub: Hub) -> None:
    place = saved(hub.home / "somebody" / "ddpm")
    (place / "unet" / "diffusion_pytorch_model.bin").touch()
    teacher, _ = load_teacher("hf:somebody/ddpm")
    assert teacher.digest == load_teacher(place)[0].digest
    assert not list((hub.home / "cache").rglob("*.bin"))


@pytest.mark.parametrize("name", ["alone", "two/many/parts", "a b/c", "../x", "/x", "x/"])
def test_what_is_no_name_is_refused_before_anything_is_asked(name: str, hub: Hub) -> None:
    for use in (lambda: push("digits", name), lambda: run_folder(f"hf:{name}")):
        with pytest.raises(SaltusError) as caught:
            use()
        assert_one_sentence(caught.value, "OWNER/NAME")
    assert hub.asked == []


def test_what_the_hub_refuses_is_told_in_one_sentence(hub: Hub, tmp_path: Path) -> None:
    done = saltus("sample", "hf:nobody/nothing", "--n", "2", "--out", "new", cwd=tmp_path)
    assert (done.code, done.stderr.count("\n")) == (1, 1)
    assert "nobody/nothing cannot be downloaded (OSError: 404" in done.stderr
    hub.refuses = True
    with pytest.raises(SaltusError) as caught:
        push("digits", "somebody/of-digits")
    assert_one_sentence(caught.value, "hf auth login")
