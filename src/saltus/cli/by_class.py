"""What the bound says of items whose class is not told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from saltus.chain import Chain

__all__ = ["class_figures"]

_ITEMS = 200  # whose bound is summed over classes: each takes two bounds a class


def class_figures(chain: Chain, real: Tensor, condition: Tensor, *, progress: Callable[[str], object]) -> dict[str, Any] | None:
    """The bound of items whose class is not told, and how often the bounds tell it."""
    from saltus.chain import bits_per_dim, like
    from saltus.networks import ClassCondition

    if not isinstance(chain.condition, ClassCondition):
        return None
    n = min(_ITEMS, len(real))
    progress(f"the bound of {n} items whose class is not told")
    found = chain.class_bound(real[:n].to(like(chain)))
    nats, right = found.total.double(), (found.posterior.argmax(1).cpu() == condition[:n]).double()
    bits, error = bits_per_dim(nats.mean(), chain.event_shape), nats.std() / n**0.5
    words = (
        f"class not told: {float(nats.mean()):.4f} ± {float(error):.2g} nats, {float(bits):.4f} bits/dim, of {n} items; "
        f"the bounds tell the class of {float(right.mean()):.1%} of them"
    )
    return {"items": n, "nats": float(nats.mean()), "standard_error": float(error), "accuracy": float(right.mean()), "words": words}
