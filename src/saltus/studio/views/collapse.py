r"""The collapse of the deterministic decoder, level by level, beside what brings diversity back.

The plain decoder iterates :math:`z_s = \hat y(z_t, t)`.  With t_L so late that z_L tells nothing of y, its optimum starts with
:math:`z_{L-1} = E y` whatever the noise was, and all samples coincide; a trained network is not the optimum.  The bridge step draws
:math:`z_s \sim q(z_s \mid z_t, \hat y)` around the same prediction, and the Gaussian step has room for the error of the prediction too.
All start from the same z_L.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from torch import Tensor

from saltus.chain import Chain, StandardNormal
from saltus.data import DataSet, digits
from saltus.errors import SaltusError
from saltus.evaluation import diversity, measure_collapse, spread
from saltus.extras import needs
from saltus.kernels import Denoiser, DeterministicKernel, GaussianKernel, Kernel, OracleDenoiser
from saltus.levels import Levels
from saltus.oracles import FiniteData
from saltus.studies.pages import MARKERS, PALETTE
from saltus.studio.equivalents import Equivalent, command
from saltus.studio.html import images, page, paragraph, plot, side, table
from saltus.studio.limits import check_whole
from saltus.studio.sheet import Sheet
from saltus.training import Config, train

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CollapseSettings", "Collapsed", "as_page", "collapsed", "equivalent"]

_MEASURED = 128  # samples that figures are of
_MOST_SHOWN, _MOST_LEVELS, _MOST_UPDATES, _MOST_WIDTH, _MOST_SEEDS = 12, 8, 1200, 144, 2**62
_EARLIEST, _LATEST = 0.1, 20.0
_HELD = 16  # trained networks that are kept
_COINCIDE = 1 / 16  # half a grey value of 17 on [-1, 1]: nobody sees more images than one


@dataclass(frozen=True)
class CollapseSettings:
    """What is followed from level to level, on the handwritten digits.

    Attributes:
        last: t_L, from 0.1 to 20.
        levels: L, from 1 to 8.
        updates: of the network's training, from 1 to 1200.
        width: of the network, a multi-layer perceptron, from 1 to 144.
        seed: of the training and of all noise.
        n: samples that are shown, from 1 to 12.

    Raises:
        SaltusError: for a value outside its range.
    """

    last: float = 8.0
    levels: int = 4
    updates: int = 300
    width: int = 48
    seed: int = 0
    n: int = 6

    def __post_init__(self) -> None:
        if not _EARLIEST <= self.last <= _LATEST:
            raise SaltusError(f"t_L = {self.last:g} was given; expected a time from {_EARLIEST:g} to {_LATEST:g}: choose another")
        check_whole(self.levels, "levels", _MOST_LEVELS)
        check_whole(self.updates, "updates", _MOST_UPDATES)
        check_whole(self.width, "the width", _MOST_WIDTH)
        check_whole(self.n, "images", _MOST_SHOWN)
        check_whole(self.seed, "the seed", _MOST_SEEDS, 0)


@dataclass(frozen=True, eq=False)
class Collapsed:
    """What each way of stepping does to the same z_L.

    Attributes:
        levels: the grid.
        paths: z_0 ... z_L, (L + 1, 128, *E), by the name of the way.
        spreads: root mean square deviations of the samples, at z_0 ... z_L, in units of y.
        real: that of real items.
        diversity: of the final samples, 1 for real items and 0 for one image again and again.
        between: the largest difference of two final samples of the exact optimum, in units of y.
        n: samples that are shown.
    """

    levels: Levels
    paths: dict[str, Tensor]
    spreads: dict[str, list[float]]
    real: float
    diversity: dict[str, float]
    between: float
    n: int

    def sheets(self) -> dict[str, Sheet]:
        """A picture of each way: a row for each level, from z_L down to z_0, and a column for each sample."""
        rows = ", ".join(f"{t:.3g}" for t in reversed(list(self.levels)))
        return {
            name.replace(" ", "_"): Sheet(
                path[:, : self.n].flip(0).flatten(0, 1), f"{name}: from z_{self.levels.L} at the top to z_0, at t = {rows}", self.n
            )
            for name, path in self.paths.items()
        }


@lru_cache(maxsize=1)
def _data() -> DataSet:
    return digits()


@lru_cache(maxsize=_HELD)
def _network(levels: Levels, updates: int, width: int, seed: int) -> Denoiser:
    """A network of least squares at all times up to the last."""
    options = {"updates": updates, "seed": seed, "width": width, "architecture": "mlp", "any_step": True}
    kernel = train(_data(), Config(kernel="deterministic", times=tuple(levels), **options), quiet=True).kernel(1)
    assert kernel.denoiser is not None
    return kernel.denoiser


def collapsed(settings: CollapseSettings) -> Collapsed:
    """Train a network, and follow every way from the same z_L; a few seconds."""
    data, seed = _data(), settings.seed
    levels = Levels.cosine(settings.levels, settings.last)
    optimum, network = OracleDenoiser(FiniteData(data.fitting_items)), _network(levels, settings.updates, settings.width, seed)
    gaussian = GaussianKernel(network, data.encoding.head())
    gaussian.calibrate(data.validation, list(levels)[1:], seed=seed)
    ways: dict[str, Kernel] = {
        "exact optimum": DeterministicKernel(optimum),
        "bridge step around the optimum": DeterministicKernel(optimum, bridge=True),
        "trained decoder": DeterministicKernel(network),
        "bridge step": DeterministicKernel(network, bridge=True),
        "Gaussian step": gaussian,
    }
    paths = {
        name: Chain(StandardNormal(), levels, way).sample(_MEASURED, seed=seed, return_path=True).detach() for name, way in ways.items()
    }
    found = measure_collapse(paths["exact optimum"], data.fitting_items.double().mean(0))
    return Collapsed(
        levels,
        paths,
        {name: spread(path) for name, path in paths.items()},
        spread(data.test[None])[0],
        {name: diversity(path[0], data.test) for name, path in paths.items()},
        found.between_samples,
        settings.n,
    )


def as_page(found: Collapsed, shown: tuple[float, float] = (-1.0, 1.0)) -> str:
    """What the tab shows, as markup."""
    L = found.levels.L
    headings = ["", *(f"z_{l}" for l in range(L, -1, -1)), "diversity"]
    rows = [[name, *(f"{value:.2g}" for value in reversed(s)), f"{found.diversity[name]:.2f}"] for name, s in found.spreads.items()]
    rows.append(["real items", *[""] * L, f"{found.real:.2g}", "1.00"])
    parts = [
        *map(paragraph, sentences(found)),
        side((images(sheet, shown=shown, file=name) for name, sheet in found.sheets().items()), large=True),
        table(headings, rows, "spread of the samples at each level"),
        plot(curves(found), words="spread of the samples at each level; dashed: real items", file="spread"),
    ]
    return page(parts, f"the collapse from t_L = {found.levels.last:g}")


def sentences(found: Collapsed) -> list[str]:
    """What the figures say."""
    last, first = found.levels.last, found.spreads["exact optimum"][-2] if found.levels.L > 1 else found.spreads["exact optimum"][0]
    if found.between < _COINCIDE:
        told = (
            f"From t_L = {last:g} the noise z_L tells nothing of the item, so the optimum E[y | z_L] is the mean item whatever z_L is. "
            f"Every later step is a function of it: the samples differ by at most {found.between:.1g}, less "
            "than half a grey value: one image again and again."
        )
    else:
        told = (
            f"From t_L = {last:g} the noise z_L still tells of the item: after one step the optimum's samples spread {first:.2g}, and "
            f"at the end two of them differ by up to {found.between:.2g}. With a later t_L they coincide."
        )
    each, around = found.diversity, found.diversity["bridge step around the optimum"]
    ways = ("trained decoder", "bridge step", "Gaussian step")
    parts = ", ".join(f"{each[name]:.2f} by the {name}" for name in ways)
    best = max(ways, key=each.__getitem__)
    return [
        told,
        f"The bridge step around the same optimum keeps what is left of z_t and draws noise: its samples have {around:.2f} "
        "of the diversity of real items.",
        f"Around one trained network the diversity is {parts}; the {best} has most of it.",
    ]


def curves(found: Collapsed) -> Figure:
    """Spread over levels, from z_L on the left."""
    figure: Figure = needs("matplotlib.figure", extra="studio").Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.subplots()
    for i, (name, values) in enumerate(found.spreads.items()):
        axes.plot(range(len(values)), [max(v, 1e-9) for v in values], color=PALETTE[i], marker=MARKERS[i], markersize=4, label=name)
    axes.axhline(found.real, color="0.5", linestyle="--", linewidth=1, label="real items")
    axes.set(yscale="log", xlabel="$z_l$, l =", ylabel="spread", xticks=range(found.levels.L + 1))
    axes.invert_xaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return figure


def equivalent(settings: CollapseSettings) -> Equivalent:
    """What gives the same pictures."""
    options = {"updates": settings.updates, "seed": settings.seed, "width": settings.width, "architecture": "mlp", "any_step": True}
    given = "".join(f", {name}={value!r}" for name, value in options.items())
    return Equivalent(
        command("show", "collapse", **asdict(settings), out="collapse"),
        f"""import saltus
from saltus.kernels import OracleDenoiser

data = saltus.digits()
levels = saltus.Levels.cosine({settings.levels}, {settings.last!r})
config = saltus.Config(kernel="deterministic", times=tuple(levels){given})
network = saltus.train(data, config, quiet=True).kernel(1).denoiser
optimum = OracleDenoiser(saltus.FiniteData(data.fitting_items))
gaussian = saltus.GaussianKernel(network, data.encoding.head())
gaussian.calibrate(data.validation, list(levels)[1:], seed={settings.seed})
ways = {{
    "exact optimum": saltus.DeterministicKernel(optimum),
    "bridge step around the optimum": saltus.DeterministicKernel(optimum, bridge=True),
    "trained decoder": saltus.DeterministicKernel(network),
    "bridge step": saltus.DeterministicKernel(network, bridge=True),
    "Gaussian step": gaussian,
}}
paths = {{
    name: saltus.Chain(saltus.StandardNormal(), levels, way).sample({settings.n}, seed={settings.seed}, return_path=True)
    for name, way in ways.items()
}}
""",
    )
