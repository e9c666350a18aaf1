"""Make the chains that come with the package: train, evaluate, and put what is needed to sample into `src/saltus/pretrained`.

A finished training in `runs/shipped` is kept.

python benchmarks/ship.py digits                            a minute
python benchmarks/ship.py fashion-mnist FASHION_MNIST.npz   twenty minutes
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from cases import LADDER, LATE, best_way
from saltus.chain import Chain
from saltus.data import load
from saltus.evaluation import Evaluator
from saltus.kernels import DEFAULT
from saltus.machine import describe_machine
from saltus.studies.compare.comparison import CHOSEN_BY
from saltus.training import Config, train

DIGITS = "digits"
MADE = Path("runs/shipped")
HOME = Path("src/saltus/pretrained")
KEPT = ("chain.json", "chain.safetensors", "data.json", "data.safetensors", "config.json", "source.json")
MOST_BYTES = 5_000_000
CHOICE_ITEMS, SAMPLES = 1000, 2000
SPENT = "cpu_seconds.json"
CONFIGS = {
    "digits": Config(kernel="vae", levels=4, steps=2500, learning_rate=0.002, objective="quality"),
    "fashion-mnist": Config(kernel="vae", times=LATE[4], steps=6000, batch=32, learning_rate=0.002, bf16=True, **LADDER),
}
ORIGIN = {
    "digits": "the handwritten digits of scikit-learn (E. Alpaydin, C. Kaynak; UCI, CC BY 4.0)",
    "fashion-mnist": "Fashion-MNIST (Zalando SE, 2017; MIT)",
}


def digest(run: Path) -> str:
    """What tells these weights from others."""
    return hashlib.blake2b((run / "chain.safetensors").read_bytes(), digest_size=8).hexdigest()


def card(name: str, run: Path, source: str, seconds: float) -> str:
    """How the chain was made and what it is worth."""
    data = [] if source == DIGITS else ["--data", source]
    items = load(source)
    evaluator, n = Evaluator(items, CHOICE_ITEMS, part="validation", metrics=(CHOSEN_BY,)), min(SAMPLES, len(items.test))
    best = best_way(Chain.load(run), evaluator)[1].how or DEFAULT
    ways = [f"--last {how.last} --eta {how.eta:g} --temperature {how.temperature:g}" for how in dict.fromkeys([DEFAULT, best])]
    command = [sys.executable, "-m", "saltus", "evaluate", str(run), *data, "--n", str(n)]
    figures = {way: subprocess.run([*command, *way.split()], check=True, capture_output=True, text=True).stdout.rstrip() for way in ways}
    kept = json.loads((run / "config.json").read_text())
    changed = {key: value for key, value in kept.items() if value != Config().model_dump(mode="json")[key]}
    return "\n".join(
        [
            f"# {name}",
            "",
            f"A progressive VAE with {kept['levels']} steps, trained on {ORIGIN[name]} by",
            f"`python benchmarks/ship.py {name}{'' if name == DIGITS else ' FILE'}`:",
            f"{kept['steps']} updates of {kept['batch']} items, seed {kept['seed']}, {seconds:.0f} CPU seconds, {describe_machine()}.",
            f"The weights, `{digest(run)}`; options that differ from `saltus train`'s: {json.dumps(changed)}.",
            "",
            f"The best eta and temperature of those that `saltus compare` tries, on validation items: `{ways[-1]}`.",
            "",
            *(f"`saltus evaluate {name} --n {n} {way}`:\n\n```\n{text}\n```\n" for way, text in figures.items()),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=CONFIGS)
    parser.add_argument("source", nargs="?", help="the data set's file; digits are built in")
    name, source = (options := parser.parse_args()).name, options.source or options.name
    run = MADE / name
    if not (run / SPENT).exists():
        shutil.rmtree(run, ignore_errors=True)
        start = time.process_time()
        train(load(source), CONFIGS[name], run)
        (run / SPENT).write_text(json.dumps(round(time.process_time() - start, 1)))
    text = card(name, run, source, json.loads((run / SPENT).read_text()))
    home = HOME / name
    home.mkdir(parents=True, exist_ok=True)
    for file in KEPT:
        shutil.copy(run / file, home / file)
    if source != DIGITS:  # where the file lay on one machine helps nobody
        (home / "source.json").write_text(json.dumps({"source": "", "fingerprint": load(source).fingerprint}) + "\n")
    (home / "CARD.md").write_text(text)
    size = sum(file.stat().st_size for file in home.iterdir())
    print(text)
    print(f"{home}: {size / 1e6:.1f} MB")
    if size > MOST_BYTES:
        sys.exit(f"{home} holds {size} bytes; expected at most {MOST_BYTES}: take a smaller network")


if __name__ == "__main__":
    main()
