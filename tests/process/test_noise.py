"""Random numbers belong to (seed, item, level, role): not to batches, and to nothing else."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from saltus.errors import SaltusError
from saltus.process import Noise
from saltus.process.noise import device_normals
from saltus.process.philox import LOW, key_of
from tests.helpers.checks import LEAST_P, assert_one_sentence, follows, mean_is, normal_cdf

MANY = 100_000
SIZES = [1, 2, 3, 7, 8, 15, 16, 17, 33, 100, 257, 1000, 33_001]
"""Numbers of an item: odd ones, ones around the lengths that a processor works in, and more than are made at once."""

Maker = Callable[[Noise, int], Tensor]


def on_cpu(version: int) -> Maker:
    return lambda noise, each: replace(noise, version=version).normal("a", (each,))


def as_on_a_device(noise: Noise, each: int) -> Tensor:
    """What another device than the CPU does, on the CPU."""
    return device_normals(key_of(noise.seed, noise.level, "a"), noise.first_item, noise.n, each, torch.device("cpu"), noise.step)


WAYS: dict[str, Maker] = {"version 1": on_cpu(1), "version 2": on_cpu(2), "device": as_on_a_device}
ways = pytest.mark.parametrize("make", WAYS.values(), ids=WAYS.keys())


@ways
@settings(max_examples=50)
@given(st.integers(0, 30), st.integers(1, 12), st.integers(0, 12), st.sampled_from(SIZES[:-1]))
def test_an_item_keeps_its_noise_whatever_the_batch(make: Maker, first: int, n: int, split: int, size: int) -> None:
    split = min(split, n)
    whole = make(Noise(5, 0, first + n), size)[first:]
    parts = [Noise(5, first, split), Noise(5, first + split, n - split)]
    assert torch.equal(torch.cat([make(part, size) for part in parts]), whole)
    assert torch.equal(torch.cat([part.uniform("role") for part in parts]), Noise(5, 0, first + n).uniform("role")[first:])


@ways
@pytest.mark.parametrize("size", [1, 7, 300, 3000])  # made together, and one by one
@pytest.mark.parametrize("step", [2, 3, 8])
def test_an_item_keeps_its_noise_in_a_share(make: Maker, size: int, step: int) -> None:
    whole = Noise(5, 7, 20)
    for rank in range(step):
        share = replace(whole, first_item=7 + rank, n=len(range(rank, 20, step)), step=step)
        assert torch.equal(make(share, size), make(whole, size)[rank::step])
        assert torch.equal(share.uniform("role", (size,)), whole.uniform("role", (size,))[rank::step])
    assert make(replace(whole, n=0, step=step), size).shape == (0, size)


@ways
@pytest.mark.parametrize("size", SIZES)
def test_an_item_keeps_its_noise_in_a_large_batch(make: Maker, size: int) -> None:
    n = 40_000 // size + 3
    whole = make(Noise(5, 7, n), size)
    for item in {0, 1, n // 3, n // 2, n - 1}:
        assert torch.equal(make(Noise(5, 7 + item, 1), size)[0], whole[item])
        assert not torch.equal(make(Noise(5, 8 + item, 1), size)[0], whole[item])  # the twin: its neighbour


@ways
def test_every_part_of_the_key_counts(make: Maker) -> None:
    base = Noise(1, 0, MANY)
    x = make(base, 1)
    for other in [base.at(1), replace(base, seed=2), replace(base, first_item=MANY), replace(base, first_item=1)]:
        assert mean_is(x * make(other, 1), 0.0)  # uncorrelated
    assert not mean_is(x * make(base.at(0), 1), 0.0)  # the twin: the same key


@pytest.mark.parametrize("version", [1, 2])
def test_roles_are_apart(version: int) -> None:
    noise = Noise(1, 0, MANY, version=version)
    assert mean_is(noise.normal("a", ()) * noise.normal("b", ()), 0.0)
    assert not mean_is(noise.normal("a", ()) * noise.normal("a", ()), 0.0)  # the twin
    assert mean_is((noise.uniform("a") - 0.5) * (noise.uniform("b") - 0.5), 0.0)


@ways
def test_numbers_of_one_item_are_apart(make: Maker) -> None:
    """Their values, and their squares: the two normals of a pair share a radius."""
    x = make(Noise(3, 0, MANY), 6).double()
    for values in (x, x**2 - 1):
        for i in range(6):
            assert all(mean_is(values[:, i] * values[:, j], 0.0) for j in range(i))
            assert not mean_is(values[:, i] ** 2, 0.0)  # the twin
        assert all(mean_is(values[:-1, i] * values[1:, i], 0.0) for i in range(6))  # neighbouring items
    circle = x[:, [0, 3]] / x[:, [0, 3]].norm(dim=1, keepdim=True)
    squares = circle**2 - (circle**2).mean(0)
    assert not mean_is(squares[:, 0] * squares[:, 1], 0.0)  # the twin: a pair whose radius is not that of Gaussians


@ways
def test_distributions(make: Maker) -> None:
    x = make(Noise(7, 0, MANY), 5).double()
    assert follows(x.flatten(), normal_cdf())
    assert not follows(x.flatten(), normal_cdf(variance=1.05))  # the twin
    for power, moment in enumerate((0.0, 1.0, 0.0, 3.0), start=1):
        assert mean_is(x.flatten() ** power, moment)
        assert not mean_is((1.02 * x.flatten() + 0.02) ** power, moment)  # the twin
        assert all(mean_is(x[:, i] ** power, moment) for i in range(5))


@ways
def test_tails(make: Maker) -> None:
    """As many numbers beyond four standard deviations as there should be, on both sides, and some beyond five."""
    x = make(Noise(8, 0, 1000), 4000).flatten()

    def chance(beyond: float, scale: float = 1.0) -> float:
        found = [int((side * x * scale > beyond).sum()) for side in (1, -1)]
        return min(float(stats.binomtest(count, len(x), stats.norm.sf(beyond)).pvalue) for count in found)

    assert chance(4.0) > LEAST_P
    assert chance(4.5) > LEAST_P
    assert chance(4.0, scale=1.1) < LEAST_P  # the twin
    assert 5 < float(x.abs().max()) < 6.8


def test_uniforms() -> None:
    uniform = Noise(7, 0, MANY).uniform("a")
    assert follows(uniform, stats.uniform.cdf)
    assert not follows(uniform, stats.uniform(0, 1.02).cdf)  # the twin
    assert torch.equal(uniform, Noise(7, 0, MANY, version=1).uniform("a"))


def test_the_formula() -> None:
    """By complex numbers in float64, from words that NumPy's own generator gives one item at a time."""
    noise, each = Noise(9, 1000, 5, 2), 7
    key = np.random.SeedSequence([9, 2, 0xE8B7BE43]).generate_state(2, np.uint64)  # the CRC-32 of "a"
    for row, item in zip(noise.normal("a", (each,)), range(1000, 1005), strict=True):
        words = np.random.Philox(key=key, counter=item).random_raw(4)
        halves = np.stack([words & np.uint64(LOW), words >> np.uint64(32)], axis=1).flatten() / 2.0**32
        pairs = np.sqrt(-2 * np.log(halves[:4] + 2.0**-33)) * np.exp(2j * np.pi * halves[4:])
        expected = np.concatenate([pairs.real, pairs.imag])[:each]
        np.testing.assert_allclose(row.numpy(), expected, rtol=0, atol=3e-6)


