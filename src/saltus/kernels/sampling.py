"""How the steps of a chain are sampled: what the last one returns, fresh noise, the width of latents, guidance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from saltus.errors import SaltusError

__all__ = ["DEFAULT", "Final", "Sampling"]

_MOST = 1e4  # what is larger is mistyped, and samples would overflow
Final = Literal["auto", "mode", "mean", "sample"]
"""What the step to data returns of p(y | .)."""


@dataclass(frozen=True)
class Sampling:
    """How steps are sampled.  The bound is that of `final="sample"` with temperature = guidance = 1; each eta has its own.

    Attributes:
        final: what the step to data returns: the mode of p(y | .), its mean, or a sample of it.  "auto" is what the
            head `ends_in`: the mode of values that are counted, each on its own, and a sample of all others.
        eta: a number from 0 to 1.  The share eta^2 of the bridge's noise is fresh, and the rest is that of z_t (DDIM's eta,
            https://arxiv.org/abs/2010.02502).  If the step's y were an exact draw of q(y | z_t),
            every eta would give the same distribution.
        temperature: > 0, up to 10^4: the standard deviation of latents.  Above 1 they vary more.
        guidance: >= 0, up to 10^4: the weight W of the condition: yhat = yhat(none) + W (yhat(c) - yhat(none))
            (https://arxiv.org/abs/2207.12598).  1 is the conditional model itself, 0 the unconditional one.  Steps that do not predict
            data, in closed form or by a flow, keep the condition as it is.

    Raises:
        SaltusError: for a value outside its range.
    """

    final: Final = "auto"
    eta: float = 1.0
    temperature: float = 1.0
    guidance: float = 1.0

    def __post_init__(self) -> None:
        if self.final not in get_args(Final):
            raise SaltusError(f"final = {self.final!r} was given; expected one of {', '.join(get_args(Final))}: choose one")
        if not 0 <= self.eta <= 1:
            raise SaltusError(f"eta = {self.eta} was given; expected a share from 0 to 1: correct it")
        if not 0 < self.temperature <= _MOST:
            raise SaltusError(f"temperature = {self.temperature} was given; expected a positive number up to {_MOST:g}: correct it")
        if not 0 <= self.guidance <= _MOST:
            raise SaltusError(f"guidance = {self.guidance} was given; expected a number from 0 up to {_MOST:g}: correct it")


DEFAULT = Sampling()
