"""Programs of torch.export run without saltus, and describe themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from saltus.chain import Chain, StandardNormal
from saltus.integrations import Request, write_program
from saltus.integrations.exporting import Sampler
from saltus.integrations.torch_files import DESCRIPTION
from saltus.kernels import VAEKernel
from saltus.levels import Levels
from saltus.likelihoods import DiscretisedHead
from saltus.networks import ImageCondition, MLPEncoder
from tests.helpers.exported import started
from tests.helpers.stubs import network, randomise

ALONE = """
import sys, torch
program = torch.export.load(sys.argv[1]).module()
items = program(noise=torch.zeros(5, 34), uniform=torch.full((5, 1), 0.5), condition=torch.tensor([0, 1, 0, 1, -1]))
assert "saltus" not in sys.modules
torch.save(items, sys.argv[2])
"""


def test_a_program_runs_without_saltus(tmp_path: Path) -> None:
    chain, file = started(), tmp_path / "new" / "started.pt2"
    done = write_program(Request(tmp_path, chain, chain.sampling), file)
    sampler = Sampler(chain)
    assert done.program is not None
    assert torch.equal(done.program(sampler.inputs(4, seed=2)), sampler.sample(4, seed=2))
    subprocess.run(
        [sys.executable, "-c", ALONE, str(file), str(tmp_path / "items.pt")], check=True, env={"PATH": "", "OMP_NUM_THREADS": "1"}
    )
    with torch.no_grad():
        own = sampler.eval()(torch.zeros(5, 34), torch.full((5, 1), 0.5), torch.tensor([0, 1, 0, 1, -1]))
    assert torch.allclose(torch.load(tmp_path / "items.pt"), own, atol=1e-6)
    extra = {DESCRIPTION: ""}
    torch.export.load(file, extra_files=extra)
    assert json.loads(extra[DESCRIPTION]) == json.loads(json.dumps(sampler.describe()))


def test_a_u_net_conditioned_on_images_takes_its_batches_in_parts(tmp_path: Path) -> None:
    torch.manual_seed(0)
    shape = (1, 8, 8)
    decoder = network(shape, architecture="unet", channels=(8, 16), outputs=2, latent=2, condition=ImageCondition(shape))
    kernel = VAEKernel(decoder, MLPEncoder(shape, latent=2), DiscretisedHead(4))
    randomise(kernel)
    chain = Chain(StandardNormal(), Levels((0.0, 1.0)), kernel)
    done = write_program(Request(tmp_path, chain, chain.sampling), tmp_path / "unet.pt2")
    assert done.program is not None
    given = torch.linspace(-1, 1, 70 * 64).reshape(70, *shape)
    items = done.program(Sampler(chain).inputs(70, seed=0, condition=given))
    assert torch.allclose(items, chain.sample(70, seed=0, condition=given), atol=1e-4)
    with pytest.raises((RuntimeError, AssertionError), match="63"):
        torch.export.load(tmp_path / "unet.pt2").module()(**Sampler(chain).inputs(70, seed=0, condition=given))
