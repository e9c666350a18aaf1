"""What ordinary images are like is kept with a run, measured where it is not, and said to be missing where it cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from saltus import Config, ImageModel, SaltusError, train
from saltus.chain import Chain
from saltus.data import DataSet, digits
from saltus.estimators.ordinary import images_of, keep_ordinary, ordinary_images
from saltus.pretrained import PRETRAINED, run_folder
from tests.helpers.checks import assert_one_sentence

SMALL = {"updates": 3, "batch": 32, "width": 16, "latent": 2}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    keep_ordinary(train(digits(), Config(levels=1, closed_forms=False, **SMALL), folder, quiet=True), digits(), folder)
    return folder


def test_a_run_keeps_it_and_measures_it_where_it_does_not(run: Path) -> None:
    file, chain, images = run / "ordinary.json", Chain.load(run), digits().encoding.decode(digits().test[:20])
    kept = json.loads(file.read_text())
    assert kept["images"]["distances"]
    scores = ImageModel.load(run).anomaly_score(images)
    for other in (kept | {"chain": "another"}, None):
        file.unlink() if other is None else file.write_text(json.dumps(other))
        np.testing.assert_allclose(ImageModel.load(run).anomaly_score(images), scores, atol=0.05)
    for content in ("[]", "{}", json.dumps(kept | {"images": {"clouds": 1}}), json.dumps({"chain": kept["chain"], "costs": [[1.0]]})):
        file.write_text(content)
        with pytest.raises(SaltusError) as caught:
            ordinary_images(run, chain)
        assert_one_sentence(caught.value, "ordinary.json is damaged")


def test_a_run_whose_data_are_gone_says_so(run: Path, tmp_path: Path) -> None:
    Chain.load(run).save(tmp_path)
    with pytest.raises(SaltusError) as caught:
        ordinary_images(tmp_path, Chain.load(tmp_path))
    assert_one_sentence(caught.value, "does not hold what ordinary images are like, and the images that it was trained on cannot be read")


def test_only_what_can_tell_is_asked(run: Path) -> None:
    chain, data = Chain.load(run), digits()
    assert images_of(chain, data) is not None
    few = DataSet.from_arrays(*[np.asarray(data.encoding.decode(part[:3])) for part in (data.train, data.validation, data.test)])
    assert images_of(chain, few) is None
    rows = DataSet.from_arrays(np.random.default_rng(0).normal(size=(60, 2)))
    assert images_of(chain, rows) is None


@pytest.mark.parametrize("name", PRETRAINED)
def test_chains_that_ship_know_ordinary_images(name: str) -> None:
    model = ImageModel.load(name)
    known = ordinary_images(run_folder(name), model.model_.chain)
    assert len(known.clouds) == 2
    images = model.sample(8)
    assert model.anomaly_score(images).mean() < 4
    assert model.anomaly_score(255 - images if images.max() > 16 else 16 - images).mean() > 6
