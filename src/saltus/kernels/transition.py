r"""A transition from time t to a cleaner time s, as a value; every kernel takes one.

With A, B and S of the bridge (see `saltus.process`),

.. math:: q_\eta(z_s \mid z_t, y) = \mathcal N(A z_t + B y,\; S I).

Transitions are built in three places: the loss, the bound and the reverse loop.  What steps at sampling need of them is made from
numbers, never by looking at a tensor's values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from saltus.process import OrnsteinUhlenbeck, Time, as_time, per_item

__all__ = ["Bridge", "Pair", "Transition"]

_process = OrnsteinUhlenbeck()
T = TypeVar("T")


class _Once(Generic[T]):
    """A property that is computed when it is first asked for.  Unlike `functools.cached_property` of Python 3.11 it takes no lock, at which
    `torch.compile` would end its graph."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make, self.__doc__ = make, make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, thing: Any, owner: type) -> T:
        kept: dict[str, T] = thing.__dict__
        if self._name not in kept:
            kept[self._name] = self._make(thing)
        return kept[self._name]


@dataclass(frozen=True, eq=False)
class Bridge:
    """The coefficients A, B and S of q_eta(z_s | z_t, y), (B, 1, ..., 1) each."""

    coef_z: Tensor
    coef_y: Tensor
    var: Tensor

    def mean(self, z_t: Tensor, y: Tensor) -> Tensor:
        """A z_t + B y, (B, *E)."""
        return self.coef_z * z_t + self.coef_y * y

    def sample(self, z_t: Tensor, y: Tensor, eps: Tensor) -> Tensor:
        """z_s between z_t and y from unit Gaussian noise, (B, *E) each; y itself where s = 0."""
        return self.mean(z_t, y) + self.var.sqrt() * eps


@dataclass(frozen=True, eq=False)
class Transition:
    """From z_t to z_s.

    Attributes:
        z_t: (B, *E).
        s, t: times, s < t: numbers, or one for each item, (B,).
        condition: what the items are conditioned on, (B, ...); None for nothing.
        guidance: the weight of the condition, see `Sampling`; only sampling changes it.
        eta: which member of the family the step reverses, from 0 to 1: the share eta^2 of the bridge's noise is fresh.
    """

    z_t: Tensor
    s: Time
    t: Time
    condition: Tensor | None = None
    guidance: float = 1.0
    eta: float = 1.0

    @_Once
    def log_snr(self) -> Tensor:
        """Of t and of s, (B, 2) float64, on the device of z_t."""
        pair = [_process.log_snr(time).expand(self.z_t.shape[0]) for time in (self.t, self.s)]
        return torch.stack(pair, dim=1).to(self.z_t.device)

    @_Once
    def bridge(self) -> Bridge:
        """q_eta(z_s | z_t, y)."""
        coefficients = _process.bridge_coefficients(self.s, self.t, self.eta)
        return Bridge(*(per_item(c.expand(self.z_t.shape[0]), self.z_t) for c in coefficients))

    @property
    def is_final(self) -> bool | Tensor:
        """Whether s = 0: known for a number; for one time each, a boolean (B,) on the device of the times."""
        return bool(self.s == 0) if not isinstance(self.s, Tensor) else as_time(self.s).expand(self.z_t.shape[0]) == 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Pair(Transition):
    """A transition with the data and the z_s that it led through: what training and bounds know.

    Attributes:
        y: data, (B, *E).
        z_s: the point of the same path, a draw of q_eta(z_s | z_t, y), (B, *E); y where s = 0.
    """

    y: Tensor
    z_s: Tensor
