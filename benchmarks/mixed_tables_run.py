"""One run of `mixed_tables.py`: a model is fitted to a table, and everything that can be measured of it is kept in one file."""

from __future__ import annotations

import importlib
import importlib.util
import os
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mixed_tables_densities as densities
import mixed_tables_detectors as detectors
import mixed_tables_imputers as imputers
import mixed_tables_rivals as rivals
from mixed_tables_data import GENERATED, Schema, Split, Table, split
from mixed_tables_imputation import imputation
from mixed_tables_metrics import areas, density, planted, privacy, two_sample, utility
from mixed_tables_models import Model, NotFinished, Saltus, TrainRows
from saltus.files import to_json, write_atomically
from saltus.machine import describe_machine

MODELS: Mapping[str, type[Model]] = {
    "saltus": Saltus,
    "training rows": TrainRows,
    "TVAE": rivals.TVAE,
    "CTGAN": rivals.CTGAN,
    "Gaussian copula": rivals.Copula,
    "ForestDiffusion": rivals.Forest,
    "Gaussian": densities.Gaussian,
    "Gaussian mixture": densities.Mixture,
    "spline flow": densities.Spline,
    "column draws": imputers.ColumnDraws,
    "mean": imputers.Middle,
    "IterativeImputer": imputers.Chained,
    "miceforest": imputers.Miceforest,
    "IsolationForest": detectors.Isolation,
    "LocalOutlierFactor": detectors.Local,
    "ECOD": detectors.Ecod,
}
NEEDED = {
    "two_sample": "sample",
    "utility": "sample",
    "privacy": "sample",
    "time": "sample",
    "density": "density",
    "imputation": "impute",
    "planted": "anomaly",
    "anomalies": "anomaly",
}
"""What a model must be able to do for each measure."""
OWN = "own"  # the budget of a model that takes the time that it needs
MANY = 100_000  # rows whose sampling is timed
_LEAST_LIMIT = 30.0  # seconds before a fit is given up, however short its budget
OWN_LIMIT = 1800.0  # seconds that the fit of such a model may take


def seconds_of(budget: str) -> float:
    """Of a budget such as 60s or 10m."""
    return float(budget[:-1]) * {"s": 1, "m": 60}[budget[-1]]


def file_of(kept: Path, table: str, model: str, seed: int, budget: str) -> Path:
    """Where a run is kept."""
    return kept / table / f"{model.replace(' ', '_')}-{seed}-{budget if MODELS[model].timed else OWN}.json"


def measures_of(table: Table, model: Model) -> list[str]:
    """What can be measured of a model on a table."""
    if type(model).numeric and not table.is_numeric:
        return []
    return [name for name in table.measures if NEEDED[name] in model.can and (name != "density" or table.is_numeric)]


def installed(model: str) -> bool:
    """Whether the library of a model is there."""
    needs = MODELS[model].needs
    return not needs or importlib.util.find_spec(needs) is not None


@contextmanager
def given_up_after(seconds: float) -> Iterator[None]:
    """Raise NotFinished in what takes longer, in seconds of the processor."""

    def stop(*_: Any) -> None:
        raise NotFinished(f"a fit took more than {max(_LEAST_LIMIT, seconds):.0f} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, max(_LEAST_LIMIT, seconds) * int(os.environ.get("OMP_NUM_THREADS", "1")))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def timed(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """What it gives, and its seconds."""
    start = time.perf_counter(), time.process_time()
    found = work()
    return found, {"wall": time.perf_counter() - start[0], "cpu": time.process_time() - start[1]}


def run(table: Table, name: str, seed: int, budget: str, kept: Path) -> dict[str, Any]:
    """Fit, measure, and keep; a fit that failed is kept too, with why."""
    schema, parts = table.schema, split(table, seed)
    model = MODELS[name](schema)
    wanted, seconds = measures_of(table, model), seconds_of(budget)
    record = begun(table.name, name, seed, budget)
    record["rows"] = {"train": len(parts.train), "test": len(parts.test), "columns": len(schema.names)}
    try:
        for module in model.modules:
            importlib.import_module(module)
        with given_up_after(rivals.PATIENCE * seconds if model.timed else OWN_LIMIT):
            _, record["fit"] = timed(lambda: model.fit(parts.train, seconds, seed))
        record["told"] = model.told
        record["measures"] = measured(model, wanted, table, parts, seed)
    except Exception as error:  # of any library: the others go on
        record["failed"] = why(error)
    record["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # MB
    keep(record, kept)
    return record


def begun(table: str, model: str, seed: int, budget: str) -> dict[str, Any]:
    """What is known of a run before it ends."""
    return {"table": table, "model": model, "seed": seed, "budget": budget if MODELS[model].timed else OWN, "machine": machine()}


def keep(record: Mapping[str, Any], kept: Path) -> None:
    """Write its file."""
    file = file_of(kept, record["table"], record["model"], record["seed"], record["budget"])
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, to_json(record, indent=1))


def measured(model: Model, wanted: list[str], table: Table, parts: Split, seed: int) -> dict[str, Any]:
    """Each measure, or why there is none."""
    found: dict[str, Any] = {}
    schema: Schema = model.schema
    sampled: Any = None
    if set(wanted) & set(GENERATED) and "sample" in model.can:
        sampled, found["sampling"] = timed(lambda: model.sample(len(parts.train)))
        found["sampling"]["rows"] = len(sampled)
    works: dict[str, Callable[[], Any]] = {
        "two_sample": lambda: two_sample(schema, sampled, parts.test, seed),
        "utility": lambda: utility(schema, sampled, parts.test, seed),
        "privacy": lambda: privacy(schema, sampled, parts),
        "density": lambda: density(model, parts.test, seed),
        "imputation": lambda: imputation(model, parts, seed),
        "planted": lambda: planted(model, parts.test, seed),
        "anomalies": lambda: areas(model, parts.test, table.anomalies),
        "time": lambda: timed(lambda: len(model.sample(MANY)))[1],
    }
    for name in wanted:
        start = time.perf_counter()
        try:
            found[name] = works[name]()
        except Exception as error:  # of any library: the other measures go on
            found[name] = {"failed": why(error)}
        found[name]["seconds of measuring"] = time.perf_counter() - start
    return found


def why(error: Exception) -> str:
    """An error in one line, with where it was raised."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = "" if isinstance(error, NotFinished) else f" ({Path(place.filename).name}, line {place.lineno})"
    return f"{type(error).__name__}: {' '.join(str(error).split()):.300}{where}"


def machine() -> str:
    """Processor, with what of it speeds up matrices, cores, threads and torch."""
    cores = f"{os.cpu_count()} cores"
    try:
        lines = [line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines()]
    except OSError:  # another system
        return f"{cores}, {describe_machine()}"
    said = {key.strip(): value.strip() for key, _, value in lines}
    flags = [flag for flag in said.get("flags", "").split() if flag.startswith("amx") or "bf16" in flag or flag == "avx512f"]
    return f"{said.get('model name', 'unknown processor')} ({', '.join(sorted(flags)) or 'no amx, no bf16'}), {cores}, {describe_machine()}"
