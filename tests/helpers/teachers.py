"""Small models of diffusers with random weights, whose every output matters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import torch

from tests.helpers.stubs import randomise

__all__ = ["STEPS", "saved", "scheduler", "unet"]

STEPS = 12


def unet(**changes: Any) -> Any:
    """A `UNet2DModel` of images of one channel, 8 x 8."""
    options: dict[str, Any] = {
        "sample_size": 8,
        "in_channels": 1,
        "out_channels": 1,
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
        "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
        "norm_num_groups": 4,
        "attention_head_dim": 8,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = diffusers.UNet2DModel(**{**options, **changes})
    randomise(made)
    return made.eval()


def scheduler(name: str = "DDPMScheduler", **changes: Any) -> Any:
    """One of diffusers, of a dozen steps, that clips nothing unless it is told to."""
    options: dict[str, Any] = {"num_train_timesteps": STEPS, "beta_start": 0.02, "beta_end": 0.4, "clip_sample": False}
    cls = getattr(diffusers, name)
    known = {key: value for key, value in {**options, **changes}.items() if key in cls.__init__.__wrapped__.__code__.co_varnames}
    return cls(**known)


def saved(folder: Path, network: Any = None, steps: Any = None) -> Path:
    """A pipeline in a folder, as `save_pretrained` writes it."""
    diffusers.DDPMPipeline(unet=network or unet(), scheduler=steps or scheduler()).save_pretrained(folder)
    return folder
