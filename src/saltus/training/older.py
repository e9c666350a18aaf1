"""The configurations of runs that older versions made."""

from __future__ import annotations

from typing import Any

from saltus.kernels import Ladders, NoisySteps
from saltus.training.choices import HeadKind, LevelWeighting, PriorKind

__all__ = ["todays"]

_RENAMED = {"steps": "updates", "any_time": "any_step", "encodes": "encoder_input", "latents": "importance_samples"}


def todays(options: dict[str, Any]) -> dict[str, Any]:
    """Options that a run has kept, under their names and with the meaning of today."""
    named = {_RENAMED.get(name, name): value for name, value in options.items()}
    named = {"prior": PriorKind.NORMAL, "closed_forms": False, "head": HeadKind.GAUSSIAN} | named  # which older runs say nothing of
    if "noisy_steps" not in named:
        named |= {"noisy_steps": NoisySteps.VAE} if named.get("kernel", "vae") == "vae" else {}
        if named.get("level_weighting") == LevelWeighting.NATS:  # which was the default of every kernel
            del named["level_weighting"]
    if named.pop("alike", False):  # as older runs call level_weighting
        named["level_weighting"] = LevelWeighting.EQUAL
    if isinstance(named.get("ladder"), bool):
        named["ladder"] = Ladders.LAST if named["ladder"] else None
    if "any_time" in options and named.get("kernel") == "vae":  # which it said nothing of
        named["any_step"] = None
    return named
