"""Training: configuration, what a step sees, averaging, recovery, and the folder of a run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from saltus import Chain, SaltusError
from saltus.data import DataSet, digits
from saltus.kernels import LadderKernel
from saltus.training import (
    VALIDATIONS,
    Config,
    KernelName,
    Ladders,
    Trainer,
    build_chain,
    check_data,
    load_config,
    load_data,
    load_encoding,
    recipe,
    train,
    updates_done,
)
from saltus.training.trainer import _items

STEPS = 40


@pytest.fixture(scope="module")
def data() -> DataSet:
    return digits()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"levels": 0}, "option levels was given as 0: expected greater than or equal to 1"),
        ({"kernel": "gan"}, "option kernel was given as 'gan': expected 'deterministic', 'gaussian' or 'vae'"),
        ({"times": (0, 2, 1)}, r"option times was given as \(0, 2, 1\): levels \[0.0, 2.0, 1.0\]; expected"),
        ({"levels": 4, "times": (0, 1)}, "levels = 4 does not fit the 1 steps of times"),
        ({"times": 5}, "option times was given as 5"),
        ({"seed": 2**63}, "option seed was given as 9223372036854775808"),
        ({"step": 3}, "there is no option step; expected one of kernel, levels, .*steps"),
        ({"learning_rate": float("nan")}, "option learning_rate was given as nan"),
        ({"kernel": "gaussian", "objective": "quality"}, "objective is for the vae kernel, and the kernel is gaussian; leave it out"),
        ({"kernel": "gaussian", "weights": {"kl": 2.0}}, "weights is for the vae kernel"),
        ({"kernel": "deterministic", "ladder": "last"}, "ladder is for the vae kernel"),
        ({"kernel": "gaussian", "latent": 8}, "latent is for the vae kernel"),
        ({"kernel": "gaussian", "kl_warm_up": 0.5}, "kl_warm_up is for the vae kernel"),
        ({"kernel": "vae", "variance": "posterior"}, "variance is for the gaussian kernel, and the kernel is vae"),
        ({"ladder": "every", "parametrisation": "direct"}, "a ladder predicts data, and a direct kernel does not"),
        ({"ladder": "every", "latent": 8}, "latent = 8 is of kernels without a ladder, and there are none; leave latent out"),
        ({"ladder": "last", "levels": 1, "architecture": "mlp"}, "architecture = mlp is of kernels without a ladder, and there are none"),
        ({"ladder": "all"}, "option ladder was given as 'all': expected 'last' or 'every'"),
        ({"alike": True, "levels": 1}, "alike is for several levels, and there is one; leave it out"),
        ({"kernel": "gaussian", "alike": True}, "alike is for the vae kernel"),
        ({"parametrisation": "direct", "weights": {"energy": 1.0}}, "the term energy of the loss is for kernels that predict data"),
        ({"latents": 0}, "option latents was given as 0: expected greater than or equal to 1"),
        ({"latents": 4, "objective": "quality"}, "latents = 4 trains for the tightened bound, which knows no weights; leave objective"),
        ({"latents": 4, "weights": {"energy": 1.0}}, "latents = 4 trains for the tightened bound, which knows no weights"),
        ({"latents": 4, "latent": 0}, "latents = 4 are of kernels with a latent, and latent is 0"),
        ({"latents": 4, "kl_warm_up": 1.0}, "kl_warm_up = 1.0 leaves no update to latents = 4; take a shorter one"),
        ({"kernel": "gaussian", "latents": 4}, "latents is for the vae kernel"),
        ({"weights": {"sharpness": 1.0}}, "expected weights from 0 up of kl, decoder, entropy, data, energy, not sharpness"),
    ],
)
def test_a_wrong_option_is_one_sentence(options: dict[str, object], says: str) -> None:
    with pytest.raises(SaltusError, match=says) as error:
        Config(**options)
    assert "\n" not in str(error.value)


def test_config_is_written_and_read_back_whole(tmp_path: Path) -> None:
    config = Config(times=(0, 0.5, 3), kernel=KernelName.GAUSSIAN, seed=7)
    config.save(tmp_path)
    assert Config.model_validate_json((tmp_path / "config.json").read_text()) == config
    assert list(config.grid) == [0, 0.5, 3]


def test_items_are_whole_permutations_wherever_a_run_is_cut() -> None:
    n, batch = 10, 7
    stream = torch.cat([_items(n, first, batch, seed=3) for first in range(0, 5 * n * batch, batch)])
    for epoch in stream[: len(stream) // n * n].split(n):
        assert sorted(epoch.tolist()) == list(range(n))
    assert torch.equal(_items(n, 4, 23, seed=3), stream[4:27])
    assert not torch.equal(stream, torch.cat([_items(n, first, batch, seed=4) for first in range(0, 5 * n * batch, batch)]))


@pytest.mark.parametrize("kernel", KernelName)
def test_training_lowers_the_loss_and_is_reproducible(kernel: KernelName, data: DataSet) -> None:
    config = Config(kernel=kernel, steps=STEPS)
    runs = [list(Trainer(build_chain(config, data), data, config)) for _ in range(2)]
    assert [p.loss for p in runs[0]] == [p.loss for p in runs[1]]
    assert runs[0][-1].loss < 0.8 * runs[0][0].loss
    last = runs[0][-1]
    assert (last.step, last.skipped) == (STEPS, 0)
    assert (last.validation.bits_per_dim is None) == (kernel is KernelName.DETERMINISTIC)
    if kernel is KernelName.VAE:
        assert set(last.terms) == {"kl", "decoder", "entropy"}
        assert len(last.validation.kl) == len(last.validation.active_units) == config.levels


def test_the_weight_of_the_kl_rises_from_zero(data: DataSet) -> None:
    config = Config(steps=10, kl_warm_up=1.0)
    first, *_, last = Trainer(build_chain(config, data), data, config)
    assert first.terms["kl"] == 0 < last.terms["kl"]


def test_latents_tighten_what_is_trained_for_once_the_kl_has_risen(data: DataSet) -> None:
    config = Config(steps=10, kl_warm_up=0.5, latents=4)
    chain = build_chain(config, data)
    updates = list(Trainer(chain, data, config))
    assert ["kl" in update.terms for update in updates] == [True] * 5 + [False] * 5
    assert ["marginal" in update.terms for update in updates] == [False] * 5 + [True] * 5
    assert chain.latents == 4
    assert len(updates[-1].validation.kl) == config.levels  # of the encoder, whatever the bound is


def test_validations_tighten_the_bound_as_the_chain_does(data: DataSet) -> None:
    config, y = Config(latents=4), data.validation[:256]
    trainer = Trainer(build_chain(config, data), data, config)
    bits = {latents: float(trainer.chain.bound(y, latents=latents).bits_per_dim.mean()) for latents in (1, 4)}
    assert trainer.validate().bits_per_dim == pytest.approx(bits[4], abs=1e-6)
    assert bits[4] < bits[1] - 1e-4  # the twin


def test_a_chain_and_its_configuration_tighten_alike(data: DataSet) -> None:
    with pytest.raises(ValueError, match="the chain tightens its bound with 1 latents, the configuration with 4"):
        Trainer(build_chain(Config(), data), data, Config(latents=4))


def test_a_ladder_and_plain_kernels_train_tightened(data: DataSet) -> None:
    config = Config(ladder="last", levels=2, latents=2)
    loss = build_chain(config, data).loss(data.train[:6], latents=2)
    assert set(loss.terms) == {"marginal", "entropy"}
    assert loss.total.isfinite().all()


def test_the_averaged_chain_follows_the_recursion(data: DataSet) -> None:
    config = Config(kernel=KernelName.DETERMINISTIC, steps=5, ema=0.5)
    chain = build_chain(config, data)
    trainer, expected = Trainer(chain, data, config), None
    for update, _ in enumerate(trainer):
        current = next(chain.parameters()).detach().clone()
        decay = min(0.5, (1 + update) / (10 + update))
        expected = current if expected is None else decay * expected + (1 - decay) * current
    assert torch.allclose(next(trainer.averaged().parameters()), expected, atol=1e-6)
    assert not torch.equal(next(chain.parameters()), next(trainer.averaged().parameters()))


@pytest.mark.parametrize("kernel", KernelName)
def test_updates_that_are_not_finite_are_skipped_counted_and_given_up(kernel: KernelName, data: DataSet) -> None:
    config = Config(kernel=kernel, steps=200, batch=16)
    chain = build_chain(config, data)
    before = [p.detach().clone() for p in chain.parameters()]
    with torch.no_grad():
        next(iter(chain.parameters()))[0] = torch.nan
    counts = []
    with pytest.raises(SaltusError, match="not finite for 100 updates in a row"):
        counts.extend(progress.skipped for progress in Trainer(chain, data, config))
    assert counts == list(range(1, 100))
    assert all(torch.equal(a, b) for a, b in zip(before[1:], list(chain.parameters())[1:], strict=True))


def test_a_run_folder_is_all_that_is_needed_to_sample(tmp_path: Path, data: DataSet) -> None:
    home = tmp_path / "run"
    chain = train(data, Config(steps=STEPS), home, quiet=True)
    assert {file.suffix for file in home.iterdir()} == {".json", ".jsonl", ".safetensors"}
    again = Chain.load(home)
    assert torch.equal(again.sample(3, seed=1), chain.sample(3, seed=1))
    raw = load_encoding(home).decode(again.sample(3, seed=1))
    assert (raw.shape, raw.dtype.name) == ((3, 8, 8), "uint8")
    lines = [json.loads(line) for line in (home / "metrics.jsonl").read_text().splitlines()]
    assert (lines[0]["step"], lines[-1]["step"]) == (1, STEPS)
    assert len(lines[-1]["validation"]["active_units"]) == 4
    with pytest.raises(SaltusError, match="is already there"):
        train(data, Config(steps=1), home, quiet=True)


def test_an_interrupted_run_keeps_what_it_reached(tmp_path: Path, data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    update = Trainer._update

    def interrupted(self: Trainer, step: int) -> tuple[dict[str, float], float]:
        if step == 3:
            raise KeyboardInterrupt
        return update(self, step)

    monkeypatch.setattr(Trainer, "_update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(data, Config(steps=STEPS), tmp_path / "run", quiet=True)
    assert Chain.load(tmp_path / "run").sample(1, seed=0).shape == (1, 1, 8, 8)
    assert updates_done(tmp_path / "run") == 3
    assert load_config(tmp_path / "run") == Config(steps=STEPS)


def test_a_run_knows_its_data_and_tells_others(tmp_path: Path, data: DataSet) -> None:
    train(data, Config(steps=1), tmp_path / "run", quiet=True)
    check_data(tmp_path / "run", data)
    other = replace(data, train=data.train.flip(0))
    with pytest.raises(SaltusError, match="other data than those"):
        check_data(tmp_path / "run", other)
    assert load_data(tmp_path / "run", "digits").fingerprint == load_data(tmp_path / "run").fingerprint
    for name, says in (("config.json", "is damaged; train again"), ("source.json", "is damaged; train again")):
        (tmp_path / "run" / name).write_text("{")
        with pytest.raises(SaltusError, match=says):
            load_config(tmp_path / "run") if name == "config.json" else check_data(tmp_path / "run", data)
    (tmp_path / "run" / "source.json").unlink()
    with pytest.raises(SaltusError, match="does not say where its data are"):
        load_data(tmp_path / "run")


def test_sizes_can_be_given(data: DataSet) -> None:
    sizes = {width: sum(p.numel() for p in build_chain(Config(width=width), data).parameters()) for width in (None, 64)}
    assert sizes[64] < sizes[None]
    with pytest.raises(SaltusError, match=r"channels are \(10, 20\); expected multiples of 8"):
        build_chain(Config(architecture="unet", channels=(10, 20)), data)


@pytest.mark.parametrize("option", ["bf16", "channels_last"])
def test_speed_options_train(option: str, data: DataSet) -> None:
    config = Config(**{option: True}, steps=3, batch=8, architecture="unet", latent=4)
    *_, last = Trainer(build_chain(config, data), data, config)
    assert last.skipped == 0
    assert torch.isfinite(torch.tensor(last.loss))


@pytest.mark.parametrize("steps", [1, 19, 39, 41])
def test_a_run_has_at_most_so_many_validations_and_ends_in_one(steps: int, data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    done, validate = [], Trainer.validate
    monkeypatch.setattr(Trainer, "validate", lambda trainer: done.append(len(seen)) or validate(trainer))
    config, seen = Config(steps=steps, width=16, levels=1, batch=2), []
    for progress in Trainer(build_chain(config, data), data, config):
        seen.append(progress)
    assert min(steps, VALIDATIONS // 2) <= len(done) <= VALIDATIONS
    assert done[-1] == steps - 1


@pytest.mark.parametrize("bf16", [True, False])
def test_validations_have_the_precision_of_updates(bf16: bool, data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, bound = [], Chain.bound

    def watched(*given: Any, **named: Any) -> Any:
        seen.append(torch.is_autocast_enabled("cpu"))
        return bound(*given, **named)

    monkeypatch.setattr(Chain, "bound", watched)
    config = Config(bf16=bf16, width=16)
    assert Trainer(build_chain(config, data), data, config).validate().bits_per_dim is not None
    assert seen == [bf16]


def test_chains_start_from_their_seed_alone(data: DataSet) -> None:
    torch.manual_seed(1)
    first = build_chain(Config(seed=5), data).state_dict()
    torch.manual_seed(2)
    state = torch.random.get_rng_state()
    second = build_chain(Config(seed=5), data).state_dict()
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_vae_kernel_starts_from_a_run_and_remembers_it(tmp_path: Path, data: DataSet) -> None:
    network = {"width": 16, "steps": 3}
    train(data, Config(kernel="gaussian", **network), tmp_path / "gaussian", quiet=True)
    vae = Config(kernel="vae", learning_rate=1e-12, ema=0.0, weight_decay=0.0, **network)
    started = train(data, vae, tmp_path / "started", start=tmp_path / "gaussian", quiet=True)
    fresh = train(data, vae, tmp_path / "fresh", quiet=True)
    source, z, s, t = Chain.load(tmp_path / "gaussian").kernel(1), data.test[:4], 0.3, 1.0
    with torch.no_grad():
        expected = source.step(z[:, :0], z, s, t).mean
        found = [kernel.step(torch.zeros(4, kernel.latent), z, s, t).mean for kernel in (started.kernel(1), fresh.kernel(1))]
    errors = [float((mean - expected).abs().max()) for mean in found]
    assert errors[0] < 1e-5 < errors[1]
    assert recipe(tmp_path / "started") != recipe(tmp_path / "fresh")
    assert recipe(tmp_path / "fresh") == recipe(tmp_path / "fresh")
    with pytest.raises(SaltusError, match="a VAEKernel can not start another kernel"):
        train(data, vae, tmp_path / "other", start=tmp_path / "fresh", quiet=True)
    with pytest.raises(SaltusError, match="a GaussianKernel can not be started"):
        train(data, Config(kernel="gaussian", **network), tmp_path / "other", start=tmp_path / "gaussian", quiet=True)
    with pytest.raises(SaltusError, match="that predicts data"):
        train(data, vae.model_copy(update={"parametrisation": "direct"}), tmp_path / "other", start=tmp_path / "gaussian", quiet=True)
    with pytest.raises(SaltusError, match="ladders alone can not be started from another kernel; take a ladder on the last"):
        train(data, Config(ladder="every", steps=1), tmp_path / "other", start=tmp_path / "gaussian", quiet=True)
    assert not (tmp_path / "other").exists()


def test_a_ladder_takes_the_step_to_data_and_a_plain_kernel_the_others(data: DataSet) -> None:
    config = Config(ladder="last", width=16, levels=3, steps=2)
    chain = train(data, config, quiet=True)
    assert [type(chain.kernel(level)).__name__ for level in (1, 2, 3)] == ["LadderKernel", "VAEKernel", "VAEKernel"]
    assert chain.kernel(2) is chain.kernel(3)
    loss = chain.loss(data.train[:30], seed=1)
    assert all(bool(loss.total[loss.level == level].ne(0).all()) for level in (1, 2, 3))
    assert bool(loss.total.isfinite().all())
    alone = Config(ladder="last", levels=1, steps=1)
    assert build_chain(alone, data).kernel(1).latent == 8 * 3 * (4 * 4 + 2 * 2 + 1)  # of patches, three rungs at each resolution


def test_ladders_are_as_older_runs_have_kept_them() -> None:
    assert [Config(ladder=kept).ladder for kept in (True, False)] == [Ladders.LAST, None]
    assert Config(ladder="last", latent=0, latents=2).latents == 2  # of the ladder


def test_ladders_on_every_step_are_one_of_the_step_to_data_and_one_of_the_others(data: DataSet) -> None:
    first, *others = build_chain(Config(ladder="every", levels=3), data).kernels
    assert all(isinstance(kernel, LadderKernel) for kernel in (first, *others))
    assert others[0] is others[1] is not first
    assert not torch.equal(next(first.parameters()), next(others[0].parameters()))


def test_a_device_that_is_not_there_is_said_so_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(SaltusError, match="device cuda:99 cannot be used here"):
        train(digits(), Config(steps=1), tmp_path / "run", device="cuda:99", quiet=True)
    assert not (tmp_path / "run").exists()
