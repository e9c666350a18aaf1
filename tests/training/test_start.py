"""What a chain starts from, and closed forms in the place of steps that they beat."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from saltus import Chain, DataSet, OraclePrior, digits
from saltus.chain import StandardNormal
from saltus.errors import SaltusError
from saltus.kernels import MixtureResidual, OracleKernel, VAEKernel
from saltus.likelihoods import AutoregressiveHead, DiscretisedHead, LogisticMixtureHead, MixtureHead
from saltus.oracles import LowRankMixture
from saltus.training import Config, HeadKind, PriorKind, build_chain, load_config, train
from saltus.training.build import head_for
from saltus.training.start import choose_start, with_closed_forms
from tests.helpers.checks import assert_one_sentence


@pytest.fixture(scope="module")
def data() -> DataSet:
    return digits()


def test_the_start_is_decided_on_validation_items_and_kept(data: DataSet, tmp_path: Path) -> None:
    config, fit, said = choose_start(Config(levels=1), data)
    assert config.prior is PriorKind.MIXTURE
    assert fit is not None
    assert fit.t == config.grid.last == 0.3
    assert "the start is a mixture of" in said
    chain = train(data, Config(levels=1, updates=2, width=16), tmp_path / "run", quiet=True)
    assert isinstance(chain.prior, OraclePrior)
    assert load_config(tmp_path / "run").prior is PriorKind.MIXTURE
    assert torch.equal(Chain.load(tmp_path / "run").sample(3, seed=0), chain.sample(3, seed=0))


@pytest.mark.parametrize("options", [{"kernel": "gaussian"}, {"kernel": "deterministic"}, {"prior": "normal"}])
def test_others_start_from_noise(options: dict[str, str], data: DataSet) -> None:
    config, fit, said = choose_start(Config(**options), data)
    assert (config.prior, fit) == (PriorKind.NORMAL, None)
    assert config.grid.last == 3
    assert "the prior costs" in said


def test_few_items_start_from_noise_unless_told_otherwise() -> None:
    few = DataSet.from_arrays(np.random.default_rng(0).normal(size=(300, 2)))
    assert choose_start(Config(), few)[0].prior is PriorKind.NORMAL
    assert choose_start(Config(prior="mixture"), few)[0].prior is PriorKind.MIXTURE


def test_classes_have_mixtures_of_their_own(data: DataSet) -> None:
    told = digits("labels")
    chain = build_chain(Config(levels=1, prior="mixture", condition="labels", width=16), told)
    assert isinstance(chain.prior, OraclePrior)
    assert chain.prior.oracle.labelled
    assert chain.sample(4, seed=0, condition=3).shape == (4, 1, 8, 8)
    assert build_chain(Config(levels=1, prior="mixture", width=16), data).condition is None


def test_a_vector_that_the_mixture_does_not_know_is_no_obstacle() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(600, 2))
    data = DataSet.from_arrays(rows, condition=rows[:, :1])
    chain = train(data, Config(levels=1, prior="mixture", updates=2, width=16), quiet=True)
    assert chain.bound(data.test, condition=data.conditions.test).total.isfinite().all()  # type: ignore[union-attr]


def test_a_step_that_the_mixture_beats_is_replaced_and_the_bound_falls(data: DataSet) -> None:
    options = {"levels": 3, "updates": 5, "width": 16, "prior": "mixture", "noisy_steps": "vae"}
    kept = train(data, Config(**options, closed_forms=False), quiet=True)
    chain = train(data, Config(**options), quiet=True)
    assert all(isinstance(chain.kernel(level), OracleKernel) for level in (1, 2, 3))
    assert all(isinstance(kept.kernel(level), VAEKernel) for level in (1, 2, 3))
    gains = (kept.bound(data.validation, seed=1).total - chain.bound(data.validation, seed=1).total).double()
    assert float(gains.mean()) > 3 * float(gains.std()) / len(gains) ** 0.5
    with pytest.raises(SaltusError, match="--no-closed-forms") as caught:
        chain.encode(data.test[:2])
    assert_one_sentence(caught.value)


def test_classes_are_told_to_the_closed_forms(data: DataSet) -> None:
    told = digits("labels")
    options = {"levels": 2, "updates": 5, "width": 16, "prior": "mixture", "condition": "labels"}
    kept, chain = (train(told, Config(**options, closed_forms=closed), quiet=True) for closed in (False, True))
    assert all(isinstance(chain.kernel(level), OracleKernel) for level in (1, 2))
    assert chain.condition is not None
    assert chain.condition.summary() == kept.condition.summary()  # type: ignore[union-attr]
    given = told.conditions.validation  # type: ignore[union-attr]
    gains = [one.bound(told.validation, condition=given, seed=1).total.double().mean() for one in (kept, chain)]
    assert gains[1] < gains[0]
    unconditioned = train(data, Config(**{**options, "condition": None}), quiet=True)
    assert float(gains[1]) < float(unconditioned.bound(data.validation, seed=1).total.double().mean())  # the twin: they know less


def test_where_no_network_is_left_it_is_said(data: DataSet, capsys: pytest.CaptureFixture[str]) -> None:
    train(data, Config(levels=1, updates=2, width=16, prior="mixture"))
    told = capsys.readouterr().err
    assert "step 1: a closed form is better by" in told
    assert "no network is left" in told


def test_exact_steps_are_kept(data: DataSet) -> None:
    chain = build_chain(Config(levels=2, prior="mixture", width=16), data)
    assert isinstance(chain.prior, OraclePrior)
    exact = Chain(chain.prior, chain.levels, [chain.kernel(1), OracleKernel(chain.prior.oracle)])
    same, words = with_closed_forms(exact, data.validation, data.encoding.head(), seed=0)
    assert len(words) == 1  # an untrained step to data is not kept
    assert same.kernel(2) is exact.kernel(2)
    again, words = with_closed_forms(same, data.validation, data.encoding.head(), seed=0)
    assert again is same
    assert words == []


def test_residual_networks_start_at_the_mixtures_mean(data: DataSet) -> None:
    """A network that gives nothing predicts the posterior mean, and its scale is the mixture's spread."""
    chain = build_chain(Config(levels=1, prior="mixture", residual=True, width=16), data)
    kernel = chain.kernel(1)
    assert isinstance(kernel, VAEKernel)
    assert isinstance(kernel.decoder, MixtureResidual)
    assert isinstance(chain.prior, OraclePrior)
    distribution = chain.prior.oracle
    assert isinstance(distribution, LowRankMixture)
    assert kernel.decoder.mixture is distribution
    z = distribution.sample(5, 0.3, seed=0).float()
    log_snr = torch.tensor([[-np.log(np.expm1(0.6)), np.inf]]).expand(5, 2)
    found = kernel.decoder(z, log_snr, torch.zeros(5, kernel.latent))
    assert torch.allclose(found.mean, distribution.posterior_mean(z, 0.3), atol=1e-4)
    assert torch.allclose(found.output_scale.square(), distribution.posterior_moments(z, 0.3)[1].clamp_min(1e-9), rtol=0.1, atol=1e-2)
    with pytest.raises(SaltusError, match="give prior mixture"):
        Config(residual=True)


