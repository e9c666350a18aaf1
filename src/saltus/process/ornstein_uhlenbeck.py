r"""The noise process, exact at any real time.

It is the Ornstein-Uhlenbeck process, with the signal scale $\alpha(t) = e^{-t}$ and the noise scale $\sigma(t)^2 = 1 - e^{-2t}$:

$$
\begin{aligned}
\text{SDE}        &\quad dz = -z\, dt + \sqrt2\, dB \\
\text{marginal}   &\quad q(z_t \mid y) = \mathcal N(\alpha(t)\, y,\; \sigma(t)^2 I) \\
\text{transition} &\quad q(z_t \mid z_s) = \mathcal N(e^{-(t-s)} z_s,\; (1 - e^{-2(t-s)}) I), \quad s \le t \\
\text{bridge}     &\quad q(z_s \mid z_t, y) = \mathcal N(A z_t + B y,\; S I), \quad v = \sigma(t-s)^2, \\
                  &\quad A = e^{-(t-s)} \frac{\sigma(s)^2}{\sigma(t)^2}, \quad B = e^{-s} \frac{v}{\sigma(t)^2}, \quad
                         S = \frac{v\, \sigma(s)^2}{\sigma(t)^2}
\end{aligned}
$$

The bridge is one of a family that all carry $q(z_t \mid y)$ to $q(z_s \mid y)$ (Song et al. 2021, https://arxiv.org/abs/2010.02502):
the share $\eta^2$ of its noise is fresh, and the rest is reused from $z_t$,

$$A = \frac{\sigma(s)}{\sigma(t)} \sqrt{1 - \eta^2 \frac{v}{\sigma(t)^2}}, \qquad B = e^{-s} - e^{-t} A, \qquad \eta^2 S.$$

At $\eta = 1$ it is the bridge; at $\eta = 0$ all noise is that of $z_t$.

A chain with constant $\alpha$, $z_l = \alpha z_{l-1} + \sqrt{1 - \alpha^2}\, \epsilon$, is this process read at $t = -l \ln \alpha$; so is
every other variance-preserving schedule (Ho et al. 2020, https://arxiv.org/abs/2006.11239), at $t = -\frac12 \ln \bar\alpha$.

Times are numbers or tensors of shape () or (B,), real and >= 0.  Coefficients are computed in float64
and cast once, to the dtype of the data.  Where a distribution has no width (t = 0, s = t, s = 0 in the bridge)
it is a `Delta`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution, Normal

from saltus.process.delta import normal_or_delta
from saltus.process.divergence import normal_kl

__all__ = ["ConstantAlpha", "OrnsteinUhlenbeck", "Time", "as_time", "per_item", "sum_items"]

Time = float | Tensor


def as_time(t: Time, name: str = "t") -> Tensor:
    """`t` as a float64 tensor of shape () or (B,).

    Raises:
        ValueError: if a time is negative, not finite, or of another shape.
    """
    time = torch.as_tensor(t, dtype=torch.float64)
    if time.ndim > 1:
        raise ValueError(f"{name} has shape {tuple(time.shape)}; expected a number or a tensor of shape () or (B,)")
    ends: tuple[Time, Time] = (t, t)  # a number is looked at as one, so that a step between numbers is one graph
    if isinstance(t, Tensor):
        ends = torch.aminmax(time) if time.numel() else (0.0, 0.0)  # one pass: every step asks
    if not (ends[0] >= 0 and ends[1] < math.inf):  # NaN is neither
        raise ValueError(f"{name} = {time.tolist()}; expected finite times >= 0")
    return time


def per_item(coefficient: Tensor, z: Tensor) -> Tensor:
    """A coefficient of shape () or (B,) as (B, 1, ..., 1), in the dtype and on the device of `z`.

    Raises:
        ValueError: if it has neither one value nor one for each item of `z`.
    """
    if coefficient.ndim and coefficient.shape[0] != z.shape[0]:
        raise ValueError(f"{coefficient.shape[0]} times were given for a batch of {z.shape[0]} items; expected a number, or one time each")
    return coefficient.to(z.device, z.dtype).reshape(-1, *(1,) * (z.ndim - 1))


def sum_items(values: Tensor) -> Tensor:
    """The sum over the event dimensions, (B,), of values (B, *E)."""
    return values.reshape(len(values), -1).sum(1)


def _ordered(s: Time, t: Time) -> tuple[Tensor, Tensor]:
    s_, t_ = as_time(s, "s"), as_time(t, "t")
    if s_.ndim and t_.ndim and s_.shape != t_.shape:
        raise ValueError(f"s has {len(s_)} times and t has {len(t_)}; expected as many")
    later = bool((s_ > t_).any()) if isinstance(s, Tensor) or isinstance(t, Tensor) else s > t
    if later:
        raise ValueError(f"s = {s_.tolist()} is later than t = {t_.tolist()}; expected s <= t (s is the cleaner time)")
    return s_, t_


def _check_data(**data: Tensor) -> None:
    for name, z in data.items():
        if not z.is_floating_point() or z.ndim == 0:
            raise ValueError(f"{name} has dtype {z.dtype} and shape {tuple(z.shape)}; expected a floating-point tensor (B, *E)")
    shapes = {name: tuple(z.shape) for name, z in data.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"shapes differ: {shapes}; expected the same for all")


class OrnsteinUhlenbeck:
    """The noise process.  It has no parameters: other schedules are other grids of times (`Levels`)."""

    diffusion: float = math.sqrt(2.0)
    """sqrt(2), the noise of the SDE per square root of time."""

    def alpha(self, t: Time) -> Tensor:
        """Signal scale e^{-t}, in [0, 1]; float64, the shape of `t`."""
        return torch.exp(-as_time(t))

    def sigma(self, t: Time) -> Tensor:
        """Noise scale sqrt(1 - e^{-2t}), in [0, 1]; float64, the shape of `t`."""
        return self._variance(as_time(t)).sqrt()

    def log_snr(self, t: Time) -> Tensor:
        """ln(alpha^2 / sigma^2), +inf at t = 0 and about -2t for large t; float64, the shape of `t`."""
        t = as_time(t)
        return -2 * t - torch.log(self._variance(t))

    def time_at_log_snr(self, log_snr: Time) -> Tensor:
        """The inverse of `log_snr`: t = ln(1 + e^{-log_snr}) / 2; +inf gives 0.

        Raises:
            ValueError: for NaN and for -inf, which no finite time reaches.
        """
        value = torch.as_tensor(log_snr, dtype=torch.float64)
        if bool((torch.isnan(value) | (value == -torch.inf)).any()):
            raise ValueError(f"log_snr = {value.tolist()}; expected real numbers, or +inf for t = 0")
        return torch.logaddexp(torch.zeros_like(value), -value) / 2

    def marginal(self, y: Tensor, t: Time) -> Distribution:
        """q(z_t | y) = N(alpha y, sigma^2 I).

        Args:
            y: data (B, *E).
            t: time, >= 0, () or (B,).

        Returns:
            A distribution with batch shape (B,) and event shape E; `Delta` at t = 0.

        Raises:
            ValueError: for a negative or non-finite time, or as many times as neither 1 nor B.
        """
        _check_data(y=y)
        return normal_or_delta(per_item(self.alpha(t), y) * y, per_item(self.sigma(t), y))

    def transition(self, z_s: Tensor, dt: Time) -> Distribution:
        """q(z_{s+dt} | z_s): the same distribution as `marginal`, started at z_s.

        Args:
            z_s: (B, *E).
            dt: the time that passes, >= 0, () or (B,).

        Returns:
            A distribution with batch shape (B,) and event shape E; `Delta` at dt = 0.
        """
        return self.marginal(z_s, dt)

    def noised(self, z_s: Tensor, dt: Time, unit: Tensor) -> Tensor:
        """The draw of `transition` that unit Gaussian noise (B, *E) makes: e^{-dt} z_s + sigma(dt) unit, (B, *E)."""
        dt = as_time(dt)
        return per_item(torch.exp(-dt), z_s) * z_s + per_item(self._variance(dt).sqrt(), z_s) * unit

    def bridge_coefficients(self, s: Time, t: Time, eta: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
        """A, B and S of q(z_s | z_t, y) = N(A z_t + B y, S I), or of its family's member eta; float64, () or (B,).

        Raises:
            ValueError: if s > t, a time is negative or not finite, or eta is not in [0, 1].
        """
        if not 0 <= eta <= 1:
            raise ValueError(f"eta = {eta}; expected a share of fresh noise from 0 to 1")
        s, t = _ordered(s, t)
        total = self._variance(t)
        still = total == 0  # t = 0, hence s = 0: z_s is z_t
        total = torch.where(still, torch.ones_like(total), total)
        fresh = self._variance(t - s) / total  # u = v / sigma(t)^2
        left = torch.exp(2 * (s - t)) * (self._variance(s) / total)  # 1 - u, without its cancellation
        a = torch.where(still, torch.ones_like(total), (self._variance(s) / total * (1 - eta**2 + eta**2 * left)).sqrt())
        kept = torch.exp(s - t) * a  # B = e^{-s} (1 - kept), and 1 - kept^2 = u (1 + eta^2 (1 - u))
        b = torch.exp(-s) * fresh * (1 + eta**2 * left) / (1 + kept)
        return a, b, eta**2 * fresh * self._variance(s)

    def bridge(self, z_t: Tensor, y: Tensor, s: Time, t: Time) -> Distribution:
        """q(z_s | z_t, y) = N(A z_t + B y, S I), the distribution of the past given both ends.

        Args:
            z_t, y: (B, *E) each.
            s, t: times, 0 <= s <= t, () or (B,).

        Returns:
            A distribution with batch shape (B,) and event shape E; `Delta` at s = 0 (it is y) and at s = t (it is z_t).

        Raises:
            ValueError: if s > t, a time is negative or not finite, or shapes differ.
        """
        _check_data(z_t=z_t, y=y)
        a, b, variance = self.bridge_coefficients(s, t)
        return normal_or_delta(per_item(a, y) * z_t + per_item(b, y) * y, per_item(variance, y).sqrt())

    def prior_cost(self, y: Tensor, t: Time) -> Tensor:
        """KL(q(z_t | y) || N(0, I)) in nats, (B,): what a standard normal prior at time t > 0 costs each item."""
        _check_data(y=y)
        if bool((as_time(t) == 0).any()):
            raise ValueError(f"t = {as_time(t).tolist()}; a standard normal prior has a finite cost only at t > 0")
        mean, std = per_item(self.alpha(t), y) * y, per_item(self.sigma(t), y).expand_as(y)
        cost = normal_kl(Normal(mean, std), Normal(torch.zeros_like(y), torch.ones_like(y)))
        return sum_items(cost)

    def drift(self, z: Tensor) -> Tensor:
        """-z, the drift of the SDE; the shape of `z`."""
        return -z

    def simulate(self, y: Tensor, t: Time, steps: int, *, noise: Tensor | None = None) -> Tensor:
        """z_t by Euler-Maruyama, small steps of the SDE: z <- z - z h + sqrt(2 h) noise.

        From a point its variance is exactly (1 - (1-h)^{2 steps}) / (1 - h/2) with h = t / steps: weak order 1.
        Use `marginal` for the exact distribution.

        Args:
            y: (B, *E).
            t: end time, >= 0, () or (B,).
            steps: number of steps, >= 1.
            noise: unit Gaussian noise (steps, B, *E); drawn from torch's global generator by default.

        Returns:
            (B, *E).
        """
        _check_data(y=y)
        if steps < 1:
            raise ValueError(f"steps = {steps}; expected at least 1")
        if noise is None:
            noise = torch.randn(steps, *y.shape, dtype=y.dtype, device=y.device)
        if noise.shape != (steps, *y.shape):
            raise ValueError(f"noise has shape {tuple(noise.shape)}; expected {(steps, *y.shape)}")
        h = per_item(as_time(t) / steps, y)
        z = y
        for unit in noise:
            z = z + self.drift(z) * h + self.diffusion * h.sqrt() * unit
        return z

    def discrete(self, alpha: float) -> ConstantAlpha:
        """The chain z_l = alpha z_{l-1} + sqrt(1 - alpha^2) epsilon, alpha in (0, 1)."""
        return ConstantAlpha(alpha, self)

    def per_unit_time(self, N: int) -> ConstantAlpha:
        """The chain with N levels per unit time, alpha = e^{-1/N}."""
        if N < 1:
            raise ValueError(f"N = {N}; expected at least one level per unit time")
        return ConstantAlpha(math.exp(-1 / N), self)

    @staticmethod
    def _variance(t: Tensor) -> Tensor:
        return -torch.expm1(-2 * t)

    def __repr__(self) -> str:
        return "OrnsteinUhlenbeck()"


@dataclass(frozen=True)
class ConstantAlpha:
    """The discrete view: levels l = 0, 1, 2, ... of the process, at t = -l ln(alpha).

    Raises:
        ValueError: if alpha is not in (0, 1), or a level is negative.
    """

    alpha: float
    process: OrnsteinUhlenbeck

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha = {self.alpha}; expected 0 < alpha < 1")

    def time(self, level: int | Tensor) -> Tensor:
        """-level ln(alpha), float64."""
        return as_time(torch.as_tensor(level, dtype=torch.float64) * -math.log(self.alpha), "the time of the level")

    def marginal(self, y: Tensor, level: int | Tensor) -> Distribution:
        """q(z_l | y) = N(alpha^l y, (1 - alpha^{2l}) I)."""
        return self.process.marginal(y, self.time(level))

    def transition(self, z_l: Tensor, k: int | Tensor) -> Distribution:
        """q(z_{l+k} | z_l) = N(alpha^k z_l, (1 - alpha^{2k}) I)."""
        return self.process.transition(z_l, self.time(k))

    def bridge(self, z_l: Tensor, y: Tensor, k: int | Tensor, level: int | Tensor) -> Distribution:
        """q(z_k | z_l, y) for k <= l."""
        return self.process.bridge(z_l, y, self.time(k), self.time(level))
