"""A run as the folder of a pipeline of diffusers, with a card.

model_index.json          the pipeline's class and its one part
pipeline.py               the class, from the package saltus
chain/saltus_chain.py     the class of the part, from the same
chain/run                 the run, which every command of saltus takes: chain.json, chain.safetensors, ...
README.md, samples.png    the card

    pipeline = DiffusionPipeline.from_pretrained("FOLDER", trust_remote_code=True)

`trust_remote_code` lets diffusers import pipeline.py and saltus_chain.py, of one line each.  From the hub, diffusers downloads the weights
of a part by names of its own, and what lies one folder deeper as it is, safetensors if one of them has a name that it knows.  So the run
lies there, beside weights.safetensors, which has no tensor.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from safetensors.torch import save_file

from saltus.chain import Chain
from saltus.errors import SaltusError
from saltus.evaluation import save_grid
from saltus.extras import needs
from saltus.files import read_json, to_json, write_atomically
from saltus.integrations.card import EVALUATION, SHIPPED, TEACHER, model_card
from saltus.integrations.formats import Request, Written
from saltus.pretrained import IN_PIPELINE, run_folder
from saltus.pretrained.hub import is_hub_name
from saltus.training import encoding_of

__all__ = ["RUN_FILES", "copy_run", "to_diffusers", "write_pipeline"]

RUN_FILES = (
    "chain.json",
    "chain.safetensors",
    "chain.arguments.safetensors",
    "config.json",
    "source.json",
    "plan.json",
    "table.json",
    "ordinary.json",
    TEACHER,
    EVALUATION,
    SHIPPED,
)
"""What is copied of a run: what sampling, scoring and measuring need, and nothing that training needs alone."""
PICTURE, SHOWN = "samples.png", 36
_CODE = {
    Path("pipeline.py"): "SaltusPipeline",
    Path("chain", "saltus_chain.py"): "ChainModel",
}
_MARK = "weights.safetensors"
_INDEX = {"_class_name": ["pipeline", "SaltusPipeline"], "chain": ["saltus_chain", "ChainModel"]}


def copy_run(run: Path, out: Path) -> None:
    """The files of a run that others need.  Of where its data were the name alone stays: places on this machine are nobody's concern."""
    out.mkdir(parents=True, exist_ok=True)
    for name in RUN_FILES:
        if (run / name).exists():
            shutil.copyfile(run / name, out / name)
    source = read_json(out / "source.json") if (out / "source.json").exists() else {}
    if place := source.get("source"):
        kept = place if is_hub_name(place) else Path(place).name
        write_atomically(out / "source.json", to_json({**source, "source": kept, "notes": []}) + "\n")


def to_diffusers(run: str | Path, out: str | Path, *, license: str | None = None) -> list[Path]:
    """Write a run on images as the folder of a pipeline, and say which files it has.

    Args:
        run: the folder of a run, or the name of one.
        out: the folder, new or empty.
        license: of the weights, as the hub names it, such as "mit"; the card says that it is unknown unless given.

    Raises:
        SaltusError: if there is no run on images, or the folder holds something.
    """
    home, place = run_folder(run), Path(out)
    chain = Chain.load(home)
    if not encoding_of(chain, home).layout.is_image:
        raise SaltusError(f"{run} is a model of rows, and a pipeline of diffusers makes images; push or copy the run itself")
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise SaltusError(f"{place} is already there and not empty; give a new folder")
    copy_run(home, place / IN_PIPELINE)
    save_file({}, place / IN_PIPELINE / _MARK)
    for file, name in _CODE.items():
        (place / file).write_text(f"from saltus.integrations.pipeline import {name} as {name}\n")
    save_grid(chain.sample(SHOWN, seed=0), place / PICTURE, shown=(-1, 1))
    (place / "README.md").write_text(model_card(home, name=place.resolve().name, license=license, picture=PICTURE))
    index = {**_INDEX, "_diffusers_version": needs("diffusers", extra="unet").__version__}
    write_atomically(place / "model_index.json", json.dumps(index, indent=1) + "\n")
    return sorted(file for file in place.rglob("*") if file.is_file())


def write_pipeline(request: Request, place: Path) -> Written:
    """`to_diffusers`, as a format of `saltus export`."""
    told = f'load it with DiffusionPipeline.from_pretrained("{place}", trust_remote_code=True), where saltus is installed'
    return Written(tuple(to_diffusers(request.run, place)), told)
