"""`saltus show`: figures as JSON, and nothing written over; that pictures are those of the page is tested with the tabs."""

from __future__ import annotations

import json
import shlex
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


def test_the_commands_of_the_page_on_the_studio_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of docs/studio.md, with fewer updates."""
    page = (Path(__file__).parents[2] / "docs" / "studio.md").read_text()
    commands = [shlex.split(line) for line in page.splitlines() if line.startswith("saltus show")]
    assert {words[2] for words in commands} == {"noise", "collapse", "latent", "compare"}
    monkeypatch.chdir(tmp_path)
    for words in commands:
        assert CliRunner().invoke(cli, [word.replace("300", "20") for word in words[1:]], catch_exceptions=False).exit_code == 0
        assert list((tmp_path / words[-1]).glob("*.png"))
