"""saltus.TableModel beside other libraries on tables of every kind: samples, nats, imputations, anomalies, privacy and time.

python benchmarks/mixed_tables.py FOLDER   FOLDER holds the tables; what is kept in docs/results/mixed_tables is not run again
    --tables penguins wine                 some of them
    --models saltus                        some models, or `rivals` for all others
    --seeds 3 --budget 60s                 so many seeds; the time of each fit
python benchmarks/mixed_tables.py report   docs/results/mixed_tables.md, from what is there
python benchmarks/mixed_tables.py --smoke  a miniature, in a temporary folder

`make rivals` installs the other libraries in .venv-rivals, whose python runs the benchmark.  Every run is a process of its own, in one
thread unless --threads says otherwise; a fit that takes three times its budget is given up.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

KEPT, PAGE = Path("docs/results/mixed_tables"), Path("docs/results/mixed_tables.md")
THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
)
"""What says to libraries how many threads they may take."""
_MEASURING = 3600.0  # seconds of the processor that everything but the fit may take
_ENDS: dict[int, str] = {signal.SIGXCPU: "a run took too long", signal.SIGKILL: "a run was killed, as where memory runs out"}


def every_run(options: argparse.Namespace) -> None:
    """Each that is not there yet, seed after seed."""
    from mixed_tables_data import TABLES
    from mixed_tables_run import MODELS, file_of, installed, measures_of

    names = [name for name in MODELS if not options.models or name in options.models or ("rivals" in options.models and name != "saltus")]
    for name in [name for name in names if not installed(name)]:
        names.remove(name)
        print(f"{name} is left out: {MODELS[name].needs} is not installed; `make rivals` installs it", flush=True)
    for seed in range(options.seeds):
        for table_name in options.tables or TABLES:
            table = TABLES[table_name](options.folder)
            for name in names:
                if (
                    measures_of(table, MODELS[name](table.schema))
                    and not file_of(options.kept, table_name, name, seed, options.budget).exists()
                ):
                    one_run(options, table_name, name, seed)


def one_run(options: argparse.Namespace, table: str, model: str, seed: int) -> None:
    """In a process of its own, which says what it found."""
    from mixed_tables_rivals import PATIENCE
    from mixed_tables_run import OWN_LIMIT, begun, keep, seconds_of

    command = [sys.executable, __file__, str(options.folder), "--one", table, model, str(seed), "--budget", options.budget]
    command += ["--kept", str(options.kept), "--threads", str(options.threads)]
    limit = round(max(PATIENCE * seconds_of(options.budget), OWN_LIMIT) + _MEASURING) * options.threads
    ended = subprocess.run(
        command,
        check=False,
        env=os.environ | dict.fromkeys(THREADS, str(options.threads)),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1)),
    )
    if (told := _ENDS.get(-ended.returncode)) is not None:  # so that it is not run again and again
        keep(begun(table, model, seed, options.budget) | {"failed": told}, options.kept)
        print(f"{table}, {model}, seed {seed}: {told}", flush=True)


def one(options: argparse.Namespace) -> None:
    """What `one_run` starts."""
    import torch

    from mixed_tables_data import TABLES
    from mixed_tables_run import run

    torch.set_num_threads(options.threads)
    table, model, seed = options.one
    record = run(TABLES[table](options.folder), model, int(seed), options.budget, options.kept)
    said = record.get("failed") or f"fitted in {record['fit']['wall']:.1f} s; {', '.join(record['measures'])}"
    print(f"{table}, {model}, seed {seed}, {record['budget']}: {said}", flush=True)


def smoke() -> None:
    """A few models on a small table of chance, and its page."""
    import numpy as np
    import pandas as pd
    import torch

    from mixed_tables_data import Table
    from mixed_tables_report import report
    from mixed_tables_run import run

    torch.set_num_threads(1)
    rng, n = np.random.default_rng(0), 240
    numbers = rng.normal(size=n)
    rows = pd.DataFrame({"numbers": numbers, "tens": np.rint(10 * numbers + rng.normal(size=n)), "target": rng.choice(["a", "b"], n)})
    with tempfile.TemporaryDirectory() as place:
        kept, page = Path(place) / "kept", Path(place) / "page.md"
        for model in ("saltus", "training rows", "Gaussian", "column draws", "IsolationForest"):
            run(Table("penguins", rows, "target"), model, 0, "1s", kept)
        report(kept, page)
        print(page.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", help="of the tables, or `report`")
    parser.add_argument("--tables", nargs="+")
    parser.add_argument("--models", nargs="+")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budget", default="60s", help="60s, 10m")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--kept", type=Path, default=KEPT, help="where runs are kept")
    parser.add_argument("--smoke", action="store_true", help="a miniature, in a temporary folder")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.smoke:
        smoke()
    elif options.folder == "report":
        from mixed_tables_report import report

        report(options.kept, PAGE)
    elif options.folder is None:
        parser.error("give the folder of the tables, or report, or --smoke")
    else:
        options.folder = Path(options.folder)
        one(options) if options.one else every_run(options)


if __name__ == "__main__":
    main()
