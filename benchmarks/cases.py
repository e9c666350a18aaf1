"""Cases that benchmarks share: kernels of one size, trained for the same time on one data set, then compared at equal calls.

Size: decoders of the rivals are widened until they have at least as many parameters as the VAE's, within 5%.  The VAE's
encoder comes on top, and its training time counts, as does that of the kernel that it is started from.  Time: updates and
validations of the kernels are timed side by side, one thread each, and each kernel gets the updates that fit.  With
`--device cuda` networks are trained there, and seconds are those of the clock.  Finished runs and figures are kept, so that
each command continues where it was interrupted.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from saltus.chain import Chain
from saltus.cli.main import cli
from saltus.data import DataSet, load
from saltus.evaluation import Evaluator, Sampler, chosen_by
from saltus.networks.groups import GROUPS
from saltus.studies.compare.samplers import Choice, of_chain
from saltus.training import VALIDATIONS, Config, LevelSampling, Trainer, build_chain, train

SMALL: dict[str, Any] = {"preset": "small", "architecture": "mlp", "width": 256}
LARGE = SMALL | {"width": 512}  # narrower than the 784 pixels it must tell apart from noise, but as wide as minutes allow
TINY: dict[str, Any] = {"preset": "tiny", "architecture": "mlp", "width": 128}
LADDER: dict[str, Any] = {"ladder": "last", "channels": (32, 48, 48), "architecture": "mlp", "width": 48}
"""A ladder on the last step and an MLP on the noisy ones."""
FROM_NOISE: dict[str, Any] = {"prior": "normal", "closed_forms": False, "head": "gaussian"}
"""What recipes that do not say otherwise start from: all older figures are of chains from N(0, I)."""
TIMING_TURNS, CHOICE_SEED = 4, 1000
FEW_SAMPLERS = ("Gaussian step", "VAE step", "DDIM", "UniPC", "Heun")
"""Where every sampler would take hours: our steps, DDIM, and the solvers that do best in `strong.py`."""
WITHIN = 0.05  # how far the sizes of rivals may lie apart
WIDER = 6  # groups of channels that a resolution may have more, at most


@dataclass(frozen=True)
class Recipe:
    """How a kernel is trained.

    Attributes:
        options: of its configuration.
        start: the share of its time that goes into a Gaussian kernel, whose network it starts from.
        level_sampling: makes that of so many levels and numbers in an item, in place of the configuration's.
        longer: how many times the seconds of the case it is trained for.
    """

    options: Mapping[str, Any]
    start: float = 0.0
    level_sampling: Callable[[int, int], LevelSampling] | None = None
    longer: float = 1.0

    def sampling_of(self, config: Config, data: DataSet) -> LevelSampling | None:
        """The level sampling of a run; None for the configuration's."""
        return self.level_sampling and self.level_sampling(config.levels, math.prod(data.event_shape))


GAUSSIAN = "gaussian"
NOISY = {4: (0.0, 1.5, 2.0, 2.5, 3.0), 2: (0.0, 1.5, 3.0)}
"""Grids of a VAE that are mostly noise; `ablation.py` compares that of 4 levels with others on validation items."""
RECIPES = {
    GAUSSIAN: Recipe({"kernel": "gaussian"}),
    "vae-4": Recipe({"kernel": "vae", "levels": 4}),
    "vae-2": Recipe({"kernel": "vae", "levels": 2}),
    "noisy-4": Recipe({"kernel": "vae", "times": NOISY[4]}),
    "noisy-2": Recipe({"kernel": "vae", "times": NOISY[2]}),
    "deterministic": Recipe({"kernel": "deterministic"}),
    "vae-1": Recipe({"kernel": "vae", "levels": 1}),
    "no latent-4": Recipe({"kernel": "vae", "levels": 4, "latent": 0}),
}


@dataclass(frozen=True)
class Case:
    """A data set, how long to train on it, and how to compare.

    Attributes:
        data: a data set that is built in; or the name of a file in the folder of data, for images followed by their side.
        paces: cases with the same one share what was measured of the kernels' paces.
        network: its size.
        seconds: of training of each kernel at these paces, validations included.
        seeds: of trainings.
        calls: numbers of network calls at which samplers are compared.
        perfect: those at which the perfect denoiser takes part.
        samplers: names of those that take part; all unless given.
        samples: of each figure.
        kernels: names of recipes.
        once: those that are trained with the first seed alone.
        least: updates of a training, whatever its time.
        timed: updates of each turn in which paces are measured.
    """

    data: str
    paces: str
    network: Mapping[str, Any]
    seconds: float
    seeds: Sequence[int]
    calls: Sequence[int]
    perfect: Sequence[int] = ()
    samplers: Sequence[str] = ()
    samples: int = 2000
    kernels: Sequence[str] = (GAUSSIAN, "vae-4", "vae-2", "deterministic")
    once: Sequence[str] = ()
    least: int = 1
    timed: int = 50

    @property
    def trainings(self) -> list[tuple[str, int]]:
        """Recipes and seeds, one seed after another."""
        first = [(kernel, self.seeds[0]) for kernel in self.once]
        return [(kernel, seed) for seed in self.seeds for kernel in self.kernels] + first


