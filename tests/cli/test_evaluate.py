"""`saltus evaluate` as a user meets it: runs, files and folders of samples, JSON, and one sentence for every error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from saltus.chain import Chain
from saltus.cli.evaluate import evaluate_command
from saltus.cli.evaluate_samples import read_samples
from saltus.data import AS_GIVEN, load
from saltus.errors import SaltusError
from saltus.training import Config, planned_levels, train
from tests.helpers.checks import assert_one_sentence

QUICK = ("frechet", "energy", "memorisation")


def table(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal([3, 100], [1, 20], (n, 2)).astype(np.float32)


def pictures(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 8, 9), dtype=np.uint8)


def named() -> dict[str, np.ndarray]:
    """Rows of two classes, which lie apart."""
    classes = {part: np.arange(n) % 2 for part, n in (("train", 300), ("validation", 130), ("test", 140))}
    shifted = {part: table(len(c), seed) + (4 * c[:, None]).astype(np.float32) for seed, (part, c) in enumerate(classes.items())}
    return shifted | {f"{part}_labels": np.array(["low", "high"])[c] for part, c in classes.items()}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a data set of rows, one of images, and a short run."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SALTUS_CACHE", str(folder / "cache"))
        patch.chdir(folder)
        np.savez(folder / "table.npz", train=table(500, 0), validation=table(130, 1), test=table(140, 2))
        np.savez(folder / "pictures.npz", train=pictures(500, 0), validation=pictures(130, 1), test=pictures(140, 2))
        np.savez(folder / "named.npz", **named())
        train(load("table.npz"), Config(kernel="vae", updates=20, batch=16), "run", quiet=True)
        yield folder


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few metrics: the others are tested by themselves."""
    monkeypatch.setattr("saltus.evaluation.DEFAULT_METRICS", QUICK)


def evaluate(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(evaluate_command, arguments)


def figures(*arguments: str) -> dict[str, dict[str, dict[str, float]]]:
    done = evaluate(*arguments, "--json")
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()) == 1
    found: dict[str, dict[str, dict[str, float]]] = json.loads(done.stdout)
    return found


@pytest.mark.usefixtures("quick")
def test_a_run_knows_its_data(home: Path) -> None:
    done = evaluate("run", "--out", "figures", "--seeds", "0,3")
    assert done.exit_code == 0, done.output
    for words in (
        "140 real items (the test part), 140 generated, seeds 0, 3; 4 network calls a sample, final auto, eta 1, temperature 1, guidance 1",
        "features of a classifier of 25 clusters",
        "Fréchet distance",
        "memorisation (nearer to training, 0.5 is none)",
        "nats an item (standard error over 140 items), density in the units of the file",
        "level 1/kl ",
        "The figures are in figures/evaluation.json",
    ):
        assert words in done.stdout
    assert "seed 3: 140 samples" in done.stderr
    kept = json.loads((home / "figures" / "evaluation.json").read_text())
    assert (kept["run"], kept["calls"], kept["final"], kept["part"], kept["seeds"]) == ("run", 4, "auto", "test", [0, 3])
    assert list(kept["metrics"]) == list(QUICK)
    assert len(kept["metrics"]["energy"]["generated"]["values"]) == 2
    data = load("table.npz")
    assert kept["fingerprint"] == data.fingerprint
    expected = float(Chain.load("run").bound(data.test).bits_per_dim.double().mean())
    assert kept["likelihood"]["bits_per_dim"] == pytest.approx(expected, rel=1e-6)
    assert kept["likelihood"]["per_item"] == pytest.approx(Chain.load("run").bound(data.test).total.tolist())
    with pytest.raises(SaltusError, match=r"figures/evaluation\.json is already there"):
        raise evaluate("run", "--out", "figures").exception or AssertionError


