"""What is done with a run of a table: rows under conditions, missing cells drawn, rows ranked by how strange they are, a report.

Each is a command of saltus, which the page runs as a process, and the same in Python.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from saltus.data import table_ending
from saltus.errors import SaltusError
from saltus.studio.equivalents import Equivalent
from saltus.studio.limits import Limits, check_whole
from saltus.terminal import in_one_line

__all__ = ["Job", "RowSettings", "check_rows", "conditions", "data_of", "impute", "report", "sample", "score"]

_MOST_SEEDS = 2**62
_CONDITIONS, _LONGEST = 50, 500


@dataclass(frozen=True)
class RowSettings:
    """How rows are drawn.

    Attributes:
        n: rows.
        where: conditions such as age=30:40, see `saltus sample --where`.
        seed: of all noise.

    Raises:
        SaltusError: for a seed or a number of rows out of range.
    """

    n: int = 100
    where: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole(self.n, "rows", Limits().rows)
        check_whole(self.seed, "the seed", _MOST_SEEDS, 0)


@dataclass(frozen=True)
class Job:
    """A command and the same in Python.

    Attributes:
        arguments: of the command line, without its name.
        python: a whole program.
    """

    arguments: list[str]
    python: str

    @property
    def equivalent(self) -> Equivalent:
        """As it is shown."""
        return Equivalent(shlex.join(["saltus", *self.arguments]), self.python)


def conditions(text: str) -> tuple[str, ...]:
    """Conditions, one a line.

    Raises:
        SaltusError: for too many, or a line without a sign of equality.
    """
    lines = tuple(line.strip() for line in text.splitlines() if line.strip())
    if len(lines) > _CONDITIONS or any(len(line) > _LONGEST for line in lines):
        raise SaltusError(f"{len(lines)} conditions were given; expected at most {_CONDITIONS}, of {_LONGEST} letters each: give fewer")
    for line in lines:
        if "=" not in line:
            raise SaltusError(f"the condition {in_one_line(line)[:80]} was given; expected NAME=VALUE, one a line")
    return lines


def sample(run: str, out: str, settings: RowSettings) -> Job:
    """Rows of a run, into a folder that is made."""
    arguments = ["sample", run, "--n", str(settings.n), *[f"--where={line}" for line in settings.where], "--seed", str(settings.seed)]
    if settings.where:
        drawn = f"trained.drawn(trained.asked(parsed({[*settings.where]!r}, trained)), 0, {settings.n}, {settings.seed})"
    else:
        drawn = f"trained.model.sample({settings.n}, seed={settings.seed})"
    imports = "from saltus.estimators.where import parsed\n" if settings.where else ""
    python = f"""from saltus.estimators.kept import read_table
{imports}
trained = read_table({run!r}).trained
cells = {drawn}
rows = trained.table(cells)
"""
    return Job([*arguments, "--out", out], python)


def _given(run: str, data: str) -> str:
    return f"""from pathlib import Path

from saltus.data.table_texts import TableFile
from saltus.data.tables import types_in_files
from saltus.estimators.kept import read_table

trained = read_table({run!r}).trained
given = TableFile.read(Path({data!r}), types_in_files(trained.wanted, trained.declared))
"""


def impute(run: str, data: str, out: str, seed: int) -> Job:
    """The missing cells of a table drawn, into a file of the same kind; raises SaltusError for a seed out of range, or no table."""
    _check(data, seed)
    python = f"{_given(run, data)}(full,) = trained.filled(given.table, 1, {seed})\ngiven.write(Path({out!r}), full)\n"
    return Job(["impute", run, "--data", data, "--seed", str(seed), "--out", out], python)


def score(run: str, data: str, out: str, seed: int) -> Job:
    """How strange each row of a table is, into a file; raises as `impute`."""
    _check(data, seed)
    python = f"{_given(run, data)}anomaly, of_cells = trained.strangeness(given.table, {seed})\nranking = (-anomaly).argsort()\n"
    return Job(["score", run, "--data", data, "--seed", str(seed), "--out", out], python)


def report(run: str, data: str, out: str, seed: int) -> Job:
    """The page about the quality of synthetic rows; raises as `impute`."""
    _check(data, seed)
    python = f"""from pathlib import Path

from saltus.studies.quality.measure import measured
from saltus.studies.quality.rows import compared
from saltus.studies.quality.words import finding

quality = measured(compared(Path({run!r}), Path({data!r}), seed={seed}), seed={seed})
print(*finding(quality), sep="\\n")
"""
    return Job(["report", run, data, "--seed", str(seed), "--out", out], python)


def _check(data: str, seed: int) -> None:
    check_whole(seed, "the seed", _MOST_SEEDS, 0)
    check_rows(data)


def check_rows(data: str) -> None:
    """Raise SaltusError for data that are no table."""
    if not table_ending(data):
        raise SaltusError(f"{data} is no table; choose the rows of a CSV or Parquet file")


def data_of(arguments: Sequence[str]) -> str:
    """The data of the command of a training."""
    return arguments[arguments.index("--data") + 1]