class Pace(NamedTuple):
    """Seconds of an update of a kernel, and of one validation of a run."""

    update: float
    validation: float

    def updates(self, seconds: float, least: int = 1) -> int:
        """As many as fit beside the validations of a run, but no fewer than the least."""
        return max(least, round((seconds - VALIDATIONS * self.validation) / self.update))


@dataclass(frozen=True)
class Work:
    """Where a case's data are and where its runs and figures are kept."""

    case: Case
    folder: Path
    kept: Path
    name: str
    device: str = "cpu"

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds of the processor, which other programs do not count in; of the clock where another device computes."""
        return time.process_time if self.device == "cpu" else time.perf_counter

    @property
    def home(self) -> Path:
        return self.kept / self.name

    def place(self) -> str:
        """Where the data set is: 28 x 28 images are the file itself, 14 x 14 their 2x2 means, rounded."""
        source, _, side = self.case.data.rpartition("_")
        if side not in ("14", "28"):
            file = self.folder / f"{self.case.data}.npz"
            return str(file) if file.exists() else self.case.data
        if side == "28":
            return str(self.folder / f"{source}.npz")
        file = self.kept / f"{self.case.data}.npz"
        if not file.exists():
            arrays = dict(np.load(self.folder / f"{source}.npz"))
            for part in ("train_images", "test_images"):
                n = len(arrays[part])
                arrays[part] = np.rint(arrays[part].reshape(n, 14, 2, 14, 2).mean((2, 4))).astype(np.uint8)
            np.savez_compressed(file, **arrays)
        return str(file)

    def config(self, kernel: str, data: DataSet, updates: int, seed: int = 0) -> Config:
        """The run of a kernel, its rivals' network widened to the size of the decoder of the case's first VAE."""
        config = self._plain(kernel, updates, seed)
        if _has_latent(config, data):
            return config
        others = (self._plain(name) for name in (*self.case.kernels, *self.case.once))
        goal = parameters(next(other for other in others if _has_latent(other, data)), data)
        for wide in wider(config):
            if goal <= parameters(wide, data) <= (1 + WITHIN) * goal:
                return wide
        raise ValueError(f"no {kernel} network has from {goal} to {(1 + WITHIN) * goal:.0f} parameters; allow for wider ones")

    def _plain(self, kernel: str, updates: int = 1, seed: int = 0) -> Config:
        return Config(**{**FROM_NOISE, **self.case.network, **RECIPES[kernel].options}, updates=updates, seed=seed)

    def paces(self, data: DataSet) -> dict[str, Pace]:
        """Of each kernel; a process that works beside this one waits, and takes what this one has measured."""
        with (self.kept / f"paces_{self.case.paces}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return self._paces(data)

    def _paces(self, data: DataSet) -> dict[str, Pace]:
        """Those not yet known are measured turn by turn with the Gaussian kernel's."""
        file = self.kept / f"paces_{self.case.paces}.json"
        known: dict[str, Pace] = {name: Pace(**found) for name, found in json.loads(file.read_text()).items()} if file.exists() else {}
        if unknown := [name for name in (*self.case.kernels, *self.case.once) if name not in known and name != GAUSSIAN]:
            found = self._timed([GAUSSIAN, *unknown], data)
            known.setdefault(GAUSSIAN, found[GAUSSIAN])
            then = known[GAUSSIAN].update / found[GAUSSIAN].update  # seconds for one of now, when the others were measured
            known |= {name: Pace(*(then * part for part in found[name])) for name in unknown}
            file.write_text(json.dumps({name: pace._asdict() for name, pace in known.items()}))
        return known

    def _timed(self, kernels: Sequence[str], data: DataSet) -> dict[str, Pace]:
        """The mean over the updates of each kernel, turn by turn, and one validation."""
        trainers: dict[str, Trainer] = {}
        for name in kernels:
            endless = self.config(name, data, 10**8)
            sampling = RECIPES[name].sampling_of(endless, data)
            trainers[name] = Trainer(build_chain(endless, data).to(self.device), data, endless, level_sampling=sampling)
        loops = {name: iter(trainer) for name, trainer in trainers.items()}
        spent = dict.fromkeys(kernels, 0.0)
        for loop in loops.values():
            next(loop)
        for _ in range(TIMING_TURNS):
            for name, loop in loops.items():
                start = self.clock()
                for _ in range(self.case.timed):  # in a row, as in training: each kernel has its own arrays to keep in the caches
                    next(loop)
                spent[name] += self.clock() - start
        found = {}
        for name, trainer in trainers.items():
            start = self.clock()
            trainer.validate()
            found[name] = Pace(spent[name] / TIMING_TURNS / self.case.timed, self.clock() - start)
        return found

    def train(self) -> None:
        """Every run that is not there yet."""
        data = load(self.place())
        paces = self.paces(data)
        for kernel, seed in self.case.trainings:
            run, unfinished = self.home / f"{kernel}-{seed}", self.home / f"{kernel}-{seed}.unfinished"
            if run.exists():
                continue
            shutil.rmtree(unfinished, ignore_errors=True)
            recipe, begun = RECIPES[kernel], self.clock()
            parts = {GAUSSIAN: recipe.start, kernel: 1 - recipe.start} if recipe.start else {kernel: 1.0}
            updates = {name: paces[name].updates(part * recipe.longer * self.case.seconds, self.case.least) for name, part in parts.items()}
            source = self.home / f"{kernel}-{seed}.start" if recipe.start else None
            if source is not None:
                shutil.rmtree(source, ignore_errors=True)
                options = self.config(kernel, data, updates[GAUSSIAN], seed).model_copy(update={"kernel": GAUSSIAN})
                train(data, options, source, device=self.device, quiet=True)
            config = self.config(kernel, data, updates[kernel], seed)
            sampling = recipe.sampling_of(config, data)
            train(data, config, unfinished, start=source, device=self.device, quiet=True, level_sampling=sampling)
            seconds = round(self.clock() - begun, 1)
            (unfinished / "time.json").write_text(json.dumps({"updates": updates[kernel], "cpu_seconds": seconds}))
            unfinished.rename(run)
            print(f"{run}: {updates[kernel]} updates, {seconds:.0f} s", flush=True)

    def compare(self) -> None:
        """Every figure, by `saltus compare`."""
        case = self.case
        runs = [self.home / f"{kernel}-{seed}" for kernel, seed in case.trainings]
        options = {"--data": self.place(), "--n": str(case.samples), "--calls": _written(case.calls), "--out": str(self.home / "compare")}
        if case.perfect:
            options["--oracle"] = _written(case.perfect)
        given = [str(run) for run in runs if run.exists()] + [f"--sampler={name}" for name in case.samplers]
        cli.main(["compare", *given, *itertools.chain.from_iterable(options.items())], prog_name="saltus", standalone_mode=False)


