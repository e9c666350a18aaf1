"""What a few minutes of one GPU make: chains of 1, 2 and 4 calls with a mixture start, against solvers around a U-Net of equal time.

Every kernel is a ladder VAE for its own pair of times, trained in bfloat16 and channels last by a captured graph (`gpu_training`).
The start is a mixture of low-rank Gaussians at the chain's last time.  The rival is a diffusers U-Net trained for as long as both
kernels of the chain of 2 calls; its solvers start from N(0, I), or from the same mixture.  Choices are made on validation items by the
sliced Wasserstein distance, figures are of test items.

python benchmarks/gpu.py DATA OUT [--seconds 10] [--only fashion]    DATA holds mnist.npz, fashion_mnist.npz, cifar10_small.npz
python benchmarks/gpu.py --smoke                                     a miniature of everything, on the CPU, in a temporary folder

OUT gets results.json, a table, and for each data set NAME-4.zip and NAME-12.zip with chains that `saltus sample` takes once unpacked.
It needs torch, and of the project's dependencies pydantic, click, rich, safetensors, scikit-learn and rtdl_num_embeddings; diffusers for
the rival, which is left out without it.
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import json
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gpu_training import DeviceNoise, Fast, FixedTimes, Trained, Updates
from saltus.chain import Chain, OraclePrior, Prior, StandardNormal, bits_per_dim
from saltus.data import DataSet, load
from saltus.evaluation import ChainSampler, Evaluator, multiply_adds
from saltus.integrations import SchedulerSampler, Solver
from saltus.kernels import LadderKernel, Preconditioned, Prediction, Sampling
from saltus.levels import Levels
from saltus.likelihoods import AutoregressiveHead, DiscretisedHead, LogisticMixtureHead
from saltus.networks import Ladder, LadderEncoder, backbone
from saltus.oracles import fit_mixture
from saltus.process import OrnsteinUhlenbeck

_process = OrnsteinUhlenbeck()
METRICS = ("frechet", "sliced_wasserstein", "nearest_ratio")
SAMPLES, BOUND_ITEMS = 1000, 10_000
ETAS = (1.0, 0.0)
RIVAL_LAST, TABLE = 3.0, 4096
RIVAL_CALLS, STARTED_CALLS = (4, 10, 20), (1, 2, 4)  # from N(0, I), and from the mixture
TO_DATA = 2.5  # times the seconds of another kernel, for a kernel to data: most nats are there
MOST_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Case:
    """A data set and what is trained on it."""

    file: str
    grids: Mapping[int, tuple[float, ...]]
    mixture: tuple[int, int]  # components and rank
    flip: bool = False
    to_data: tuple[int, ...] = (48, 64, 64)  # channels of kernels to data
    inner: tuple[int, ...] = (40, 56)  # channels of other kernels
    unet: tuple[int, ...] = (48, 64, 96)
    groups: int = 3
    batch: int = 128
    rate: float = 2e-3
    samples: int = SAMPLES


_GREY = {1: (0, 0.3), 2: (0, 0.3, 0.8), 4: (0, 0.1, 0.3, 0.5, 0.8)}
CASES = {
    "fashion-mnist": Case("fashion_mnist.npz", _GREY, (100, 20)),
    "mnist": Case("mnist.npz", _GREY, (100, 20)),
    "cifar": Case("cifar10_small.npz", {1: (0, 0.1), 2: (0, 0.1, 0.5), 4: (0, 0.03, 0.1, 0.3, 0.8)}, (30, 20), flip=True),
}
SMOKE = Case("", {1: (0, 0.3), 2: (0, 0.3, 1.0)}, (3, 2), to_data=(8, 8), inner=(8, 8), unet=(8, 8), groups=1, samples=140)


@dataclass
class Row:
    """One sampler."""

    name: str
    start: str
    calls: int
    multiply_adds: int
    seconds_trained: float
    bits_per_dim: float | None = None
    sampling: str = ""
    seconds_per_1000: float = 0.0
    figures: dict[str, float] = field(default_factory=dict)


def kernel(data: DataSet, case: Case, final: bool) -> LadderKernel:
    """An untrained ladder for a step to data or another one."""
    channels, C = (case.to_data if final else case.inner), data.event_shape[0]
    head = AutoregressiveHead(LogisticMixtureHead(256, C)) if final else DiscretisedHead(256)
    network = Ladder(data.event_shape, outputs=2 + head.arrays, channels=channels, groups=case.groups, k=8, patch=2)
    encoder = LadderEncoder(data.event_shape, channels=channels, patch=2)
    return LadderKernel(Preconditioned(network, data.variance), encoder, head)


class KernelTraining:
    """Trains one kernel after another, all for steps to data or all for other steps, by one captured graph."""

    def __init__(self, items: Tensor, data: DataSet, case: Case, fast: Fast, *, final: bool) -> None:
        self._like, d = items[: case.batch], items[0].numel()
        self._kernel = kernel(data, case, final).to(items.device)
        self._times, noise = FixedTimes(self._like, final), DeviceNoise(case.batch)

        def loss(y: Tensor, kl_weight: Tensor) -> Tensor:
            terms = self._kernel.loss(self._times.pair(y), noise, {"kl": kl_weight})  # type: ignore[arg-type,dict-item]
            return torch.stack(list(terms.values())).sum(0).mean() / d

        self._updates = Updates(self._kernel, loss, items, batch=case.batch, rate=case.rate, flip=case.flip, fast=fast)

    def speed(self) -> float:
        """Updates a second."""
        return self._updates.speed()

    def train(self, s: float, t: float, seconds: float) -> tuple[LadderKernel, Trained]:
        """A new kernel for the step from t to s."""
        self._times.move(self._like, s, t)
        done = self._updates.train(seconds)
        return copy.deepcopy(self._kernel).eval(), done


def fastest(items: Tensor, data: DataSet, case: Case) -> Fast:
    """How numbers are kept best on this device, by a short trial."""
    ways = [Fast(bf16, channels_last) for bf16 in (True, False) for channels_last in (True, False)]
    speeds = {way: KernelTraining(items, data, case, way, final=True).speed() for way in ways}
    print("updates a second:", ", ".join(f"{way} {speed:.0f}" for way, speed in speeds.items()), flush=True)
    return max(speeds, key=lambda way: speeds[way])


def trained_rival(items: Tensor, data: DataSet, case: Case, fast: Fast, seconds: float) -> tuple[Preconditioned, Trained]:
    """A U-Net that predicts data at all times, by EDM's loss."""
    network = Preconditioned(backbone(data.event_shape, channels=case.unet, architecture="unet"), data.variance).to(items.device)
    times = Levels.cosine(4, RIVAL_LAST).spread(torch.linspace(0, 1, TABLE + 1, dtype=torch.float64)[:-1])
    table, d = _process.log_snr(times).to(items.device), items[0].numel()

    def loss(y: Tensor, _: Tensor) -> Tensor:
        log_snr = table[torch.randint(TABLE, (len(y),), device=y.device)]
        alpha, sigma = (torch.sigmoid(sign * log_snr).sqrt().to(y.dtype)[:, None, None, None] for sign in (1, -1))
        z = alpha * y + sigma * torch.randn_like(y)
        found: Prediction = network(z, torch.stack([log_snr, torch.full_like(log_snr, torch.inf)], 1))
        error = 0.5 * ((y - found.mean) / found.output_scale).square().sum()
        return error / (len(y) * d)

    return network, Updates(network, loss, items, batch=case.batch, rate=case.rate, flip=case.flip, fast=fast).train(seconds)


