"""The demo: three kernels with the same small budget on the same four levels; a closed form, and one call of a VAE after it; and the
collapse of the deterministic decoder."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from saltus.chain import Chain, OraclePrior
from saltus.data import DataSet, digits
from saltus.evaluation import (
    MIXTURE,
    closed_forms,
    closed_samples,
    diversity,
    draw_levels,
    draw_rows,
    exact_decoder_path,
    measure_collapse,
    sliced_wasserstein,
    spread,
)
from saltus.files import to_json
from saltus.kernels import DEFAULT
from saltus.levels import Levels
from saltus.machine import describe_machine
from saltus.oracles import FiniteData, Oracle
from saltus.training import Config, train

__all__ = ["run_demo"]

_LEVELS = 4
_UPDATES, _QUICK_UPDATES = 2500, 60
_SHOWN = 16  # images in a row
_COLLAPSED_LAST = 20.0  # alpha = 2e-9: z_L tells nothing of y
_TITLES = {"deterministic": "deterministic", "gaussian": "Gaussian", "vae": "VAE"}
"""Of each kernel that is trained from N(0, I) on the same levels."""
_CLOSED, _STARTED = "closed form", "VAE after it"


def run_demo(out: Path, *, quick: bool, seed: int) -> tuple[dict[str, Any], str]:
    """Train, sample, measure, draw; returns what `summary.json` holds, and its table in words."""
    start, data, console = time.monotonic(), digits(), Console(stderr=True)
    out.mkdir(parents=True, exist_ok=True)
    console.print(data.describe())
    real, n = data.test, len(data.train)
    floor = sliced_wasserstein(data.fitting_items, real, seed=seed)
    kernels, chains = {}, {}
    for name in _TITLES:
        chain, kernels[_TITLES[name]] = _one(name, data, quick=quick, seed=seed, n=n)
        chains[name] = chain
    started, report = _measured(Config(levels=1, prior="mixture", **_budget(quick, seed)), data, n)
    kernels |= {_CLOSED: _closed(started, data, n, seed), _STARTED: report}
    exact = exact_decoder_path(FiniteData(data.fitting_items), Levels.cosine(_LEVELS, _COLLAPSED_LAST), _SHOWN, seed=seed)
    trained = chains["deterministic"].sample(n, seed=seed, return_path=True)
    collapse = {
        "exact_decoder": asdict(measure_collapse(exact, data.fitting_items.double().mean(0))),
        "trained_decoder_spread": spread(trained),
    }
    summary = {
        "data": data.describe(),
        "levels": list(chains["vae"].levels),
        "seed": seed,
        "updates": _QUICK_UPDATES if quick else _UPDATES,
        "generated": n,
        "held_out": len(real),
        "final": DEFAULT.final,
        "sliced_wasserstein_floor": floor,
        "kernels": kernels,
        "collapse": collapse,
        "machine": describe_machine(),
        "seconds": round(time.monotonic() - start, 1),
    }
    rows = {"real digits": real[:_SHOWN], "exact decoder": exact[0]}
    rows |= {_TITLES[name]: chain.sample(_SHOWN, seed=seed) for name, chain in chains.items()}
    rows |= {_CLOSED: closed_samples(_start_of(started), data, _SHOWN, seed=seed), _STARTED: started.sample(_SHOWN, seed=seed)}
    draw_rows(rows, out / "samples.png", shown=data.encoding.shown)
    _draw_levels(out, summary)
    (out / "summary.json").write_text(to_json(summary, indent=1) + "\n")
    with console.capture() as text:
        console.print(_table(summary))
    return summary, f"{text.get()}{_words(summary)}\nPictures and summary.json are in {out}/"


def _budget(quick: bool, seed: int) -> dict[str, Any]:
    return {"updates": _QUICK_UPDATES if quick else _UPDATES, "seed": seed}


def _one(name: str, data: DataSet, *, quick: bool, seed: int, n: int) -> tuple[Chain, dict[str, Any]]:
    """A kernel on the levels that all three share."""
    return _measured(Config(kernel=name, levels=_LEVELS, any_step=False, prior="normal", head="gaussian", **_budget(quick, seed)), data, n)


def _start_of(chain: Chain) -> Oracle:
    assert isinstance(chain.prior, OraclePrior)
    return chain.prior.oracle


def _closed(chain: Chain, data: DataSet, n: int, seed: int) -> dict[str, Any]:
    """The mixture that a chain starts from, alone."""
    oracle = _start_of(chain)
    samples = closed_samples(oracle, data, n, seed=seed)
    floor = closed_forms(chain, data, data.test, oracles={MIXTURE: oracle}, seed=seed)[MIXTURE]
    return {
        "calls": 0,
        "what": floor.what,
        "sliced_wasserstein": sliced_wasserstein(samples, data.test, seed=seed),
        "diversity": diversity(samples, data.test),
        "bits_per_dim": floor.bits_per_dim,
    }


def _measured(config: Config, data: DataSet, n: int) -> tuple[Chain, dict[str, Any]]:
    start, seed = time.monotonic(), config.seed
    chain = train(data, config)
    trained = time.monotonic() - start
    samples = chain.sample(n, seed=seed)
    report: dict[str, Any] = {
        "calls": chain.levels.L,
        "parameters": sum(p.numel() for p in chain.parameters()),
        "training_seconds": round(trained, 1),
        "sliced_wasserstein": sliced_wasserstein(samples, data.test, seed=seed),
        "diversity": diversity(samples, data.test),
        "bits_per_dim": None,
    }
    if chain.has_bound:
        bound = chain.bound(data.test, seed=seed)
        report["bits_per_dim"] = float(bound.bits_per_dim.mean())
        report["bound_per_level"] = bound.per_level.mean(1).tolist()
        report["kl_per_level"] = bound.kl.mean(1).tolist()
        report["active_units"] = bound.active_units
    return chain, report


def _draw_levels(out: Path, summary: dict[str, Any]) -> None:
    reports = {title: summary["kernels"][title] for title in _TITLES.values()}
    with_bound = {title: report for title, report in reports.items() if report["bits_per_dim"] is not None}
    bounds = {title: report["bound_per_level"] for title, report in with_bound.items()}
    kl = {title: report["kl_per_level"] for title, report in with_bound.items() if report["active_units"][0] is not None}
    draw_levels(summary["levels"], bounds, kl, out / "levels.png")


def _table(summary: dict[str, Any]) -> Table:
    floor = summary["sliced_wasserstein_floor"]
    table = Table(
        title=f"{summary['generated']} samples against {summary['held_out']} held-out digits; sliced Wasserstein of real digits {floor:.3f}"
    )
    for heading in ("kernel", "network calls", "bound, bits/dim", "sliced Wasserstein", "diversity"):
        table.add_column(heading, justify="left" if heading == "kernel" else "right")
    for title, report in summary["kernels"].items():
        bits = "none" if report["bits_per_dim"] is None else f"{report['bits_per_dim']:.3f}"
        table.add_row(title, str(report["calls"]), bits, f"{report['sliced_wasserstein']:.3f}", f"{report['diversity']:.2f}")
    return table


def _words(summary: dict[str, Any]) -> str:
    exact, decoder = summary["collapse"].values()
    vae = summary["kernels"]["VAE"]
    levels = " -> ".join(f"{value:.3f}" for value in reversed(decoder))
    kl = ", ".join(f"{value:.2f} ({units} units)" for value, units in zip(vae["kl_per_level"], vae["active_units"], strict=True))
    return (
        f"Collapse: the exact decoder from t_L = 20 is {exact['first_from_mean']:.0e} from the mean digit after one step, "
        f"and its samples differ by {exact['between_samples']:.0e}.\n"
        f"The trained decoder's spread, z_{_LEVELS} to z_0: {levels}.\n"
        f"KL of the VAE's latent at each step, cleanest first: {kl} nats."
    )