def test_version_1_is_what_it_was() -> None:
    """Stored numbers: chains that were saved with them sample the same items."""
    noise = Noise(11, 5, 2, 3, version=1)
    assert noise.uniform("u", (3,)).tolist() == [
        [0.002338143061644149, 0.5708340488956806, 0.8748224013666966],
        [0.30091236875525074, 0.4985159880100113, 0.9581765808189439],
    ]
    first = [0.9463706863654731, -0.4093173500897303, 0.17952385693532116, 0.7877510412169458, 0.057642094871946055]
    second = [0.48172760766518496, 0.36511607776247235, 0.1578535104639343, 0.6307557894767747, 2.140745350014595]
    torch.testing.assert_close(noise.normal("z", (5,)), torch.tensor([first, second], dtype=torch.float64), rtol=1e-14, atol=0)
    far = Noise(2**63 - 1, 2**40, 1, version=1).normal("z", (2,))
    torch.testing.assert_close(far, torch.tensor([[0.5672604484316217, 1.2961360817446848]], dtype=torch.float64), rtol=1e-14, atol=0)
    assert not torch.equal(noise.normal("z", (5,)), replace(noise, version=2).normal("z", (5,)))


@ways
@pytest.mark.parametrize("each", [1, 5])
def test_huge_seeds_and_items(make: Maker, each: int) -> None:
    for seed, item in [(2**63 - 1, 2**40 + 3), (2**63 - 1, 2**52), (5, 2**62)]:
        far = make(Noise(seed, item, 3), each)
        assert torch.isfinite(far).all()
        assert torch.equal(far[2:], make(Noise(seed, item + 2, 1), each))
        others = [Noise(seed % 2**32, item, 3), Noise(seed, item % 2**32, 3), Noise(seed, item - 2**32, 3)]
        for other in others:
            assert (other.seed, other.first_item) == (seed, item) or not (make(other, each) == far).all(1).any()


