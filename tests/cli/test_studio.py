"""`saltus studio`: who may reach it, and where the password is from."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from saltus.cli.main import cli
from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.studio.app import PASSWORD
from tests.helpers.checks import assert_one_sentence
from tests.helpers.hidden import hidden


def refused(*arguments: str) -> SaltusError:
    with pytest.raises(SaltusError) as caught:
        CliRunner().invoke(cli, ["studio", *arguments], catch_exceptions=False)
    return caught.value


def test_another_address_is_refused_without_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSWORD, raising=False)
    assert_one_sentence(refused("--host", "0.0.0.0"), "0.0.0.0", "--password-file", PASSWORD)
    monkeypatch.setenv(PASSWORD, "short")
    assert_one_sentence(refused("--host", "0.0.0.0"), "at least 8")


def test_a_password_is_never_an_option() -> None:
    told = CliRunner().invoke(cli, ["studio", "--help"]).output
    assert "--password-file" in told
    assert "--password " not in told


@pytest.mark.parametrize(("content", "words"), [(None, "cannot be read"), ("", "is empty"), ("\n", "is empty"), ("short\n", "at least 8")])
def test_a_file_without_a_password_is_refused(content: str | None, words: str, tmp_path: Path) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_text(content)
    assert_one_sentence(refused("--password-file", str(file)), words)


def test_what_is_no_run_is_refused() -> None:
    assert_one_sentence(refused("no-such-run"), "no-such-run", "holds no run")


def test_without_gradio_it_says_what_to_install() -> None:
    with hidden("gradio"):
        assert_one_sentence(refused("digits"), "gradio", "saltus[studio]")
        with pytest.raises(SaltusError):
            needs("gradio", extra="studio")
