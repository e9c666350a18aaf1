"""A VAE kernel that starts from the network of another kernel, which predicts what that network has learned."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from saltus import Chain, OraclePrior, SaltusError, Transition
from saltus.data import DataSet, digits
from saltus.integrations import teacher_of
from saltus.kernels import Teacher, predict
from saltus.networks import Condition
from saltus.training import Config, build_chain, recipe, train, updates_done, warm_start
from tests.helpers.checks import assert_one_sentence
from tests.helpers.teachers import scheduler, unet

NETWORK = {"width": 16, "updates": 3}
VAE = Config(kernel="vae", learning_rate=1e-12, ema=0.0, weight_decay=0.0, closed_forms=False, **NETWORK)  # stays where it starts


@pytest.fixture(scope="module")
def data() -> DataSet:
    return digits()


@pytest.fixture(scope="module")
def gaussian(data: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("warm") / "gaussian"
    train(data, Config(kernel="gaussian", **NETWORK), place, quiet=True)
    return place


def test_a_vae_kernel_starts_from_a_run_and_remembers_it(tmp_path: Path, data: DataSet, gaussian: Path) -> None:
    started = train(data, VAE, tmp_path / "started", start=gaussian, quiet=True)
    fresh = train(data, VAE, tmp_path / "fresh", quiet=True)
    source, transition = Chain.load(gaussian).kernel(1), Transition(data.test[:4], 0.3, 1.0)
    with torch.no_grad():
        expected = source.step(transition, torch.zeros(4, 0)).mean
        found = [kernel.step(transition, torch.zeros(4, kernel.latent)).mean for kernel in (started.kernel(1), fresh.kernel(1))]
    errors = [float((mean - expected).abs().max()) for mean in found]
    assert errors[0] < 1e-5 < errors[1]
    assert recipe(tmp_path / "started") != recipe(tmp_path / "fresh")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"kernel": "gaussian"}, "a GaussianKernel cannot start from another kernel's network; take the vae kernel without a ladder"),
        ({"parametrisation": "direct"}, "a VAEKernel cannot start from another kernel's network; train it from scratch"),
        ({"ladder": "every"}, "a LadderKernel cannot start from another kernel's network; take the vae kernel without a ladder"),
        ({"width": 32}, "a MLP of .* cannot start a MLP of .*: give both one size"),
    ],
    ids=["gaussian", "direct", "ladders alone", "another width"],
)
def test_kernels_that_cannot_start_say_so_before_anything_is_written(
    options: dict[str, object], says: str, tmp_path: Path, data: DataSet, gaussian: Path
) -> None:
    config = Config(**({"kernel": "vae", "updates": 1} | ({} if "ladder" in options else {"width": 16}) | options))
    with pytest.raises(SaltusError, match=says) as error:
        train(data, config, tmp_path / "other", start=gaussian, quiet=True)
    assert_one_sentence(error.value)
    assert not (tmp_path / "other").exists()


def test_only_a_network_that_predicts_data_whatever_the_step_can_be_started_from(data: DataSet) -> None:
    target = build_chain(VAE, data)
    for config in (VAE, Config(kernel="gaussian", any_step=False, width=16)):
        with pytest.raises(
            SaltusError, match=r"a \w+Kernel cannot start another kernel; expected a Gaussian or deterministic one"
        ) as error:
            warm_start(target, build_chain(config, data))
        assert_one_sentence(error.value)
    warm_start(target, build_chain(Config(kernel="deterministic", width=16), data))


def test_a_ladder_beside_a_plain_kernel_starts_afresh(data: DataSet) -> None:
    source = build_chain(Config(kernel="gaussian", width=16, seed=9), data)
    chain = build_chain(Config(ladder="last", levels=3, width=16), data)
    before = [[p.clone() for p in chain.kernel(level).parameters()] for level in (1, 2)]
    warm_start(chain, source)
    same = [all(torch.equal(a, b) for a, b in zip(before[i], chain.kernel(i + 1).parameters(), strict=True)) for i in (0, 1)]
    assert same == [True, False]


def test_the_start_is_of_the_same_data(tmp_path: Path, gaussian: Path) -> None:
    other = DataSet.from_arrays(torch.randint(0, 17, (400, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)))
    with pytest.raises(SaltusError, match="holds other data than those that"):
        train(other, VAE, tmp_path / "other", start=gaussian, quiet=True)


def teacher(condition: Condition | None = None) -> Teacher:
    """Another library's network of the digits' shape, with random weights."""
    return teacher_of(unet(num_class_embeds=10 if condition else None), scheduler(), condition)[0]


SMALL = Config(levels=2, noisy_steps="vae", latent=3, updates=2, batch=8)


def test_a_chain_is_made_of_another_librarys_network_and_goes_on(tmp_path: Path, data: DataSet) -> None:
    still = SMALL.model_copy(update={"learning_rate": 1e-12, "ema": 0.0, "weight_decay": 0.0, "closed_forms": False})
    chain = train(data, still, tmp_path / "run", start=teacher(), quiet=True)
    assert isinstance(chain.prior, OraclePrior)  # the mixture start
    y, t = data.test[:4], 0.3
    with torch.no_grad():
        found = chain.kernel(1).step(Transition(y, 0.1, t), torch.randn(4, 3))
        yhat = predict(teacher(), y, t)
    expected = Transition(y, 0.1, t).bridge.mean(y, yhat)
    torch.testing.assert_close(found.mean, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(Chain.load(tmp_path / "run").sample(2, seed=0), chain.sample(2, seed=0), rtol=0, atol=0)
    longer = still.model_copy(update={"updates": 4})
    train(data, longer, tmp_path / "run", start=teacher(), quiet=True, extend=True)
    assert updates_done(tmp_path / "run") == 4
    for other in (None, teacher_of(unet(), scheduler(beta_end=0.3))[0]):
        with pytest.raises(SaltusError, match="began from another network") as error:
            train(data, longer, tmp_path / "run", start=other, quiet=True)
        assert_one_sentence(error.value)


def test_a_network_of_classes_is_given_those_of_the_data() -> None:
    data = digits("labels")
    chain = train(data, SMALL, start=teacher(data.condition), quiet=True)
    assert chain.sample(2, seed=0, condition=3).shape == (2, 1, 8, 8)
    assert chain.condition is not None
    assert chain.condition.summary() == "10 classes"


@pytest.mark.parametrize(
    ("options", "changes", "word"),
    [
        ({"kernel": "gaussian", "noisy_steps": None, "latent": None}, {}, "kernel vae"),
        ({"parametrisation": "direct"}, {}, "parametrisation bridge"),
        ({"architecture": "mlp"}, {}, "architecture"),
        ({}, {"sample_size": 16}, "--size"),
        ({}, {"in_channels": 3, "out_channels": 3}, "--channels"),
        ({}, {"num_class_embeds": 10}, "10 classes"),
    ],
    ids=["gaussian", "direct", "an architecture", "another size", "other channels", "classes"],
)
def test_another_librarys_network_that_does_not_fit_is_refused(
    options: dict[str, object], changes: dict[str, object], word: str, tmp_path: Path, data: DataSet
) -> None:
    condition = digits("labels").condition if changes.get("num_class_embeds") else None
    network = teacher_of(unet(**changes), scheduler(), condition)[0]
    with pytest.raises(SaltusError) as caught:
        train(data, Config(**{**SMALL.model_dump(exclude_unset=True), **options}), tmp_path / "run", start=network, quiet=True)
    assert_one_sentence(caught.value, word)
    assert not (tmp_path / "run").exists()
