"""Seconds and multiply-adds of 1,000 samples at one distance: one call after a mixture against a diffusers U-Net and UniPC.

The rival is what a user would build of diffusers alone: a `UNet2DModel` of about as many parameters as the ladder, v-prediction on a
cosine schedule of 1,000 steps, a loop of its own (AdamW, a cosine of learning rates, averaged weights), sampled by its UniPC scheduler.
Ours are the chain that ships, and a smaller ladder; each has its own training time.  All are measured in turn, on one thread, in float32.

python benchmarks/seconds.py train FOLDER     the rival and the smaller ladder: FOLDER holds mnist.npz; what is done is kept
python benchmarks/seconds.py compare FOLDER   every figure
python benchmarks/seconds.py report           docs/results/seconds.md, from what is there
python benchmarks/seconds.py --smoke          a miniature on the digits, in a temporary folder
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import re
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMScheduler, UNet2DModel, UniPCMultistepScheduler
from torch import Tensor

from saltus.chain import Chain
from saltus.data import DataSet, load
from saltus.evaluation import ChainSampler, Evaluator, Sampler, multiply_adds
from saltus.kernels import DEFAULT
from saltus.machine import describe_machine, keep_freed_memory
from saltus.training import Config, train
from started import LADDER

KEPT, PAGE, DATA = Path("runs/seconds"), Path("docs/results/seconds.md"), "mnist"
PRETRAINED = Path("src/saltus/pretrained")
CHANNELS, BATCH, RATE, DECAY = (16, 24, 56), 32, 0.002, 0.999
SECONDS = 600.0
SCHEDULE: dict[str, Any] = {"num_train_timesteps": 1000, "beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"}
SMALL = Config(
    **{**LADDER, "channels": (16, 24)}, updates=6000, batch=32, learning_rate=0.003, bf16=True
)  # a third of the larger one's multiply-adds
CALLS, SAMPLES, SEEDS, AT_ONCE, EVEN = (4, 10, 20), 1000, (0, 1, 2), 250, 4
METRICS = ("frechet", "sliced_wasserstein")
SPENT = "cpu_seconds.json"
_OF_TRAINING = ("parameters", "training, CPU s")
COLUMNS = ("", "calls", "Fréchet", "sliced Wasserstein", *_OF_TRAINING, "seconds for 1,000", "share", "multiply-adds a sample", "share")


def unet(data: DataSet) -> Any:
    """Of images padded to a multiple of 4."""
    channels, side = data.event_shape[0], math.ceil(data.event_shape[1] / EVEN) * EVEN
    return UNet2DModel(
        sample_size=side,
        in_channels=channels,
        out_channels=channels,
        block_out_channels=CHANNELS,
        layers_per_block=1,
        down_block_types=("DownBlock2D",) * len(CHANNELS),
        up_block_types=("UpBlock2D",) * len(CHANNELS),
        norm_num_groups=8,
        add_attention=False,
    )


def train_unet(data: DataSet, seconds: float, kept: Path) -> None:
    """The rival's own loop, for so many CPU seconds, in bfloat16."""
    torch.manual_seed(0)
    network = unet(data).to(memory_format=torch.channels_last)
    average = copy.deepcopy(network)
    schedule: Any = DDPMScheduler(**SCHEDULE)
    optimiser, generator = torch.optim.AdamW(network.parameters(), lr=RATE), torch.Generator().manual_seed(0)
    begun, update = time.process_time(), 0
    while (spent := time.process_time() - begun) < seconds:
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, 20 * spent / seconds) * 0.5 * (1 + math.cos(math.pi * spent / seconds))
        y = data.train[torch.randint(len(data.train), (BATCH,), generator=generator)]
        noise, t = torch.randn(y.shape, generator=generator), torch.randint(SCHEDULE["num_train_timesteps"], (BATCH,), generator=generator)
        z, target = schedule.add_noise(y, noise, t), schedule.get_velocity(y, noise, t)
        with torch.autocast("cpu", torch.bfloat16):
            found = network(z.contiguous(memory_format=torch.channels_last), t).sample
        loss = (found.float() - target).square().mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        update += 1
        decay = min(DECAY, (1 + update) / (10 + update))
        with torch.no_grad():
            for mean, value in zip(average.parameters(), network.parameters(), strict=True):
                mean.lerp_(value, 1 - decay)
    kept.mkdir(parents=True)
    torch.save(average.state_dict(), kept / "unet.pt")
    (kept / SPENT).write_text(json.dumps({"cpu_seconds": round(time.process_time() - begun, 1), "updates": update}))


class UniPC:
    """diffusers' own way to sample, in a number of calls."""

    def __init__(self, network: Any, event_shape: tuple[int, ...], calls: int) -> None:
        self.network, self.event_shape, self.calls = network, event_shape, calls

    @torch.no_grad()
    def sample(self, n: int, *, seed: int) -> Tensor:
        generator, parts = torch.Generator().manual_seed(seed), []
        for start in range(0, n, AT_ONCE):
            scheduler: Any = UniPCMultistepScheduler(**SCHEDULE)
            scheduler.set_timesteps(self.calls)
            z = torch.randn(min(AT_ONCE, n - start), *self.event_shape, generator=generator)
            for t in scheduler.timesteps:
                z = scheduler.step(self.network(z, t).sample, t, z).prev_sample
            parts.append(z)
        return torch.cat(parts)