class Measured:
    """Figures of samplers on one data set, in a thread beside the training of the next."""

    def __init__(self, data: DataSet, samples: int) -> None:
        self.data, self.samples = data, samples
        self._thread = ThreadPoolExecutor(1)
        self.test = Evaluator(data, samples, part="test", metrics=METRICS)
        self.choice = Evaluator(data, samples, part="validation", metrics=("sliced_wasserstein",))
        self.waiting: list[Future[None]] = []
        self.floor = self._thread.submit(lambda: {name: figures.mean for name, figures in self.test.floor.items()})

    def add(self, row: Row, draws: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Fill a row, by the test samples of that way of sampling whose validation samples are nearest."""

        def work() -> None:
            best = (
                min(draws, key=lambda way: self.choice.measure(draws[way][0])["sliced_wasserstein"])
                if len(draws) > 1
                else next(iter(draws))
            )
            row.sampling, row.figures = best, self.test.measure(draws[best][1])
            print(f"  {self.data.name}: {row}", flush=True)

        self.waiting.append(self._thread.submit(work))


def drawn(sample: Callable[[int, int], Tensor], n: int) -> tuple[Tensor, Tensor]:
    """Samples to choose by, and to report, of different seeds; on the CPU."""
    return sample(n, 1).cpu().float(), sample(n, 0).cpu().float()


def run_case(
    name: str, case: Case, data: DataSet, device: torch.device, seconds: float, out: Path
) -> tuple[list[Row], dict[str, Any], Measured]:
    """Everything of one data set but the figures that its thread still measures."""
    items, rows, told = data.fitting_items.to(device), list[Row](), dict[str, Any]()
    measured = Measured(data, case.samples)
    start = time.perf_counter()
    cleanest = min(grid[-1] for grid in case.grids.values())
    mixture = fit_mixture(items, cleanest, components=case.mixture[0], rank=case.mixture[1]).compact()
    told["mixture_seconds"] = time.perf_counter() - start
    made: dict[tuple[float, float], LadderKernel] = {}
    spent: dict[tuple[float, float], float] = {}
    fast = fastest(items, data, case)
    trainings = {final: KernelTraining(items, data, case, fast, final=final) for final in (True, False)}
    for pair in dict.fromkeys(pair for grid in case.grids.values() for pair in pairwise(grid)):
        made[pair], done = trainings[pair[0] == 0].train(*pair, seconds * (1 if pair[0] else TO_DATA))
        spent[pair] = done.seconds
        told[f"step {pair[1]:g} -> {pair[0]:g}"] = asdict(done)
        print(f"{name}: step {pair[1]:g} -> {pair[0]:g}: {done}", flush=True)
    chains = {}
    for calls, grid in case.grids.items():
        chain = Chain(OraclePrior(mixture), Levels(grid), [made[pair] for pair in pairwise(grid)], encoding=data.encoding).eval()
        rows.append(row_of_chain(chain, data, measured, sum(spent[pair] for pair in pairwise(grid))))
        chains[calls] = chain
    if importlib.util.find_spec("diffusers"):
        network, done = trained_rival(items, data, case, fast, rows[1].seconds_trained)
        told["rival"] = asdict(done)
        print(f"{name}: rival: {done}", flush=True)
        network.eval()
        starts: list[tuple[Prior, float, int]] = [(StandardNormal(), RIVAL_LAST, calls) for calls in RIVAL_CALLS]
        starts += [(OraclePrior(mixture), case.grids[calls][-1], calls) for calls in STARTED_CALLS if calls in case.grids]
        rows += [row_of_rival(network, prior, last, calls, measured, done.seconds) for prior, last, calls in starts]
    save(chains, out, name)
    return rows, told, measured


def row_of_chain(chain: Chain, data: DataSet, measured: Measured, trained: float) -> Row:
    """The bound of a chain, and its samples for its thread."""
    calls, last = chain.levels.L, chain.levels.last
    device = next(chain.parameters()).device
    bound = chain.bound(data.test[:BOUND_ITEMS].to(device), batch=1000)
    row = Row(
        "VAE", f"mixture at {last:g}", calls, multiply_adds(chain), trained, float(bits_per_dim(bound.total.mean(), chain.event_shape))
    )
    print(f"  {row.start}, {calls} calls: {bound}", flush=True)

    def sample(eta: float) -> Callable[[int, int], Tensor]:
        return lambda n, seed: ChainSampler(chain, Sampling(eta=eta)).sample(n, seed=seed)

    start = time.perf_counter()
    draws = {f"eta {eta:g}": drawn(sample(eta), measured.samples) for eta in ETAS}
    row.seconds_per_1000 = (time.perf_counter() - start) / (2 * len(ETAS) * measured.samples) * 1000
    measured.add(row, draws)
    return row


def row_of_rival(network: Preconditioned, prior: Prior, last: float, calls: int, measured: Measured, trained: float) -> Row:
    """UniPC's samples for the thread; on its best grid by validation items."""
    grids = {"cosine": Levels.cosine(calls, last)}
    if calls > 1:
        grids["log-SNR from 4"] = Levels.log_snr(calls, 4.0, float(_process.log_snr(last)))
    samplers = {name: SchedulerSampler(network, grid, Solver.UNIPC, prior=prior) for name, grid in grids.items()}
    start_of = "N(0, I)" if isinstance(prior, StandardNormal) else f"mixture at {last:g}"
    row = Row("UniPC", start_of, calls, multiply_adds(samplers["cosine"]), trained)
    start = time.perf_counter()
    draws = {name: drawn(lambda n, seed, s=sampler: s.sample(n, seed=seed), measured.samples) for name, sampler in samplers.items()}  # type: ignore[misc]
    row.seconds_per_1000 = (time.perf_counter() - start) / (2 * len(samplers) * measured.samples) * 1000
    measured.add(row, draws)
    return row


def save(chains: Mapping[int, Chain], out: Path, name: str) -> None:
    """The longest chain in one file, the shorter ones in another."""
    longest = max(chains)
    for label, kept in ((f"{longest}", [longest]), ("12", [calls for calls in chains if calls != longest])):
        file = out / f"{name}-{label}.zip"
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(file, "w") as archive:
            for calls in kept:
                chains[calls].cpu().save(Path(folder) / f"{calls}", compact=True)
                for part in sorted((Path(folder) / f"{calls}").iterdir()):
                    archive.write(part, f"{name}-{calls}/{part.name}")
        if file.stat().st_size > MOST_BYTES:
            print(f"{file} has {file.stat().st_size} bytes, more than {MOST_BYTES}", flush=True)


def table(rows: Sequence[Row], floor: Mapping[str, float]) -> str:
    """The rows as text."""
    lines = ["sampler | start | calls | M multiply-adds | s trained | bits/dim | Frechet | sliced W | nearest | s per 1000 | sampling"]
    for row in rows:
        figures = " | ".join(f"{row.figures.get(name, float('nan')):.4g}" for name in METRICS)
        bits = "-" if row.bits_per_dim is None else f"{row.bits_per_dim:.3f}"
        lines.append(
            f"{row.name} | {row.start} | {row.calls} | {row.multiply_adds / 1e6:.1f} | {row.seconds_trained:.0f} | {bits} | {figures} | "
            f"{row.seconds_per_1000:.2f} | {row.sampling}"
        )
    lines.append("real items | | | | | | " + " | ".join(f"{floor[name]:.4g}" for name in METRICS))
    return "\n".join(lines)


def smoke_data() -> DataSet:
    """Grey images that no file is needed for."""
    generator = torch.Generator().manual_seed(0)
    images = (torch.rand(2500, 16, 16, generator=generator) * 255).to(torch.uint8).numpy()
    return DataSet.from_arrays(images, name="smoke")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("out", nargs="?", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0, help="of training for a kernel; one to data gets 2.5 times as many")
    parser.add_argument("--only", default="", help="the beginning of a case's name")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    if options.smoke:
        with tempfile.TemporaryDirectory() as folder:
            run({"smoke": (SMOKE, smoke_data())}, torch.device("cpu"), 1.0, Path(folder))
    elif options.data and options.out:
        chosen = {name: case for name, case in CASES.items() if name.startswith(options.only)}
        for name in [name for name, case in chosen.items() if not (options.data / case.file).exists()]:
            print(f"{name} is left out: {options.data / chosen.pop(name).file} is not there")
        loaded = {name: (case, load(options.data / case.file)) for name, case in chosen.items()}
        run(loaded, torch.device("cuda" if torch.cuda.is_available() else "cpu"), options.seconds, options.out)
    else:
        parser.error("give DATA and OUT, or --smoke")


def run(cases: Mapping[str, tuple[Case, DataSet]], device: torch.device, seconds: float, out: Path) -> None:
    """All cases, the table and the file of results."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    start, results = time.perf_counter(), dict[str, Any]()
    results["device"] = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    results["torch"] = torch.__version__
    out.mkdir(parents=True, exist_ok=True)
    found = {name: run_case(name, case, data, device, seconds, out) for name, (case, data) in cases.items()}
    for name, (rows, told, measured) in found.items():
        for future in measured.waiting:
            future.result()
        floor = measured.floor.result()
        print(f"\n{name}\n{table(rows, floor)}", flush=True)
        results[name] = {"rows": [asdict(row) for row in rows], "floor": floor, **told}
    results["seconds"] = time.perf_counter() - start
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    print(f"{results['seconds']:.0f} s on {results['device']}")


if __name__ == "__main__":
    main()
