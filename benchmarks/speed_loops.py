"""Updates of training as other libraries make them, and as saltus does, on the same networks: what benchmarks/speed.py times.

Each loop is written after the library's own, whose address its docstring gives.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from typing import Any

import torch
from torch import Tensor, nn

BATCH, STEPS = 64, 1000
CHANNELS = (32, 64, 128)


class Perceptron(nn.Module):
    """Three layers for rows, told the time as one more column."""

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(columns + 1, 256), nn.SiLU(), nn.Linear(256, 256), nn.SiLU(), nn.Linear(256, columns))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        out: Tensor = self.layers(torch.cat([x, t.to(x)[:, None]], dim=1))
        return out


class Unet(nn.Module):
    """diffusers' network, of images and times."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        from diffusers import UNet2DModel

        super().__init__()
        blocks = len(CHANNELS)
        self.network: Any = UNet2DModel(
            sample_size=shape[1],
            in_channels=shape[0],
            out_channels=shape[0],
            block_out_channels=CHANNELS,
            layers_per_block=2,
            down_block_types=("DownBlock2D",) * blocks,
            up_block_types=("UpBlock2D",) * blocks,
            norm_num_groups=8,
            add_attention=False,
        )

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        out: Tensor = self.network(x, t).sample
        return out


def network_of(shape: tuple[int, ...]) -> nn.Module:
    torch.manual_seed(0)
    return Unet(shape) if len(shape) == 3 else Perceptron(shape[0])


def loader(items: Tensor) -> Iterator[Tensor]:
    """Batches without end, as the other libraries read them."""
    data: Any = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(items), batch_size=BATCH, shuffle=True, drop_last=True)
    while True:
        yield from (batch[0] for batch in data)


def of_diffusers(items: Tensor, precision: str) -> Iterator[None]:
    """The loop of examples/unconditional_image_generation/train_unconditional.py, https://github.com/huggingface/diffusers."""
    from accelerate import Accelerator
    from diffusers import DDPMScheduler
    from diffusers.optimization import get_scheduler
    from diffusers.training_utils import EMAModel

    accelerator = Accelerator(mixed_precision=precision, cpu=True)
    scheduler: Any = DDPMScheduler(STEPS)
    network: Any = network_of(items.shape[1:])
    average = EMAModel(network.parameters(), decay=0.9999, use_ema_warmup=True, inv_gamma=1.0, power=0.75)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, betas=(0.95, 0.999), weight_decay=1e-6, eps=1e-8)
    rates = get_scheduler("cosine", optimizer=optimiser, num_warmup_steps=500, num_training_steps=10**6)
    network, optimiser, rates = accelerator.prepare(network, optimiser, rates)
    network.train()
    for clean in loader(items):
        noise = torch.randn(clean.shape)
        timesteps = torch.randint(0, STEPS, (len(clean),)).long()
        noisy = scheduler.add_noise(clean, noise, timesteps)
        with accelerator.accumulate(network):
            loss = nn.functional.mse_loss(network(noisy, timesteps).float(), noise.float())
            accelerator.backward(loss)
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            rates.step()
            optimiser.zero_grad()
        average.step(network.parameters())
        loss.detach().item()
        yield


def of_denoising_diffusion_pytorch(items: Tensor) -> Iterator[None]:
    """The loop of its `Trainer.train`, https://github.com/lucidrains/denoising-diffusion-pytorch; it takes square images alone."""
    from accelerate import Accelerator

    accelerator, network = Accelerator(cpu=True), network_of(items.shape[1:])  # first: diffusers looks for torchvision itself
    for name in ("torchvision", "torchvision.transforms", "torchvision.utils"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__spec__ = ModuleSpec(name, None)
    sys.modules["torchvision"].transforms = sys.modules["torchvision.transforms"]  # type: ignore[attr-defined]
    sys.modules["torchvision"].utils = sys.modules["torchvision.utils"]  # type: ignore[attr-defined]
    from denoising_diffusion_pytorch.denoising_diffusion_pytorch import GaussianDiffusion
    from ema_pytorch import EMA

    told: dict[str, Any] = {"channels": items.shape[1], "out_dim": items.shape[1], "self_condition": False}
    for name, value in {**told, "random_or_learned_sinusoidal_cond": False}.items():
        setattr(network, name, value)  # what its own network says of itself
    forward = network.forward
    network.forward = lambda x, t, _=None: forward(x, t)
    model: Any = GaussianDiffusion(network, image_size=items.shape[-1], timesteps=STEPS)
    average = EMA(model, beta=0.995, update_every=10)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4, betas=(0.9, 0.99))
    model, optimiser = accelerator.prepare(model, optimiser)
    for clean in loader(items / 2 + 0.5):
        model.train()
        with accelerator.autocast():
            loss = model(clean)
        loss.item()
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        average.update()
        yield


def of_azula(items: Tensor) -> Iterator[None]:
    """The loop of its tutorials, https://azula.readthedocs.io, which averages no weights."""
    from azula.denoise import SimpleDenoiser
    from azula.noise import VPSchedule

    denoiser: Any = SimpleDenoiser(network_of(items.shape[1:]), VPSchedule())
    optimiser = torch.optim.AdamW(denoiser.parameters(), lr=1e-3)
    for clean in loader(items):
        loss = denoiser.loss(clean, torch.rand(len(clean))).mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        loss.item()
        yield


class Ours(nn.Module):
    """The same network as saltus calls one."""

    def __init__(self, event_shape: tuple[int, ...], **_: Any) -> None:
        super().__init__()
        self.event_shape, self.latent, self.condition = tuple(event_shape), 0, None
        self.network = network_of(self.event_shape)

    def forward(self, x: Tensor, log_snr: Tensor, latent: Tensor | None = None, condition: Tensor | None = None) -> Tensor:
        out: Tensor = self.network(x[:, 0], log_snr[:, 0].to(x))[:, None]
        return out


def of_saltus(items: Tensor, trial: bool, compiled: bool) -> Iterator[None]:
    """The Gaussian kernel: a denoiser, its loss at random times, averages, level sampling, noise by seed and item."""
    from saltus.data import DataSet
    from saltus.networks import NETWORKS
    from saltus.training import Config, Trainer, build_chain
    from saltus.training.trial import choose_speed

    NETWORKS.register("peer", Ours)
    data = DataSet.from_arrays(items.numpy())
    config = Config(kernel="gaussian", architecture="peer", updates=10**8, batch=BATCH, compile=compiled)
    chain = build_chain(config, data)
    chosen, words = choose_speed(chain, data, config, torch.device("cpu")) if trial else ({}, "")
    print(words or "plain", file=sys.stderr)
    for _ in Trainer(chain, data, config.model_copy(update=chosen)):
        yield


CONTENDERS: dict[str, Callable[[Tensor], Iterator[None]]] = {
    "diffusers": lambda items: of_diffusers(items, "no"),
    "diffusers, bfloat16": lambda items: of_diffusers(items, "bf16"),
    "denoising-diffusion-pytorch": of_denoising_diffusion_pytorch,
    "azula": of_azula,
    "saltus, float32": lambda items: of_saltus(items, trial=False, compiled=False),
    "saltus, by default (a trial)": lambda items: of_saltus(items, trial=True, compiled=False),
    "saltus, the same compiled": lambda items: of_saltus(items, trial=True, compiled=True),
}
