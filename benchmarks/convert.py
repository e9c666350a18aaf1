"""A diffusion model of diffusers, as its owner samples it, and chains of 1, 2 and 4 calls that are made of it.

The teacher is trained by diffusers alone, on Fashion-MNIST without classes: a `UNet2DModel`, `DDPMScheduler` with 1000 steps, epsilon,
averaged weights.  Its network is then the network of every step of the chains, from a mixture of Gaussians and from N(0, I).  A chain
whose network begins with random weights in place of the teacher's says what the teacher is worth.  Bounds of the teacher are those of
its Gaussian steps with the best variances, on so many of its own levels; each bound has the head that is told beside it.

python benchmarks/convert.py train FOLDER [--size 28]     the teacher, then the chains; FOLDER holds fashion_mnist.npz
python benchmarks/convert.py measure FOLDER [--size 28]   every figure that is not there yet
python benchmarks/convert.py report [--size 28]           docs/results/convert_SIZE.md, from what is there
python benchmarks/convert.py --smoke                      all of it in miniature, in a temporary folder

Each command continues where it was interrupted.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers.training_utils import EMAModel
from torch import Tensor, nn

import cases
from saltus.chain import Chain
from saltus.data import DataSet, digits, load, subsample
from saltus.evaluation import Evaluator, Likelihood, likelihood, save_grid
from saltus.files import to_json, write_atomically
from saltus.integrations import load_teacher, measured_teacher
from saltus.kernels import Teacher
from saltus.machine import describe_machine, keep_freed_memory
from saltus.process import Noise
from saltus.training import Config, train, updates_done

METRIC = "frechet"
FRESH = "random weights"
PRIORS = {"mixture": "the mixture", "normal": "N(0, I)"}
SAMPLED = {"DDPM": (1000, 50, 10, 4), "DDIM": (50, 10, 4)}
EVERY = 500  # updates of the teacher between its checkpoints
SEED, SHOWN = 0, 36


@dataclass(frozen=True)
class Sizes:
    """How large everything is.

    Attributes:
        channels, updates, batch, rate: of the teacher and its training.
        chain: options of the training of a chain.
        calls: of the chains.
        steps: of the teacher's schedule.
        samples, bound_items, bound_levels: what figures are of.
    """

    channels: tuple[int, ...] = (32, 64)
    updates: int = 6000
    batch: int = 64
    rate: float = 1e-3
    chain: tuple[tuple[str, Any], ...] = (("updates", 3000), ("batch", 64), ("learning_rate", 5e-4), ("latent", 64), ("kl_warm_up", 0.1))
    calls: tuple[int, ...] = (1, 2, 4)
    steps: int = 1000
    samples: int = 1000
    bound_items: int = 256
    bound_levels: tuple[int, ...] = (4, 10, 50, 1000)


MINIATURE = Sizes((8, 16), 3, 16, 1e-3, (("updates", 2), ("batch", 16), ("latent", 4)), (1, 2), 20, 160, 8, (2, 4))


@dataclass(frozen=True)
class Work:
    """One teacher and what is made of it, in a folder.

    Attributes:
        data: the images.
        kept: the folder.
        sizes: of everything.
    """

    data: DataSet
    kept: Path
    sizes: Sizes

    def train(self) -> None:
        """The teacher and the chains, those that are not there yet."""
        train_teacher(self.data, self.kept / "teacher", self.sizes)
        for name, prior, calls, fresh in self.chains():
            start = randomised(self.teacher) if fresh else self.teacher
            with timed(self.kept / f"{name}.seconds.json"):
                train(self.data, self.config(prior, calls), self.kept / name, start=start)
            print(f"{name}: {updates_done(self.kept / name)} updates", flush=True)

    def chains(self) -> Iterator[tuple[str, str, int, bool]]:
        """A name, what it starts from, its calls, and whether its network begins with random weights."""
        for calls in reversed(self.sizes.calls):
            for prior in PRIORS:
                yield f"{prior}-{calls}", prior, calls, False
        yield f"mixture-{self.sizes.calls[-1]}-fresh", "mixture", self.sizes.calls[-1], True

    def config(self, prior: str, calls: int) -> Config:
        return Config(kernel="vae", levels=calls, prior=prior, noisy_steps="vae", seed=SEED, **dict(self.sizes.chain))

    @cached_property
    def teacher(self) -> Teacher:
        return load_teacher(self.kept / "teacher")[0]

    @cached_property
    def evaluator(self) -> Evaluator:
        return Evaluator(self.data, self.sizes.samples, metrics=(METRIC,), progress=print)

    def measure(self) -> None:
        """Every figure that is not there yet; the quick ones first."""
        for name, prior, calls, fresh in self.chains():
            if (self.kept / name / "chain.json").exists():
                what = f"chain from {PRIORS[prior]}" + (f", {FRESH} at first" if fresh else "")
                self._figure(name, {"what": what, "calls": calls}, lambda name=name: self._of_chain(name))  # type: ignore[misc]
        self._figure("floor", {"what": "real images in place of samples", "calls": None}, self._floor)
        for levels in sorted(self.sizes.bound_levels):
            self._figure(f"bound-{levels}", {"what": "", "calls": levels}, lambda levels=levels: self._bound(levels))  # type: ignore[misc]
        for calls, solver in sorted((calls, solver) for solver, several in SAMPLED.items() for calls in several):
            if calls <= max(self.sizes.bound_levels):
                self._figure(
                    f"{solver}-{calls}",
                    {"what": f"teacher, {solver}", "calls": calls},
                    lambda solver=solver, calls=calls: self._of_teacher(solver, calls),  # type: ignore[misc]
                )

    def _figure(self, name: str, told: dict[str, Any], find: Callable[[], dict[str, Any]]) -> None:
        file = self.kept / "figures" / f"{name}.json"
        if file.exists():
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        began = time.process_time()
        found = find()
        write_atomically(file, to_json({**told, **found, "cpu_seconds": time.process_time() - began}, indent=1) + "\n")
        print(name, found, flush=True)

    def _of_chain(self, name: str) -> dict[str, Any]:
        chain, data = Chain.load(self.kept / name), self.data
        samples = chain.sample(self.sizes.samples, seed=SEED)
        bound = likelihood(chain, subsample(data.test, self.sizes.bound_items), data.encoding, seed=SEED)
        learned = sum(kernel.latent > 0 for kernel in (chain.kernel(level) for level in range(1, chain.levels.L + 1)))
        told = {"parameters": sum(p.numel() for p in chain.kernel(1).parameters()), "learned_steps": learned}
        return told | self._measured(name, samples) | (_bits(bound) if bound else {})

    def _of_teacher(self, solver: str, calls: int) -> dict[str, Any]:
        pipeline = diffusers.DDPMPipeline.from_pretrained(self.kept / "teacher")
        return self._measured(f"{solver}-{calls}", sampled(pipeline, solver, calls, self.sizes.samples))

    def _bound(self, levels: int) -> dict[str, Any]:
        return measured_teacher(self.teacher, self.data, levels=levels, n=self.sizes.bound_items, seed=SEED)

    def _floor(self) -> dict[str, Any]:
        return {METRIC: self.evaluator.floor[METRIC].mean}

    def _measured(self, name: str, samples: Tensor) -> dict[str, Any]:
        place = self.kept / "pictures"
        place.mkdir(parents=True, exist_ok=True)
        save_grid(samples[:SHOWN], place / f"{name}.png", shown=(-1, 1))
        return self.evaluator.measure(samples)

    def report(self, page: Path, told: str) -> None:
        """The table of what is there."""
        figures = {file.stem: json.loads(file.read_text()) for file in (self.kept / "figures").glob("*.json")}
        seconds = {file.name.removesuffix(".seconds.json"): json.loads(file.read_text()) for file in self.kept.glob("*.seconds.json")}
        lines = [
            "# A model of diffusers in a few calls",
            "",
            told,
            "",
            "| | calls | Fréchet distance | bits/dim | learned steps |",
            "|---|---|---|---|---|",
        ]
        bounds = {figures[name]["calls"]: figures[name] for name in figures if name.startswith("bound-")}
        for name, row in sorted(figures.items(), key=lambda item: (item[1]["what"], item[1]["calls"] or 0)):
            if name.startswith("bound-"):
                continue
            bits = row if "bits_per_dim" in row else bounds.get(row["calls"], {}) if name.startswith("DDPM") else {}
            shown = f"{bits['bits_per_dim']:.3f} ± {bits['standard_error']:.3f}" if bits else ""
            lines.append(f"| {row['what']} | {row['calls'] or ''} | {row[METRIC]:.2f} | {shown} | {row.get('learned_steps', '')} |")
        spent = ", ".join(f"{name} {value['cpu_seconds']:.0f}" for name, value in sorted(seconds.items()))
        lines += ["", f"CPU seconds of training: {spent}.", ""]
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("\n".join(lines))
        print("\n".join(lines))


def _bits(bound: Likelihood) -> dict[str, Any]:
    return {"bits_per_dim": bound.bits_per_dim, "standard_error": bound.standard_error, "nats": bound.nats, "head": bound.convention}


@contextmanager
def timed(file: Path) -> Iterator[None]:
    """The CPU seconds of what is done within, added to those that a file has."""
    before = json.loads(file.read_text())["cpu_seconds"] if file.exists() else 0.0
    began = time.process_time()
    try:
        yield
    finally:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, to_json({"cpu_seconds": before + time.process_time() - began, "machine": describe_machine()}) + "\n")


def network(data: DataSet, sizes: Sizes) -> Any:
    """The teacher's, with random weights; attention at its coarser resolution."""
    channels, height, width = data.event_shape
    torch.manual_seed(SEED)
    return diffusers.UNet2DModel(
        sample_size=(height, width),
        in_channels=channels,
        out_channels=channels,
        block_out_channels=sizes.channels,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=8,
        attention_head_dim=8,
    )


