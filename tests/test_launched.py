"""Several processes give the gradients, weights, samples and figures of one, write as one, and end together."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from saltus import Chain, SaltusError
from saltus.launched import own_device, together
from saltus.training import Config, train
from tests.helpers.checks import assert_one_sentence
from tests.helpers.hidden import hidden
from tests.helpers.launch import launch, waited
from tests.helpers.shares import OPTIONS, data, figures


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one process."""
    home = tmp_path_factory.mktemp("alone") / "run"
    train(data(), Config(**OPTIONS), home, quiet=True)
    return home


def assert_same_training(home: Path, alone: Path) -> None:
    """Metrics and weights within the rounding of a few updates; whole files where one process wrote them."""
    one, other = ([json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()] for folder in (home, alone))
    assert [line["update"] for line in one] == [line["update"] for line in other]
    for here, there in zip(one, other, strict=True):
        assert here["terms"] == pytest.approx(there["terms"], rel=1e-5, abs=1e-6)
        bits, same = (line["validation"]["bits_per_dim"] for line in (here, there))
        assert bits == (None if same is None else pytest.approx(same, rel=1e-5))
    weights = [load_file(sorted((folder / "checkpoints").glob("[0-9]*.safetensors"))[-1]) for folder in (home, alone)]
    assert weights[0].keys() == weights[1].keys()
    for name, tensor in weights[0].items():
        torch.testing.assert_close(tensor, weights[1][name], rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize("n", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_shares_give_what_one_process_gives(n: int, tmp_path: Path, alone: Path) -> None:
    """Gradients and agreement are checked in the processes themselves."""
    ended = waited(launch(n, "-m", "tests.helpers.shares", str(tmp_path), cwd=tmp_path))
    assert [code for code, _, _ in ended] == [0] * n, ended
    said = [line for _, out, err in ended for line in (out + err).splitlines() if "find_unused_parameters" not in line]
    assert said == []
    assert_same_training(tmp_path / "run", alone)
    samples, bounds, units = figures(Chain.load(tmp_path / "run"))
    for rank in range(n):
        here = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        torch.testing.assert_close(here[0], samples, rtol=1e-4, atol=1e-5)
        assert here[1] == pytest.approx(bounds, rel=1e-5)
        assert here[2] == units


def test_a_device_is_one_processs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (own_device("cuda"), own_device("cuda:3"), own_device("cpu")) == ("cuda", "cuda:3", "cpu")  # alone
    for name, value in {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert (own_device("cuda"), own_device("cpu")) == ("cuda:1", "cpu")
    with pytest.raises(SaltusError, match="the device cuda:3 was given to several processes, which take one each; give cuda") as error:
        own_device("cuda:3")
    assert_one_sentence(error)
    with hidden("accelerate"), pytest.raises(SaltusError, match=r"this needs accelerate, .* pip install 'saltus\[scale\]'"):
        together(torch.device("cpu"))


LONG: dict[str, Any] = {**OPTIONS, "updates": 60, "batch": 40}
TRAINING = f"""
import sys, torch
from saltus.chain import ChainLoss, Loss
from saltus.training import Config, run, trainer
from tests.helpers.shares import data
run._SECONDS, run._SHARE, trainer._PATIENCE = 0.0, 0, 3
{{more}}
run.train(data(), Config(**{LONG!r}), sys.argv[1], quiet=True)
"""
SHARDING = """
import accelerate
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin

one, plugin = accelerate.Accelerator, FullyShardedDataParallelPlugin(fsdp_version=2)

def sharding(**options):  # as accelerate does on GPUs, and gloo can on CPUs
    made = one(**options, fsdp_plugin=plugin)
    state = AcceleratorState()
    state.distributed_type = PartialState._shared_state["distributed_type"] = DistributedType.FSDP
    state.fsdp_plugin = plugin
    return made

accelerate.Accelerator = sharding
"""
SPOILING = """
import os
forward = ChainLoss.forward

def spoiled(self, batch):
    loss = forward(self, batch)
    return Loss(loss.level, {name: term + torch.inf for name, term in loss.terms.items()}, loss.weight)

if os.environ["RANK"] == "1":
    ChainLoss.forward = spoiled
"""


def training(n: int, home: Path, more: str = "") -> list[subprocess.Popen[str]]:
    return launch(n, "-W", "ignore", "-c", TRAINING.replace("{more}", more), str(home), cwd=home.parent)


def reached(home: Path) -> int:
    """The update of the newest checkpoint."""
    return max((int(file.stem) for file in (home / "checkpoints").glob("[0-9]*.json")), default=0)


def end_one(processes: Sequence[subprocess.Popen[str]], rank: int, number: signal.Signals, home: Path, update: int) -> list[str]:
    """Send a signal to one process after an update; what all of them then say on stderr, once none is left."""
    while reached(home) < update and all(process.poll() is None for process in processes):
        time.sleep(0.01)
    processes[rank].send_signal(number)
    ended = waited(processes)
    assert all(code != 0 for code, _, _ in ended)
    return [err for _, _, err in ended]


@pytest.mark.slow
@pytest.mark.parametrize("more", ["", SHARDING], ids=["DDP", "FSDP2"])
def test_a_training_that_lost_a_process_goes_on_with_another_number_of_them(more: str, tmp_path: Path) -> None:
    home, alone = tmp_path / "run", tmp_path / "alone"
    said = end_one(training(2, home, more), 1, signal.SIGKILL, home, 5)
    assert "another of the 2 processes ended; to go on from what is kept, give the same command again" in said[0]
    first = reached(home)
    assert 5 <= first < 50
    said = end_one(training(3, home, more), 2, signal.SIGTERM, home, first + 5)
    assert all(words.strip().endswith("KeyboardInterrupt") for words in said)
    second = reached(home)
    assert first + 5 <= second < LONG["updates"]
    for folder in (home, alone):
        train(data(), Config(**LONG), folder, quiet=True)
    assert_same_training(home, alone)
    lines = [json.loads(line)["update"] for line in (home / "metrics.jsonl").read_text().splitlines()]
    assert lines == sorted(set(lines))


@pytest.mark.slow
def test_a_loss_that_is_not_finite_in_one_share_is_skipped_and_named_by_all(tmp_path: Path) -> None:
    ended = waited(training(2, tmp_path / "run", SPOILING))
    for code, _, err in ended:
        assert code != 0
        assert "not finite for 3 updates in a row, up to update 3, the last time in the term " in err


@pytest.mark.slow
def test_the_commands_are_shared_by_what_torchrun_starts(tmp_path: Path) -> None:
    def run(n: int, *arguments: str) -> subprocess.CompletedProcess[str]:
        torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(n), "-m", "--"]
        return subprocess.run(
            [sys.executable, *(torchrun if n > 1 else ["-m"]), "saltus", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    np.save(tmp_path / "table.npy", data().train.numpy())
    options = ["--updates", "6", "--batch", "17", "--width", "16", "--levels", "2", "--prior", "normal", "--no-closed-forms"]
    for n in (1, 2):
        done = run(n, "train", "--data", "table.npy", "--out", f"run{n}", "--json", *options)
        assert len(done.stdout.splitlines()) == 1, done.stderr
        assert done.stderr.count("training, ") == 1
    bits = [json.loads((tmp_path / f"run{n}" / "metrics.jsonl").read_text().splitlines()[-1])["loss"] for n in (1, 2)]
    assert bits[0] == pytest.approx(bits[1], rel=1e-5)
    for n in (1, 2):
        assert run(n, "sample", "run1", "--n", "100", "--out", f"samples{n}").stdout.count("100 samples") == 1
        done = run(n, "evaluate", "run1", "--n", "50", "--seeds", "0,1", "--out", f"figures{n}")
        assert done.stdout.count("The figures are in") == 1, done.stderr
    one, other = (np.load(tmp_path / f"samples{n}" / "samples.npz")["samples"] for n in (1, 2))
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    reports = [json.loads((tmp_path / f"figures{n}" / "evaluation.json").read_text()) for n in (1, 2)]
    for name, found in reports[0]["metrics"].items():
        assert found["generated"]["values"] == pytest.approx(reports[1]["metrics"][name]["generated"]["values"], rel=1e-3, abs=1e-5)
    assert reports[0]["likelihood"]["per_item"] == pytest.approx(reports[1]["likelihood"]["per_item"], rel=1e-5, abs=1e-5)
    refused = run(2, "train", "--data", "table.npy", "--out", "run1", *options, "--seed", "7")
    assert refused.stderr.count("the run in run1 was made otherwise: seed 7 instead of 0") == 1
    alone = run(2, "study", "collapse", "--out", "study")
    assert alone.stderr.count("study works in one process, and there are several") == 1
