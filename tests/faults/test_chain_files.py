"""chain.json of a hostile author, with right digests: each wrong argument is one sentence, told before anything is built of it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from saltus.chain import Chain
from saltus.errors import SaltusError
from tests.helpers.checks import assert_one_sentence
from tests.helpers.forge import forge, set_argument
from tests.helpers.memory import Peak

NAN, INFINITE = {"number": "nan"}, {"number": "inf"}
KERNEL = {"class": "OracleKernel", "arguments": {"oracle": {"same": 1}}}
ENCODING = {"class": "Binned", "arguments": {"layout": "gray", "shape": [9, 9], "low": 0, "high": 16, "dtype": "uint8"}}
SECONDS, MEBIBYTES = 10.0, 300  # many times what the slowest one takes


def of(name: str, path: str, value: Any) -> tuple[str, Callable[[Any], object], str]:
    """A run, the change of one of its arguments, and the name of that one."""
    return name, set_argument(path, value), path


NETWORK, HEAD = "kernels.decoder.backbone", "kernels.head"
WRONG: list[tuple[tuple[str, Callable[[Any], object], str], tuple[str, ...]]] = [
    # what a number is
    (of("table", "scaling", True), ("the argument scaling of Chain is True", "expected float")),
    (of("table", "scaling", NAN), ("the argument scaling of Chain is nan", "expected float")),
    (of("table", "scaling", INFINITE), ("scaling = inf", "expected a finite number")),
    (of("table", "scaling", "0.5"), ("the argument scaling of Chain is '0.5'",)),
    (of("table", "scaling", 10**300), ("the argument scaling of Chain is 1000",)),
    (of("table", "importance_samples", 10**12), ("importance_samples = 1000000000000", "expected 1 to 10,000")),
    (of("table", "importance_samples", 1.5), ("importance_samples of Chain is 1.5", "expected int")),
    (of("table", "importance_samples", 0), ("importance_samples = 0", "expected 1 to 10,000")),
    (of("table", "noise_version", 3), ("noise of version 3", "install a newer saltus")),
    (of("table", "noise_version", True), ("noise_version of Chain is True",)),
    (of("table", "prior", "a string"), ("the argument prior of Chain is 'a string'", "expected Prior")),
    (of("table", "prior", 7), ("the argument prior of Chain is 7",)),
    (of("table", "prior", KERNEL), ("{'same': 1} describes nothing that is there",)),
    (of("table", "encoding", {"mapping": {}}), ("the argument encoding of Chain is a dict", "Encoded")),
    # references
    (of("table", "levels", {"same": 999}), ("{'same': 999}", "describes nothing that is there")),
    (of("table", "levels", {"same": True}), ("the argument levels of Chain is a StandardNormal",)),
    (of("table", "levels", {"tensor": "../chain"}), ("../chain", "describes nothing that is there")),
    (of("table", "levels", {"class": "saltus.__main__", "arguments": {}}), ("the class 'saltus.__main__' is not known here",)),
    (of("table", "levels", {"class": "builtins.eval", "arguments": {"": "1"}}), ("the class 'builtins.eval' is not known here",)),
    (of("table", "levels", {"class": "\x1b[31mred", "arguments": {}}), (r"the class '\x1b[31mred' is not known here",)),
    # grids
    (of("table", "levels.times", [0.0, *range(1, 20_000)]), ("L = 19999", "at most 10,000")),
    (of("table", "levels.times", [0, 1, 1]), ("Levels", "expected finite times that increase from 0")),
    (of("table", "levels.times", [0, 1, 1.5, NAN]), ("times of Levels",)),
    (of("table", "levels.times", []), ("Levels", "expected finite times")),
    # sizes
    (of("table", f"{NETWORK}.width", 20_000), ("is float32 of shape (16,", "(20000,")),
    (of("table", f"{NETWORK}.width", 10**9), ("width is 1000000000", "from 1 to 1048576")),
    (of("table", f"{NETWORK}.width", True), ("the argument width of MLP is True", "expected int")),
    (of("table", f"{NETWORK}.width", -1), ("width is -1",)),
    (of("table", f"{NETWORK}.depth", 10**9), ("depth is 1000000000", "from 1 to 1000")),
    (of("table", f"{NETWORK}.depth", 1000), ("MLP", "its sizes take more than")),
    (of("table", f"{NETWORK}.inputs", 10**15), ("expected float32 of shape",)),
    (of("table", f"{NETWORK}.latent", 2), ("the encoder gives a latent of 1 numbers and the decoder takes 2",)),
    (of("table", f"{NETWORK}.outputs", 10**6), ("the decoder gives 1000000 arrays, and 2 are read",)),
    (of("table", f"{NETWORK}.event_shape", [10**12]), ("items have shape (1000000000000)",)),
    (of("table", f"{NETWORK}.event_shape", [10**9]), ("of shape",)),
    (of("table", f"{NETWORK}.event_shape", list(range(1, 100_000))), ("items have shape (1, 2, 3,", "and 99999 axes")),
    (of("table", f"{NETWORK}.event_shape", [2.0]), ("the argument event_shape of MLP is a list",)),
    (of("table", f"{NETWORK}.event_shape", [[1]]), ("the argument event_shape of MLP is a list",)),
    (of("table", "kernels.decoder.variance", NAN), ("the argument variance of Preconditioned is nan",)),
    (of("table", "kernels.decoder.variance", INFINITE), ("variance = inf", "expected a positive number")),
    (of("table", "kernels.any_step", 1.5), ("the argument any_step of VAEKernel is 1.5", "expected bool")),
    (of("table", "kernels.parametrisation", "both"), ("VAEKernel", "'both' is not a valid Parametrisation")),
    (of("table", "kernels", [KERNEL] * 10_000), ("the argument oracle of OracleKernel is a StandardNormal",)),
    (of("table", f"{HEAD}.floor", 1e300), ("floor = 1e+300", "expected a positive standard deviation")),
    (of("table", f"{HEAD}.floor", 0), ("floor = 0", "expected a positive standard deviation")),
    (of("mixture", "kernels.1.couplings", 10**9), ("couplings is 1000000000", "from 1 to 1000")),
    (of("mixture", "kernels.1.couplings", 1000), ("MixtureFlow", "its sizes take more than")),
    (of("mixture", "kernels.1.channels", 7), ("channels are (7,)", "expected multiples of 8")),
    (of("mixture", "kernels.1.blocks", 10**9), ("blocks is 1000000000",)),
    (of("mixture", "prior.oracle.labels", [0, 10**12]), ("labels are [0, 1000000000000]", "expected 2 whole numbers")),
    (of("mixture", "prior.oracle.labels", [1] * 100_000), ("labels are [1, 1", "expected 2 whole numbers")),
    (of("mixture", "prior.oracle.labels", [0, True]), ("the argument labels of LowRankMixture is a list",)),
    (of("exact", f"{HEAD}.components", 0), ("MixtureHead", "at least 1")),
    (of("exact", f"{HEAD}.components", True), ("the argument components of MixtureHead is True",)),
    (of("image", f"{HEAD}.scales", 10**9), ("scales = 1000000000", "expected 1 to 8")),
    (of("image", f"{HEAD}.head.channels", 4), ("4 channels", "expected 1 to 3")),
    (of("image", f"{HEAD}.head.low", -1e300), ("17 bins from -1e+300", "low < high")),
    (of("bins", f"{HEAD}.bins", 10**12), ("1000000000000 bins", "at most 16,777,216")),
    (of("bins", f"{HEAD}.outliers", 2), ("outliers 2", "expected a share in [0, 1)")),
    (of("flow", "kernels.width", 20_000), ("width is 20000", "from 1 to 8192")),
    (of("flow", "kernels.transforms", 10**9), ("transforms is 1000000000",)),
    (of("flow", "kernels.variance", -1), ("variance = -1", "expected a positive number")),
    (of("flow", "kernels.event_shape", [2, 2]), ("items have shape (2, 2)", "a flow takes rows")),
    (of("rows", "encoding.columns", []), ("Columns", "items of shape (0,) cannot be vector")),
    (of("bins", "encoding", ENCODING), ("the encoding is of items (1, 9, 9) and the kernels of (1, 8, 8)",)),
    (of("rows", "kernels.decoder.backbone.condition.names", ["a"] * 100_000), ("ClassCondition",)),
]


@pytest.mark.parametrize(("run", "words"), WRONG, ids=[f"{name} {path} {number}" for number, ((name, _, path), _) in enumerate(WRONG)])
def test_a_wrong_argument_is_one_sentence_without_memory_or_minutes(
    run: tuple[str, Callable[[Any], object], str], words: tuple[str, ...], copied: Callable[[str], Path]
) -> None:
    name, change, _ = run
    home = copied(name)
    forge(home / "chain.json", change)
    began, peak = time.monotonic(), Peak()
    with pytest.raises(SaltusError) as caught:
        Chain.load(home)
    assert time.monotonic() - began < SECONDS
    assert peak.mebibytes < MEBIBYTES
    assert_one_sentence(caught.value, "chain.json cannot be used", *words)


@pytest.mark.parametrize("name", ["table", "mixture", "exact", "image", "bins", "flow", "rows"])
def test_the_same_files_without_a_change_are_read(name: str, copied: Callable[[str], Path]) -> None:
    home = copied(name)
    forge(home / "chain.json")
    assert Chain.load(home).sample(2, seed=0).isfinite().all()


HEADER = (10**12).to_bytes(8, "little")
BYTES: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("a header of 10^12 bytes", lambda _: HEADER + b"{}", "cannot be read"),
    ("nothing", lambda _: b"", "cannot be read"),
    ("a header without an end", lambda whole: whole[:20], "cannot be read"),
    ("a pickle", lambda _: b"\x80\x04cos\nsystem\n(Vtouch pwned\ntR.", "cannot be read"),
    ("a header that is no JSON", lambda _: (8).to_bytes(8, "little") + b"\xff" * 8, "cannot be read"),
    ("a header of brackets", lambda _: (50_000).to_bytes(8, "little") + b"[" * 50_000, "cannot be read"),
    (
        "a tensor beyond the end",
        lambda _: (62).to_bytes(8, "little") + b'{"a":{"dtype":"F32","shape":[1000000],"data_offsets":[0,4]}}  ',
        "cannot be read",
    ),
]


@pytest.mark.parametrize("change", [change for _, change, _ in BYTES], ids=[name for name, _, _ in BYTES])
@pytest.mark.parametrize("file", ["chain.safetensors", "chain.arguments.safetensors"])
def test_bytes_that_are_no_tensors_are_one_sentence(file: str, change: Callable[[bytes], bytes], copied: Callable[[str], Path]) -> None:
    home = copied("mixture")
    (home / file).write_bytes(change((home / file).read_bytes()))
    forge(home / "chain.json")
    with pytest.raises(SaltusError) as caught:
        Chain.load(home)
    assert_one_sentence(caught.value, "chain.json or a file beside it cannot be read", "copy all files again from one training")


def test_weights_that_are_not_finite_are_refused(copied: Callable[[str], Path]) -> None:
    home = copied("table")
    tensors = load_file(home / "chain.safetensors")
    name = min(name for name in tensors if name.endswith("weight"))
    tensors[name].view(-1)[-1] = torch.inf
    save_file(tensors, home / "chain.safetensors")
    forge(home / "chain.json")
    with pytest.raises(SaltusError) as caught:
        Chain.load(home)
    assert_one_sentence(caught.value, name, "not finite", "train again with a smaller learning rate")


def test_files_that_are_no_regular_files_are_refused(copied: Callable[[str], Path]) -> None:
    import os

    for file in ("chain.json", "chain.safetensors", "chain.arguments.safetensors"):
        home = copied("mixture")
        (home / file).unlink()
        os.mkfifo(home / file)
        with pytest.raises(SaltusError) as caught:
            Chain.load(home)
        assert_one_sentence(caught.value, file, "no regular file")
        (home / file).unlink()
        (home / file).symlink_to(file)  # to itself
        with pytest.raises(SaltusError) as caught:
            Chain.load(home)
        assert_one_sentence(caught.value, "chain.json", "copy all files again")
        for each in home.iterdir():
            each.unlink()
        home.rmdir()


def test_a_document_of_gigabytes_is_not_read(copied: Callable[[str], Path]) -> None:
    home = copied("table")
    with (home / "chain.json").open("r+b") as file:
        file.truncate(10**11)  # takes no room on the disk
    with pytest.raises(SaltusError) as caught:
        Chain.load(home)
    assert_one_sentence(caught.value, "has 100,000,000,000 bytes", "at most 16,777,216 were expected")


def test_a_file_that_may_not_be_read_is_told_so(copied: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    home = copied("table")

    def forbidden(file: Path) -> None:
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr("saltus.files.check_regular", forbidden)
    with pytest.raises(SaltusError) as caught:
        Chain.load(home)
    assert_one_sentence(caught.value, "chain.json: permission denied", "ask for the right to read it")


ROOT = Path(__file__).parents[2]
LIMITED = f"""
import resource, sys
from saltus.chain import Chain
from saltus.errors import SaltusError
import saltus.kernels, saltus.oracles, saltus.likelihoods, zuko, torch
from tests.helpers.memory import Peak
spent, peak = resource.getrusage(resource.RUSAGE_SELF).ru_utime, Peak()
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
for folder in sys.argv[1:]:
    try: Chain.load(folder)
    except SaltusError as error: print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_utime - spent < 20, peak.mebibytes < {MEBIBYTES})
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are those of Linux")
def test_the_worst_files_take_neither_memory_nor_time(copied: Callable[[str], Path], tmp_path: Path) -> None:
    """In a process of its own, whose time the system limits; the last file has half a gigabyte of numbers that nothing uses."""
    changes = {
        "table": set_argument(f"{NETWORK}.width", 2**20),
        "mixture": set_argument("kernels.1.couplings", 1000),
        "flow": set_argument("kernels.width", 8192),
    }
    for name, change in changes.items():
        forge(copied(name) / "chain.json", change)
    unused, size = copied("exact") / "chain.arguments.safetensors", 2**29
    header = f'{{"more":{{"dtype":"U8","shape":[{size}],"data_offsets":[0,{size}]}}}}'.encode()
    with unused.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + size)  # takes no room on the disk
    forge(unused.with_name("chain.json"))
    folders = [tmp_path / name for name in (*changes, "exact")]
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", LIMITED, *folders], capture_output=True, text=True, check=False, cwd=ROOT)
    said = done.stdout.splitlines()
    assert len(said) == 5, done.stderr[-2000:]
    assert said[-1] == "True True"
    expected = ["of shape", "its sizes take more", "its sizes make more", "describes nothing that is there", ""]
    for line, word in zip(said, expected, strict=True):
        assert word in line