@pytest.mark.usefixtures("home", "quick")
def test_the_final_step_and_the_number_are_the_users() -> None:
    mean, sample = (figures("run", "--n", "130", "--seeds", "0", "--final", final) for final in ("mean", "sample"))
    assert mean["n_generated"] == sample["n_generated"] == 130
    assert mean["metrics"]["energy"]["generated"]["mean"] != sample["metrics"]["energy"]["generated"]["mean"]
    assert mean["metrics"]["energy"]["floor"] == sample["metrics"]["energy"]["floor"]
    assert mean["metrics"]["energy"]["generated"]["spread"] is None


@pytest.mark.usefixtures("quick")
def test_samples_in_files_and_folders(home: Path) -> None:
    raw = pictures(3 * 128 + 3, 5)
    np.savez(home / "samples.npz", samples=raw, other=np.zeros(3))
    np.save(home / "turned.npy", raw[:, None])
    (home / "folder").mkdir()
    for index, item in enumerate(raw):
        Image.fromarray(item).save(home / "folder" / f"{index:04}.png")
    found = [figures(name, "--data", "pictures.npz") for name in ("samples.npz", "turned.npy", "folder")]
    assert found[0]["metrics"] == found[1]["metrics"] == found[2]["metrics"]
    assert found[0]["repeats"] == "thirds"
    assert found[0]["n_generated"] == 129
    assert found[0]["likelihood"] is None
    assert found[0]["samples"] == "samples.npz"
    assert abs(found[0]["metrics"]["memorisation"]["generated"]["mean"] - 0.5) < 0.15


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (pictures(600, 0)[:, :7], r"bad\.npy does not fit the data set pictures: the array has shape \(600, 7, 9\) where \(N, 8, 9\)"),
        (np.zeros((600, 9, 9), dtype=np.uint8), r"shape \(600, 9, 9\) where \(N, 8, 9\) was expected"),
        (pictures(600, 0)[..., None].repeat(3, -1), r"shape \(600, 8, 9, 3\) where \(N, 8, 9\) was expected"),
        (pictures(600, 0) / 77, r"bad\.npy does not fit the data set pictures: the array is of type float64 where uint8 was expected"),
        (np.full((600, 8, 9), np.nan), r"bad\.npy: the array holds 43200 NaN"),
        (table(600, 0), r"shape \(600, 2\) where \(N, 8, 9\) was expected"),
        (pictures(5, 0), r"bad\.npy holds 5 samples, which are measured in thirds; expected at least 6"),
    ],
)
def test_samples_that_do_not_fit_are_refused(home: Path, raw: np.ndarray, says: str) -> None:
    np.save(home / "bad.npy", raw)
    with pytest.raises(SaltusError, match=says) as caught:
        raise evaluate("bad.npy", "--data", "pictures.npz").exception or AssertionError
    assert ". " not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere"], "nowhere is not there; give a folder that train wrote, or"),
        (["table.npz"], "table.npz holds no run, which would know its data; give"),
        (["run", "--n", "501"], "501 generated items are more than the 500 training items"),
        (["run", "--data", "pictures.npz"], "other data"),
        (["run", "--inception"], "table holds rows of 2 columns: 2 continuous, and Inception distances are of images"),
        (["table.npz", "--data", "table.npz", "--n", "170"], "500 samples make no 3 sets of 170; expected at least 510"),
    ],
)
@pytest.mark.usefixtures("home")
def test_mistakes(arguments: list[str], says: str) -> None:
    with pytest.raises(SaltusError, match=says) as caught:
        raise evaluate(*arguments).exception or AssertionError
    assert ". " not in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (table(600, 5) * 255, r"other\.npy does not fit the data set table: the values of column 0 go from .* where the data go from"),
        (table(600, 5) / 1e4, "convert them to the units of the data"),
        (table(600, 5).astype(int), "of type int64 where float32 was expected"),
    ],
)
def test_samples_in_other_units_are_refused(home: Path, raw: np.ndarray, says: str) -> None:
    np.save(home / "other.npy", raw)
    with pytest.raises(SaltusError, match=says):
        raise evaluate("other.npy", "--data", "table.npz").exception or AssertionError


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
@pytest.mark.parametrize(
    ("samples", "data", "says"),
    [
        ((-1, 1), (0, 1), "the samples lie between -1 and 1 and the data between 0 and 1; convert"),
        ((0, 1), (-1, 1), "the samples lie between 0 and 1 and the data between -1 and 1; convert"),
        ((0, 1), (0, 255), "the samples lie between 0 and 1 and the data between 0 and 255; convert"),
        ((0, 255), (0, 1), "the samples lie between 0 and 255 and the data between 0 and 1; convert"),
        ((0, 1), (0, 1), ""),
        ((0, 0.5), (0, 1), ""),  # pale samples are measured, and not refused
    ],
)
def test_images_in_another_range_are_refused(
    tmp_path: Path, samples: tuple[float, float], data: tuple[float, float], says: str, dtype: type
) -> None:
    """Pixels of many values that are no multiples of each other, and of 256 bytes."""
    chance = np.random.default_rng(0)

    def drawn(low: float, high: float) -> np.ndarray:
        unit = chance.random((200, 8, 8)) if dtype is np.float32 else chance.integers(0, 256, (200, 8, 8)) / 255
        return (low + (high - low) * unit).astype(np.float32)

    np.save(tmp_path / "data.npy", drawn(*data))
    np.save(tmp_path / "samples.npy", drawn(*samples))
    if says:
        with pytest.raises(SaltusError, match=says) as caught:
            read_samples(tmp_path / "samples.npy", str(tmp_path / "data.npy"), AS_GIVEN)
        assert_one_sentence(caught.value)
    elif dtype is np.float32 or samples == data:
        assert len(read_samples(tmp_path / "samples.npy", str(tmp_path / "data.npy"), AS_GIVEN)[0]) == 200


