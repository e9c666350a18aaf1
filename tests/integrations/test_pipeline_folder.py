"""A run as a folder of diffusers: it loads there, draws what the chain draws, and the hub's rules of what is downloaded keep it whole."""

from __future__ import annotations

import fnmatch
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers.pipelines import pipeline_utils

from saltus import Chain, SaltusError
from saltus.data import digits
from saltus.integrations import to_diffusers
from saltus.pretrained import IN_PIPELINE, run_folder
from saltus.training import Config, train
from tests.helpers.checks import assert_one_sentence
from tests.helpers.terminal import saltus


@pytest.fixture(autouse=True)
def _modules(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where diffusers copies the code of pipelines to: a folder of the tests."""
    place = str(tmp_path_factory.mktemp("modules"))
    monkeypatch.setattr(diffusers.utils.dynamic_modules_utils, "HF_MODULES_CACHE", place)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chain of digits that comes with the package, of four calls, told the digit."""
    place = tmp_path_factory.mktemp("pipelines") / "of-digits"
    to_diffusers("digits", place, license="cc-by-4.0")
    return place


@pytest.fixture(scope="module")
def chain() -> Chain:
    return Chain.load(run_folder("digits"))


def loaded(place: Path | str) -> Any:
    return diffusers.DiffusionPipeline.from_pretrained(str(place), trust_remote_code=True)


def test_a_pipeline_draws_what_the_chain_draws(folder: Path, chain: Chain) -> None:
    pipeline = loaded(folder)
    assert type(pipeline).__name__ == "SaltusPipeline"
    found = pipeline(batch_size=5, seed=3, output_type="pt").images
    expected = (chain.sample(5, seed=3) / 2 + 0.5).clamp(0, 1)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    torch.testing.assert_close(pipeline(batch_size=2, seed=3, first_item=3, output_type="pt").images, expected[3:], rtol=0, atol=1e-6)
    assert not torch.equal(pipeline(batch_size=5, seed=4, output_type="pt").images, expected)  # the twin
    sevens = pipeline(batch_size=3, seed=3, class_labels=7, guidance_scale=2.0, output_type="np").images
    assert sevens.shape == (3, 8, 8, 1)
    guided = type(chain.sampling)(chain.sampling.final, chain.sampling.eta, chain.sampling.temperature, 2.0)
    expected = (chain.sample(3, seed=3, condition=7, sampling=guided) / 2 + 0.5).clamp(0, 1)
    np.testing.assert_array_equal(sevens[..., 0], expected[:, 0].numpy())


def test_a_generator_takes_the_place_of_a_seed(folder: Path) -> None:
    pipeline = loaded(folder)

    def drawn(seed: int) -> torch.Tensor:
        found: torch.Tensor = pipeline(generator=torch.Generator().manual_seed(seed), output_type="pt", return_dict=False)[0]
        return found

    assert torch.equal(drawn(0), drawn(0))
    assert not torch.equal(drawn(0), drawn(1))
    generator = torch.Generator().manual_seed(0)
    one, other = (pipeline(generator=generator, output_type="pt").images for _ in range(2))
    assert not torch.equal(one, other)  # a generator goes on
    assert pipeline(seed=0).images[0].size == (8, 8)


def test_other_calls_are_for_chains_of_any_step(folder: Path, tmp_path: Path) -> None:
    pipeline = loaded(folder)
    assert torch.equal(pipeline(seed=0, num_inference_steps=4, output_type="pt").images, pipeline(seed=0, output_type="pt").images)
    for options, word in (({"num_inference_steps": 3}, "3 calls"), ({"output_type": "latent"}, "output_type")):
        with pytest.raises(SaltusError) as caught:
            pipeline(seed=0, **options)
        assert_one_sentence(caught.value, word)
    train(digits(), Config(any_step=True, updates=2, width=16, latent=2), tmp_path / "run", quiet=True)
    to_diffusers(tmp_path / "run", tmp_path / "out")
    assert loaded(tmp_path / "out")(batch_size=2, seed=0, num_inference_steps=3, output_type="pt").images.shape == (2, 1, 8, 8)


def test_what_the_pipeline_writes_itself_it_reads_again(folder: Path, tmp_path: Path) -> None:
    pipeline = loaded(folder)
    pipeline.save_pretrained(tmp_path)
    again = type(pipeline).from_pretrained(str(tmp_path))
    assert torch.equal(again(seed=1, output_type="pt").images, pipeline(seed=1, output_type="pt").images)


def test_the_run_inside_is_a_run_and_tells_nothing_of_this_machine(folder: Path, tmp_path: Path) -> None:
    done = saltus("sample", str(folder / IN_PIPELINE), "--n", "2", "--out", "new", cwd=tmp_path)
    assert done.code == 0, done.stderr
    np.save(tmp_path / "images.npy", np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8))
    call = ("train", "--data", str(tmp_path / "images.npy"), "--out", "run", "--updates", "1", "--width", "16")
    assert saltus(*call, cwd=tmp_path).code == 0
    to_diffusers(tmp_path / "run", tmp_path / "out")
    assert json.loads((tmp_path / "out" / IN_PIPELINE / "source.json").read_text())["source"] == "images.npy"
    for file in (file for file in (tmp_path / "out").rglob("*") if file.suffix in (".json", ".md", ".py")):
        assert str(tmp_path) not in file.read_text(), file
    assert not list((tmp_path / "out").rglob("checkpoints"))


