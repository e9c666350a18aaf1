"""Libraries that only a part of saltus needs: imported where they are used, and named in one sentence where they are missing.

    unet       diffusers: the U-Net, and networks of diffusers' own
    evaluate   torchmetrics: distances between samples and real items, on the command line and in Python
    compare    the above, matplotlib and jinja2: other samplers on the same networks, and pages
    study      the same
    demo       matplotlib for pictures
    scale      accelerate: several processes that train, sample or evaluate together
    track      accelerate and tensorboard: a training's curves in another program's form
    tables     pyarrow: CSV and Parquet files
    hub        the same, datasets and huggingface_hub: data sets and runs of the Hugging Face hub
    compress   constriction: images in files without loss
    studio     gradio, jinja2 and matplotlib: a page in a browser
    export     onnx, onnxscript and onnxruntime: ONNX files of whole samplers, and pages that sample in the browser

Everything else, such as training, sampling and bounds, works without them.
"""

from __future__ import annotations

import importlib
from typing import Any

from saltus.errors import SaltusError

__all__ = ["PACKAGES", "needs"]

PACKAGES = {"sklearn": "scikit-learn"}
"""Names of packages that differ from the names of their modules."""


def needs(module: str, *, extra: str) -> Any:
    """Import a module of a library that `pip install 'saltus[EXTRA]'` brings, such as "sklearn.metrics".

    Raises:
        SaltusError: if the library is not installed.
    """
    library = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != library:  # it is there, and lacks something itself
            raise
        raise SaltusError(
            f"this needs {PACKAGES.get(library, library)}, which is not installed; install it with: pip install 'saltus[{extra}]'"
        ) from error
