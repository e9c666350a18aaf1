"""Models of diffusers: their own steps with the same noise, on their own grid; what lies between; and what cannot be read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from torch import Tensor

from saltus import ClassCondition, DiscretisedHead, GaussianHead, GaussianKernel, Levels, OrnsteinUhlenbeck, SaltusError, Transition
from saltus.integrations import load_teacher, teacher_chain, teacher_levels, teacher_of
from saltus.kernels import Target, Teacher, Variance, predict
from tests.helpers.checks import assert_one_sentence
from tests.helpers.teachers import STEPS, saved, scheduler, unet

process = OrnsteinUhlenbeck()
KINDS = pytest.mark.parametrize("target", list(Target))
TOLERANCE = 2e-4  # float32 through a dozen steps, the first of which divides by alpha = 0.2


def start(n: int = 3) -> Tensor:
    return torch.randn(n, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def ours(teacher: Teacher, z: Tensor, eps: list[Tensor], *, eta: float, variance: Variance = Variance.POSTERIOR) -> Tensor:
    """z_0 along all of its own times, noisiest first, with given noise: the mean of the step to data."""
    kernel = GaussianKernel(teacher, GaussianHead(1e-6), variance=variance)
    pairs = teacher_levels(teacher, len(teacher.log_snrs)).pairs()
    with torch.no_grad():
        for (s, t), unit in zip(reversed(pairs), eps, strict=True):
            step = kernel.step(Transition(z, s, t, eta=eta), z.new_zeros(len(z), 0))
            z = step.mean + step.variance.sqrt() * unit if s > 0 else step.mean
    return z


def theirs(network: Any, steps: Any, z: Tensor, eta: float | None) -> tuple[Tensor, list[Tensor]]:
    """The loop of `DDPMPipeline` or `DDIMPipeline`, and the noise that it drew."""
    generator, drawn = torch.Generator().manual_seed(7), []
    steps.set_timesteps(STEPS)
    for timestep in steps.timesteps:
        again = torch.Generator()
        again.set_state(generator.get_state())
        drawn.append(torch.randn(z.shape, generator=again))
        with torch.no_grad():
            output = network(z, timestep).sample
        options = {} if eta is None else {"eta": eta, "use_clipped_model_output": True}
        z = steps.step(output, timestep, z, generator=generator, **options).prev_sample
    return z, drawn


@KINDS
@pytest.mark.parametrize("clip", [False, True], ids=["as it is", "clipped"])
def test_ddpm_is_the_gaussian_step_on_its_own_grid(target: Target, clip: bool) -> None:
    network, steps = unet(), scheduler(prediction_type=str(target), clip_sample=clip)
    expected, drawn = theirs(network, steps, start(), None)
    teacher, remarks = teacher_of(network, steps)
    assert remarks == []
    found = ours(teacher, start(), drawn, eta=1.0)
    torch.testing.assert_close(found, expected, rtol=TOLERANCE, atol=TOLERANCE)
    wider = ours(teacher, start(), drawn, eta=1.0, variance=Variance.TRANSITION)  # the twin: another variance
    assert not torch.allclose(wider, expected, rtol=TOLERANCE, atol=TOLERANCE)


@KINDS
@pytest.mark.parametrize("eta", [0.0, 0.6])
def test_ddim_is_the_same_step_with_less_fresh_noise(target: Target, eta: float) -> None:
    network, steps = unet(), scheduler("DDIMScheduler", prediction_type=str(target), clip_sample=True)
    expected, drawn = theirs(network, steps, start(), eta)
    teacher, _ = teacher_of(network, steps)
    torch.testing.assert_close(ours(teacher, start(), drawn, eta=eta), expected, rtol=TOLERANCE, atol=TOLERANCE)
    assert not torch.allclose(ours(teacher, start(), drawn, eta=1 - eta), expected, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("schedule", ["linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid"])
def test_the_times_are_those_of_the_schedule(schedule: str) -> None:
    steps = scheduler(beta_schedule=schedule)
    teacher, _ = teacher_of(unet(), steps)
    times = Levels.from_alphas_cumprod(steps.alphas_cumprod.double()).times
    torch.testing.assert_close(teacher_levels(teacher, STEPS).times, times, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(teacher.step_at(process.log_snr(times[1:])), torch.arange(STEPS, dtype=torch.float64), atol=1e-6, rtol=0)
    assert list(teacher_levels(teacher, 4)) == pytest.approx([0.0, *times[[3, 6, 9, 12]].tolist()])


def test_between_two_times_the_step_lies_between_in_log_snr() -> None:
    teacher, _ = teacher_of(unet(), scheduler())
    known = teacher.log_snrs
    at = torch.stack([0.25 * known[3] + 0.75 * known[4], known[0] + 5, known[-1] - 5, torch.tensor(torch.inf)])
    torch.testing.assert_close(teacher.step_at(at), torch.tensor([3.75, 0.0, STEPS - 1, 0.0], dtype=torch.float64))


def test_between_two_times_the_scales_are_those_of_the_time() -> None:
    network, steps = unet(), scheduler(prediction_type="v_prediction")
    teacher, _ = teacher_of(network, steps)
    t = float(teacher_levels(teacher, STEPS).times[4:6].mean())
    with torch.no_grad():
        v = network(start(), teacher.step_at(process.log_snr(t)[None]).float()).sample
        found = predict(teacher, start(), t)
    torch.testing.assert_close(found, float(process.alpha(t)) * start() - float(process.sigma(t)) * v, rtol=1e-5, atol=1e-5)


def test_a_schedule_that_ends_without_signal_is_read_up_to_the_step_before() -> None:
    teacher, _ = teacher_of(unet(), scheduler("DDIMScheduler", rescale_betas_zero_snr=True, prediction_type="v_prediction"))
    assert len(teacher.log_snrs) == STEPS - 1
    assert bool(teacher.log_snrs.isfinite().all())


def test_other_ways_to_step_are_other_samplers_of_one_network(tmp_path: Path) -> None:
    """A network that was saved with another scheduler of the same betas is the same."""
    places = [saved(tmp_path / name, steps=scheduler(name)) for name in ("DDPMScheduler", "PNDMScheduler", "EulerDiscreteScheduler")]
    assert len({load_teacher(place)[0].digest for place in places}) == 1


def test_classes_are_told_and_no_class_is_their_mean_or_its_own_row() -> None:
    condition = ClassCondition(["a", "b", "c"], [1, 1, 1])
    for rows, none in ((3, None), (4, 3)):
        network = unet(num_class_embeds=rows)
        teacher, _ = teacher_of(network, scheduler(prediction_type="sample"), condition)
        at = teacher_levels(teacher, STEPS).times[5]
        with torch.no_grad():
            expected = network(start(), torch.tensor(4), class_labels=torch.tensor([2, 0, 1])).sample
            torch.testing.assert_close(predict(teacher, start(), at, torch.tensor([2, 0, 1])), expected, rtol=1e-4, atol=1e-5)
            free = predict(teacher, start(), at, None)
            if none is None:
                embedding = network.class_embedding.weight
                embedding[0] = embedding.mean(0)
            told = network(start(), torch.tensor(4), class_labels=torch.full((3,), none or 0)).sample
        torch.testing.assert_close(free, told, rtol=1e-4, atol=1e-5)


def test_a_network_that_gives_variances_is_read_without_them() -> None:
    network, steps = unet(out_channels=2), scheduler(variance_type="learned_range", prediction_type="sample")
    teacher, remarks = teacher_of(network, steps)
    assert "variances" in " ".join(remarks)
    with torch.no_grad():
        expected = network(start(), torch.tensor(4)).sample[:, :1]
        torch.testing.assert_close(predict(teacher, start(), teacher_levels(teacher, STEPS).times[5]), expected, rtol=1e-4, atol=1e-5)


def test_the_owners_chain_has_a_bound() -> None:
    """On Gaussian pixels whose best prediction is 0 the network of zeros is the truth, and its bound is the entropy and little more."""
    network = unet()
    with torch.no_grad():
        for parameter in network.conv_out.parameters():
            parameter.zero_()
    teacher, _ = teacher_of(network, scheduler(prediction_type="sample"))
    head = DiscretisedHead(3)
    y = torch.randint(3, (64, 1, 8, 8), generator=torch.Generator().manual_seed(0)) - 1.0
    chain = teacher_chain(teacher, 4, head)
    chain.calibrate(y[:32])
    bits = chain.bound(y[32:], seed=0).bits_per_dim
    assert bits.isfinite().all()
    assert float(bits.mean()) >= 1.5  # log2 3 = 1.585 but for the items' own chance
    narrow = teacher_chain(teacher, 4, head, variance=Variance.POSTERIOR).bound(y[32:], seed=0)
    assert float(narrow.total.mean()) > float(chain.bound(y[32:], seed=0).total.mean())


def broken(change: Callable[[dict[str, Any]], object], file: str = "model_index.json") -> Callable[[Path], Path]:
    """A folder whose JSON was changed."""

    def made(folder: Path) -> Path:
        saved(folder)
        content = json.loads((folder / file).read_text())
        change(content)
        (folder / file).write_text(json.dumps(content))
        return folder

    return made


def without(name: str) -> Callable[[Path], Path]:
    def made(folder: Path) -> Path:
        saved(folder)
        place = folder / name
        shutil.rmtree(place) if place.is_dir() else place.unlink()
        return folder

    return made


WRONG: dict[str, tuple[Callable[[Path], Path], str]] = {
    "nothing there": (lambda folder: folder / "away", "not there"),
    "no index": (without("model_index.json"), "model_index.json"),
    "no weights": (without("unet"), "cannot be read"),
    "latents": (broken(lambda index: index.update(vae=["diffusers", "AutoencoderKL"])), "vae"),
    "texts": (broken(lambda index: index.update(text_encoder=["transformers", "CLIPTextModel"])), "text_encoder"),
    "no scheduler": (broken(lambda index: index.pop("scheduler")), "scheduler"),
    "another network": (broken(lambda index: index.update(unet=["diffusers", "UNet2DConditionModel"])), "UNet2DConditionModel"),
    "unknown scheduler": (broken(lambda index: index.update(scheduler=["diffusers", "Mine"])), "Mine"),
    "unknown blocks": (broken(lambda config: config.update(down_block_types=["MyBlock", "DownBlock2D"]), "unet/config.json"), "MyBlock"),
    "unknown prediction": (broken(lambda config: config.update(prediction_type="flow"), "scheduler/scheduler_config.json"), "flow"),
    "karras": (lambda folder: saved(folder, steps=scheduler("EulerDiscreteScheduler", use_karras_sigmas=True)), "use_karras_sigmas"),
    "exploding": (lambda folder: saved(folder, steps=diffusers.EDMEulerScheduler()), "EDMEulerScheduler"),
    "flow matching": (lambda folder: saved(folder, steps=diffusers.FlowMatchEulerDiscreteScheduler()), "FlowMatchEulerDiscrete"),
    "fourier": (lambda folder: saved(folder, unet(time_embedding_type="fourier")), "fourier"),
    "centred": (lambda folder: saved(folder, unet(center_input_sample=True)), "center_input_sample"),
    "any size": (lambda folder: saved(folder, unet(sample_size=None)), "sample_size"),
    "other channels": (lambda folder: saved(folder, unet(in_channels=2)), "2 channels"),
    "classes": (lambda folder: saved(folder, unet(num_class_embeds=5)), "5 classes"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_read_is_told_in_one_sentence(case: str, tmp_path: Path) -> None:
    make, word = WRONG[case]
    with pytest.raises(SaltusError) as caught:
        load_teacher(make(tmp_path / "model"))
    assert_one_sentence(caught.value, word)


def test_more_levels_than_the_schedule_has_are_refused() -> None:
    teacher, _ = teacher_of(unet(), scheduler())
    with pytest.raises(SaltusError) as caught:
        teacher_levels(teacher, STEPS + 1)
    assert_one_sentence(caught.value, "13 levels")
