"""Everything that decides a training run, typed and validated; the run folder keeps it as `config.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from saltus.chain import MOST_SAMPLES
from saltus.errors import SaltusError
from saltus.files import write_atomically
from saltus.kernels import EXTRA, KERNELS, EncoderInput, Ladders, NoisySteps, Parametrisation, Variance, is_reweighted
from saltus.levels import MOST_LEVELS, Levels
from saltus.networks import NETWORKS, Preset
from saltus.networks.groups import MOST_WIDTH
from saltus.training.choices import HeadKind, LevelWeighting, Objective, PriorKind
from saltus.training.duration import Duration
from saltus.training.older import todays

__all__ = ["Config"]

_LEAST_STEP = 1e-10  # whose noise float32 still tells from items of order one
_MOST_BATCH, _MOST_UPDATES = 2**20, 10**9 - 1  # what is larger is mistyped: it would take memory and years
_LAST = 3.0  # leaves about 0.002 bits/dim of the data in z_L at unit variance
_STARTS = {1: 0.3, 2: 0.8}  # the last time of a grid of so many calls, where z_L is drawn from a mixture (docs/decisions/0034)
_LATEST_START = 0.8  # of more calls
_WEIGHTS: dict[Objective, dict[str, float]] = {Objective.LIKELIHOOD: {}, Objective.QUALITY: {"kl": 0.7}}
_TRIED = "[default: on where a short trial finds it faster, for trainings of a minute or more]"
_TERMS = ("kl", "decoder", "entropy", *EXTRA)


class Config(BaseModel):
    """A training run.

    The grid of `levels` steps is the cosine schedule up to t = 3, or earlier where z_L is drawn from a mixture; or `times` if they are
    given.  The deterministic and the Gaussian kernel serve any step unless `any_step` is false.

    Raises:
        SaltusError: in one sentence, for an option that is unknown, of another type or out of range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kernel: str = Field(
        default="vae",
        description="How a step is taken: vae, gaussian, deterministic; of rows also autoregressive, one column after another, or flow; or "
        "a kernel that a package registers.  Tables take autoregressive, in one level, unless an option asks for others.",
    )
    levels: int = Field(default=4, ge=1, le=MOST_LEVELS, description="Steps from noise to data: the network calls of one sample.")
    times: tuple[float, ...] | None = Field(
        default=None, description="The times of the grid, 0 = t_0 < ... < t_L, in place of a number of levels."
    )
    prior: PriorKind | None = Field(
        default=None,
        description="What sampling starts from: normal, N(0, I), or mixture, Gaussians that are fitted to the data in seconds.  "
        "[default: the mixture for vae where it is better on validation items, else normal]",
    )
    closed_forms: bool = Field(default=True, description="Replace a learned step by the mixture's where it is better on validation items.")
    noisy_steps: NoisySteps | None = Field(
        default=None,
        description="How steps before the one to data are taken: vae, or flow, around the exact step of the mixture that images start "
        "from.  [default: flow for images that start from a mixture]",
    )
    residual: bool = Field(default=False, description="Networks predict what the mixture misses, around its posterior mean.")
    head: HeadKind | None = Field(
        default=None,
        description="Likelihood of the step to data: gaussian; of images logistic, or autoregressive, whose pixels are in sequence; of "
        "rows mixture, of Gaussians in each column.  [default: autoregressive for 10,000 images or more, mixture for 5,000 rows or more]",
    )
    updates: int = Field(default=5000, ge=1, le=_MOST_UPDATES, description="Updates of the optimiser.")
    time: Duration | None = Field(
        default=None, description="How long to train, such as 90s, 20m or 2h, in place of updates: as many as fit, and schedules follow."
    )
    last_update: int | None = Field(
        default=None, ge=1, description="Update that ends a training at one rate.  [default: by cross-validation for few rows]"
    )
    batch: int = Field(default=128, ge=1, le=_MOST_BATCH, description="Items in one update.")
    micro_batch: int | None = Field(
        default=None,
        ge=1,
        description="Items of an update that are computed at once, which changes its result by rounding alone.  [default: all, and halves, "
        "quarters, ... of them once memory runs out]",
    )
    seed: int = Field(default=0, ge=0, lt=2**63, description="Seed of the weights, of the order of items and of all noise.")
    condition: str | None = Field(default=None, description="What to condition the model on: labels or attributes, if the data have them.")
    condition_dropout: float = Field(
        default=0.1, gt=0, lt=1, description="Share of the items whose condition is left out, so that samples can be guided."
    )
    any_step: bool | None = Field(
        default=None,
        description="Train on all pairs of times, so that calls are chosen when sampling.  [default: off for the vae kernel, else on]",
    )
    objective: Objective = Field(
        default=Objective.LIKELIHOOD, description="What the loss is for: the likelihood, or the quality of samples."
    )
    preset: Preset = Field(default=Preset.TINY, description="Size of the networks: tiny for minutes, small for hours.")
    architecture: str | None = Field(
        default=None,
        description="unet, patches, mlp, or what an installed package registers.  [default: unet for images from 16 x 16 up, else mlp]",
    )
    width: int | None = Field(
        default=None, ge=1, le=MOST_WIDTH, description="Neurons in a layer of an MLP or of patches, in place of the preset's."
    )
    channels: tuple[Annotated[int, Field(ge=1, le=MOST_WIDTH)], ...] | None = Field(
        default=None, description="Channels of each resolution of a U-Net or ladder, in place of the preset's."
    )
    latent: int | None = Field(
        default=None,
        ge=0,
        le=MOST_WIDTH,
        description="Size of the latent.  [default: that of a vector, a quarter of other items, at most 128]",
    )
    ladder: Ladders | None = Field(
        default=None, description="Latents at several resolutions, in the step to data (last) or in every one; for images."
    )
    parametrisation: Parametrisation = Field(
        default=Parametrisation.BRIDGE, description="Whether the network predicts the data (bridge) or z_s itself (direct)."
    )
    encoder_input: EncoderInput = Field(default=EncoderInput.Z_S, description="What the encoder sees beside z_t: z_s, or the data y.")
    variance: Variance = Field(
        default=Variance.OPTIMAL,
        description="Variance of a step: the optimal one for the network's error, DDPM's posterior, or that of the transition.",
    )
    weights: dict[str, float] = Field(
        default_factory=dict,
        description="Weights of the terms of the loss (kl, decoder, entropy, data, energy), in place of the objective's.",
    )
    eta: float = Field(
        default=1.0, gt=0, le=1, description="Share of fresh noise that steps are trained for; give the same to sample and evaluate."
    )
    level_weighting: LevelWeighting | None = Field(
        default=None,
        description="What counts equally in the loss: all nats, or all levels (equal).  [default: equal where noisy steps are a flow]",
    )
    kl_warm_up: float = Field(default=0.3, ge=0, le=1, description="Share of the updates over which the weight of the KL rises from 0.")
    importance_samples: int = Field(
        default=1,
        ge=1,
        le=MOST_SAMPLES,
        description="Latents that importance-weight each step of the loss once the KL's weight has risen; each costs about an update.",
    )
    learning_rate: float = Field(default=1e-3, gt=0, description="Learning rate of AdamW after warm-up; it falls to 0 along a half cosine.")
    warm_up: float = Field(default=0.05, ge=0, lt=1, description="Share of the updates over which the learning rate rises.")
    weight_decay: float = Field(default=0.01, ge=0, description="Weight decay of AdamW.")
    ema: float = Field(default=0.999, ge=0, lt=1, description="Decay of the averaged weights; it is warmed up too.")
    clip: float = Field(default=1.0, gt=0, description="Largest norm of the gradient of the loss, which is in nats per dimension.")
    bf16: bool | None = Field(default=None, description=f"Compute in bfloat16 where torch finds it safe.  {_TRIED}")
    channels_last: bool | None = Field(default=None, description=f"Keep the channels of images last in memory.  {_TRIED}")
    compile: bool = Field(default=False, description="Compile the networks with torch.compile: slow to start, then faster.")
    options: dict[str, Any] = Field(default_factory=dict, description="Options of a kernel that an installed package registers.")

    def __init__(self, **options: Any) -> None:
        try:
            super().__init__(**options)
        except ValidationError as error:
            raise SaltusError(_sentence(error)) from None

    @field_validator("micro_batch", mode="before")
    @classmethod
    def _as_fits(cls, items: Any) -> Any:
        return None if items == "auto" else items

    @field_validator("times")
    @classmethod
    def _a_grid(cls, times: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if times is not None and min(t - s for s, t in Levels(times).pairs()) < _LEAST_STEP:
            raise ValueError(f"expected times that are at least {_LEAST_STEP:g} apart, or noise is lost in rounding")
        return times

    @field_validator("weights")
    @classmethod
    def _of_terms(cls, weights: dict[str, float]) -> dict[str, float]:
        if wrong := [name for name, weight in weights.items() if name not in _TERMS or weight < 0]:
            raise ValueError(f"expected weights from 0 up of {', '.join(_TERMS)}, not {wrong[0]}")
        return weights

    @field_validator("kernel")
    @classmethod
    def _a_kernel(cls, kernel: str) -> str:
        KERNELS.get(kernel)
        return kernel

    @field_validator("architecture")
    @classmethod
    def _an_architecture(cls, architecture: str | None) -> str | None:
        if architecture is not None:
            NETWORKS.get(architecture)
        return architecture

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
    def _fits_the_kernel(self) -> Self:
        own, known = KERNELS.get(self.kernel).options, KERNELS.get(self.kernel).own
        if unknown := [name for name in self.options if name not in known]:
            remedy = f"expected one of {', '.join(known)}" if known else "leave it out"
            raise ValueError(f"the {self.kernel} kernel has no option of its own named {unknown[0]}; {remedy}")
        if self.kernel == "flow" and (self.architecture or self.channels or self.compile):
            raise ValueError("architecture, channels and compile are of other networks than the flow's; leave them out")
        owners = {option: name for name in KERNELS.names() for option in KERNELS.get(name).options}
        for option in (option for option in owners if option not in own):
            if getattr(self, option) != type(self).model_fields[option].get_default(call_default_factory=True):
                raise ValueError(f"{option} is for the {owners[option]} kernel, and the kernel is {self.kernel}; leave it out")
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.time is not None and self.updates != type(self).model_fields["updates"].default:
            raise ValueError(f"updates = {self.updates} and time = {self.time:g} seconds were given; give one of the two")
        direct = self.parametrisation is Parametrisation.DIRECT
        extra = [name for name in EXTRA if self.loss_weights.get(name)]
        if self.level_weighting is LevelWeighting.EQUAL and (self.levels == 1 or self.any_step):
            raise ValueError(
                "level_weighting equal is for several levels of one grid, and there is none; leave it out, or take more levels"
            )
        if self.residual and (self.prior is not PriorKind.MIXTURE or self.any_step or direct):
            raise ValueError("residual is to the mixture at times of a grid; give prior mixture, and leave any_step and direct out")
        if self.eta != 1 and (direct or self.kernel == "flow"):
            raise ValueError(f"eta = {self.eta} is of kernels that predict data, and these do not; leave it at 1")
        if self.ladder and direct:
            raise ValueError("a ladder predicts data, and a direct kernel does not; take parametrisation bridge, or no ladder")
        if self.ladder is Ladders.LAST and self.any_step and self.levels > 1:
            raise ValueError("a ladder on the last step alone cannot serve any step; take ladder every, or leave any_step out")
        if direct and extra:
            raise ValueError(
                f"the term {extra[0]} of the loss is for kernels that predict data; take parametrisation bridge, or no {extra[0]}"
            )
        if self.condition is None and self.condition_dropout != type(self).model_fields["condition_dropout"].default:
            raise ValueError("condition_dropout leaves conditions out, and there is no condition; leave it out, or give a condition")
        return self

    @model_validator(mode="after")
    def _has_a_use_for_plain_networks(self) -> Self:
        if self.ladder is Ladders.EVERY or (self.ladder and self.levels == 1):
            for name in ("latent", "architecture", "width"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name} = {getattr(self, name)} is of kernels without a ladder, and there are none; leave {name} out")
        return self

    @model_validator(mode="after")
    def _can_be_importance_weighted(self) -> Self:
        k = self.importance_samples
        if k == 1:
            return self
        if is_reweighted(self.loss_weights):
            raise ValueError(f"importance_samples = {k} trains for a bound that knows no weights; leave objective and weights out")
        if self.latent == 0 and self.ladder is None:
            raise ValueError(f"importance_samples = {k} are of kernels with a latent, and latent is 0; leave one of them out")
        if self.kl_warm_up == 1 if self.time else self.kl_warm_up * self.updates > self.updates - 1:
            raise ValueError(f"kl_warm_up = {self.kl_warm_up} leaves no update to importance_samples = {k}; take a shorter one")
        return self

    @property
    def grid(self) -> Levels:
        """The levels of the run."""
        if self.times is not None:
            return Levels(self.times)
        mixture = self.prior is PriorKind.MIXTURE
        return Levels.cosine(self.levels, _STARTS.get(self.levels, _LATEST_START) if mixture else _LAST)

    @property
    def loss_weights(self) -> dict[str, float]:
        """Of the named terms of the loss, once the KL's has risen."""
        return _WEIGHTS[self.objective] | self.weights

    def save(self, folder: Path) -> None:
        """Write `config.json`."""
        write_atomically(folder / "config.json", self.model_dump_json(indent=1) + "\n")

    @classmethod
    def from_saved(cls, options: dict[str, Any]) -> Config:
        """The configuration that a run has kept, an older one under its names of today.

        Raises:
            SaltusError: as the constructor.
        """
        return cls(**todays(options))


def _sentence(error: ValidationError) -> str:
    """The first error, with the option, what was given and what was expected."""
    first = error.errors()[0]
    if first["type"] == "extra_forbidden":
        return f"there is no option {first['loc'][0]}; expected one of {', '.join(Config.model_fields)}"
    expected = first["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    if not first["loc"]:
        return expected
    return f"option {'.'.join(map(str, first['loc']))} was given as {first['input']!r}: {expected}; correct it and try again"
