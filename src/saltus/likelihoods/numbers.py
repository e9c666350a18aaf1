r"""Where the values of a column lie on the axis of y, and what each of them is given: a mass or a density.

A number x is bent, standardised, and makes room for values that come often:

.. math::
    y = \frac{T(x) + w\,\#\{a < x\} - \mu}{\sigma}, \qquad T(x) = s \operatorname{arsinh}\frac{x - c}{s}.

T is straight for s = infinity, a logarithm far from c, and smooth between: it takes long tails in, on one side or on both.

* Values that are h apart own the interval from x - h/2 to x + h/2, whose mass is their probability.
* An *atom* a is one value of a continuous column that comes often, such as 0 for "none".  It owns w of the axis, between the numbers below
  and those above it.
* Values with *shares*, such as categories, own intervals that N(0, 1) gives their shares, however rare they are:
  from Phi^-1(p_0 + ... + p_{k-1}) to Phi^-1(p_0 + ... + p_k); the first and the last interval get an end, and y is the middle.
* A number may be *absent*, as a missing cell is: the number before it then says 0 where it says 1 elsewhere.  It is told with certainty,
  by neither mass nor density, and its y is 0.
* Everything else has a density, whose logarithm changes with the axis by -ln dy/dx = ln sigma + ln cosh(T / s).

The first and the last value of the range are open to infinity where they are counted, so that masses sum to 1; draws end in the range.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from saltus.likelihoods.axis import AxisTensors, edges_of, tensor_of
from saltus.registry import Configurable

__all__ = ["Cells", "Number", "Numbers"]

_LEAST = 0.01  # of a standard deviation of the likelihood, in units of y: columns with ties would else win density without limit
_LEAST_COUNTED = 1e-3  # the same of counted values, which have masses: for the sake of gradients
_WHOLE = 10  # of these in an interval, a Gaussian in its middle has all but 6e-7 of its mass there: nothing is left to gain below
_PLAIN = ("low", "high", "step", "centre", "bend", "gap", "mean", "std")
_ROUNDING = 1e-4
_OFF = 0.01  # of an interval: how far from its middle y may be


class Number(Configurable):
    """One column's numbers and their axis.

    Args:
        low, high: the range in which data can be.
        step: h, from one value to the next, beginning with `low`; 0 for continuous numbers.
        centre, bend: c and s; s is infinity for a straight axis.
        atoms: a, increasing.
        gap: w, before standardising.
        mean, std: mu and sigma.
        shares: of the values 0, 1, ..., that have them; they stand for centre, bend, atoms, mean and std.
        optional: whether it is absent where the number before it in the row is 0.

    Raises:
        ValueError: for a range that is none, or numbers that are not finite or not positive.
    """

    def __init__(
        self,
        low: float,
        high: float,
        *,
        step: float = 0.0,
        centre: float = 0.0,
        bend: float = math.inf,
        atoms: Sequence[float] = (),
        gap: float = 0.0,
        mean: float = 0.0,
        std: float = 1.0,
        shares: Sequence[float] = (),
        optional: bool = False,
    ) -> None:
        finite = all(map(math.isfinite, (low, high, step, centre, gap, mean, std, *atoms)))
        ordered = low <= high and list(atoms) == sorted(set(atoms))
        if not (finite and ordered and step >= 0 and bend > 0 and std > 0 and (gap > 0 or not atoms)):
            raise ValueError(
                f"range {low} to {high}, step {step}, centre {centre}, bend {bend}, atoms {list(atoms)}, gap {gap}, mean {mean}, std {std}"
                "; expected finite numbers, low <= high, a bend and a std above 0, and atoms that increase with a gap above 0"
            )
        if shares and not ((low, high, step) == (0, len(shares) - 1, 1) and min(shares) > 0 and abs(sum(shares) - 1) < _ROUNDING):
            raise ValueError(
                f"{len(shares)} shares from {min(shares):g} on of {low} to {high}; expected positive ones of 0, 1, ... that sum to 1"
            )
        self.shares = tuple(shares)
        self.low, self.high, self.step, self.centre, self.bend = low, high, step, centre, bend
        self.atoms, self.gap, self.mean, self.std, self.optional = tuple(atoms), gap, mean, std, optional

    def always(self) -> Number:
        """The same, never absent."""
        return Number(**{**self._arguments, "optional": False}) if self.optional else self

    @property
    def counted(self) -> bool:
        """Whether it has values with a mass."""
        return self.step > 0 or bool(self.atoms)


class Cells(NamedTuple):
    """What each number owns of the axis of y, (B, d) float64: from `below` to `above` where it is `counted`."""

    below: Tensor
    above: Tensor
    counted: Tensor


class Numbers:
    """The numbers of d columns, and their axes, all at once: float64 (B, d) in and out.

    Raises:
        ValueError: if a number is optional and the one before it does not say 0 or 1.
    """

    def __init__(self, numbers: Sequence[Number]) -> None:
        for j, number in enumerate(numbers):
            if number.optional and (j == 0 or (numbers[j - 1].low, numbers[j - 1].high, numbers[j - 1].step) != (0, 1, 1)):
                raise ValueError(f"number {j} is optional, and number {j - 1} does not say 0 or 1; expected one that does before it")
        self._shared = any(number.shares for number in numbers)
        self._optional = any(number.optional for number in numbers)
        self._curved = any(math.isfinite(number.bend) for number in numbers)
        with torch.device("cpu"):  # also where a module is made without memory
            self._on = {torch.device("cpu"): self._made(numbers)}

    def columns(self, device: torch.device) -> AxisTensors:
        """Copied to a device once."""
        if device not in self._on:
            self._on[device] = AxisTensors(*(value.to(device) for value in self._on[torch.device("cpu")]))
        return self._on[device]

    def forward(self, x: Tensor) -> Tensor:
        """y of numbers; that of counted ones is the middle of what they own.  Absent ones may be anything, NaN too."""
        absent = self._absent(x)
        below, above = self._ends(torch.where(absent, self.columns(x.device).low, x))
        return torch.where(absent, 0.0, (below + above) / 2)

    def ends(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """y of the first and of the last number of each range, (d,)."""
        on = self.columns(device)
        low, high = (torch.stack(self._ends(end[None])).mean(0)[0] for end in (on.low, on.high))
        return low, high

    def inverse(self, y: Tensor) -> Tensor:
        """The numbers of y: those that are counted on their values, and all in their range; NaN where they are absent."""
        on = self.columns(y.device)
        x = torch.clamp(self._nearest(y)[0], on.low, on.high)
        return torch.where(self._absent(x), torch.nan, x)

    def absent(self, y: Tensor) -> Tensor:
        """Which numbers of y are absent, (B, d) bool."""
        return self._absent(self._nearest(y)[0]) if self._optional else torch.zeros_like(y, dtype=torch.bool)

    def cells(self, y: Tensor, *, closed: bool = False) -> Cells:
        """What the numbers of y own; one outside of the range owns as much as if the range went on.

        Args:
            y: (B, d).
            closed: whether the first and the last value own no more than others do.
        """
        on = self.columns(y.device)
        x, counted = self._nearest(y)
        counted = counted & ~self._absent(x)
        below, above = self._ends(x)
        if closed:
            return Cells(below, above, counted)
        first, last = ((x - end).abs() <= on.step / 4 for end in (on.low, on.high))
        return Cells(torch.where(first, -torch.inf, below), torch.where(last, torch.inf, above), counted)

    def places(self, y: Tensor) -> Tensor:
        """The places 0, 1, ... of the nearest values of columns in steps, (B, d) int64; 0 in other columns."""
        on = self.columns(y.device)
        step = torch.where(on.step > 0, on.step, 1.0)
        places = ((self._nearest(y)[0] - on.low) / step).round().clamp_min(0)
        return torch.where(on.step > 0, torch.minimum(places, ((on.high - on.low) / step).round()), 0.0).long()

    def settled(self, y: Tensor) -> Tensor:
        """y (B, d) where values are, and in their range."""
        return self.forward(self.inverse(y))

    def log_jacobian(self, y: Tensor) -> Tensor:
        """-ln dy/dx of each number, nats (B, d); 0 where it is counted, as masses are the same on every axis."""
        on = self.columns(y.device)
        u, inside = self._without_atoms(y)
        scaled = (u / on.bend).abs()  # 0 on a straight axis
        log_cosh = scaled + torch.log1p(torch.exp(-2 * scaled)) - math.log(2)
        return torch.where((on.step > 0) | inside.any(-1) | self.absent(y), 0.0, on.std.log() + log_cosh)

    def off(self, y: Tensor) -> Tensor:
        """Where y is of a column in steps and not in the middle of what a value owns, or absent and not 0, beyond rounding: (B, d) bool."""
        below, above, _ = self.cells(y, closed=True)
        rounding = 2 * torch.finfo(torch.float32).eps * (1 + y.abs())
        uncentred = ~((y - (below + above) / 2).abs() <= _OFF * (above - below) + rounding)
        return torch.where(self.absent(y), y != 0, (self.columns(y.device).step > 0) & uncentred)

    def _made(self, numbers: Sequence[Number]) -> AxisTensors:
        most = max((len(number.atoms) for number in numbers), default=0)
        plain = {name: tensor_of([getattr(number, name) for number in numbers]) for name in _PLAIN}
        atoms = tensor_of([[*number.atoms, *[math.inf] * (most - len(number.atoms))] for number in numbers]).reshape(len(numbers), most)
        which = {
            "counted": torch.tensor([j for j, number in enumerate(numbers) if number.counted], dtype=torch.int64),
            "optional": torch.tensor([number.optional for number in numbers], dtype=torch.bool),
            "dense": torch.tensor([j for j, number in enumerate(numbers) if not number.step], dtype=torch.int64),
        }
        which["shared"] = torch.tensor([bool(number.shares) for number in numbers], dtype=torch.bool)
        on = AxisTensors(
            **plain, atoms=atoms, starts=atoms, ends=atoms, edges=edges_of([number.shares for number in numbers]), least=atoms, **which
        )
        before = torch.arange(most)[:, None] * on.gap
        starts, ends = (self._bent(atoms.T, on, side) for side in (-1, 1))
        return on._replace(starts=(starts + before).T, ends=(ends + before + on.gap).T, least=self._least(on))

    def _least(self, on: AxisTensors) -> Tensor:
        low, high = (self._bent(end, on, 1) - self._bent(end, on, -1) for end in (on.low, on.high))
        narrowest = torch.minimum(low, high) / on.std  # far from the centre of a bent axis
        if self._shared:
            widths = on.edges.diff(dim=1)
            narrowest = torch.where(on.shared, torch.where(widths.isfinite(), widths, torch.inf).amin(1), narrowest)
        counted = (narrowest / _WHOLE).clamp_min(_LEAST_COUNTED)
        return torch.where(on.step > 0, counted, _LEAST)

    def _absent(self, x: Tensor) -> Tensor:
        """Which of numbers are absent."""
        if not self._optional:
            return torch.zeros_like(x, dtype=torch.bool)
        return self.columns(x.device).optional & (x.roll(1, dims=-1) < 0.5)  # the first is not optional

    def _ends(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Where what numbers own begins and ends, without the openness of the range."""
        on = self.columns(x.device)
        below, above = (self._bent(x, on, side) for side in (-1, 1))
        if on.atoms.shape[1]:
            near = on.step[:, None] / 4  # so that rounding tells no value from itself
            below = below + on.gap * (on.atoms < x[..., None] - near).sum(-1)
            above = above + on.gap * (on.atoms <= x[..., None] + near).sum(-1)
        below, above = (below - on.mean) / on.std, (above - on.mean) / on.std
        if not self._shared:
            return below, above
        place = torch.where(on.shared, x, 0.0).long()
        edges = on.edges.expand(*x.shape, -1)
        lower, upper = (edges.gather(-1, (place + side)[..., None])[..., 0] for side in (0, 1))
        return torch.where(on.shared, lower, below), torch.where(on.shared, upper, above)

    def _without_atoms(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """The bent axis without the room for atoms, (B, d), and which atom a number is, (B, d, A) bool."""
        on = self.columns(y.device)
        u = y * on.std + on.mean
        inside = (u[..., None] >= on.starts) & (u[..., None] <= on.ends)
        return u - on.gap * (u[..., None] > on.ends).sum(-1), inside

    def _nearest(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """The numbers of y, the counted ones on their values, and which these are."""
        on = self.columns(y.device)
        u, inside = self._without_atoms(y)
        x = on.centre + self._straight(u, on)
        if inside.shape[-1]:
            x = torch.where(inside.any(-1), torch.where(inside, on.atoms, 0.0).sum(-1), x)
        step = torch.where(on.step > 0, on.step, 1.0)
        if self._shared:
            place = torch.searchsorted(on.edges[:, 1:].contiguous(), y.mT.contiguous()).mT
            x = torch.where(on.shared, torch.minimum(place.to(x), on.high), x)
        return torch.where(on.step > 0, on.low + step * ((x - on.low) / step).round(), x), (on.step > 0) | inside.any(-1)

    def _bent(self, x: Tensor, on: AxisTensors, side: int) -> Tensor:
        """T(x - h/2) for side -1, T(x + h/2) for 1: half a step is added near the centre, where it is not lost to rounding."""
        away = x - on.centre + side * on.step / 2
        if not self._curved:
            return away
        straight = torch.isinf(on.bend)
        scale = torch.where(straight, 1.0, on.bend)
        return torch.where(straight, away, scale * torch.asinh(away / scale))

    def _straight(self, u: Tensor, on: AxisTensors) -> Tensor:
        """The distance from the centre, of T."""
        if not self._curved:
            return u
        straight = torch.isinf(on.bend)
        scale = torch.where(straight, 1.0, on.bend)
        return torch.where(straight, u, scale * torch.sinh(u / scale))
