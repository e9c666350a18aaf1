"""A compare.json is checked before it is shown, with its floors."""

from __future__ import annotations

import copy
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from saltus.cli.main import cli
from saltus.errors import SaltusError
from saltus.evaluation import METRICS
from saltus.studio.views.comparison import FILE, as_page, equivalent, measured, read_comparison
from tests.helpers.checks import assert_one_sentence

NAME = "sliced_wasserstein"


def row(model: str, calls: int, mean: float | None) -> dict[str, Any]:
    return {
        "model": model,
        "sampler": "VAE step",
        "calls": calls,
        "network_calls": calls,
        "metrics": {NAME: {"mean": mean, "spread": 0.01, "values": [mean], "above_floor": None if mean is None else mean - 0.1}},
        "multiply_adds": 1000 * calls,
        "seconds_per_1000": 1.0,
        "bound": None,
        "pictured": "../../etc/passwd",
    }


SUMMARY: dict[str, Any] = {
    "data": "digits: 10 training <b>images</b>",
    "n_generated": 100,
    "floor": {NAME: {"mean": 0.1, "spread": 0.01, "values": [0.1]}},
    "rows": [row("A <i>x</i>", 1, 0.3), row("A <i>x</i>", 2, 0.2), row("B", 2, None)],
    "models": {"A": [{"run": "my run", "hash": "0"}], "closed form": [{"run": "", "hash": "1"}]},
}


def written(folder: Path, summary: Any) -> Path:
    file = folder / FILE
    file.write_text(json.dumps(summary))
    return file


def test_curves_tables_and_floors_are_shown(tmp_path: Path) -> None:
    summary = read_comparison(written(tmp_path, SUMMARY))
    assert measured(summary) == [NAME]
    page = as_page(summary, NAME)
    assert page.count("<svg") == 1
    for words in ("0.1000 ± 0.01", "0.3000 ± 0.01 (+0.2)", "diverged", "2,000", METRICS[NAME].title):
        assert words in page
    assert "<b>images" not in page
    assert "<i>x" not in page
    assert "passwd" not in page


def test_a_bound_is_shown_with_its_unit(tmp_path: Path) -> None:
    summary = copy.deepcopy(SUMMARY)
    summary["rows"][0]["bound"] = {"value": {"mean": 1.25, "spread": None}, "unit": "bits/dim", "importance_samples": 1}
    page = as_page(read_comparison(written(tmp_path, summary)), NAME)
    assert "bits/dim" in page
    assert "1.25" in page


def spoilt(**changes: Any) -> dict[str, Any]:
    return SUMMARY | changes


@pytest.mark.parametrize(
    "summary",
    [
        [],
        {},
        spoilt(rows=[]),
        spoilt(rows="many"),
        spoilt(rows=[row("A", -1, 0.1)]),
        spoilt(rows=[row("A", 10**9, 0.1)]),
        spoilt(rows=[row("A" * 10**4, 1, 0.1)]),
        spoilt(rows=[row("A", 1, 0.1)] * 1001),
        spoilt(floor={}),
        spoilt(floor={"<script>": {"mean": 1}}),
        spoilt(rows=[row("A", 1, 0.1) | {"metrics": {NAME: {"mean": "x"}}}]),
    ],
)
def test_another_file_is_refused(summary: Any, tmp_path: Path) -> None:
    with pytest.raises(SaltusError) as caught:
        read_comparison(written(tmp_path, summary))
    assert_one_sentence(caught.value, FILE)


def test_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SaltusError, match="cannot be read"):
        read_comparison(tmp_path / FILE)
    (tmp_path / FILE).write_text("{")
    with pytest.raises(SaltusError, match="damaged"):
        read_comparison(tmp_path / FILE)
    with pytest.raises(SaltusError, match="was not measured"):
        as_page(read_comparison(written(tmp_path, SUMMARY)), "frechet")


def test_the_python_draws_the_curves_and_the_command_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    summary = read_comparison(written(tmp_path / "mine", SUMMARY))
    same = equivalent(summary, NAME, "mine")
    exec(same.python, {})
    assert (tmp_path / f"{NAME}.svg").read_text().startswith("<?xml")
    words = shlex.split(same.command)
    assert words == ["saltus", "compare", "my run", "--calls", "1,2", "--n", "100", "--out", "mine"]
    assert cli.commands["compare"].make_context("compare", words[2:]).params["calls"] == (1, 2)
