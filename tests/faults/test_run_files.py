"""The other files of a run, damaged or hostile: each is told in one sentence with its name, and half a line of metrics is passed over."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from saltus.chain import Chain
from saltus.data import DataSet, load
from saltus.errors import SaltusError
from saltus.training import Config, load_config, load_data, planned_levels, recipe, train, updates_done
from saltus.training.checkpoint import Checkpoints
from tests.faults.conftest import SIZES
from tests.helpers.checks import assert_one_sentence
from tests.helpers.forge import forge

Copied = Callable[[str], Path]
NO_JSON: dict[str, bytes] = {
    "nothing": b"",
    "half of it": b'{"updates": ',
    "not UTF-8": b'{"kernel": "\xff"}',
    "two bytes": b"\xff\xfe",
    "100,000 brackets": b"[" * 100_000,
    "100,000 braces": b'{"a":' * 100_000,
    "a number of 5,000 digits": b'{"updates": ' + b"9" * 5000 + b"}",
    "NaN": b'{"updates": NaN}',
    "zeros": bytes(100),
    "a list": b"[]",
    "null": b"null",
    "a text": b'"x"',
    "a number": b"3",
}
"""What no file of JSON may hold."""


def said(call: Callable[[], object], *words: str) -> None:
    with pytest.raises(SaltusError) as caught:
        call()
    assert_one_sentence(caught.value, *words)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("name", NO_JSON)
def test_what_is_no_json_is_told_with_its_file(name: str, copied: Copied) -> None:
    home = copied("rows")
    chain = Chain.load(home)
    calls: dict[str, Callable[[], object]] = {
        "config.json": lambda: load_config(home),
        "source.json": lambda: load_data(home),
        "plan.json": lambda: planned_levels(home, chain, 2),
        "chain.json": lambda: Chain.load(home),
    }
    for file, call in calls.items():
        kept = (home / file).read_bytes() if (home / file).exists() else None
        (home / file).write_bytes(NO_JSON[name])
        said(call, file)
        (home / file).unlink()
        if kept is not None:
            (home / file).write_bytes(kept)
    latest = next((home / "checkpoints").glob("[0-9]*.json"))
    latest.write_bytes(NO_JSON[name])
    said(Checkpoints(home / "checkpoints").latest, latest.name, "cannot be used", "none before it", "take a copy of the run")


CONFIGS: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"kernel": "\x1b[31mred"}, (r"there is no kernel '\x1b[31mred'",)),
    ({"updates": 1e30}, ("option updates was given as 1e+30",)),
    ({"updates": -1}, ("option updates was given as -1", "greater than or equal to 1")),
    ({"batch": 10**12}, ("option batch was given as 1000000000000", "less than or equal to 1048576")),
    ({"levels": 10**8}, ("option levels was given as 100000000", "less than or equal to 10000")),
    ({"levels": [4]}, ("option levels was given as [4]", "expected a valid integer")),
    ({"times": [0, "a"]}, ("option times.1 was given as 'a'",)),
    ({"times": [0, 1e-300, 3]}, ("option times was given as", "at least 1e-10 apart")),
    ({"times": list(range(20_000))}, ("option levels was given as 19999", "less than or equal to 10000")),
    ({"width": 10**9}, ("option width was given as 1000000000", "less than or equal to 1048576")),
    ({"channels": [10**9, 2]}, ("option channels.0 was given as 1000000000",)),
    ({"latent": 10**12}, ("option latent was given as 1000000000000",)),
    ({"importance_samples": 10**12}, ("option importance_samples was given as 1000000000000",)),
    ({"weights": {"self": 1}}, ("expected weights from 0 up of kl, decoder", "not self")),
    ({"weights": "kl"}, ("option weights was given as 'kl'",)),
    ({"options": {"self": 1}}, ("the vae kernel has no option of its own named self",)),
    ({"nonsense": 1}, ("there is no option nonsense",)),
    ({"learning_rate": "1e400"}, ("option learning_rate was given as '1e400'", "expected a finite number")),
]


@pytest.mark.parametrize(("options", "words"), CONFIGS, ids=[str(options)[:40] for options, _ in CONFIGS])
def test_a_configuration_that_cannot_be_is_told_with_its_file(options: dict[str, Any], words: tuple[str, ...], copied: Copied) -> None:
    home = copied("rows")
    (home / "config.json").write_text(json.dumps(options))
    said(lambda: load_config(home), "config.json is damaged", *words)


SOURCES: list[tuple[dict[str, Any], str]] = [
    ({"source": 5}, "its source is 5"),
    ({"source": ["a"]}, "its source is ['a']"),
    ({"fingerprint": None}, "its fingerprint is None"),
    ({"fingerprint": 10**40}, "its fingerprint is 1000"),
    ({"conditions": {}}, "its conditions is {}"),
    ({"start": "abc"}, "its start is 'abc'"),
    ({"start": {"config": [], "updates": 3}}, "its start is {'config': []"),
    ({"start": {"config": {}, "updates": "3"}}, "its start is {'config': {}"),
    ({"versions": [1]}, "its versions is [1]"),
]


@pytest.mark.parametrize(("told", "words"), SOURCES, ids=[str(told) for told, _ in SOURCES])
def test_what_no_run_remembers_is_told(told: dict[str, Any], words: str, copied: Copied) -> None:
    home = copied("rows")
    file = home / "source.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | told))
    for call in (lambda: load_data(home), lambda: recipe(home)):
        said(call, "source.json is damaged", words, "train again, or take the file from a copy")
    file.write_text("{}")
    said(lambda: load_data(home), "source.json is damaged", "its fingerprint is None")


PLANS: list[Any] = [
    {},
    {"plans": []},
    {"plans": {"2": []}},
    {"plans": {"2": {"times": "012"}}},
    {"plans": {"2": {"times": [0, 1]}}},
    {"plans": {"2": {"times": [0, [1], 2]}}},
    {"plans": {"2": {"times": [0, 2, 1]}}},
    {"plans": {"2": {"times": list(range(20_000))}}},
]


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: str(plan)[:40])
def test_a_plan_that_is_none_is_told(plan: Any, copied: Copied) -> None:
    home = copied("rows")
    (home / "plan.json").write_text(json.dumps(plan))
    said(lambda: planned_levels(home, Chain.load(home), 2), "plan.json is damaged", "remove it, or plan again with: saltus plan")


@pytest.mark.parametrize(
    "rest",
    [
        '{"update": 9',
        '{"update": NaN}',
        "[" * 100_000,
        "[9]",
        "null",
        '{"update": "9"}',
        '{"update": true}',
        "9" * 5000,
        "\x00",
        '{"a": 9}',
    ],
    ids=lambda rest: rest[:20],
)
def test_lines_of_metrics_that_are_not_whole_are_passed_over(rest: str, copied: Copied, data: DataSet) -> None:
    home = copied("rows")
    file = home / "metrics.jsonl"
    whole = file.read_text()
    file.write_bytes(whole.encode() + rest.encode() + b"\n\xff\xfe")
    assert updates_done(home) == SIZES["updates"]
    train(data, Config(**OPTIONS), home, quiet=True)
    assert file.read_text() == whole


def test_metrics_without_an_end_are_told(copied: Copied) -> None:
    home = copied("rows")
    (home / "metrics.jsonl").unlink()
    os.mkfifo(home / "metrics.jsonl")
    said(lambda: updates_done(home), "metrics.jsonl is no regular file")


# ------------------------------------------------------------------------------------------- checkpoints

OPTIONS: dict[str, Any] = {"any_step": True, "condition": "labels", **SIZES}


@pytest.fixture(scope="module")
def data(runs: Path) -> DataSet:
    return load(runs / "rows.npz", condition="labels")


def numbers(**told: Any) -> Callable[[Any], object]:
    return lambda document: document["numbers"].update(told)


CHECKPOINTS: list[tuple[Callable[[Any], object], tuple[str, ...]]] = [
    (lambda document: document.update(format=True), ("it is of format True", "reads 1")),
    (lambda document: document.update(format=99), ("it is of format 99",)),
    (lambda document: document.update(update=-1), ("it does not say the update of its name",)),
    (lambda document: document.update(update=10**30), ("it does not say the update of its name",)),
    (lambda document: document.update(update="2"), ("it does not say the update of its name",)),
    (lambda document: document.update(numbers=None), ("it does not say the update of its name",)),
    (lambda document: document.update(files={}), ("it does not say the update of its name",)),
    (lambda document: document.update(files={"../chain.safetensors": ""}), ("it lists other files than saltus writes",)),
    (lambda document: document.update(files={"weights.pt": ""}), ("it lists other files than saltus writes",)),
    (lambda document: document.update(files=["a"]), ("it lists other files than saltus writes",)),
    (numbers(averaged=-1), ("does not say how far its training was",)),
    (numbers(averaged=10**400), ("does not say how far its training was",)),
    (numbers(averaged="x"), ("does not say how far its training was",)),
    (numbers(validation=[]), ("does not say how far its training was",)),
    (numbers(validation={"kl": "abc"}), ("does not say how far its training was",)),
    (numbers(best=[]), ("does not say how far its training was",)),
    (numbers(best=[1, None]), ("does not say how far its training was",)),
]


@pytest.mark.parametrize(("change", "words"), CHECKPOINTS, ids=[f"{number} {words[0]}" for number, (_, words) in enumerate(CHECKPOINTS)])
def test_a_checkpoint_that_cannot_be_is_told(
    change: Callable[[Any], object], words: tuple[str, ...], copied: Copied, data: DataSet
) -> None:
    home = copied("rows")
    forge(next((home / "checkpoints").glob("[0-9]*.json")), change)
    said(lambda: train(data, Config(**OPTIONS), home, quiet=True), *words)


TENSORS: list[tuple[Callable[[dict[str, torch.Tensor]], object], str]] = [
    (lambda tensors: tensors["chain.0"].view(-1)[0].fill_(torch.nan), "its weights are not finite"),
    (lambda tensors: tensors["average.0"].fill_(torch.inf), "its weights are not finite"),
    (lambda tensors: tensors.update({"chain.0": tensors["chain.0"][:1].clone()}), "is of another chain or configuration"),
    (lambda tensors: tensors.update({"chain.0": tensors["chain.0"].double()}), "is of another chain or configuration"),
    (lambda tensors: tensors.update(more=torch.zeros(1)), "is of another chain or configuration"),
    (lambda tensors: tensors.pop("average.0"), "is of another chain or configuration"),
]


@pytest.mark.parametrize(("change", "words"), TENSORS, ids=[f"{number} {words}" for number, (_, words) in enumerate(TENSORS)])
def test_tensors_of_a_checkpoint_that_cannot_be_are_told(
    change: Callable[[dict[str, torch.Tensor]], object], words: str, copied: Copied, data: DataSet
) -> None:
    home = copied("rows")
    file = next((home / "checkpoints").glob("[0-9]*.safetensors"))
    tensors = load_file(file)
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    change(tensors)
    save_file(tensors, file)
    forge(file.with_suffix(".json"))
    said(lambda: train(data, Config(**OPTIONS), home, quiet=True), words)


def test_bytes_that_are_no_checkpoint_are_told_and_other_names_are_passed_over(copied: Copied, data: DataSet) -> None:
    home = copied("rows")
    (home / "checkpoints" / "99.json").write_text("{}")
    (home / "checkpoints" / "1abc.json").mkdir()
    assert train(data, Config(**OPTIONS), home, quiet=True).levels.L == 4
    file = next((home / "checkpoints").glob("[0-9]*.safetensors"))
    for content in (b"", (10**12).to_bytes(8, "little") + b"{}", b"\x80\x04cos\nsystem\n(Vtouch pwned\ntR."):
        file.write_bytes(content)
        forge(file.with_suffix(".json"))
        said(lambda: train(data, Config(**OPTIONS), home, quiet=True), "cannot be used", "none before it")
    (home / "checkpoints" / "chain.json").write_text("[]")
    said(lambda: train(data, Config(**OPTIONS), home, quiet=True), "checkpoints/chain.json has no format number")


def test_an_unchanged_run_goes_on(copied: Copied, data: DataSet) -> None:
    """The twin of all tests above."""
    home = copied("rows")
    forge(next((home / "checkpoints").glob("[0-9]*.json")))
    assert train(data, Config(**OPTIONS), home, quiet=True).sample(2, seed=0).isfinite().all()
    assert load_data(home).fingerprint == data.fingerprint