@pytest.mark.usefixtures("home", "quick")
def test_options_of_a_run_and_a_file_in_the_way_are_told_before_the_work() -> None:
    done = evaluate("table.npz", "--data", "table.npz", "--seeds", "0")
    assert done.exit_code == 2
    assert "--seeds is for a training run, and table.npz holds none" in done.stderr
    assert isinstance(evaluate("run", "--out", "table.npz").exception, OSError)


@pytest.mark.usefixtures("home", "quick")
def test_the_bound_is_that_of_the_eta_that_samples_are_drawn_with() -> None:
    fresh, half, reused = (figures("run", "--seeds", "0", "--eta", eta) for eta in ("1", "0.5", "0"))
    assert (fresh["eta"], half["eta"], reused["eta"]) == (1, 0.5, 0)
    assert fresh["metrics"] != half["metrics"] != reused["metrics"]
    assert fresh["likelihood"] != half["likelihood"]
    assert fresh["likelihood"] == reused["likelihood"]  # without fresh noise there is no bound: then it is that of eta 1
    told = evaluate("run", "--seeds", "0", "--eta", "0", "--temperature", "1.5").stdout
    assert "eta 0, temperature 1.5, guidance 1; the bound is that of eta 1, temperature 1 and guidance 1" in told.replace("\n", " ")


@pytest.mark.usefixtures("home", "quick")
def test_importance_samples_weight_the_likelihood() -> None:
    plain, tight = (figures("run", "--seeds", "0", "--importance-samples", k)["likelihood"] for k in ("1", "4"))
    assert (plain["importance_samples"], tight["importance_samples"]) == (1, 4)
    assert "level 1/marginal" in tight["nats"]
    assert tight["total"] != plain["total"]


