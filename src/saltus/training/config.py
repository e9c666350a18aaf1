"""Everything that decides a training run, typed and validated; the run folder keeps it as `config.json`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from saltus.errors import SaltusError
from saltus.kernels import EXTRA, EncoderInput, Parametrisation, Variance, reweighted
from saltus.levels import Levels
from saltus.networks import Architecture, Preset

__all__ = ["Config", "KernelName", "Ladders", "Objective"]

_LAST = 3.0  # leaves about 0.002 bits/dim of the data in z_L at unit variance


class KernelName(StrEnum):
    """A family of kernels that is trained."""

    DETERMINISTIC = "deterministic"
    GAUSSIAN = "gaussian"
    VAE = "vae"


class Ladders(StrEnum):
    """Which steps of a VAE have a ladder of latents: the `last`, that to data, or `every` one, with another ladder for all but the last."""

    LAST = "last"
    EVERY = "every"


class Objective(StrEnum):
    """What a VAE kernel is trained for: `likelihood` (weight 1 on every nat of the bound) or `quality` (of samples)."""

    LIKELIHOOD = "likelihood"
    QUALITY = "quality"


_WEIGHTS: dict[Objective, dict[str, float]] = {
    Objective.LIKELIHOOD: {},
    Objective.QUALITY: {"kl": 0.7},
}
_OF_THE_VAE = ("latent", "parametrisation", "encoder_input", "ladder", "objective", "weights", "alike", "kl_warm_up", "latents")
_ONLY_FOR = dict.fromkeys(_OF_THE_VAE, KernelName.VAE) | {"variance": KernelName.GAUSSIAN}
_TERMS = ("kl", "decoder", "entropy", *EXTRA)


class Config(BaseModel):
    """A training run.

    The grid of `levels` steps is the cosine schedule up to t = 3, or `times` if they are given.  The deterministic and
    the Gaussian kernel are trained at all times unless `any_step` is false.

    Raises:
        SaltusError: in one sentence, for an option that is unknown, of another type or out of range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kernel: KernelName = KernelName.VAE
    levels: int = Field(default=4, ge=1, description="number of steps, each one network call")
    times: tuple[float, ...] | None = Field(default=None, description="the grid itself, 0 = t_0 < ... < t_L")
    steps: int = Field(default=5000, ge=1, description="optimiser updates")
    batch: int = Field(default=128, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**63)
    learning_rate: float = Field(default=1e-3, gt=0, description="of AdamW after warm-up; falls to 0 along a half cosine")
    warm_up: float = Field(default=0.05, ge=0, lt=1, description="share of the steps over which the learning rate rises")
    weight_decay: float = Field(default=0.01, ge=0, description="of AdamW")
    ema: float = Field(default=0.999, ge=0, lt=1, description="decay of the averaged weights, itself warmed up")
    clip: float = Field(default=1.0, gt=0, description="largest norm of the gradient of the loss in nats per dimension")
    preset: Preset = Preset.TINY
    architecture: Architecture | None = Field(
        default=None, description="a U-Net for images from 16 x 16 up and an MLP for all else, unless given"
    )
    width: int | None = Field(default=None, ge=1, description="neurons in a layer of an MLP, in place of the preset's")
    channels: tuple[int, ...] | None = Field(default=None, description="of each resolution of a U-Net or ladder, in place of the preset's")
    any_step: bool = Field(default=True, description="deterministic and gaussian: train at all times")
    variance: Variance = Variance.OPTIMAL
    latent: int | None = Field(
        default=None, ge=0, description="size of the latent; that of a vector, a quarter of other data's, at most 128, unless given"
    )
    parametrisation: Parametrisation = Parametrisation.BRIDGE
    encoder_input: EncoderInput = EncoderInput.Z_S
    ladder: Ladders | None = Field(
        default=None, description="vae: latents at several resolutions, on the step to data (last) or on every one; images only"
    )
    objective: Objective = Objective.LIKELIHOOD
    weights: dict[str, float] = Field(
        default_factory=dict,
        description="of terms of a VAE kernel's loss (kl, decoder, entropy, data, energy), in place of the objective's",
    )
    alike: bool = Field(default=False, description="vae: the losses of all levels count alike, rather than all nats")
    kl_warm_up: float = Field(
        default=0.3, ge=0, le=1, description="share of the steps over which the weight of the latent's KL rises from 0"
    )
    latents: int = Field(
        default=1,
        ge=1,
        description="vae: train for the bound tightened with so many, once the KL's weight has risen; each costs about an update",
    )
    bf16: bool = Field(default=False, description="bfloat16 autocast")
    channels_last: bool = False
    compile: bool = Field(default=False, description="torch.compile the networks")

    def __init__(self, **options: Any) -> None:
        try:
            super().__init__(**options)
        except ValidationError as error:
            raise SaltusError(_sentence(error)) from None

    @field_validator("times")
    @classmethod
    def _a_grid(cls, times: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if times is not None:
            Levels(times)
        return times

    @field_validator("weights")
    @classmethod
    def _of_terms(cls, weights: dict[str, float]) -> dict[str, float]:
        if wrong := [name for name, weight in weights.items() if name not in _TERMS or weight < 0]:
            raise ValueError(f"expected weights from 0 up of {', '.join(_TERMS)}, not {wrong[0]}")
        return weights

    @field_validator("ladder", mode="before")
    @classmethod
    def _or_as_runs_have_kept_it(cls, ladder: Any) -> Any:
        return (Ladders.LAST if ladder else None) if isinstance(ladder, bool) else ladder

    @model_validator(mode="before")
    @classmethod
    def _as_many_levels_as_times(cls, options: Any) -> Any:
        if isinstance(options, dict) and isinstance(options.get("times"), list | tuple):
            steps = len(options["times"]) - 1
            if options.get("levels", steps) != steps:
                raise ValueError(f"levels = {options['levels']} does not fit the {steps} steps of times; leave levels out")
            return {**options, "levels": steps}
        return options

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for name, field in type(self).model_fields.items():
            kernel = _ONLY_FOR.get(name, self.kernel)
            if kernel is not self.kernel and getattr(self, name) != field.get_default(call_default_factory=True):
                raise ValueError(f"{name} is for the {kernel} kernel, and the kernel is {self.kernel}; leave it out")
        if self.alike and self.levels == 1:
            raise ValueError("alike is for several levels, and there is one; leave it out, or take more levels")
        if self.ladder and self.parametrisation is Parametrisation.DIRECT:
            raise ValueError("a ladder predicts data, and a direct kernel does not; take parametrisation bridge, or no ladder")
        if self.parametrisation is Parametrisation.DIRECT:
            added = [name for name in EXTRA if self.loss_weights.get(name)]
            if added:
                raise ValueError(
                    f"the term {added[0]} of the loss is for kernels that predict data; take parametrisation bridge, or no {added[0]}"
                )
        return self

    @model_validator(mode="after")
    def _has_a_use_for_plain_networks(self) -> Self:
        if self.ladder is Ladders.EVERY or (self.ladder and self.levels == 1):
            for name in ("latent", "architecture", "width"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name} = {getattr(self, name)} is of kernels without a ladder, and there are none; leave {name} out")
        return self

    @model_validator(mode="after")
    def _can_be_tightened(self) -> Self:
        if self.latents == 1:
            return self
        if reweighted(self.loss_weights):
            raise ValueError(
                f"latents = {self.latents} trains for the tightened bound, which knows no weights; leave objective and weights out"
            )
        if self.latent == 0 and self.ladder is None:
            raise ValueError(f"latents = {self.latents} are of kernels with a latent, and latent is 0; leave one of them out")
        if self.kl_warm_up * self.steps > self.steps - 1:
            raise ValueError(f"kl_warm_up = {self.kl_warm_up} leaves no update to latents = {self.latents}; take a shorter one")
        return self

    @property
    def grid(self) -> Levels:
        """The levels of the run."""
        return Levels.cosine(self.levels, _LAST) if self.times is None else Levels(self.times)

    @property
    def loss_weights(self) -> dict[str, float]:
        """Of the named terms of the loss, once the KL's has risen."""
        return _WEIGHTS[self.objective] | self.weights

    def save(self, folder: Path) -> None:
        """Write `config.json`."""
        (folder / "config.json").write_text(self.model_dump_json(indent=1) + "\n")


def _sentence(error: ValidationError) -> str:
    """The first error, with the option, what was given and what was expected."""
    first = error.errors()[0]
    if first["type"] == "extra_forbidden":
        return f"there is no option {first['loc'][0]}; expected one of {', '.join(Config.model_fields)}"
    expected = first["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    if not first["loc"]:
        return expected
    return f"option {'.'.join(map(str, first['loc']))} was given as {first['input']!r}: {expected}; correct it and try again"
