"""A training that is killed again and again, against one that was left alone: what survives, and how much work is lost.

python benchmarks/kills.py             30 kills of trainings on the digits, half of them while a checkpoint is written
python benchmarks/kills.py --smoke     4 kills, nothing written

Each training is ended with SIGKILL at a random moment, started again by the same call, and so on to its end.  Then its weights, averages,
moments and metrics are compared, byte by byte, with those of the training that was left alone.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from saltus.machine import describe_machine

REPORT = Path("docs/results/kills.md")
KILLS, EACH = 30, 6  # kills in all, and of one training
UPDATES, BETWEEN = 200, 0.25  # seconds between checkpoints, so that most kills find some
SCRIPT = f"""
import sys
from saltus.data import digits
from saltus.training import Config, run
run._SECONDS, run._SHARE = {BETWEEN}, 0
run.train(digits("labels"), Config(updates={UPDATES}, batch=64, width=64, levels=3, seed=int(sys.argv[2])), sys.argv[1], quiet=True)
"""


@dataclass
class Count:
    """What the kills did."""

    while_writing: int = 0
    while_starting: int = 0
    lost: list[int] = field(default_factory=list)
    same: int = 0
    trainings: int = 0

    @property
    def kills(self) -> int:
        return self.while_writing + self.while_starting + len(self.lost)


def started(home: Path, seed: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, str(home), str(seed)], env={**os.environ, "OMP_NUM_THREADS": "1"}
    )


def kept(home: Path) -> int:
    """The update of the newest checkpoint."""
    return max((int(file.stem) for file in (home / "checkpoints").glob("[0-9]*.json")), default=0)


def reached(home: Path) -> int:
    """The last update that the metrics tell of."""
    lines = (home / "metrics.jsonl").read_text().splitlines() if (home / "metrics.jsonl").exists() else []
    return max((json.loads(line)["update"] for line in lines if line.endswith("}")), default=0)


def ended(home: Path) -> dict[str, object]:
    """All that a training leaves, but for times."""
    last = sorted((home / "checkpoints").glob("[0-9]*.safetensors"))[-1]
    metrics = [json.loads(line) for line in (home / "metrics.jsonl").read_text().splitlines()]
    figures = [{name: value for name, value in line.items() if name not in ("seconds", "items_per_second")} for line in metrics]
    return {"chain": (home / "chain.safetensors").read_bytes(), "state": last.read_bytes(), "metrics": figures}


def kill(process: subprocess.Popen[bytes], home: Path, wait: float, writing: bool, count: Count) -> bool:
    """End a training after a time, or at the next writing of a checkpoint after that; whether it came to that."""
    time.sleep(wait)
    while writing and process.poll() is None and not list((home / "checkpoints").glob(".*.partial")):
        time.sleep(0.0005)
    before = reached(home)
    process.send_signal(signal.SIGKILL)
    if process.wait() != -signal.SIGKILL:
        return False
    if writing:
        count.while_writing += 1
    elif not before:
        count.while_starting += 1
    else:
        count.lost.append(max(0, before - kept(home)))
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="4 kills, nothing written")
    kills = 4 if parser.parse_args().smoke else KILLS
    chance, count = random.Random(0), Count()
    with tempfile.TemporaryDirectory() as place:
        while count.kills < kills:
            seed, home = count.trainings, Path(place) / f"killed-{count.trainings}"
            alone, begun = Path(place) / f"alone-{seed}", time.monotonic()
            assert started(alone, seed).wait() == 0
            took, before = time.monotonic() - begun, count.kills
            while count.kills < min(kills, before + EACH):
                if not kill(started(home, seed), home, chance.uniform(0.1, 0.7) * took, chance.random() < 0.5, count):
                    break  # it had come to its end
                print(f"kill {count.kills}: checkpoint of update {kept(home)} of {UPDATES}", flush=True)
            assert started(home, seed).wait() == 0
            count.trainings += 1
            count.same += ended(home) == ended(alone)
    report = "\n".join(
        [
            "# Trainings that are killed",
            "",
            f"`python benchmarks/kills.py`: {UPDATES} updates on the digits, three levels, classes, a checkpoint every {BETWEEN:g} s",
            f"where the default is 30 s; {describe_machine()}.",
            "",
            "| | |",
            "|---|---|",
            f"| SIGKILLs | {count.kills}, of {count.trainings} trainings |",
            f"| of these while a checkpoint was written, while the process started | {count.while_writing}, {count.while_starting} |",
            f"| trainings that ended with the same bytes as one left alone | {count.same} of {count.trainings} |",
            f"| updates made again after a kill between checkpoints | median {statistics.median(count.lost or [0]):g}, "
            f"at most {max(count.lost, default=0)} |",
            "",
            "Compared are the chain, and the weights, averages, moments and level sampling of the last checkpoint, byte by byte; and the",
            "metrics, but for times.",
            "",
        ]
    )
    print(report)
    if kills == KILLS:
        REPORT.write_text(report)
    assert count.same == count.trainings


if __name__ == "__main__":
    main()