@pytest.mark.usefixtures("home", "quick")
def test_a_conditional_run_is_measured_with_and_without_its_classes() -> None:
    data = load("named.npz", condition="labels")
    assert data.conditions is not None
    train(data, Config(condition="labels", any_step=True, updates=10, batch=16, width=16, latent=2), "classes", quiet=True)
    found = figures("classes", "--seeds", "0", "--calls", "2", "--n", "130", "--guidance", "2")
    chain = Chain.load("classes")
    chain = chain.on(planned_levels("classes", chain, 2))
    expected = chain.bound(data.test, condition=data.conditions.test).total.double()
    assert (found["calls"], found["guidance"]) == (2, 2.0)
    assert found["likelihood"]["per_item"] == pytest.approx(expected.tolist(), rel=1e-5)
    told = chain.class_bound(data.test)
    right = (told.posterior.argmax(1) == data.conditions.test).double().mean()
    assert found["classes"]["accuracy"] == pytest.approx(float(right))
    assert found["classes"]["nats"] == pytest.approx(float(told.total.double().mean()), rel=1e-5)
    assert found["classes"]["items"] == len(data.test)
    words = evaluate("classes", "--seeds", "0", "--calls", "2", "--n", "130").stdout
    assert "class not told: " in words
    assert f"the bounds tell the class of {float(right):.1%} of them" in words
    assert figures("run", "--seeds", "0", "--n", "130")["classes"] is None
    taught = figures("classes", "--seeds", "0", "--calls", "2", "--n", "130", "--classifier")["classification"]
    assert (taught["learned"], taught["tested"]) == (130, len(data.test))
    assert "a classifier that learned from 130 drawn items" in taught["words"]
    with pytest.raises(SaltusError, match="--classifier was given, and run knows no classes; leave it out"):
        raise evaluate("run", "--classifier").exception or AssertionError


@pytest.mark.parametrize("seeds", ["", "a", "1,,2", "-1", "1,1"])
def test_seeds_are_numbers(seeds: str) -> None:
    done = evaluate("run", "--seeds", seeds)
    assert done.exit_code == 2
    assert "are no seeds; expected different numbers" in done.stderr


@pytest.mark.usefixtures("home")
def test_inception_that_is_not_there_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import torchmetrics.image.fid as fid

    monkeypatch.setattr(fid, "_TORCH_FIDELITY_AVAILABLE", False)
    with pytest.raises(SaltusError, match="pip install torch-fidelity"):
        raise evaluate("pictures.npz", "--data", "pictures.npz", "--n", "130", "--inception").exception or AssertionError


@pytest.mark.usefixtures("quick")
def test_samples_in_the_order_of_their_classes_get_the_figures_of_shuffled_ones(home: Path) -> None:
    """Thirds are not those of the file; the twin is each class alone."""
    sorted_by_value = np.sort(np.concatenate([table(450, 5), table(450, 6)]), axis=0)
    np.save(home / "sorted.npy", sorted_by_value)
    np.save(home / "shuffled.npy", np.random.default_rng(3).permutation(sorted_by_value))
    np.save(home / "low.npy", sorted_by_value[:400])

    def energy(name: str) -> float:
        done = evaluate(f"{name}.npy", "--data", "table.npz", "--json")
        assert done.exit_code == 0, done.output
        return float(json.loads(done.stdout)["metrics"]["energy"]["generated"]["mean"])

    one, other, low = energy("sorted"), energy("shuffled"), energy("low")
    assert one == pytest.approx(other, rel=0.5)
    assert low > 2 * max(one, other)


def test_what_few_items_allow_is_measured_and_the_rest_is_named(home: Path) -> None:
    np.savez(home / "few.npz", train=table(400, 0), validation=table(40, 1), test=table(48, 2))
    train(load(home / "few.npz"), Config(kernel="vae", updates=3, batch=16), home / "few-run", quiet=True)
    done = evaluate(str(home / "few-run"), "--json")
    result = json.loads(done.stdout)
    assert result["likelihood"]["items"] == 48
    assert "energy" in result["metrics"]
    assert "frechet" not in result["metrics"]
    assert "not measured for want of items: Fréchet distance in features trained here (128 items, and there are 48)" in done.stderr
