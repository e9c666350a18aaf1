"""`saltus export` as a user meets it: a file, how large and how fast it is, and what is refused."""

from __future__ import annotations

import json
import pkgutil
from pathlib import Path

import torch

from saltus.cli.export import FORMATS
from saltus.integrations.torch_files import DESCRIPTION
from tests.helpers.terminal import saltus


def test_each_format_is_there() -> None:
    assert all(callable(pkgutil.resolve_name(place)) for place in FORMATS.values())


def test_a_run_is_exported_with_its_size_and_speed(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "any.pt2"
    done = saltus("export", str(home / "any"), "--format", "torch", "--calls", "1", "--out", str(out), "--json", cwd=tmp_path)
    assert done.code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["files"] == [str(out)]
    assert told["bytes"] == {str(out): out.stat().st_size}
    assert told["largest_difference"] < 1e-4
    assert told["share_that_differs"] == 0
    assert {batch: sorted(seconds) for batch, seconds in told["seconds"].items()} == {"1": ["saltus", "torch"], "64": ["saltus", "torch"]}
    extra = {DESCRIPTION: ""}
    program = torch.export.load(out, extra_files=extra).module()
    described = json.loads(extra[DESCRIPTION])
    assert len(described["times"]) == 2
    inputs = {name: torch.full((2, described[name]), 0.5) for name in ("noise", "uniform") if described[name]}
    assert program(**inputs, condition=torch.tensor([0, 3])).shape == (2, 1, 8, 8)


def test_a_run_is_exported_as_a_pipeline(home: Path, tmp_path: Path) -> None:
    done = saltus("export", str(home / "fixed"), "--format", "diffusers", "--out", "pipeline", cwd=tmp_path)
    assert done.code == 0, done.stderr
    assert "DiffusionPipeline.from_pretrained" in done.stdout
    assert {"model_index.json", "pipeline.py", "README.md", "samples.png"} <= {file.name for file in (tmp_path / "pipeline").iterdir()}


def test_what_cannot_be_exported_is_refused_in_a_sentence(home: Path, shop: Path, tmp_path: Path) -> None:
    (tmp_path / "there.onnx").touch()
    calls = {
        "is no folder": (str(tmp_path / "nothing"), "--format", "onnx", "--out", "x.onnx"),
        "already there": (str(home / "fixed"), "--format", "onnx", "--out", "there.onnx"),
        "leave it out": (str(home / "fixed"), "--format", "torch", "--out", "x.pt2", "--runtime", "."),
        "holds no ort.wasm": (str(home / "fixed"), "--format", "web", "--out", "x", "--runtime", "."),
        "told when they draw": (str(home / "any"), "--format", "diffusers", "--out", "x", "--calls", "2"),
        "draws images": (str(shop / "run"), "--format", "web", "--out", "x"),
        "written as one graph": (str(shop / "run"), "--format", "torch", "--out", "x.pt2"),
    }
    for words, call in calls.items():
        done = saltus("export", *call, cwd=tmp_path)
        assert done.code == 1
        assert words in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["there.onnx"]
