"""Models of diffusers: a pipeline of a `UNet2DModel` and a scheduler, read as a network of real times.

A folder that `save_pretrained` wrote has model_index.json, which names its parts, unet/ and scheduler/.  Only these two are read, by
diffusers itself: no code of the folder runs, and weights are safetensors.  Of the scheduler the schedule counts, alpha-bar_0 ...
alpha-bar_{T-1}, what the network predicts, and the range to which predictions of the data are clipped.  How it steps does not: that is
another way to sample the same network.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from saltus.chain import Chain, StandardNormal, like
from saltus.data import DataSet, Encoding, subsample
from saltus.errors import SaltusError
from saltus.evaluation import likelihood
from saltus.extras import needs
from saltus.files import read_json
from saltus.kernels import GaussianKernel, Target, Teacher, Variance
from saltus.levels import Levels
from saltus.likelihoods import Head
from saltus.networks import Condition, TeacherUNet
from saltus.pretrained.hub import downloaded, is_hub_name
from saltus.process import OrnsteinUhlenbeck
from saltus.training import usable_device
from saltus.words import in_brief

__all__ = ["load_teacher", "measured_chain", "measured_teacher", "teacher_chain", "teacher_levels", "teacher_of"]

_process = OrnsteinUhlenbeck()
_FILES = ("model_index.json", "unet/config.json", "unet/*.safetensors", "scheduler/*.json")
_BLOCKS = {
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D", "ResnetDownsampleBlock2D"),
    "up_block_types": ("UpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D"),
}
_OTHER_SIGMAS = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_flow_sigmas", "sigma_min", "sigma_max")
_FEWEST = 2  # steps of a schedule, between which others lie


def load_teacher(place: str | Path, condition: Condition | None = None) -> tuple[Teacher, list[str]]:
    """The model of a folder that diffusers wrote, or of hf:OWNER/NAME, and remarks on what was left out.

    Args:
        place: the folder of a pipeline, or its name on the hub.
        condition: the classes that it is told, in the order that it knows them; None for a model without.

    Raises:
        SaltusError: if there is no such folder, it holds another kind of model, or its schedule is not variance preserving.
    """
    folder = downloaded(place, *_FILES) if is_hub_name(place) else Path(place)
    index = _index(folder)
    diffusers = needs("diffusers", extra="unet")
    name = index["scheduler"][1]
    try:
        unet = diffusers.UNet2DModel.from_pretrained(folder / "unet", use_safetensors=True, low_cpu_mem_usage=False)
        scheduler = getattr(diffusers, name).from_pretrained(folder / "scheduler")
    except Exception as error:  # of diffusers, which says what it misses in many ways
        raise SaltusError(f"{folder} cannot be read by diffusers ({in_brief(error)}); write it again with save_pretrained") from error
    return teacher_of(unet, scheduler, condition)


def _index(folder: Path) -> Mapping[str, Any]:
    """The parts of a pipeline that is a U-Net and a scheduler, and nothing else."""
    if not folder.is_dir():
        raise SaltusError(
            f"{folder} is {'a file' if folder.exists() else 'not there'}; give a folder that save_pretrained wrote, or hf:OWNER/NAME"
        )
    try:
        index = read_json(folder / "model_index.json")
    except FileNotFoundError:
        raise SaltusError(f"{folder} holds no model_index.json; give the folder of a pipeline, with unet and scheduler") from None
    parts = {name: value for name, value in index.items() if isinstance(value, list) and len(value) == 2} if isinstance(index, dict) else {}
    parts.pop("_class_name", None)
    if others := sorted(name for name, (library, _) in parts.items() if name not in ("unet", "scheduler") and library is not None):
        raise SaltusError(
            f"{folder} has the parts {', '.join(others)} too, as a model of latents or of texts has; expected a unet and a scheduler "
            "alone, of a model that works on pixels"
        )
    if missing := [name for name in ("unet", "scheduler") if not isinstance(parts.get(name, [None])[-1], str)]:
        raise SaltusError(f"{folder} has no {missing[0]}; expected a pipeline of a unet and a scheduler: write it with save_pretrained")
    if (kind := parts["unet"][1]) != "UNet2DModel":
        raise SaltusError(f"the network of {folder} is a {kind}; expected a UNet2DModel, the kind of DDPM")
    if not hasattr(needs("diffusers", extra="unet"), parts["scheduler"][1]):
        raise SaltusError(
            f"diffusers has no scheduler {parts['scheduler'][1]!r:.60}; give a model with a scheduler of its own, such as DDPM's"
        )
    _check_blocks(read_json(folder / "unet" / "config.json") if (folder / "unet" / "config.json").exists() else {})
    return parts


def _check_blocks(config: Mapping[str, Any]) -> None:
    for name, known in _BLOCKS.items():
        if unknown := [block for block in config.get(name) or known if block not in known]:
            raise SaltusError(f"the network has blocks {unknown[0]}, which cannot be widened; expected {', '.join(known)} alone")


def teacher_of(unet: Any, scheduler: Any, condition: Condition | None = None) -> tuple[Teacher, list[str]]:
    """A network of real times, of a `UNet2DModel` and a scheduler in memory, and remarks on what was left out.

    Raises:
        SaltusError: as `load_teacher`.
    """
    config = dict(unet.config)
    _check_blocks(config)
    embedding, classes = config.get("time_embedding_type"), config.get("class_embed_type")
    if embedding != "positional":
        raise SaltusError(f"the network knows its steps by a {embedding} embedding, which has no values between them; expected positional")
    if classes is not None or config.get("center_input_sample"):
        odd = "center_input_sample" if classes is None else f"class_embed_type {classes}"
        raise SaltusError(f"the network has {odd}, which is not read; expected a table of classes or none, and images from -1 to 1")
    if config.get("sample_size") is None:
        raise SaltusError("the network does not say for which size of images it was trained; set sample_size in its config.json")
    if config["out_channels"] not in (config["in_channels"], 2 * config["in_channels"]):
        raise SaltusError(
            f"the network takes {config['in_channels']} channels and gives {config['out_channels']}; expected as many, or variances too"
        )
    log_snrs, target, clip = _schedule(scheduler)
    remarks = []
    if config["out_channels"] > config["in_channels"]:
        remarks.append("the variances that the network gives are not used")
    if scheduler.config.get("thresholding"):
        remarks.append("the scheduler's thresholding is a way to sample, and is left out")
        clip = None
    return Teacher(TeacherUNet.of(unet, condition), log_snrs, target, clip=clip).eval(), remarks


def _schedule(scheduler: Any) -> tuple[torch.Tensor, Target, float | None]:
    """The log-SNRs of the steps, what the network predicts, and the largest value of a prediction of the data."""
    name, config = type(scheduler).__name__, scheduler.config
    bars = getattr(scheduler, "alphas_cumprod", None)
    odd = [option for option in _OTHER_SIGMAS if config.get(option)]
    if bars is None or odd or config.get("timestep_type", "discrete") != "discrete":
        what = f" with {odd[0]}" if odd and bars is not None else ""
        raise SaltusError(
            f"the scheduler is a {name}{what}, which is not variance preserving; expected one with the betas that the network was trained "
            "with, such as DDPMScheduler or DDIMScheduler"
        )
    kind = config.get("prediction_type", "epsilon")
    if kind not in list(Target):
        raise SaltusError(f"the network predicts {kind!r:.60}; expected {', '.join(Target)}")
    bars = torch.as_tensor(bars).double()
    bars = bars[bars > 0]  # a schedule without signal at its end has an infinite time there
    if len(bars) < _FEWEST or not bool((bars < 1).all() and (bars.diff() < 0).all()):
        raise SaltusError("the betas of the scheduler do not make a schedule whose signal falls at every step; correct them")
    clip = float(config.get("clip_sample_range") or 1.0) if config.get("clip_sample") else None
    return bars.log() - torch.log1p(-bars), Target(kind), clip


def teacher_levels(teacher: Teacher, calls: int) -> Levels:
    """So many of a network's own times, evenly by the numbers of its steps, the last one among them.

    Raises:
        SaltusError: for fewer than 1, or more than it has.
    """
    T = len(teacher.log_snrs)
    if not 1 <= calls <= T:
        raise SaltusError(f"{calls} levels were asked for, and the schedule of the network has {T}; give a number from 1 to {T}")
    steps = (torch.arange(1, calls + 1, dtype=torch.float64) * T / calls).round().long() - 1
    return Levels([0.0, *_process.time_at_log_snr(teacher.log_snrs[steps]).tolist()])


def teacher_chain(
    teacher: Teacher, calls: int, head: Head, *, encoding: Encoding | None = None, variance: Variance = Variance.OPTIMAL
) -> Chain:
    """The network with the steps of its owner, Gaussian ones: DDPM on so many of its own times, which has a bound.

    Args:
        teacher: the network.
        calls: steps; as many as its schedule has are its own chain.
        head: of the step to data.
        encoding: of the data, which the chain then knows.
        variance: of the steps; `optimal` needs `calibrate` first.
    """
    return Chain(StandardNormal(), teacher_levels(teacher, calls), GaussianKernel(teacher, head, variance=variance), encoding=encoding)


def measured_teacher(teacher: Teacher, data: DataSet, *, levels: int, n: int, seed: int = 0, device: str = "cpu") -> dict[str, Any]:
    """The bound of a network with Gaussian steps: variances are calibrated on validation items, and it is told of test items.

    Args:
        teacher: the network.
        data: of its shape and condition.
        levels: steps, see `teacher_levels`.
        n: items of either kind, at most, >= 2.
        seed: of the noise.
        device: where to compute.

    Returns:
        Bits per dimension with their standard error, nats, and the number of items.
    """
    chain = teacher_chain(teacher, levels, data.encoding.head(), encoding=data.encoding).to(usable_device(device))
    told = data.conditions_for(teacher.condition, "validation")
    given = None if told is None else subsample(told, n)
    chain.calibrate(subsample(data.validation, n).to(like(chain)), condition=given, seed=seed)
    found = measured_chain(chain, data, n, seed=seed)
    teacher.to("cpu")
    return found


def measured_chain(chain: Chain, data: DataSet, n: int, *, seed: int = 0) -> dict[str, Any]:
    """The bound of a chain that has one on n test items, told as `measured_teacher` does."""
    told = data.conditions_for(chain.condition, "test")
    found = likelihood(chain, subsample(data.test, n), data.encoding, condition=None if told is None else subsample(told, n), seed=seed)
    assert found is not None
    return {"bits_per_dim": found.bits_per_dim, "standard_error": found.standard_error, "nats": found.total, "items": found.items}
