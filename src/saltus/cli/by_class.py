"""What a run of classes is worth: the bound of items whose class is not told, and classifiers that learn from what it draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from saltus.chain import Chain
    from saltus.data import DataSet
    from saltus.kernels import Sampling

__all__ = ["class_figures", "classifier_figures"]

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


def classifier_figures(
    chain: Chain, items: DataSet, n: int | None, sampling: Sampling, *, progress: Callable[[str], object]
) -> dict[str, Any]:
    """How well a classifier does that learns from drawn items, beside one that learns from real ones."""
    from saltus.evaluation import classification_accuracy

    progress("classifiers that learn from drawn items, real ones and both")
    found = classification_accuracy(chain, items, n, sampling=sampling)
    drawn, real, both = (f"{share:.1%} ± {error:.1%}" for share, error in (found.generated, found.real, found.both))
    words = (
        f"a classifier that learned from {found.learned:,} drawn items tells the class of {drawn} of {found.tested:,} test items; from as "
        f"many real ones {real}, from both {both}, and the most frequent class is that of {found.constant:.1%}"
    )
    return {**asdict(found), "words": words}
