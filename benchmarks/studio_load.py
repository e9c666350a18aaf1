"""What a studio does when 20 readers use it at once for a minute: errors, seconds until an answer, memory.

The server is `saltus studio` in a process of its own on this machine; readers are clients of its API in threads of another process, and
each asks for the next thing as soon as it has the last.

    python benchmarks/studio_load.py                  the table in docs/results/studio_load.md (a minute and a half)
    python benchmarks/studio_load.py --seconds 300    for longer, printed alone
    python benchmarks/studio_load.py --smoke          two readers for a few seconds, printed alone
"""

from __future__ import annotations

import argparse
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradio_client import Client

from saltus.files import write_atomically
from saltus.machine import describe_machine

READERS, SECONDS = 20, 60.0
FEW_READERS, FEW_SECONDS = 2, 4.0
WARM = 0.25  # of the time, after which memory should stay as it is
TOLD = 8  # of the errors
OWN = "the run's own"
SHARES = {"noise": 0.6, "leaps": 0.25, "latent": 0.05, "compare": 0.05, "collapse": 0.05}
REPORT = Path("docs/results/studio_load.md")


@dataclass
class Seen:
    """What readers saw: seconds of each answer by its endpoint, what went wrong, and the server's memory in bytes over time."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in SHARES})
    errors: list[str] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)


@contextmanager
def server() -> Iterator[tuple[str, int]]:
    """Address and number of the process of a studio."""
    command = [sys.executable, "-m", "saltus", "studio", "--port", "0"]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            if found is None:
                raise RuntimeError("the studio did not start")
            yield found[0], process.pid
        finally:
            process.terminate()
            process.wait()


def memory_of(process: int) -> int:
    """Bytes that a process holds in memory, as Linux says."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def ask(client: Any, name: str, chance: random.Random) -> None:
    """One thing that a reader asks for."""
    seed = chance.randrange(1000)
    match name:
        case "noise":
            t = chance.uniform(0, 3)
            client.predict("digits", chance.randrange(16), None, t, t / 2, seed, 0.9, 10, api_name="/noise")
        case "leaps":
            client.predict([chance.choice(("digits", "mnist", "fashion-mnist"))], 8, seed, OWN, "any", OWN, 1, 0, api_name="/leaps")
        case "latent":
            client.predict(["digits"], 0, chance.randrange(1, 5), 8, seed, OWN, "any", OWN, 1, 0, api_name="/latent")
        case "compare":
            side = ("digits", "its own steps", 1, OWN, OWN)
            client.predict(*side, *side, OWN, "any", 8, seed, 1, api_name="/compare")
        case "collapse":
            client.predict(8, 4, chance.choice((20, 40)), 16, 0, 6, api_name="/collapse")


def read(address: str, number: int, end: float, seen: Seen) -> None:
    """A reader, until the end."""
    chance, client = random.Random(number), Client(address, verbose=False)
    while time.monotonic() < end:
        (name,) = chance.choices([*SHARES], [*SHARES.values()])
        start = time.monotonic()
        try:
            ask(client, name, chance)
        except Exception as error:  # whatever it is, a reader would have seen it
            seen.errors.append(f"{name}: {type(error).__name__}: {error}"[:200])
        seen.seconds[name].append(time.monotonic() - start)


def measure(readers: int, seconds: float) -> Seen:
    """All readers at once."""
    seen = Seen()
    with server() as (address, process):
        begun = time.monotonic()
        work = [(address, number, begun + seconds, seen) for number in range(readers)]
        threads = [threading.Thread(target=read, args=each) for each in work]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            seen.memory.append((time.monotonic() - begun, memory_of(process)))
            time.sleep(0.25)
    return seen


def page(seen: Seen, readers: int, seconds: float, load: float) -> str:
    """The report."""
    warm = [held for at, held in seen.memory if at >= WARM * seconds]
    first, most, last = (value / 2**20 for value in (warm[0], max(warm), warm[-1]))
    answers = sum(map(len, seen.seconds.values()))
    lines = [
        "# A studio under load",
        "",
        f"`python benchmarks/studio_load.py`: {readers} clients of the API at once for {seconds:.0f} seconds on loopback, each asking for",
        f"the next thing as soon as it has the last; {describe_machine()}; load average {load:.1f} before, by what else the machine did.",
        "",
        f"{answers} answers, {len(seen.errors)} errors. Memory of the server: {first:.0f} MiB after {WARM * seconds:.0f} seconds, "
        f"{last:.0f} MiB at the end, {most:.0f} MiB at most between.",
        "",
        "| what is asked for | answers | seconds, median | 95% | longest |",
        "|---|---|---|---|---|",
    ]
    for name, each in seen.seconds.items():
        if each:
            ordered = sorted(each)
            late = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
            lines.append(f"| {name} | {len(each)} | {statistics.median(each):.2f} | {late:.2f} | {ordered[-1]:.2f} |")
    return "\n".join([*lines, *(f"\n* {words}" for words in seen.errors[:TOLD]), ""])


def main() -> None:
    """The page, or with --smoke its text alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="two readers for a few seconds, printed alone")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long readers ask")
    options = parser.parse_args()
    readers, seconds = (FEW_READERS, FEW_SECONDS) if options.smoke else (READERS, options.seconds)
    load = os.getloadavg()[0]
    seen = measure(readers, seconds)
    text = page(seen, readers, seconds, load)
    print(text)
    if seen.errors:
        sys.exit(1)
    if seconds == SECONDS:
        write_atomically(REPORT, text)


if __name__ == "__main__":
    main()
