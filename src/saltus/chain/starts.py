"""What a chain may start from.

A chain that starts from a mixture q(z_L) may start from N(0, I) at a late time as well: one step more, the mixture's exact reverse step
q(z_L | z_T), leads from there to z_L and calls no network.  A chain that was trained from N(0, I) starts from it alone.
"""

from __future__ import annotations

from typing import Any

from saltus.chain.chain import Chain
from saltus.chain.prior import OraclePrior, StandardNormal
from saltus.errors import SaltusError
from saltus.kernels import OracleKernel
from saltus.levels import Levels

__all__ = ["MIXTURE_START", "NOISE_START", "started", "starts"]

NOISE_START, MIXTURE_START = "noise", "mixture"
_LATE = 5.0  # alpha = 0.007: z_T tells next to nothing of y
_AFTER = 1.0  # how much later than t_L, where that is late itself


def starts(chain: Chain) -> tuple[str, ...]:
    """What it may start from, its own start first: "noise", "mixture"."""
    return (MIXTURE_START, NOISE_START) if isinstance(chain.prior, OraclePrior) else (NOISE_START,)


def started(chain: Chain, start: str) -> Chain:
    """The chain with one of its starts.  Its number of network calls stays: a step that is added is in closed form.

    Raises:
        SaltusError: for a start that it does not have.

    >>> from saltus.pretrained import run_folder
    >>> started(Chain.load(run_folder("mnist")), "noise").levels
    Levels([0.0, 0.3, 5.0])
    """
    known = starts(chain)
    if start not in known:
        raise SaltusError(f"a start from {start} was asked for, and this chain starts from {' or '.join(known)}; choose that")
    if start == known[0]:
        return chain
    assert isinstance(chain.prior, OraclePrior)
    oracle = chain.prior.oracle
    closed = OracleKernel(oracle, condition=chain.condition if oracle.labelled else None)
    last = max(_LATE, chain.levels.last + _AFTER)
    kept = ("scaling", "importance_samples", "encoding", "noise_version", "sampling")
    same: dict[str, Any] = {name: getattr(chain, name) for name in kept}
    kernels = [*(chain.kernel(level) for level in range(1, chain.levels.L + 1)), closed]
    return Chain(StandardNormal(), Levels([*chain.levels, last]), kernels, **same).train(chain.training)
