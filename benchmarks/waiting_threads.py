"""What spinning threads cost on a busy machine: seconds an update with OpenMP's two ways to wait, beside one busy process.

python benchmarks/waiting_threads.py [--smoke]
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

from saltus.data import digits
from saltus.training import Config, Trainer, build_chain

UPDATES, FEW = 40, 2


def measure(updates: int) -> float:
    """Seconds an update of the demo's VAE kernel."""
    data, config = digits(), Config(updates=10**6)
    loop = iter(Trainer(build_chain(config, data), data, config))
    next(loop)
    start = time.perf_counter()
    for _ in range(updates):
        next(loop)
    return (time.perf_counter() - start) / updates


def main() -> None:
    updates = FEW if "--smoke" in sys.argv else UPDATES
    if "--measure" in sys.argv:
        print(measure(updates))
        return
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(max(1, (os.cpu_count() or 2) // 2))]
    try:
        seconds = {
            policy: float(
                subprocess.run(
                    [sys.executable, __file__, "--measure", *sys.argv[1:]],
                    env={**os.environ, "OMP_WAIT_POLICY": policy},
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout
            )
            for policy in ("PASSIVE", "ACTIVE")
        }
    finally:
        for process in busy:
            process.kill()
    for policy, value in seconds.items():
        print(f"{policy.lower()}: {1000 * value:.1f} ms an update")
    print(f"ratio: {seconds['ACTIVE'] / seconds['PASSIVE']:.1f}, {os.cpu_count()} cores, {len(busy)} of them kept busy")


if __name__ == "__main__":
    main()
