"""The choices among a few words that a training run has."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["HeadKind", "LevelWeighting", "Objective", "PriorKind"]


class Objective(StrEnum):
    """What a VAE kernel is trained for: `likelihood` (weight 1 on every nat of the bound) or `quality` (of samples)."""

    LIKELIHOOD = "likelihood"
    QUALITY = "quality"


class PriorKind(StrEnum):
    """What z_L is drawn from: `normal`, N(0, I), or `mixture`, a mixture of Gaussians that is fitted to the data in closed form."""

    NORMAL = "normal"
    MIXTURE = "mixture"


class HeadKind(StrEnum):
    """The likelihood of the step to data: `gaussian`; of images `logistic`, mixtures of logistics with channels in sequence, or
    `autoregressive`, the same with pixels in sequence too; or, of rows of a table, `mixture`, Gaussians in each column."""

    GAUSSIAN = "gaussian"
    LOGISTIC = "logistic"
    AUTOREGRESSIVE = "autoregressive"
    MIXTURE = "mixture"


class LevelWeighting(StrEnum):
    """What counts equally in a VAE's loss: all `nats`, as in the bound, or all levels (`equal`)."""

    NATS = "nats"
    EQUAL = "equal"
