"""ONNX files of whole samplers, run by onnxruntime, give the chain's own samples for the same random numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from saltus.chain import Chain
from saltus.errors import SaltusError
from saltus.integrations import Request, Written, write_onnx
from saltus.integrations.exporting import Sampler
from saltus.integrations.onnx_files import METADATA, OPSET
from saltus.kernels import Sampling
from saltus.pretrained import run_folder
from tests.helpers.exported import started
from tests.helpers.hidden import hidden

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def written(chain: Chain, file: Path, sampling: Sampling | None = None) -> Written:
    return write_onnx(Request(Path("run"), chain, sampling or chain.sampling), file)


def assert_own_samples(chain: Chain, file: Path) -> None:
    """By the file alone, in batches of several sizes and of other seeds than it was traced with."""
    session, sampler = onnxruntime.InferenceSession(file), Sampler(chain)
    for n, seed in ((1, 0), (5, 1), (64, 2)):
        (items,) = session.run(None, {name: value.numpy() for name, value in sampler.inputs(n, seed=seed).items()})
        own = (chain.sample(n, seed=seed) + 1) / 2
        assert items.shape == own.shape
        assert float((torch.from_numpy(items) - own).abs().max()) < 1e-4
        assert float((torch.from_numpy(items) - (chain.sample(n, seed=seed + 1) + 1) / 2).abs().max()) > 0.5


def test_the_digits_that_ship(tmp_path: Path) -> None:
    chain, file = Chain.load(run_folder("digits")), tmp_path / "new" / "digits.onnx"
    assert written(chain, file).files == (file,)
    assert_own_samples(chain, file)
    model = onnx.load(file)
    onnx.checker.check_model(model)
    assert model.opset_import[0].version == OPSET
    told = json.loads({entry.key: entry.value for entry in model.metadata_props}[METADATA])
    assert told == json.loads(json.dumps(Sampler(chain).describe()))
    assert told["noise"] == 64 + 4 * (64 + 16)
    inputs = {each.name: each.type.tensor_type.shape.dim for each in model.graph.input}
    assert list(inputs) == ["noise", "condition"]
    assert {dims[0].dim_param for dims in inputs.values()} == {inputs["noise"][0].dim_param} != {""}
    assert [each.name for each in model.graph.output] == ["items"]
    weights = sum(p.numel() for p in chain.kernel(1).sampling_network.parameters())
    assert file.stat().st_size < 4 * weights * 1.2, "each weight is there once, though the network is called four times"


def test_a_mixture_start_is_a_part_of_the_graph(tmp_path: Path) -> None:
    chain = started()
    done = written(chain, tmp_path / "started.onnx")
    assert_own_samples(chain, tmp_path / "started.onnx")
    assert done.program is not None
    assert torch.equal(done.program(Sampler(chain).inputs(3, seed=0)), Sampler(chain).sample(3, seed=0))


def test_draws_of_grey_values_need_functions_that_onnx_lacks(tmp_path: Path) -> None:
    chain = started()
    chain.sampling = Sampling("sample")
    written(chain, tmp_path / "drawn.onnx")
    assert_own_samples(chain, tmp_path / "drawn.onnx")


def test_what_is_not_installed_is_named(tmp_path: Path) -> None:
    with hidden("onnxscript"), pytest.raises(SaltusError, match=r"saltus\[export\]"):
        written(started(), tmp_path / "x.onnx")
    assert not any(tmp_path.iterdir())