@pytest.mark.parametrize("word", [0, 2**64 - 1])
def test_the_smallest_and_the_largest_words(word: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Uniforms stay inside (0, 1) and normals finite."""
    monkeypatch.setattr("saltus.process.noise.random_words", lambda _key, _first, count: np.full(count, word, np.uint64))
    monkeypatch.setattr("saltus.process.noise.philox4x32", lambda _counter, _key: [torch.full((1, 1), word & LOW)] * 4)
    noise = Noise(0, 0, 1)
    assert 0 < float(noise.uniform("a")) < 1
    for make in WAYS.values():
        assert torch.isfinite(make(noise, 3).float()).all()


def test_dtype_and_shape() -> None:
    noise = Noise(0, 0, 4)
    for dtype in (torch.float32, torch.bfloat16):
        assert torch.equal(noise.normal("a", (2, 3), like=torch.zeros(1, dtype=dtype)), noise.normal("a", (2, 3)).to(dtype))
    assert noise.normal("a", (2, 3)).dtype == noise.uniform("a").dtype == torch.float64
    assert noise.normal("a", (2, 3)).shape == (4, 2, 3)
    assert noise.normal("a", ()).shape == (4,)
    assert noise.normal("a", (0,)).shape == noise.uniform("a", (0,)).shape == (4, 0)
    assert as_on_a_device(noise, 0).shape == (4, 0)
    assert Noise(0, 0, 0).normal("a", (2,)).shape == as_on_a_device(Noise(0, 0, 0), 2).shape == (0, 2)
    assert torch.equal(noise.normal("a", (6,)), noise.normal("a", (2, 3)).flatten(1))


def test_another_device_is_never_waited_for() -> None:
    """The meta device has no numbers, so whatever asks for one fails."""
    meta = torch.empty(0, device="meta")
    made = Noise(0, 2**40, 4).normal("a", (2, 3), like=meta)
    assert made.shape == (4, 2, 3)
    assert made.is_meta
    with pytest.raises(RuntimeError, match="meta"):  # the twin
        made[0, 0, 0].item()


def test_threads_make_the_same_numbers() -> None:
    def work(item: int) -> Tensor:
        return Noise(4, item, 1).normal("a", (501,))

    items = list(range(400))
    with ThreadPoolExecutor(8) as pool:
        assert torch.equal(torch.cat(list(pool.map(work, items))), Noise(4, 0, 400).normal("a", (501,)))


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"first_item": -2}, {"n": -3}, {"level": -4}, {"step": 0}])
def test_negative_keys_are_refused(wrong: dict[str, int]) -> None:
    name, value = next(iter(wrong.items()))
    with pytest.raises(ValueError, match=f"{name}={value}"):
        Noise(**({"seed": 0, "first_item": 0, "n": 1} | wrong))


@pytest.mark.parametrize("version", [0, 3])
def test_unknown_versions_are_refused(version: int) -> None:
    with pytest.raises(SaltusError) as caught:
        Noise(0, 0, 1, version=version)
    assert_one_sentence(caught.value, f"version {version}")