def test_a_residual_chain_learns_and_is_saved(data: DataSet, tmp_path: Path) -> None:
    config = Config(levels=1, prior="mixture", residual=True, updates=3, width=16, closed_forms=False)
    chain = train(data, config, tmp_path / "run", quiet=True)
    again = Chain.load(tmp_path / "run")
    assert torch.equal(again.sample(3, seed=0), chain.sample(3, seed=0))
    assert again.prior.oracle is again.kernel(1).decoder.mixture  # type: ignore[attr-defined]  # written once


def test_the_head_is_that_of_the_data_and_their_number(data: DataSet) -> None:
    assert isinstance(head_for(Config(), data), DiscretisedHead)
    assert isinstance(head_for(Config(head="logistic"), data), LogisticMixtureHead)
    many = DataSet.from_arrays(np.random.default_rng(0).integers(0, 256, (13_000, 8, 8)).astype(np.uint8))
    assert isinstance(head_for(Config(), many), AutoregressiveHead)
    assert isinstance(head_for(Config(head="autoregressive"), data), AutoregressiveHead)
    assert isinstance(head_for(Config(head="logistic"), many), LogisticMixtureHead)
    assert isinstance(head_for(Config(kernel="gaussian"), many), DiscretisedHead)
    rows = DataSet.from_arrays(np.random.default_rng(0).normal(size=(300, 2)))
    assert isinstance(head_for(Config(head=HeadKind.MIXTURE), rows), MixtureHead)
    for config, items in [
        (Config(kernel="gaussian", head=HeadKind.LOGISTIC), rows),
        (Config(head=HeadKind.LOGISTIC), rows),
        (Config(head=HeadKind.AUTOREGRESSIVE), rows),
        (Config(kernel="gaussian", head=HeadKind.MIXTURE), rows),
        (Config(head=HeadKind.MIXTURE), data),
    ]:
        with pytest.raises(SaltusError, match="leave it out"):
            head_for(config, items)


def test_rows_learn_a_mixture_in_each_column() -> None:
    """One column with two peaks: with a latent of nothing a Gaussian cannot have them, and a mixture can."""
    rng = np.random.default_rng(0)
    rows = rng.choice([-1.0, 1.0], size=(2000, 1)) + 0.05 * rng.normal(size=(2000, 1))
    table = DataSet.from_arrays(rows)
    options = {"levels": 1, "updates": 300, "width": 16, "prior": "normal", "latent": 0, "learning_rate": 0.01}
    nats = {}
    for head in (HeadKind.GAUSSIAN, HeadKind.MIXTURE):
        chain = train(table, Config(**options, head=head), quiet=True)
        nats[head] = float(chain.bound(table.test).total.double().mean())
    assert nats[HeadKind.MIXTURE] < nats[HeadKind.GAUSSIAN] - 1


def test_a_compact_file_keeps_what_was_measured(data: DataSet, tmp_path: Path) -> None:
    chain = train(data, Config(kernel="gaussian", levels=3, updates=3, width=16), quiet=True)
    chain.save(tmp_path / "half", compact=True)
    chain.save(tmp_path / "whole")
    again = Chain.load(tmp_path / "half")
    assert next(again.parameters()).dtype == torch.float32
    assert isinstance(again.prior, StandardNormal)
    assert torch.allclose(again.bound(data.test).bits_per_dim, chain.bound(data.test).bits_per_dim, rtol=0.02)
    half, whole = ((tmp_path / name / "chain.safetensors").stat().st_size for name in ("half", "whole"))
    assert half < 0.6 * whole
