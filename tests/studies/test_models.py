"""What is compared: runs that differ in their seed together, under names that tell models apart."""

from __future__ import annotations

from pathlib import Path

from saltus.data import DataSet
from saltus.studies.compare.models import load_models
from saltus.training import Config, train


def test_models_that_words_do_not_tell_apart_are_named_by_their_runs(runs: list[Path], data: DataSet, tmp_path: Path) -> None:
    others = {"no latent": {"latent": 0}, "half the KL": {"weights": {"kl": 0.5}}}
    for name, options in others.items():
        train(data, Config(kernel="vae", levels=2, updates=2, width=16, **options), tmp_path / name, quiet=True)
    models = load_models([*runs, *(tmp_path / name for name in others)], data)
    assert [model.name for model in models] == [
        "Gaussian, any step",
        f"VAE, 2 levels, {runs[-1]}",
        "Gaussian step, learned variance, 2 levels",
        f"VAE, 2 levels, {tmp_path / 'half the KL'}",
    ]
    assert [model.networks[0].samplers[0].name for model in models[1:3]] == ["VAE step", "Gaussian step, learned variance"]
