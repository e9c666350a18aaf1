"""The card of a run: what it is, what it was trained on, how it is used, and what it is worth, from what the run's folder holds.

Figures are those of evaluation.json, which `saltus evaluate RUN --out RUN` writes; a card without it says so and shows none.  A run that
was converted says what its network was worth before (teacher.json), and one that ships with the package has a card already, which follows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from saltus.chain import Chain, OraclePrior
from saltus.errors import SaltusError
from saltus.evaluation import METRICS
from saltus.extras import needs
from saltus.files import read_json
from saltus.pretrained.hub import is_hub_name
from saltus.training import Config, encoding_of, load_config
from saltus.training.folder import source_of

__all__ = ["EVALUATION", "SHIPPED", "TEACHER", "model_card"]

EVALUATION, TEACHER, SHIPPED = "evaluation.json", "teacher.json", "CARD.md"
_UNKNOWN = "unknown"
_USE = {
    True: """```python
from diffusers import DiffusionPipeline

pipeline = DiffusionPipeline.from_pretrained("{name}", trust_remote_code=True)  # pip install saltus diffusers
images = pipeline(batch_size=4, seed=0).images  # image i of a seed is the same in any batch
```

`trust_remote_code` is for two files of one line each, which import the package saltus.

""",
    False: "",
}


def model_card(run: Path, *, name: str, license: str | None = None, picture: str | None = None) -> str:
    """README.md of a run.

    Args:
        run: its folder.
        name: OWNER/NAME, or a title.
        license: of the weights, as the hub names it; unknown unless given.
        picture: of samples, beside the card; None for none.  A card with one is of a pipeline of diffusers.

    Raises:
        SaltusError: if the folder holds no run, or its figures are damaged.
    """
    chain, config, figures = Chain.load(run), load_config(run), _figures(run)
    data = _data(run, chain)
    parts = [
        _header(name, chain, license, figures, data),
        f"# {name}\n",
        _summary(chain) + "\n",
        *([f"![samples]({picture})\n"] if picture else []),
        f"## Use\n\n{_USE[picture is not None].format(name=name)}```\nsaltus sample {_shell(name)} --n 64 --out samples\n```\n",
        f"## Data\n\n{data[:1].upper()}{data[1:]}.\n",
        f"## Training\n\n{_training(config, converted=(run / TEACHER).exists())}\n",
        f"## Figures\n\n{_table(figures)}\n{_before(run)}",
        f"## License\n\n{license or 'Unknown: whoever trained these weights has not said.'}\n",
        *_shipped(run),
    ]
    return "\n".join(parts)


def _shipped(run: Path) -> list[str]:
    """The card that is there already, without its title."""
    if not (run / SHIPPED).exists():
        return []
    _, _, text = (run / SHIPPED).read_text().partition("\n")
    return [f"## The card that it came with\n\n{text.strip()}\n"]


def _shell(name: str) -> str:
    return f"hf:{name}" if name.count("/") == 1 else "RUN"


def _summary(chain: Chain) -> str:
    start = "a mixture of Gaussians, in closed form" if isinstance(chain.prior, OraclePrior) else "N(0, I)"
    steps = ", ".join(dict.fromkeys(kernel.label for kernel in chain.each_kernel()))
    told = "" if chain.condition is None else f" It is told {chain.condition.summary()}."
    calls = f"{chain.levels.L} network call{'s' * (chain.levels.L > 1)}"
    return f"A diffusion model that makes an item in {calls}, from {start} ({steps}).{told}"


def _data(run: Path, chain: Chain) -> str:
    place = str(source_of(run).get("source") or "")
    name = place if is_hub_name(place) else Path(place).stem
    return f"{name or 'data without a name'}: {encoding_of(chain, run).summary()}"


def _before(run: Path) -> str:
    """What the network of a converted run was worth with its owner's steps."""
    found = read_json(run / TEACHER) if (run / TEACHER).exists() else None
    if not isinstance(found, dict) or not {"bits_per_dim", "standard_error", "levels", "items"} <= found.keys():
        return ""
    return (
        f"\nIts network before it was converted, Gaussian steps on {found['levels']} levels: {found['bits_per_dim']:.4f} ± "
        f"{found['standard_error']:.4f} bits/dim on {found['items']} test items.\n"
    )


def _training(config: Config, *, converted: bool) -> str:
    plain, own = Config().model_dump(mode="json"), config.model_dump(mode="json")
    changed = ", ".join(f"{name} {value}" for name, value in own.items() if value != plain[name])
    command = "saltus convert" if converted else "saltus train"
    return f"`{command}`, kernel {config.kernel}; options that differ from its defaults: {changed or 'none'}."


def _figures(run: Path) -> dict[str, Any]:
    file = run / EVALUATION
    if not file.exists():
        return {}
    found = read_json(file)
    if not isinstance(found, dict) or not isinstance(found.get("metrics"), dict):
        raise SaltusError(f"{file} holds no figures; remove it, or measure again with: saltus evaluate {run} --out {run}")
    return found


def _table(figures: dict[str, Any]) -> str:
    if not figures:
        return "None were measured: `saltus evaluate RUN --out RUN` writes those that stand here."
    seeds = ", ".join(map(str, figures["seeds"]))
    lines = [
        f"{figures['n_generated']} samples of {figures['calls']} network calls each, {figures['repeats']} {seeds}, against "
        f"{figures['n_real']} real items (the {figures['part']} part). The floor is what real items get in place of samples.\n",
        "| metric | value | floor |",
        "|---|---|---|",
    ]
    for metric, result in figures["metrics"].items():
        title = METRICS[metric].title if metric in METRICS else metric
        lines.append(f"| {title} | {result['generated']['mean']:.3g} | {result['floor']['mean']:.3g} |")
    if bound := figures.get("likelihood"):
        unit = ("bits_per_dim", "standard_error", "bits/dim") if bound["discrete"] else ("total", "total_error", "nats an item")
        lines.append(
            f"\nBound on -ln p: {bound[unit[0]]:.4f} ± {bound[unit[1]]:.4f} {unit[2]} (standard error over {bound['items']} items), "
            f"{bound['convention']}."
        )
    for what, floor in (figures.get("closed_forms") or {}).items():
        lines.append(f"\nThe closed form {what} on the same items: {floor['bits_per_dim']:.4f} bits/dim.")
    return "\n".join(lines)


def _header(name: str, chain: Chain, license: str | None, figures: dict[str, Any], data: str) -> str:
    """The metadata that the hub reads, as its own library writes them."""
    hub: Any = needs("huggingface_hub", extra="hub")
    images = len(chain.event_shape) == 3
    task = "unconditional-image-generation" if images else "other"
    results = [
        hub.EvalResult(
            task_type=task,
            dataset_type="custom",
            dataset_name=data.partition(":")[0],
            metric_type=metric,
            metric_name=METRICS[metric].title if metric in METRICS else metric,
            metric_value=result["generated"]["mean"],
        )
        for metric, result in (figures.get("metrics") or {}).items()
    ]
    content = hub.ModelCardData(
        license=license or _UNKNOWN,
        library_name="diffusers" if images else "saltus",
        pipeline_tag=task if images else None,
        tags=["saltus", "diffusion", "likelihood", "few-step"],
        model_name=name if results else None,
        eval_results=results or None,
    )
    return f"---\n{content.to_yaml()}\n---\n"
