"""A new kernel and a new network are one file and one line in a package of a user's own; the library is left as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.plugin import install

SOURCE = Path(__file__).parents[1] / "src"
FEW = """
import saltus.evaluation, saltus.studies.compare.comparison as comparison
saltus.evaluation.DEFAULT_METRICS = ("sliced_wasserstein", "energy")
comparison.COMPARED = ("sliced_wasserstein", "energy")
"""
"""Metrics that need no features: these are tested by themselves."""
MEASURED = f"""{FEW}
from saltus.cli.main import cli
cli(["evaluate", "run", "--n", "130", "--seeds", "0", "--calls", "3", "--out", "evaluated"], standalone_mode=False)
cli(["compare", "run", "--calls", "4", "--n", "130", "--out", "compared"], standalone_mode=False)
"""
LOADED = """
from saltus import Chain
chain = Chain.load("run")
kernel = chain.kernel(1)
print(type(kernel).__module__, kernel.label, kernel.network.backbone.layers[0].out_features, float(kernel.log_error.exp()) != 0.2)
"""


REFUSED = """
from saltus import Config, SaltusError
for given in ({"kernel": "mine", "options": {"sart": 1}}, {"kernel": "gaussian", "options": {"start": 1}}, {"kernel": "mine", "latent": 3}):
    try:
        Config(**given)
    except SaltusError as error:
        print(error)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    install(folder)
    return folder


@pytest.fixture(scope="module")
def home(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of the package's kernel around the package's network."""
    folder = tmp_path_factory.mktemp("home")
    options = ("--architecture", "mynet", "--width", "24", "--options", "start=0.2", "--updates", "30")
    done = saltus(folder, "train", "--data", "digits", "--kernel", "mine", *options, "--out", "run", site=site)
    assert done.returncode == 0, done.stderr
    assert "bound on 161 validation items" in done.stdout
    return folder


def python(cwd: Path, *arguments: str, site: Path | None) -> subprocess.CompletedProcess[str]:
    places = [SOURCE] if site is None else [SOURCE, site]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places)), "COLUMNS": "200"}
    return subprocess.run([sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def saltus(cwd: Path, *arguments: str, site: Path | None) -> subprocess.CompletedProcess[str]:
    return python(cwd, "-m", "saltus", *arguments, site=site)


def test_its_run_is_loaded_and_sampled_as_any_other(home: Path, site: Path) -> None:
    done = python(home, "-c", LOADED, site=site)
    assert done.stdout == "mypkg my step 24 True\n", done.stderr
    done = saltus(home, "sample", "run", "--n", "5", "--calls", "2", "--out", "samples", site=site)
    assert done.returncode == 0, done.stderr
    assert "5 samples, 2 network calls each" in done.stdout
    assert np.load(home / "samples" / "samples.npz")["samples"].shape == (5, 8, 8)


def test_its_run_is_measured_and_compared_as_any_other(home: Path, site: Path) -> None:
    done = python(home, "-c", MEASURED, site=site)
    assert done.returncode == 0, done.stderr
    found = json.loads((home / "evaluated" / "evaluation.json").read_text())
    assert [name for name in found["likelihood"]["nats"] if name.startswith("level")] == [f"level {l}/mine" for l in (1, 2, 3)]
    *rows, gaussian, mixture = json.loads((home / "compared" / "compare.json").read_text())["rows"]
    assert (gaussian["model"], mixture["network_calls"]) == ("closed form", 0)
    assert [row["sampler"] for row in rows] == ["my step", "my step, mixture start"]
    assert all((row["model"], row["network_calls"], row["bound"]["unit"]) == ("my, any step", 4, "bits/dim") for row in rows)


def test_its_network_serves_the_kernels_of_saltus(site: Path, tmp_path: Path) -> None:
    learned = ("--no-closed-forms", "--latent", "3", "--updates", "3", "--out", "run")
    done = saltus(tmp_path, "train", "--data", "digits", "--architecture", "mynet", *learned, site=site)
    assert done.returncode == 0, done.stderr
    assert '"MyNet"' in (tmp_path / "run" / "chain.json").read_text()


def test_without_the_package_its_run_is_told_to_need_it(home: Path) -> None:
    done = saltus(home, "sample", "run", "--n", "1", "--out", "x", site=None)
    assert done.returncode == 1
    assert "the class 'MyKernel' is not known here; install or import the package that defines it" in done.stderr
    done = saltus(home, "train", "--data", "digits", "--kernel", "mine", "--out", "x", site=None)
    assert done.returncode == 2
    assert "there is no kernel 'mine'; give one of deterministic, gaussian, vae" in done.stderr


def test_a_package_that_does_not_load_is_told(tmp_path: Path) -> None:
    install(tmp_path)
    (tmp_path / "mypkg.py").write_text("import nothing_of_that_name\n")
    done = saltus(tmp_path, "train", "--data", "digits", "--kernel", "mine", "--out", "x", site=tmp_path)
    assert done.returncode == 2
    assert "(the plugin mypkg does not load: ModuleNotFoundError: No module named 'nothing_of_that_name'); give one of" in done.stderr
    assert saltus(tmp_path, "--help", site=tmp_path).returncode == 0


def test_options_of_its_own_are_checked(site: Path, tmp_path: Path) -> None:
    done = python(tmp_path, "-c", REFUSED, site=site)
    assert done.stdout.splitlines() == [
        "the mine kernel has no option of its own named sart; expected one of start",
        "the gaussian kernel has no option of its own named start; leave it out",
        "latent is for the vae kernel, and the kernel is mine; leave it out",
    ], done.stderr
