"""`saltus show`: figures as JSON, and nothing written over; that pictures are those of the page is tested with the tabs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from saltus.cli.main import cli
from saltus.errors import SaltusError
from tests.helpers.checks import assert_one_sentence

NOISE = ["show", "noise", "digits", "--t", "0.5", "--s", "0.2", "--out"]
SMALL = ["show", "collapse", "--updates", "5", "--width", "4", "--levels", "1", "--out"]


def test_noise_as_json(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, [*NOISE, str(tmp_path), "--json"], catch_exceptions=False)
    found = json.loads(done.output)
    assert found["level at N per unit time"] == 5
    assert [Path(file).name for file in found["files"]] == ["y.png", "z_t.png", "bridge_mean.png", "z_s.png"]


def test_collapse_as_json(tmp_path: Path) -> None:
    found = json.loads(CliRunner().invoke(cli, [*SMALL, str(tmp_path), "--json"], catch_exceptions=False).output)
    assert found["diversity"]["exact optimum"] < found["diversity"]["bridge step"] + 1
    assert len(found["files"]) == 5
    assert all(len(spread) == 2 for spread in found["spread"].values())


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "z_t.png").write_text("mine")
    with pytest.raises(SaltusError) as caught:
        CliRunner().invoke(cli, [*NOISE, str(tmp_path)], catch_exceptions=False)
    assert_one_sentence(caught.value, "z_t.png")
    assert [file.name for file in tmp_path.iterdir()] == ["z_t.png"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["noise", "digits", "--t", "9", "--s", "0"], "expected 0 <= s <= t <= 8"),
        (["noise", "digits", "--t", "1", "--s", "0", "--item", "99"], "from 0 to 15"),
        (["collapse", "--levels", "9"], "from 1 to 8"),
        (["latent", "digits", "--level", "7"], "from 1 to 4"),
        (["latent", "digits", "--start", "mixture"], "starts from noise"),
        (["compare", "digits", "mnist"], "as many calls"),
        (["compare", "digits", "digits", "--sampler-b", "UniPC"], "its own steps"),
    ],
)
def test_mistakes_are_sentences(arguments: list[str], words: str, tmp_path: Path) -> None:
    with pytest.raises(SaltusError) as caught:
        CliRunner().invoke(cli, ["show", *arguments, "--out", str(tmp_path / "out")], catch_exceptions=False)
    assert_one_sentence(caught.value, words)
    assert not (tmp_path / "out").exists()