def _has_latent(config: Config, data: DataSet) -> bool:
    return any(kernel.latent for kernel in build_chain(config, data).each_kernel())


def wider(config: Config) -> Iterator[Config]:
    """The same network with more neurons a layer, or more channels at some resolutions, the finest least."""
    if config.channels is None:
        for width in range(config.width or 1, 2 * (config.width or 1)):
            yield config.model_copy(update={"width": width})
        return
    for more in itertools.product(range(WIDER), repeat=len(config.channels)):
        yield config.model_copy(update={"channels": tuple(c + GROUPS * extra for c, extra in zip(config.channels, more, strict=True))})


def best_sampler(chain: Chain, evaluator: Evaluator) -> tuple[str, Choice, Sampler]:
    """The sampler of a chain's network at its number of calls whose samples lie closest to the real items of an evaluator."""
    found, data = [], evaluator.data
    condition = None if data.conditions is None else data.conditions.validation
    for named in of_chain(chain, data.validation, condition):
        for name, choice in named.choices(chain.levels.L).items():
            sampler = named.sampler(choice)
            distance = evaluator.measure(sampler.sample(evaluator.n, seed=CHOICE_SEED).float())[chosen_by(data)]
            found.append((distance, f"{named.name}: {name}", choice, sampler))
    return min(found, key=lambda one: one[0])[1:]


def parameters(config: Config, data: DataSet) -> int:
    """Of the networks that a sample calls."""
    return decoder_parameters(build_chain(config, data))


def decoder_parameters(chain: Chain) -> int:
    """Of the networks that a sample calls."""
    return sum(p.numel() for kernel in chain.each_kernel() for p in kernel.sampling_network.parameters())


def _written(calls: Sequence[int]) -> str:
    return ",".join(map(str, calls))
