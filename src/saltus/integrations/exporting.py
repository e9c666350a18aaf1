r"""A chain's whole sampler as one graph: noise and a condition in, items out.

A chain takes a few calls, always the same, so that its loop unrolls: the start, the L steps and the way back to the data's values are one
static graph without a branch (`torch.export`, https://docs.pytorch.org/docs/stable/export.html).  Random numbers come in from outside,
since the counters and hashes that saltus makes them from are in no graph format.  For a batch of any size B,

| input | shape | what |
|---|---|---|
| noise | (B, n), of the parameters' type | unit Gaussian numbers: those of all uses beside each other, in the order of `Sampler.uses` |
| uniform | (B, m) float32 in [0, 1] | likewise uniform ones; only where a mixture starts the chain |
| condition | (B, ...) | the class, -1 for none, or the numbers; only for a model that is conditioned |

and out come `items`: of images their brightness from 0 to 1, (B, C, H, W), as a picture shows them; of all else y, (B, *E), which the
model's encoding takes back to the units of the data.  `Sampler.inputs` gives the numbers that `Chain.sample` draws with for a seed.
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from saltus.chain import Chain, evaluating, like
from saltus.data import Encoding
from saltus.errors import SaltusError
from saltus.integrations.mixture_start import start_of
from saltus.kernels import Sampling
from saltus.networks import ClassCondition
from saltus.process import Noise

__all__ = ["NOISE", "UNIFORM", "Sampler", "Use", "graph_of", "quietly"]

NOISE, UNIFORM, CONDITION = "noise", "uniform", "condition"


class Use(NamedTuple):
    """Random numbers that a step draws: of which input, at which level, what for, and of which shape an item has them."""

    input: str
    level: int
    role: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class _Watched(Noise):
    """Noise that notes what is asked of it."""

    uses: list[Use] = field(default_factory=list)

    def uniform(self, role: str, shape: Any = ()) -> Tensor:
        self.uses.append(Use(UNIFORM, self.level, role, tuple(shape)))
        return super().uniform(role, shape)

    def normal(self, role: str, shape: Any, *, like: Tensor | None = None) -> Tensor:
        self.uses.append(Use(NOISE, self.level, role, tuple(shape)))
        return super().normal(role, shape, like=like)


@dataclass(frozen=True)
class _Given(Noise):
    """Noise that was made outside."""

    numbers: Mapping[Use, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """The count of items is a symbol, and nothing of it is looked at."""

    def uniform(self, role: str, shape: Any = ()) -> Tensor:
        return self.numbers[Use(UNIFORM, self.level, role, tuple(shape))]

    def normal(self, role: str, shape: Any, *, like: Tensor | None = None) -> Tensor:
        return self.numbers[Use(NOISE, self.level, role, tuple(shape))]


class Sampler(nn.Module):
    """The sampler of a chain, see the module.

    Args:
        chain: on the grid that it is to be sampled on.
        sampling: how; the chain's own unless given.

    Attributes:
        uses: of random numbers, in the order of the columns of `noise` and `uniform`.
        is_picture: whether items are brightness; otherwise they are y.

    Raises:
        SaltusError: for a start that is written in no graph, or a way of sampling that the kernels do not know.
    """

    def __init__(self, chain: Chain, sampling: Sampling | None = None) -> None:
        super().__init__()
        self.chain, self.sampling = chain, sampling or chain.sampling
        chain.check_sampling(self.sampling)
        self.start = start_of(chain)
        self.is_picture = isinstance(chain.encoding, Encoding) and chain.encoding.layout.is_image
        watched = _Watched(0, 0, 1, version=chain.noise_version)
        condition = _any_condition(chain)
        with torch.no_grad(), evaluating(chain):
            first = chain.prior.sample(chain.event_shape, chain.levels.last, watched.at(chain.levels.L), condition, like=like(chain))
            for _ in chain.drawn(first.to(like(chain)), watched, self.sampling, condition):
                pass
        self.uses = tuple(dict.fromkeys(watched.uses))  # what is asked for twice is the same

    def width(self, name: str) -> int:
        """The columns of the input `noise` or `uniform`."""
        return sum(math.prod(use.shape) for use in self.uses if use.input == name)

    def forward(self, noise: Tensor, uniform: Tensor | None = None, condition: Tensor | None = None) -> Tensor:
        """Items from inputs, see the module."""
        chain = self.chain
        numbers = self._apart(NOISE, noise) | ({} if uniform is None else self._apart(UNIFORM, uniform))
        given = _Given(0, 0, noise.shape[0], numbers=numbers)
        first = given.at(chain.levels.L)
        if self.start is None:
            z = chain.prior.sample(chain.event_shape, chain.levels.last, first, condition, like=noise)
        else:
            z = self.start(first.uniform("prior component"), first.normal("prior", chain.event_shape), condition)
        *_, y = chain.drawn(z, given, self.sampling, condition)
        return self._shown(y)

    def _apart(self, name: str, together: Tensor) -> dict[Use, Tensor]:
        """The numbers of each use, of all of an input."""
        uses = [use for use in self.uses if use.input == name]
        parts = together.split([math.prod(use.shape) for use in uses], dim=1)
        return {use: part.reshape(together.shape[0], *use.shape) for use, part in zip(uses, parts, strict=True)}

    def _shown(self, y: Tensor) -> Tensor:
        """Of images brightness."""
        if not self.is_picture or not isinstance(self.chain.encoding, Encoding):
            return y
        black, white = self.chain.encoding.shown
        return ((y - black) / (white - black)).clamp(0, 1)

    def inputs(self, n: int, *, seed: int, first_item: int = 0, condition: Any = None) -> dict[str, Tensor]:
        """What makes items `first_item` ... `first_item + n - 1` of a seed, as `Chain.sample` draws them; by the names of inputs.

        Args:
            n, seed, first_item, condition: as for `Chain.sample`.
        """
        noise, kind = self.chain.noise(seed, first_item, n), like(self.chain)
        told = self.chain.conditions_for(condition, noise)
        parts: dict[str, list[Tensor]] = {NOISE: [], UNIFORM: []}
        for use in self.uses:
            at = noise.at(use.level)
            drawn = at.normal(use.role, use.shape, like=kind) if use.input == NOISE else at.uniform(use.role, use.shape).to(kind)
            parts[use.input].append(drawn.reshape(n, -1))
        found = {name: torch.cat(each, dim=1) for name, each in parts.items() if each}
        return found if told is None else found | {CONDITION: told}

    @torch.no_grad()
    def sample(self, n: int, *, seed: int, first_item: int = 0, condition: Any = None) -> Tensor:
        """Items of a seed, (n, *E): those of `Chain.sample`, as the graph gives them."""
        with evaluating(self):
            items: Tensor = self(**self.inputs(n, seed=seed, first_item=first_item, condition=condition))
        return items

    def describe(self) -> dict[str, Any]:
        """What stands beside a graph: its inputs, what its items are, and how the chain is sampled; JSON."""
        chain = self.chain
        told = chain.condition
        classes = None
        if isinstance(told, ClassCondition):
            classes = {"names": list(told.names), "frequencies": told.frequencies.tolist()}
        return {
            "kernels": [kernel.label for kernel in chain.each_kernel()],
            "times": [float(t) for t in chain.levels],
            "sampling": asdict(self.sampling),
            "noise": self.width(NOISE),
            "uniform": self.width(UNIFORM),
            "uses": [use._asdict() for use in self.uses],
            "condition": None if told is None else told.summary(),
            "classes": classes,
            "shape": list(chain.event_shape),
            "items": "brightness from 0 to 1" if self.is_picture else "y, which the encoding of the model decodes",
        }


def graph_of(sampler: Sampler) -> torch.export.ExportedProgram:
    """The sampler as one graph, for batches of any size.

    Raises:
        SaltusError: if a step of the chain cannot be written so: it looks at values, or draws in a loop that depends on them.
    """
    given = sampler.inputs(2, seed=0, condition=_any_condition(sampler.chain))
    try:
        with torch.no_grad(), evaluating(sampler), quietly():
            return torch.export.export(sampler, (), kwargs=given, dynamic_shapes={name: {0: torch.export.Dim.DYNAMIC} for name in given})
    except Exception as error:  # of whatever kind the tracer meets
        labels = ", ".join(dict.fromkeys(kernel.label for kernel in sampler.chain.each_kernel()))
        raise SaltusError(f"the steps of this chain ({labels}) cannot be written as one graph; sample it with saltus") from error


def _any_condition(chain: Chain) -> Tensor | None:
    """A condition to trace with: none is as good as any."""
    return None if chain.condition is None else chain.condition.none(1, like=like(chain))


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Without what torch says of its own older names, of operators that no chain has, and of graphs that are refused here in a sentence."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
