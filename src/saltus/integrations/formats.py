"""What a run is exported to: each format is a function of a request and a place, which writes and says what it wrote.

To add a format, write such a function and name it in `saltus.cli.export.FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from torch import Tensor

from saltus.chain import Chain
from saltus.integrations.exporting import Sampler
from saltus.kernels import Sampling

__all__ = ["Request", "Writer", "Written"]


@dataclass(frozen=True)
class Request:
    """What is exported.

    Attributes:
        run: its folder.
        chain: the one to export, on the grid that it is to be sampled on.
        sampling: the way in which it is sampled.
        runtime: a folder with files that a format needs beside its own; None for none.
    """

    run: Path
    chain: Chain
    sampling: Sampling
    runtime: Path | None = None

    @cached_property
    def sampler(self) -> Sampler:
        """The whole sampler as a module."""
        return Sampler(self.chain, self.sampling)


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        files: those written, in the order in which a person looks at them.
        remark: what is to be known of them, in a sentence; empty for nothing.
        program: what makes items from the inputs of `Sampler`, by the file; None for a format that is no graph.
        engine: what runs it, by name.
    """

    files: tuple[Path, ...]
    remark: str = ""
    program: Callable[[Mapping[str, Tensor]], Tensor] | None = None
    engine: str = ""


Writer = Callable[[Request, Path], Written]
"""Writes a request to a file or a folder that is not there yet."""
