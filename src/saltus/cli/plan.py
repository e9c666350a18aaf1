"""`saltus plan`: the best grid for each number of calls, from the table of what every step would cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saltus.cli.common import json_option, parse_calls, say, seed_option
from saltus.cli.places import PLACE, SOURCE
from saltus.errors import SaltusError
from saltus.pretrained import run_folder
from saltus.terminal import tell

if TYPE_CHECKING:
    from torch import Tensor

    from saltus.chain import Chain
    from saltus.data import DataSet
    from saltus.levels import PairCosts, Plan

__all__ = ["plan"]

_PICTURE = "plan.png"


@click.command()
@click.argument("run", type=PLACE)
@click.option("--data", type=SOURCE, help="The run's data set, if it is no longer where it was trained from.")
@click.option(
    "--calls", callback=parse_calls, default="1,2,4,8,16", show_default=True, help="Numbers of network calls, with commas between them."
)
@click.option("--times", type=click.IntRange(min=1, max=64), default=16, show_default=True, help="How many times grids may be made of.")
@click.option("--n", type=click.IntRange(min=2), default=128, show_default=True, help="Validation items that each step is measured on.")
@seed_option("Seed of the noise.")
@click.option("--out", type=PLACE, help=f"Folder for plan.json and {_PICTURE}. [default: RUN]")
@json_option
def plan(run: Path, data: str | None, calls: tuple[int, ...], times: int, n: int, seed: int, out: Path | None, as_json: bool) -> None:
    """Find the best grid for each number of calls.

    RUN is a training run with --any-step.  Every step between two times is measured in nats, and the best grids follow
    exactly.  `saltus sample RUN --calls N` then uses them, unless --out puts
    them elsewhere.
    """
    from saltus.chain import Chain, pair_costs
    from saltus.data import subsample
    from saltus.evaluation import draw_costs
    from saltus.files import to_json, write_atomically
    from saltus.training import PLAN, load_data

    run = run_folder(run)
    chain, items = Chain.load(run), load_data(run, data)
    if not (chain.any_step and chain.has_bound):
        raise SaltusError(f"{run} holds no kernel for any step with a bound, so there is nothing to plan; train one with --any-step")
    if calls[-1] > times:
        raise SaltusError(f"{calls[-1]} calls cannot be planned with {times} times; give --times {calls[-1]}, or fewer calls")
    told = items.conditions_for(chain.condition, "validation")
    condition = None if told is None else subsample(told, n)
    y = subsample(items.validation, n)
    costs = pair_costs(chain, y, times, condition=condition, seed=seed, progress=tell)
    plans = {number: costs.plan(number) for number in calls}
    floors, closed = _floors(chain, items, y, condition, plans)
    place = out or run
    place.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = {
        "run": str(run),
        "items": len(y),
        "seed": seed,
        "costs": costs.as_dict(),
        "closed_forms": closed,
        "plans": {str(number): {"times": list(p.times), "steps": list(p.steps), "prior": p.prior} for number, p in plans.items()},
    }
    say(as_json, result, "\n".join([*_words(costs, plans, len(y)), *floors]))  # before there may be no room
    write_atomically(place / PLAN, to_json(result, indent=1) + "\n")
    draw_costs(costs, plans, place / _PICTURE)
    tell(f"{PLAN} and {_PICTURE} are in {place}/", result=not as_json)


def _floors(chain: Chain, items: DataSet, y: Tensor, condition: Tensor | None, plans: dict[int, Plan]) -> tuple[list[str], dict[str, Any]]:
    """What closed forms have on the best grids, in words and as JSON."""
    from saltus.evaluation import closed_forms, closed_oracles, remarks
    from saltus.levels import Levels

    oracles, lines, found = closed_oracles(chain, items), list[str](), dict[str, Any]()
    for number, plan in plans.items():
        floors = closed_forms(chain.on(Levels(plan.times)), items, y, condition=condition, oracles=oracles)
        found[str(number)] = {name: {"total": floor.total, "per_level": floor.per_level} for name, floor in floors.items()}
        totals = ", ".join(f"{name} {floor.prior + sum(floor.per_level):.4g}" for name, floor in floors.items())
        lines.append(f"closed forms on the grid of {number}: {totals} nats")
        lines += [f"  {line}" for line in remarks(list(plan.steps), floors)]
    return lines, found


def _words(costs: PairCosts, plans: dict[int, Plan], n: int) -> list[str]:
    """What the table says."""
    lines = [f"mean nats on {n} validation items; of each step, by its noisier time, cleanest first"]
    for number, found in plans.items():
        steps = ", ".join(f"{t:.3g}: {nats:.4g}" for t, nats in zip(found.times[1:], found.steps, strict=True))
        lines.append(f"{number} call{'s' * (number > 1)}: {found.total:.4g} nats ({steps}; prior {found.prior:.3g})")
    excess = costs.excess()
    worst = excess.nan_to_num(nan=float("-inf"))
    i, u, j = (int(k) for k in (worst == worst.max()).nonzero()[0]) if worst.numel() and bool(worst.isfinite().any()) else (0, 0, 0)
    if j:
        s, through, t = costs.times[i], costs.times[u], costs.times[j]
        lines.append(f"the leap from t = {t:.3g} to {s:.3g} costs {float(worst.max()):.4g} nats more than by way of {through:.3g}")
    return lines