def samplers(data: DataSet, kept: Path, shipped: Path) -> dict[str, tuple[Sampler, int, float, int]]:
    """Each with its parameters, its CPU seconds of training and its calls."""
    network = unet(data)
    network.load_state_dict(torch.load(kept / "unet" / "unet.pt"))
    network.eval()
    spent = json.loads((kept / "unet" / SPENT).read_text())["cpu_seconds"]
    size = sum(p.numel() for p in network.parameters())
    found: dict[str, tuple[Sampler, int, float, int]] = {
        f"U-Net, UniPC, {calls} calls": (UniPC(network, tuple(data.event_shape), calls), size, spent, calls) for calls in CALLS
    }
    for name, run in (("the chain that ships", shipped), ("a smaller ladder", kept / "small")):
        chain = Chain.load(run)
        size = sum(p.numel() for kernel in chain.each_kernel() for p in kernel.sampling_network.parameters())
        found[name] = (ChainSampler(chain, DEFAULT), size, spent_on(run), chain.levels.L)
    return found


def spent_on(run: Path) -> float:
    """CPU seconds of training: of a run of this benchmark, or as the card of a chain that ships says."""
    if (run / SPENT).exists():
        return float(json.loads((run / SPENT).read_text())["cpu_seconds"])
    (said,) = re.findall(r"(\d+) CPU seconds", (run / "CARD.md").read_text())
    return float(said)


def compare(data: DataSet, kept: Path, shipped: Path, samples: int) -> None:
    """Distances on test items, seconds and multiply-adds."""
    evaluator, rows = Evaluator(data, samples, metrics=METRICS), []
    for name, (sampler, size, spent, calls) in samplers(data, kept, shipped).items():
        sampler.sample(2, seed=0)
        figures, seconds = [], []
        for seed in SEEDS:
            start = time.perf_counter()
            items = sampler.sample(samples, seed=seed)
            seconds.append(time.perf_counter() - start)
            figures.append(evaluator.measure(items.float()))
        row = {"name": name, "parameters": size, "training": spent, "calls": calls, "multiply_adds": multiply_adds(sampler)}
        row |= {"seconds": 1000 * statistics.median(seconds) / samples}
        rows.append(row | {metric: [figure[metric] for figure in figures] for metric in METRICS})
        print(row | {metric: rows[-1][metric] for metric in METRICS}, flush=True)
    floor = {name: evaluator.floor[name].mean for name in METRICS}
    found = {"data": data.describe(), "samples": samples, "machine": describe_machine(), "floor": floor, "rows": rows}
    (kept / "compare.json").write_text(json.dumps(found, indent=1))


def report(kept: Path, page: Path) -> None:
    """The table."""
    found = json.loads((kept / "compare.json").read_text())
    rows: list[dict[str, Any]] = found["rows"]
    most = next(row for row in rows if row["name"] == f"U-Net, UniPC, {CALLS[-1]} calls")
    lines = ["# Seconds and multiply-adds at one distance", "", *(__doc__ or "").split("\n\n")[1].splitlines(), ""]
    lines += [
        f"{found['data']}; {found['samples']} samples against test items, three sets; real items: Fréchet {found['floor']['frechet']:.3g}, "
        f"sliced Wasserstein {found['floor']['sliced_wasserstein']:.3g}. Machine: {found['machine']}.",
        f"Shares are of the U-Net with {CALLS[-1]} calls; a row is at its distance or nearer where its Fréchet distance is no larger.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---" * len(COLUMNS) + "|",
    ]
    for row in rows:
        distances = [f"{statistics.fmean(row[name]):.3g} ± {statistics.stdev(row[name]):.1g}" for name in METRICS]
        shares = [f"1/{most[what] / row[what]:.3g}" for what in ("seconds", "multiply_adds")]
        cells = [row["name"], str(row["calls"]), *distances, str(row["parameters"]), f"{row['training']:.0f}", f"{row['seconds']:.3g}"]
        lines.append(f"| {' | '.join([*cells, shares[0], millions(row['multiply_adds']), shares[1]])} |")
    page.write_text("\n".join([*lines, "", "Made by `python benchmarks/seconds.py`."]) + "\n")


def millions(n: int) -> str:
    return f"{n / 1e6:.3g} M"


def train_all(source: str, kept: Path, seconds: float, config: Config) -> DataSet:
    """Both, unless they are there."""
    data = load(source)
    kept.mkdir(parents=True, exist_ok=True)
    if not (kept / "small" / SPENT).exists():
        shutil.rmtree(kept / "small", ignore_errors=True)
        begun = time.process_time()
        train(data, config, kept / "small", quiet=True)
        (kept / "small" / SPENT).write_text(json.dumps({"cpu_seconds": round(time.process_time() - begun, 1)}))
    if not (kept / "unet").exists():
        train_unet(data, seconds, kept / "unet")
    return data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="a miniature on the digits, in a temporary folder")
    commands = parser.add_subparsers(dest="command")
    for name in ("train", "compare"):
        commands.add_parser(name).add_argument("folder", type=Path)
    commands.add_parser("report")
    options = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    if options.smoke:
        with tempfile.TemporaryDirectory() as folder:
            kept, small = Path(folder), SMALL.model_copy(update={"updates": 2, "head": None})
            data = train_all("digits", kept, 0.5, small)
            compare(data, kept, kept / "small", 160)
            report(kept, kept / "page.md")
            print((kept / "page.md").read_text())
    elif options.command == "train":
        train_all(str(options.folder / f"{DATA}.npz"), KEPT, SECONDS, SMALL)
    elif options.command == "compare":
        compare(load(options.folder / f"{DATA}.npz"), KEPT, PRETRAINED / DATA, SAMPLES)
    elif options.command == "report":
        report(KEPT, PAGE)
    else:
        parser.error("give a command, or --smoke")


if __name__ == "__main__":
    main()
