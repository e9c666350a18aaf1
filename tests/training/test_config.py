"""The configuration of a training: what is refused and how it is said, what kernels and networks own, and what older runs have kept."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from saltus import SaltusError
from saltus.kernels import KERNELS, EncoderInput, Ladders
from saltus.levels import Levels
from saltus.training import Config, LevelWeighting
from tests.helpers.checks import assert_one_sentence


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"levels": 0}, "option levels was given as 0: expected greater than or equal to 1"),
        ({"kernel": "gan"}, "option kernel was given as 'gan': there is no kernel 'gan'; give one of deterministic, gaussian, vae"),
        ({"architecture": "tree"}, "there is no architecture 'tree'; give one of unet, mlp"),
        ({"times": (0, 2, 1)}, r"option times was given as \(0, 2, 1\): levels \[0.0, 2.0, 1.0\]"),
        ({"levels": 4, "times": (0, 1)}, "levels = 4 does not fit the 1 steps of times"),
        ({"times": 5}, "option times was given as 5"),
        ({"seed": 2**63}, "option seed was given as 9223372036854775808"),
        ({"steps": 3}, "there is no option steps; expected one of kernel, levels, .*updates"),
        ({"learning_rate": float("nan")}, "option learning_rate was given as nan"),
        ({"warm_up": 1.0}, "option warm_up was given as 1.0: expected less than 1"),
        ({"clip": 0.0}, "option clip was given as 0.0: expected greater than 0"),
        ({"ema": 1.0}, "option ema was given as 1.0: expected less than 1"),
        ({"condition": "labels", "condition_dropout": 1.0}, "option condition_dropout was given as 1.0: expected less than 1"),
        ({"condition_dropout": 0.2}, "condition_dropout leaves conditions out, and there is no condition; leave it out, or give a cond"),
        ({"kernel": "gaussian", "objective": "quality"}, "objective is for the vae kernel, and the kernel is gaussian; leave it out"),
        ({"kernel": "gaussian", "weights": {"kl": 2.0}}, "weights is for the vae kernel"),
        ({"kernel": "deterministic", "ladder": "last"}, "ladder is for the vae kernel"),
        ({"kernel": "gaussian", "latent": 8}, "latent is for the vae kernel"),
        ({"kernel": "gaussian", "kl_warm_up": 0.5}, "kl_warm_up is for the vae kernel"),
        ({"kernel": "gaussian", "encoder_input": "y"}, "encoder_input is for the vae kernel"),
        ({"kernel": "vae", "variance": "posterior"}, "variance is for the gaussian kernel, and the kernel is vae"),
        ({"ladder": "every", "parametrisation": "direct"}, "a ladder predicts data, and a direct kernel does not"),
        ({"ladder": "every", "latent": 8}, "latent = 8 is of kernels without a ladder, and there are none; leave latent out"),
        ({"ladder": "last", "levels": 1, "architecture": "mlp"}, "architecture = mlp is of kernels without a ladder, and there are none"),
        ({"ladder": "all"}, "option ladder was given as 'all': expected 'last' or 'every'"),
        ({"ladder": "last", "any_step": True}, "a ladder on the last step alone cannot serve any step; take ladder every"),
        ({"level_weighting": "equal", "levels": 1}, "level_weighting equal is for several levels of one grid, and there is none"),
        ({"level_weighting": "equal", "any_step": True}, "level_weighting equal is for several levels of one grid, and there is none"),
        ({"kernel": "gaussian", "level_weighting": "equal"}, "level_weighting is for the vae kernel"),
        ({"level_weighting": "alike"}, "option level_weighting was given as 'alike': expected 'nats' or 'equal'"),
        ({"parametrisation": "direct", "weights": {"energy": 1.0}}, "the term energy of the loss is for kernels that predict data"),
        ({"importance_samples": 0}, "option importance_samples was given as 0: expected greater than or equal to 1"),
        ({"importance_samples": 4, "objective": "quality"}, "importance_samples = 4 trains for a bound that knows no weights; leave"),
        ({"importance_samples": 4, "weights": {"energy": 1.0}}, "importance_samples = 4 trains for a bound that knows no weights"),
        ({"importance_samples": 4, "latent": 0}, "importance_samples = 4 are of kernels with a latent, and latent is 0"),
        ({"importance_samples": 4, "kl_warm_up": 1.0}, "kl_warm_up = 1.0 leaves no update to importance_samples = 4; take a shorter"),
        ({"kernel": "gaussian", "importance_samples": 4}, "importance_samples is for the vae kernel"),
        ({"weights": {"sharpness": 1.0}}, "expected weights from 0 up of kl, decoder, entropy, data, energy, not sharpness"),
        ({"weights": {"kl": -1.0}}, "expected weights from 0 up of kl, decoder, entropy, data, energy, not kl"),
    ],
)
def test_a_wrong_option_is_one_sentence(options: dict[str, object], says: str) -> None:
    with pytest.raises(SaltusError, match=says) as error:
        Config(**options)
    assert_one_sentence(error.value)


def test_options_that_fit_their_kernel_are_taken() -> None:
    """Twins of what is refused above."""
    assert Config(kernel="gaussian", variance="posterior").variance == "posterior"
    assert Config(levels=2, level_weighting="equal").level_weighting is LevelWeighting.EQUAL
    assert Config(condition="labels", condition_dropout=0.2).condition_dropout == 0.2
    assert Config(ladder="last", latent=0, importance_samples=2).importance_samples == 2  # of the ladder
    assert Config(ladder="every", any_step=True).any_step is True
    assert Config(weights={"data": 1.0}).loss_weights == {"data": 1.0}
    assert Config(objective="quality", weights={"energy": 2.0}).loss_weights["kl"] < 1


def test_a_configuration_is_written_and_read_back_whole(tmp_path: Path) -> None:
    config = Config(times=(0, 0.5, 3), kernel="gaussian", seed=7, any_step=False, condition="labels", channels=(8, 16))
    config.save(tmp_path)
    saved = json.loads((tmp_path / "config.json").read_text())
    assert set(saved) == set(Config.model_fields)
    assert Config.from_saved(saved) == config
    assert Config.from_saved(saved | {"seed": 8}) != config


def test_times_are_the_grid_and_levels_follow_them() -> None:
    config = Config(times=(0, 0.5, 3))
    assert (config.levels, list(config.grid)) == (2, [0, 0.5, 3])
    grid = Config(levels=3).grid
    assert (grid.L, grid.last) == (3, 3.0)
    assert grid == Levels.cosine(3, 3.0)
    assert math.exp(-2 * grid.last) < 0.003  # the share of the data's variance that is left in z_L


OLDER = {"kernel": "vae", "steps": 7, "any_time": True, "encodes": "y", "latents": 4, "alike": True, "ladder": True, "levels": 3}


def test_an_older_run_is_read_under_the_names_of_today() -> None:
    config = Config.from_saved(OLDER)
    assert (config.updates, config.importance_samples, config.levels) == (7, 4, 3)
    assert config.encoder_input is EncoderInput.Y
    assert config.level_weighting is LevelWeighting.EQUAL
    assert config.ladder is Ladders.LAST
    assert config.any_step is None  # a VAE was made for its grid whatever the option said
    assert Config.from_saved(OLDER | {"ladder": False, "alike": False}) == Config(
        updates=7, importance_samples=4, levels=3, encoder_input="y", prior="normal", closed_forms=False, head="gaussian", noisy_steps="vae"
    )
    for kernel in ("gaussian", "deterministic"):
        assert [Config.from_saved({"kernel": kernel, "any_time": asked}).any_step for asked in (True, False)] == [True, False]
    assert Config.from_saved({"kernel": "gaussian", "level_weighting": "nats"}).level_weighting is None  # which every kernel had


def test_an_older_name_is_not_an_option_of_today() -> None:
    for name in ("steps", "any_time", "encodes", "latents", "alike"):
        with pytest.raises(SaltusError, match=f"there is no option {name}"):
            Config(**{name: OLDER[name]})


def test_every_option_of_a_kernel_is_an_option_of_the_configuration() -> None:
    assert KERNELS.names() == ("deterministic", "gaussian", "vae", "flow", "autoregressive")
    assert all(KERNELS.get(name).options <= set(Config.model_fields) for name in KERNELS.names())
