"""Without the libraries of the extras the core works, and the rest says in one sentence what to install."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from saltus.chain import Stack
from saltus.data.hub import read_hub
from saltus.data.preparation import AS_GIVEN
from saltus.data.table_files import read_file
from saltus.errors import SaltusError
from saltus.evaluation import (
    draw_levels,
    draw_rows,
    frechet_distance,
    inception_network,
    kernel_distance,
)
from saltus.extras import needs
from tests.helpers.checks import assert_one_sentence
from tests.helpers.hidden import hidden

X = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))


def test_a_library_that_is_there_is_imported() -> None:
    assert needs("matplotlib.figure", extra="demo") is importlib.import_module("matplotlib.figure")


SITES: dict[str, tuple[Callable[[], object], str, str]] = {
    "frechet": (lambda: frechet_distance(X, X), "torchmetrics", "evaluate"),
    "kernel": (lambda: kernel_distance(X, X), "torchmetrics", "evaluate"),
    "inception": (inception_network, "torchmetrics", "evaluate"),
    "rows of images": (lambda: draw_rows({"a": torch.zeros(1, 1, 8, 8)}, Path("a.png"), shown=(-1, 1)), "matplotlib", "demo"),
    "tables": (lambda: read_file(Path("a.parquet")), "pyarrow", "tables"),
    "compress": (Stack, "constriction", "compress"),
    "hub": (lambda: read_hub("hf:any", AS_GIVEN), "datasets", "hub"),
    "levels": (lambda: draw_levels([0.0, 1.0], {}, {}, Path("a.png")), "matplotlib", "demo"),
}


@pytest.mark.parametrize("site", SITES)
def test_a_missing_library_is_named_with_its_extra(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SALTUS_CACHE", raising=False)
    use, package, extra = SITES[site]
    with hidden("torchmetrics", "matplotlib", "pyarrow", "datasets", "constriction"), pytest.raises(SaltusError) as caught:
        use()
    expected = f"this needs {package}, which is not installed; install it with: pip install 'saltus[{extra}]'"
    assert str(caught.value) == expected
    assert_one_sentence(caught.value, package)


def test_a_library_that_lacks_another_is_not_called_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lacking_library.py").write_text("import no_such_module")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError) as caught:
        needs("lacking_library", extra="evaluate")
    assert caught.value.name == "no_such_module"
    assert not isinstance(caught.value, SaltusError)


CORE = """
import numpy as np
from pathlib import Path
from click.testing import CliRunner
from tests.helpers.hidden import hidden

with hidden(*{libraries}):
    import saltus
    from saltus.cli.main import cli

    assert all(getattr(saltus, name) is not None for name in saltus.__all__)
    np.save("table.npy", np.random.default_rng(0).normal(size=(300, 2)))
    for line in ("train --data table.npy --out run --levels 2 --updates 2", "sample run --n 3 --out samples"):
        done = CliRunner().invoke(cli, line.split(), catch_exceptions=False)
        assert done.exit_code == 0, done.output
    chain = saltus.Chain.load(Path("run"))
    assert chain.bound(saltus.load("table.npy").test, seed=0).total.isfinite().all()
print("done")
"""


def test_the_core_needs_no_extra(tmp_path: Path) -> None:
    """A table is read, learned, saved, sampled and bounded, in Python and on the command line."""
    libraries = ["accelerate", "datasets", "diffusers", "jinja2", "matplotlib", "pyarrow", "tensorboard", "torchmetrics"]
    code = CORE.format(libraries=libraries)
    here = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=here, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "done", done.stderr
