r"""One item under the noise process, at any real time.

.. math::
    z_t &= \alpha y + \sigma \epsilon, \qquad \alpha = e^{-t}, \quad \sigma^2 = 1 - e^{-2t} \\
    q(z_s \mid z_t, y) &= \mathcal N(A z_t + B y,\; S I)

The discrete views read the same time as a number of levels: a chain with constant alpha per level is at l = -t / ln(alpha), one with N
levels per unit time at l = N t.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.kernels import Transition
from saltus.levels import Levels
from saltus.process import Noise, OrnsteinUhlenbeck
from saltus.studies.pages import MARKERS, PALETTE
from saltus.studio.equivalents import Equivalent, command
from saltus.studio.html import images, page, plot, side, table
from saltus.studio.limits import check_whole
from saltus.studio.runs import Run
from saltus.studio.sheet import Sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["LAST", "NoiseSettings", "Noised", "as_page", "equivalent", "noised"]

LAST = 8.0
"""The latest time of the slider: alpha is 3e-4 there."""
_EARLIEST = 1e-3  # of the curve of log-SNR
_APART = 1.02  # of two marks on its axis
_MOST_LEVELS = 1000
_MOST_SEEDS = 2**62
_process = OrnsteinUhlenbeck()

_WORDS = {
    "alpha": "weight of y in z_t",
    "sigma": "standard deviation of the noise in z_t",
    "log-SNR": "ln(alpha^2 / sigma^2)",
    "A": "weight of z_t in the mean of q(z_s | z_t, y)",
    "B": "weight of y in that mean",
    "S": "variance of q(z_s | z_t, y)",
    "level at constant alpha": "which level t is, where each has this alpha",
    "level at N per unit time": "which level t is, of N per unit time",
}
"""What each figure is."""


@dataclass(frozen=True)
class NoiseSettings:
    """What is shown of one item.

    Attributes:
        t: the time, from 0 to 8.
        s: the cleaner time that the bridge leads back to, from 0 to t.
        seed: of the noise.
        alpha: of one level of the discrete view, above 0 and below 1.
        N: levels per unit time of the other.

    Raises:
        SaltusError: for a value outside its range.
    """

    t: float = 0.5
    s: float = 0.2
    seed: int = 0
    alpha: float = 0.9
    N: int = 10

    def __post_init__(self) -> None:
        if not 0 <= self.s <= self.t <= LAST:
            raise SaltusError(f"s = {self.s:g} and t = {self.t:g} were given; expected 0 <= s <= t <= {LAST:g}: move s below t")
        if not 0 < self.alpha < 1:
            raise SaltusError(f"alpha = {self.alpha:g} was given; expected a number above 0 and below 1: choose another")
        check_whole(self.N, "levels per unit time", _MOST_LEVELS)
        check_whole(self.seed, "the seed", _MOST_SEEDS, 0)


@dataclass(frozen=True, eq=False)
class Noised:
    """An item under noise.

    Attributes:
        z_t: at time t, (1, *E).
        mean: of the bridge at time s, A z_t + B y, (1, *E).
        z_s: drawn from the bridge, (1, *E).
        figures: alpha, sigma, log-SNR, A, B, S, and the levels of the discrete views, by name.
    """

    z_t: Tensor
    mean: Tensor
    z_s: Tensor
    figures: dict[str, float]

    def sheets(self, y: Tensor, settings: NoiseSettings) -> dict[str, Sheet]:
        """Their pictures, beside that of the item itself."""
        return {
            "y": Sheet(y, "the item y"),
            "z_t": Sheet(self.z_t, f"z_t at t = {settings.t:g}"),
            "bridge_mean": Sheet(self.mean, f"the mean of q(z_s | z_t, y) at s = {settings.s:g}"),
            "z_s": Sheet(self.z_s, f"a draw of q(z_s | z_t, y) at s = {settings.s:g}"),
        }


def noised(y: Tensor, settings: NoiseSettings) -> Noised:
    """The item y (1, *E) at time t, and the bridge back."""
    noise, t, s = Noise(settings.seed, 0, 1), settings.t, settings.s
    z_t = _process.noised(y, t, noise.normal("z_t", y.shape[1:], like=y))
    step = Transition(z_t, s, t).bridge
    A, B, S = _process.bridge_coefficients(s, t)
    figures = {
        "alpha": float(_process.alpha(t)),
        "sigma": float(_process.sigma(t)),
        "log-SNR": float(_process.log_snr(t)),
        "A": float(A),
        "B": float(B),
        "S": float(S),
        "level at constant alpha": -t / math.log(settings.alpha),
        "level at N per unit time": settings.N * t,
    }
    return Noised(z_t, step.mean(z_t, y), step.sample(z_t, y, noise.normal("z_s", y.shape[1:], like=y)), figures)


def as_page(y: Tensor, found: Noised, settings: NoiseSettings, levels: Levels, shown: tuple[float, float]) -> str:
    """What the tab shows, as markup; `levels` is the grid of the run."""
    t, s, sheets = settings.t, settings.s, found.sheets(y, settings)
    figures = [[name, f"{found.figures[name]:.4g}", words] for name, words in _WORDS.items()]
    parts = [
        side(images(sheet, shown=shown, file=name) for name, sheet in sheets.items()),
        table(["at this time", "value", "what it is"], figures, "figures at this time"),
        plot(curve(settings, levels), words=f"log-SNR over time; t = {t:g}, s = {s:g}, and the levels of the run", file="log_snr"),
    ]
    return page(parts, f"the noise process at t = {t:g}")


def curve(settings: NoiseSettings, levels: Levels) -> Figure:
    """log-SNR over time, with t, s and three grids of levels: the run's, that of constant alpha, and that of N levels per unit time."""
    figure: Figure = needs("matplotlib.figure", extra="studio").Figure(figsize=(6.4, 3.2))
    axes = figure.add_axes((0.1, 0.15, 0.89, 0.83))  # a slider moves: no time to look for the best place
    times = [_EARLIEST * (LAST / _EARLIEST) ** (i / 99) for i in range(100)]
    axes.plot(times, [float(_process.log_snr(t)) for t in times], color="black", linewidth=1)
    step = -math.log(settings.alpha)
    grids = {
        "levels of the run": list(levels)[1:],
        f"constant alpha {settings.alpha:g}": _multiples(step),
        f"{settings.N} levels per unit time": _multiples(1 / settings.N),
    }
    low, high = -2 * LAST - 1, float(_process.log_snr(_EARLIEST))
    for i, (name, grid) in enumerate(grids.items()):
        axes.plot(grid, [low + (high - low) * 0.05 * (i + 1)] * len(grid), MARKERS[i], color=PALETTE[i], markersize=4, label=name)
    for name, time, style in (("t", settings.t, "-"), ("s", settings.s, ":")):
        axes.axvline(max(time, _EARLIEST), color="black", linewidth=1, linestyle=style, label=f"{name} = {time:g}")
    axes.set(xscale="log", xlim=(_EARLIEST, LAST), ylim=(low, high), xlabel="t", ylabel="log-SNR")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(needs("matplotlib.ticker", extra="studio").NullLocator())
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="upper right")
    return figure


