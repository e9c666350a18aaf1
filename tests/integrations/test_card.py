"""A card says what the run's folder holds, and no more."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from saltus import SaltusError
from saltus.integrations import model_card
from saltus.pretrained import run_folder
from tests.helpers.checks import assert_one_sentence

FIGURES: dict[str, Any] = {
    "calls": 4,
    "n_real": 360,
    "n_generated": 500,
    "repeats": "seeds",
    "seeds": [0, 1],
    "part": "test",
    "metrics": {"frechet": {"generated": {"mean": 1.25}, "floor": {"mean": 0.5}, "above_floor": 0.75}},
    "likelihood": {
        "discrete": True,
        "bits_per_dim": 2.125,
        "standard_error": 0.0125,
        "total": 90.0,
        "total_error": 1.0,
        "items": 360,
        "convention": "probability of 17 values",
    },
    "closed_forms": {"one Gaussian": {"bits_per_dim": 3.5}},
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    shutil.copytree(run_folder("digits"), tmp_path / "run")
    return tmp_path / "run"


def test_a_card_without_figures_says_so(run: Path) -> None:
    text = model_card(run, name="somebody/of-digits")
    card = ModelCard(text, ignore_metadata_errors=False)
    assert card.data.license == "unknown"
    assert card.data.eval_results is None
    assert "None were measured" in text
    assert "4 network calls" in text
    assert "10 classes" in text
    assert "saltus sample hf:somebody/of-digits" in text
    assert "from_pretrained" not in text


def test_figures_stand_beside_their_floor_with_items_and_calls(run: Path) -> None:
    (run / "evaluation.json").write_text(json.dumps(FIGURES))
    text = model_card(run, name="somebody/of-digits", license="cc-by-4.0", picture="samples.png")
    card = ModelCard(text, ignore_metadata_errors=False)
    (found,) = card.data.eval_results
    assert (card.data.license, found.metric_type, found.metric_value) == ("cc-by-4.0", "frechet", 1.25)
    assert "500 samples of 4 network calls each, seeds 0, 1, against 360 real items (the test part)" in text
    assert "| 1.25 | 0.5 |" in text
    assert "2.1250 ± 0.0125 bits/dim (standard error over 360 items), probability of 17 values" in text
    assert "one Gaussian on the same items: 3.5000 bits/dim" in text
    assert 'from_pretrained("somebody/of-digits", trust_remote_code=True)' in text
    assert "![samples](samples.png)" in text


def test_what_a_network_was_worth_before_and_an_older_card_are_told(run: Path) -> None:
    before = {"bits_per_dim": 3.75, "standard_error": 0.25, "levels": 50, "items": 64}
    (run / "teacher.json").write_text(json.dumps(before))
    text = model_card(run, name="a/b")
    assert "Gaussian steps on 50 levels: 3.7500 ± 0.2500 bits/dim on 64 test items" in text
    assert "`saltus convert`" in text
    assert (run / "CARD.md").read_text().splitlines()[-1] in text
    (run / "teacher.json").write_text("{}")
    (run / "CARD.md").unlink()
    assert "Gaussian steps on" not in model_card(run, name="a/b")


def test_damaged_figures_are_refused(run: Path) -> None:
    (run / "evaluation.json").write_text("[]")
    with pytest.raises(SaltusError) as caught:
        model_card(run, name="a/b")
    assert_one_sentence(caught.value, "evaluation.json")