def test_all_of_it_is_downloaded_from_the_hub(folder: Path, chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """diffusers chooses the files of a repository by its own patterns; a stand-in for the hub copies those that it asks for."""
    cache = tmp_path / "cache"

    def info(_: str, **__: Any) -> Any:
        files = [str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()]
        return SimpleNamespace(siblings=[SimpleNamespace(rfilename=file) for file in files], sha="0" * 40)

    def fetched(_: str, file: str, **__: Any) -> str:
        (cache / file).parent.mkdir(parents=True, exist_ok=True)
        return str(shutil.copyfile(folder / file, cache / file))

    def snapshot(_: str, allow_patterns: list[str], ignore_patterns: list[str], **__: Any) -> str:
        for file in (sibling.rfilename for sibling in info("").siblings):
            asked, refused = (any(fnmatch.fnmatch(file, pattern) for pattern in each) for each in (allow_patterns, ignore_patterns))
            if asked and not refused:
                fetched("", file)
        return str(cache)

    monkeypatch.setattr(pipeline_utils, "model_info", info)
    monkeypatch.setattr(pipeline_utils, "hf_hub_download", fetched)
    monkeypatch.setattr(diffusers.utils.dynamic_modules_utils, "hf_hub_download", fetched)
    monkeypatch.setattr(diffusers.utils.dynamic_modules_utils, "model_info", info)
    monkeypatch.setattr(pipeline_utils, "snapshot_download", snapshot)
    pipeline = loaded("somebody/of-digits")
    expected = (chain.sample(2, seed=0) / 2 + 0.5).clamp(0, 1)
    assert torch.equal(pipeline(batch_size=2, seed=0, output_type="pt").images, expected)


def test_what_cannot_be_a_pipeline_is_refused(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 2))
    np.save(tmp_path / "rows.npy", rows)
    call = ("train", "--data", "rows.npy", "--out", "rows", "--updates", "1", "--width", "16", "--kernel", "vae")
    assert saltus(*call, cwd=tmp_path).code == 0
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    for run, out, word in (("rows", "new", "model of rows"), (run_folder("digits"), "full", "not empty"), ("none", "new", "none")):
        with pytest.raises(SaltusError) as caught:
            to_diffusers(tmp_path / run, tmp_path / out)
        assert_one_sentence(caught.value, word)