def randomised(teacher: Teacher) -> Teacher:
    """The same network with random weights."""
    backbone = teacher.backbone
    torch.manual_seed(SEED)
    for module in backbone.unet.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.GroupNorm):
            module.reset_parameters()
    return Teacher(backbone, teacher.log_snrs, teacher.target)


def train_teacher(data: DataSet, place: Path, sizes: Sizes) -> None:
    """As the examples of diffusers do: AdamW, a cosine schedule after a warm-up, averaged weights; kept as a pipeline when it is done."""
    if (place / "model_index.json").exists():
        return
    place.mkdir(parents=True, exist_ok=True)
    unet: Any = network(data, sizes)
    scheduler: Any = diffusers.DDPMScheduler(sizes.steps)
    optimiser = torch.optim.AdamW(unet.parameters(), lr=sizes.rate, weight_decay=1e-4)
    rates = diffusers.optimization.get_cosine_schedule_with_warmup(optimiser, max(1, sizes.updates // 20), sizes.updates)
    average = EMAModel(unet.parameters(), decay=0.999, use_ema_warmup=True, power=0.75)
    parts, done, file = (unet, optimiser, rates, average), 0, place / "state.pt"
    if file.exists():
        kept = torch.load(file)
        done = kept["done"]
        for part, state in zip(parts, kept["states"], strict=True):
            part.load_state_dict(state)
    with timed(place.parent / "teacher.seconds.json"):
        for update in range(done, sizes.updates):
            chosen = Noise(SEED, update, 1).uniform("items", (sizes.batch,))[0]
            y = data.train[(chosen * len(data.train)).long()]
            noise = Noise(SEED, update * sizes.batch, sizes.batch).normal("noise", y.shape[1:], like=y)
            steps = (Noise(SEED, update, 1).uniform("steps", (sizes.batch,))[0] * sizes.steps).long()
            loss = nn.functional.mse_loss(unet(scheduler.add_noise(y, noise, steps), steps).sample, noise)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
            optimiser.step()
            rates.step()
            average.step(unet.parameters())
            if (update + 1) % EVERY == 0:
                torch.save({"done": update + 1, "states": [part.state_dict() for part in parts]}, file)
                print(f"teacher: update {update + 1}, loss {float(loss.detach()):.4f}", flush=True)
    average.copy_to(unet.parameters())
    pipeline: Any = diffusers.DDPMPipeline(unet=unet, scheduler=scheduler)
    pipeline.save_pretrained(place)
    file.unlink(missing_ok=True)


@torch.no_grad()
def sampled(pipeline: Any, solver: str, calls: int, n: int, batch: int = 250) -> Tensor:
    """Images (n, C, H, W) of a pipeline of diffusers, by its own loop."""
    name = {"DDPM": "DDPMScheduler", "DDIM": "DDIMScheduler"}[solver]
    unet, scheduler = pipeline.unet, getattr(diffusers, name).from_config(pipeline.scheduler.config, timestep_spacing="trailing")
    generator, found = torch.Generator().manual_seed(SEED), []
    size = unet.config.sample_size
    for start in range(0, n, batch):
        scheduler.set_timesteps(calls)
        x = torch.randn(min(batch, n - start), unet.config.in_channels, *size, generator=generator)
        for step in scheduler.timesteps:
            x = scheduler.step(unet(x, step).sample, step, x, generator=generator).prev_sample
        found.append(x.clamp(-1, 1))
    return torch.cat(found)


def smoke() -> None:
    """Everything on the digits, for an instant."""
    with tempfile.TemporaryDirectory() as folder:
        work = Work(digits(), Path(folder), MINIATURE)
        work.train()
        replace(work).train()  # what is there is kept
        work.measure()
        work.report(Path(folder) / "page.md", "digits, in miniature")


def command_line() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="a miniature of everything, in a temporary folder")
    commands = parser.add_subparsers(dest="command")
    for name in ("train", "measure", "report"):
        command = commands.add_parser(name)
        command.add_argument("folder", type=Path)
        command.add_argument("--size", type=int, choices=(14, 28), default=28, help="pixels a side")
        command.add_argument("--short", action="store_true", help="a narrow network, few updates and samples")
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    if options.smoke:
        smoke()
        return
    if not options.command:
        parser.error("give a command, or --smoke")
    sizes, name = Sizes(), f"{options.size}{'-short' * options.short}"
    if options.short:
        shorter = tuple((key, 400 if key == "updates" else value) for key, value in sizes.chain)
        sizes = replace(sizes, channels=(16, 32), updates=3000, chain=shorter, samples=500, bound_items=64)
    kept = Path("runs/convert") / name
    kept.mkdir(parents=True, exist_ok=True)
    place = cases.Work(cases.Case(f"fashion_mnist_{options.size}", "", {}, 0, (), ()), options.folder, kept, name).place()
    work = Work(load(place), kept, sizes)
    if options.command == "report":
        made = f"`python benchmarks/convert.py train|measure|report FOLDER --size {options.size}{' --short' * options.short}`"
        size, chain = sum(p.numel() for p in work.teacher.parameters()), dict(sizes.chain)
        told = (
            f"Fashion-MNIST at {options.size} x {options.size}, no classes, {made}: the teacher has {size:,} parameters and "
            f"{sizes.updates} updates of {sizes.batch}, "
            f"a chain {chain['updates']} of {chain['batch']}; {sizes.samples} samples of seed {SEED}, "
            f"{sizes.bound_items} test items, one training each; {describe_machine()}."
            " Bounds of chains have mixtures of logistics with pixels in sequence as the step to data, those of the teacher a discretised "
            "Gaussian: a part of the difference is that. Steps that are not learned are the mixture's, which was better there."
            + " A short run: the teacher is far from done."
            * options.short
        )
        work.report(Path(f"docs/results/convert_{name.replace('-', '_')}.md"), told)
    else:
        getattr(work, options.command)()


if __name__ == "__main__":
    command_line()
