"""Make the chains that come with the package: train, evaluate, and put what is needed to sample into `src/saltus/pretrained`.

A finished training in `runs/pretrained` is kept.

python benchmarks/ship.py digits                            minutes
python benchmarks/ship.py fashion-mnist FASHION_MNIST.npz   half an hour
python benchmarks/ship.py mnist MNIST.npz                   half an hour
python benchmarks/ship.py mnist MNIST.npz --ordinary        only what ordinary images are like to the chain that is there
python benchmarks/ship.py --smoke                           the first, with two updates, in a temporary folder
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import shutil
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path

from cases import FROM_NOISE, best_sampler
from saltus.chain import Chain
from saltus.cli.main import cli
from saltus.data import load
from saltus.estimators.ordinary import keep_ordinary
from saltus.evaluation import Evaluator, chosen_by
from saltus.kernels import DEFAULT, Sampling
from saltus.machine import describe_machine, keep_freed_memory
from saltus.training import Config, check_data, load_config, train
from started import LADDER as STARTED

DIGITS = "digits"
MADE = Path("runs/pretrained")
HOME = Path("src/saltus/pretrained")
KEPT = ("chain.json", "chain.safetensors", "chain.arguments.safetensors", "config.json", "source.json")
"""Files of a run that are taken, where they are there."""
MOST_BYTES = 6_000_000
CHOICE_ITEMS, SAMPLES = 1000, 2000
SPENT = "cpu_seconds.json"
CONFIGS = {
    "digits": Config(levels=4, updates=2500, learning_rate=0.002, objective="quality", condition="labels", **FROM_NOISE),
    **{
        name: Config(**STARTED, updates=updates, batch=32, learning_rate=0.002, bf16=True, condition="labels")
        for name, updates in (("fashion-mnist", 12_000), ("mnist", 12_000))
    },
}
ORIGIN = {
    "mnist": "MNIST (Y. LeCun, C. Cortes, C. Burges; commonly listed as CC BY-SA 3.0)",
    "digits": "the handwritten digits of scikit-learn (E. Alpaydin, C. Kaynak; UCI, CC BY 4.0)",
    "fashion-mnist": "Fashion-MNIST (Zalando SE, 2017; MIT)",
}
CLASSES = {
    "mnist": "the digit",
    "digits": "the digit",
    "fashion-mnist": "0 T-shirt or top, 1 trouser, 2 pullover, 3 dress, 4 coat, 5 sandal, 6 shirt, 7 sneaker, 8 bag, 9 ankle boot",
}


def digest(run: Path) -> str:
    """What tells these weights from others."""
    return hashlib.blake2b((run / "chain.safetensors").read_bytes(), digest_size=8).hexdigest()


def said(*arguments: str) -> str:
    """What a command of saltus prints."""
    with redirect_stdout(io.StringIO()) as text:
        cli.main(list(arguments), prog_name="saltus", standalone_mode=False)
    return text.getvalue().rstrip()


def options_of(sampling: Sampling) -> str:
    return f"--final {sampling.final} --eta {sampling.eta:g} --temperature {sampling.temperature:g}"


def card(name: str, run: Path, source: str, seconds: float) -> str:
    """How the chain was made and what it is worth."""
    items = load(source, condition="labels")
    evaluator = Evaluator(items, min(CHOICE_ITEMS, len(items.validation)), part="validation", metrics=(chosen_by(items),))
    best = best_sampler(Chain.load(run), evaluator)[1].sampling or DEFAULT
    n, given = str(min(SAMPLES, len(items.test))), [] if source == DIGITS else ["--data", source]
    told = {way: said("evaluate", str(run), *given, "--n", n, *way.split()) for way in map(options_of, dict.fromkeys([DEFAULT, best]))}
    file = "" if source == DIGITS else " --data FILE"
    config = load_config(run)
    kept = config.model_dump(mode="json")
    changed = {key: value for key, value in kept.items() if value != Config().model_dump(mode="json")[key]}
    return "\n".join(
        [
            f"# {name}",
            "",
            f"A mixture of Gaussians and {config.levels} step{'s' * (config.levels > 1)} of a VAE, conditioned on classes,",
            f"trained on {ORIGIN[name]} by",
            f"`python benchmarks/ship.py {name}{'' if name == DIGITS else ' FILE'}`:",
            f"{config.updates} updates of {config.batch} items, seed {config.seed}, {seconds:.0f} CPU seconds, {describe_machine()}.",
            f"The weights, `{digest(run)}`; options that differ from `saltus train`'s: {json.dumps(changed)}.",
            "",
            f"Samples are of all classes, as often as they came in the data, or of one that is asked for ({CLASSES[name]}):",
            "",
            f"```\nsaltus sample {name} --n 64 --out samples\nsaltus sample {name} --n 64 --condition 3 --out threes\n```",
            "",
            f"The best eta and temperature of those that `saltus compare` tries, on validation items: `{options_of(best)}`.",
            "",
            *(f"`saltus evaluate {name}{file} --n {n} {way}`:\n\n```\n{text}\n```\n" for way, text in told.items()),
        ]
    )


def ship(name: str, source: str, config: Config, made: Path, homes: Path) -> None:
    """Train unless that is done, and fill the home of the chain."""
    run, home = made / name, homes / name
    data = load(source, condition=config.condition)
    if not (run / SPENT).exists():
        shutil.rmtree(run, ignore_errors=True)
        start = time.process_time()
        train(data, config, run).save(run, compact=True)
        (run / SPENT).write_text(json.dumps(round(time.process_time() - start, 1)))
    text = card(name, run, source, json.loads((run / SPENT).read_text()))
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    for file in filter(Path.exists, (run / kept for kept in KEPT)):
        shutil.copy(file, home)
    if source != DIGITS:  # where the file lay on one machine helps nobody
        (home / "source.json").write_text(json.dumps({"source": "", "fingerprint": data.fingerprint}) + "\n")
    (home / "CARD.md").write_text(text)
    keep_ordinary(Chain.load(home), data, home)
    size = sum(file.stat().st_size for file in home.iterdir())
    print(text)
    print(f"{home}: {size / 1e6:.1f} MB")
    if size > MOST_BYTES:
        sys.exit(f"{home} holds {size} bytes; expected at most {MOST_BYTES}: take a smaller network")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", choices=CONFIGS, default=DIGITS)
    parser.add_argument("source", nargs="?", help="the data set's file; digits are built in")
    parser.add_argument("--smoke", action="store_true", help="two updates on the digits, in a temporary folder")
    parser.add_argument("--ordinary", action="store_true", help="write ordinary.json of the chain that is there, and train nothing")
    options = parser.parse_args()
    keep_freed_memory()
    if options.smoke:
        with tempfile.TemporaryDirectory() as folder:
            ship(DIGITS, DIGITS, CONFIGS[DIGITS].model_copy(update={"updates": 2}), Path(folder), Path(folder) / "homes")
    elif options.ordinary:
        home, data = HOME / options.name, load(options.source or options.name, condition=CONFIGS[options.name].condition)
        check_data(home, data)
        keep_ordinary(Chain.load(home), data, home)
    else:
        ship(options.name, options.source or options.name, CONFIGS[options.name], MADE, HOME)


if __name__ == "__main__":
    main()
