"""The page of a comparison: it says what its rows hold, whatever their names are."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from saltus.studies.compare.models import PERFECT
from saltus.studies.compare.page import bound_figure, curves, finding, tabulated, write_page
from tests.helpers.html import HOSTILE, Page, check


def row(model: str, sampler: str, calls: int, **more: Any) -> dict[str, Any]:
    figure = {"mean": 0.5 / calls, "spread": 0.01, "values": [0.5], "above_floor": 0.25}
    bound = {
        "items": 9,
        "unit": "nats an item",
        "convention": "density",
        "value": {"mean": 1.5, "spread": None},
        "standard_error_over_items": 0.125,
        "importance_samples": 1,
    }
    usual = {"network_calls": calls, "grid": "cosine", "figures": [{"run": "a", "seed": 0}] * 3, "seconds_per_1000": 1.0}
    named = {
        "model": model,
        "sampler": sampler,
        "calls": calls,
        "metrics": {"energy": figure, "precision": {**figure, "above_floor": None}},
    }
    return {**named, **usual, "bound": bound, "multiply_adds": None, "pictured": "file", **more}


def summary(rows: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    models = {row["model"]: [{"run": row["model"], "hash": "1"}] for row in rows}
    floor = {name: {"mean": 0.1, "spread": 0.01, "values": [0.1]} for name in ("energy", "precision")}
    usual = {"data": "digits: some", "n_generated": 10, "n_real": 9, "choice": "grids", "features": "Some features.", "seconds": 2.0}
    return {**usual, "models": models, "floor": floor, "rows": rows, "machines": ["one", "two"], **more}


def compared(tmp_path: Path, found: dict[str, Any], pictured: Callable[[Any], Tensor] | None = None) -> tuple[str, Page]:
    write_page(found, tmp_path / "compare.html", pictured=pictured, shown=(-1.0, 1.0))
    text = (tmp_path / "compare.html").read_text(encoding="utf-8")
    return text, check(text)


def test_a_comparison_of_runs_of_any_name_is_a_page(tmp_path: Path) -> None:
    rows = [row(f"{name}, 2 levels", sampler, 2) for name in HOSTILE for sampler in ("VAE step", name)]
    found = summary(rows, data=f"{HOSTILE[6]}: data", choice=HOSTILE[6], features=HOSTILE[8], machines=[HOSTILE[10]])
    _, page = compared(tmp_path, found, lambda _: torch.zeros(4, 1, 8, 8))
    for each in rows:
        assert f"{each['model']}: {each['sampler']}" in page.cells
    assert page.count("svg") == 2
    assert page.count("img") == len(rows)
    words = set(page.attributes("alt"))
    assert words == {f"{each['model']}: {each['sampler']}, 2 calls" for each in rows}
    assert HOSTILE[6] in page.text


def test_a_comparison_says_what_its_rows_hold(tmp_path: Path) -> None:
    rows = [
        row("gaussian", "DDIM", 1, bound=None, multiply_adds=1234567),
        row(
            "gaussian",
            "DDIM",
            2,
            bound=None,
            metrics=row("", "", 1)["metrics"] | {"energy": {"mean": None, "spread": None, "above_floor": None}},
        ),
        row("VAE, 2 levels", "VAE step", 2),
        row(PERFECT, "DDIM", 2, figures=[{}] * 5),
    ]
    text, page = compared(tmp_path, summary(rows))
    cells = page.cells
    assert "0.5000 ± 0.01 (+0.25)" in cells
    assert "diverged" in cells
    assert "1,234,567" in cells
    assert cells.count("1.500") == 2
    assert "3 to 5 sets of samples" in " ".join(page.text.split())
    assert "Floor: 0.1000 ± 0.01; in brackets, what is above it." in page.text
    assert "Floor: 0.1000 ± 0.01." in page.text
    assert "at most 0.12" in page.text
    assert "img" not in {tag for tag, _ in page.elements}
    assert not re.search(r"\bway\b|Problem|equation|specification", page.text)
    without = [each | {"multiply_adds": None, "bound": None} for each in rows]
    text, page = compared(tmp_path, summary(without))
    assert "Multiply-adds" not in text
    assert "likelihood" not in text


def test_a_bound_says_how_many_importance_samples_it_takes() -> None:
    plain = row("VAE", "VAE step", 2)
    assert bound_figure(plain) == "1.500"
    assert (
        bound_figure(plain | {"bound": {**plain["bound"], "importance_samples": 4}}) == "1.500, importance-weighted with 4 samples a step"
    )
    assert bound_figure(plain | {"bound": None}) == ""


def test_the_finding_names_the_nearest_sampler_at_each_number_of_calls() -> None:
    far = {"energy": {"mean": 9.0, "spread": None, "values": [9.0], "above_floor": 8.9}}
    lost = {"energy": {"mean": None, "spread": None, "values": [], "above_floor": None}}
    rows = [
        row("a", "DDIM", 1, metrics=far),
        row("b", "VAE step", 1),
        row("a", "DDIM, mixture start", 4),
        row("b", "VAE step", 4, metrics=far, bound=None),
    ]
    rows += [row(PERFECT, "DDIM", 1, metrics={"energy": {"mean": 0.0, "spread": 0.0}}), row("c", "DDIM", 8, metrics=lost, bound=None)]
    rows[2]["bound"]["value"] = {"mean": 1.25, "spread": None}
    assert finding(summary(rows)) == [
        "The energy distance of real items is 0.1000 ± 0.01; samples that come near to it are good.",
        "With 1 network call, the sampler “VAE step” of the model “b” has the least distance, 0.5000 ± 0.01.",
        "With 4 network calls, the sampler “DDIM” of the model “a”, started from a mixture, has the least distance, 0.1250 ± 0.01.",
        "With 4 network calls, the sampler “DDIM” of the model “a”, started from a mixture, has the least bound on the negative "
        "log-likelihood, 1.250 nats an item.",
    ]


def test_a_table_is_blank_where_a_sampler_does_not_take_part() -> None:
    rows = [row("a", "DDIM", 1), row("a", "DDIM", 4), row("b", "VAE step", 4), row("c", "without", 1)]
    found = tabulated(summary(rows), lambda each: "" if each["model"] == "c" else str(each["calls"]))
    assert found == [["network: sampler", "1 call", "4 calls"], ["a: DDIM", "1", "4"], ["b: VAE step", "", "4"]]


def test_curves_tell_samplers_apart_and_the_perfect_one_by_dashes() -> None:
    samplers = [f"sampler {i}" for i in range(12)]
    rows = [row(model, sampler, calls) for model in ("run", PERFECT) for sampler in samplers for calls in (1, 2)]
    axes = curves(summary(rows), "energy").axes[0]
    drawn = [container.lines[0] for container in axes.containers]
    looks = [(line.get_color(), line.get_marker(), line.get_linestyle()) for line in drawn]
    assert len(set(looks)) == len(looks) == 24
    assert [look[:2] for look in looks[:12]] == [look[:2] for look in looks[12:]]
    assert {look[2] for look in looks[12:]} == {"--"}
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [*(f"run: {sampler}" for sampler in samplers), "real items"]


def test_a_sampler_from_a_mixture_has_the_colour_of_the_sampler_and_other_dashes() -> None:
    rows = [row("run", f"{sampler}{start}", calls) for sampler in "abcdefgh" for start in ("", ", mixture start") for calls in (1, 2)]
    drawn = [container.lines[0] for container in curves(summary(rows), "energy").axes[0].containers]
    plain, started = drawn[::2], drawn[1::2]
    assert [line.get_color() for line in plain] == [line.get_color() for line in started]
    looks = {(line.get_color(), line.get_marker(), line.get_linestyle()) for line in drawn}
    assert len(looks) == len(drawn) == 16


def test_the_legend_has_the_order_in_which_curves_end() -> None:
    rows = [row("run", sampler, calls) for sampler in ("near", "far") for calls in (1, 2)]
    rows[-1]["metrics"] = {"energy": {"mean": 9.0, "spread": None, "above_floor": None}}
    legend = curves(summary(rows), "energy").axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["run: far", "run: near", "real items"]


def test_curves_tell_networks_apart_that_have_a_sampler_in_common() -> None:
    rows = [row(model, sampler, calls) for model in ("one", "other", PERFECT) for sampler in ("DDIM", "UniPC") for calls in (1, 2)]
    drawn = [container.lines[0] for container in curves(summary(rows), "energy").axes[0].containers]
    assert len({line.get_color() for line in drawn}) == 2
    looks = {(line.get_color(), line.get_fillstyle(), line.get_linestyle()) for line in drawn}
    assert len(looks) == len(drawn) == 6
