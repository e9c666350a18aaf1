r"""The bound of items whose class is not told, and the class that the bounds tell.

With B_c the bound of -ln p(y | c), any distribution r(c) that does not depend on the noise of B_c gives

.. math:: -\ln p(y) = -\ln \sum_c p(c)\, p(y \mid c) \;\le\; \sum_c r(c)\, [B_c - \ln p(c) + \ln r(c)],

which is least for r(c) proportional to p(c) exp(-E B_c).  r is estimated from one set of paths, while B_c comes from another, independent
one: with the same paths the minimum over r would follow their noise, and the mean would be no bound.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from saltus.errors import SaltusError

__all__ = ["ClassBound", "class_bound"]


@dataclass(frozen=True)
class ClassBound:
    """What the bounds of -ln p(y | c) say of items.

    Attributes:
        per_class: B_c, the mean over both sets of paths, (B, K) nats.
        posterior: p(c | y) as far as the bounds tell, (B, K): a classifier.
        total: the bound on -ln p(y), (B,) nats.
    """

    per_class: Tensor
    posterior: Tensor
    total: Tensor


def class_bound(chosen_by: Tensor, measured_by: Tensor, log_frequencies: Tensor) -> ClassBound:
    """From bounds of -ln p(y | c) on two independent sets of paths, (B, K) nats each, and ln p(c), (K,).

    Raises:
        SaltusError: if shapes do not fit.
    """
    if chosen_by.shape != measured_by.shape or chosen_by.shape[1:] != log_frequencies.shape:
        shapes = [tuple(x.shape) for x in (chosen_by, measured_by, log_frequencies)]
        raise SaltusError(f"shapes {shapes} were given; expected (B, K), (B, K) and (K,): give one bound for each item and class")
    log_prior = log_frequencies.to(chosen_by)
    log_r = (log_prior - chosen_by).log_softmax(1)
    r = log_r.exp()
    parts = r * (measured_by - log_prior + log_r)
    total = parts.masked_fill(r == 0, 0.0).sum(1)  # a class without a share, whose bound may be infinite, costs nothing
    both = (chosen_by + measured_by) / 2
    return ClassBound(both, (log_prior - both).softmax(1), total)