def _multiples(step: float) -> list[float]:
    """The times of a grid of equal steps; where marks would lie on each other, one of them."""
    shown: list[float] = []
    for l in range(1, int(LAST / step) + 1):
        if not shown or step * l >= _APART * shown[-1]:
            shown.append(step * l)
    return shown


def equivalent(run: Run, item: int | str, settings: NoiseSettings) -> Equivalent:
    """What gives the same pictures; `item` is the number of an example, or the file of an image."""
    place, t, s, seed = run.place, settings.t, settings.s, settings.seed
    given = {"image": item} if isinstance(item, str) else {"item": item}
    imports, y = run.python_item(item)
    return Equivalent(
        command("show", "noise", place, **given, t=t, s=s, seed=seed, alpha=settings.alpha, levels_per_unit=settings.N, out="noise"),
        f"""import saltus
{imports}

model = saltus.Model.load({place!r})
y = {y}
process, noise = saltus.OrnsteinUhlenbeck(), saltus.Noise({seed}, 0, 1)
z_t = process.noised(y, {t!r}, noise.normal("z_t", y.shape[1:], like=y))
bridge = saltus.Transition(z_t, {s!r}, {t!r}).bridge
mean = bridge.mean(z_t, y)
z_s = bridge.sample(z_t, y, noise.normal("z_s", y.shape[1:], like=y))
print("log-SNR", float(process.log_snr({t!r})))
""",
    )
