"""The runs that a studio shows: found when it starts, loaded when they are first asked for, the last few kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from torch import Tensor

from saltus.data import DataSet
from saltus.errors import SaltusError
from saltus.estimators import Model
from saltus.estimators.kept import kind_of
from saltus.evaluation import multiply_adds
from saltus.networks import ClassCondition
from saltus.pretrained import PRETRAINED, run_folder
from saltus.studio.limits import check_whole
from saltus.training import load_data

__all__ = ["EXAMPLES", "Run", "Runs"]

EXAMPLES = 16
"""Items of a run that may be picked."""


@dataclass(frozen=True, eq=False)
class Run:
    """A trained model.

    Attributes:
        place: its folder, or its name among the chains that come with saltus: what a command is given.
        model: what it holds.
    """

    place: str
    model: Model

    @property
    def is_image(self) -> bool:
        """Whether its items are images."""
        return self.model.encoding.layout.is_image

    @cached_property
    def ending(self) -> str:
        """Of the files that hold its rows; "" for items that are no rows of a table."""
        kind = kind_of(run_folder(self.place), self.model.encoding)
        return kind.ending if kind else ""

    @property
    def has_latents(self) -> bool:
        """Whether a step of it draws a latent."""
        return any(kernel.latent for kernel in self.model.chain.each_kernel())

    @property
    def shown(self) -> tuple[float, float]:
        """The values of y that are black and white."""
        return self.model.encoding.shown

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of its classes; none for a model without."""
        condition = self.model.chain.condition
        return condition.names if isinstance(condition, ClassCondition) else ()

    def calls(self, most: int) -> list[int]:
        """The numbers of network calls that it may be sampled with."""
        chain = self.model.chain
        return list(range(1, most + 1)) if chain.any_step else [chain.levels.L]

    def describe(self) -> str:
        """What it is, in one sentence."""
        chain = self.model.chain
        calls = "any number of calls" if chain.any_step else f"{chain.levels.L} call{'s' * (chain.levels.L > 1)}"
        told = "" if chain.condition is None else f", {chain.condition.summary()}"
        return f"{self.model.encoding.summary()}; {calls}, from t = {chain.levels.last:g}; {chain.kernel(1).label}{told}"

    @cached_property
    def data(self) -> DataSet | None:
        """What it was trained on; None where that is not here."""
        try:
            return load_data(run_folder(self.place))
        except (SaltusError, OSError):
            return None

    @cached_property
    def examples(self) -> Tensor:
        """Items to look at, (n, *E), n up to 16: held-out ones, or where the data are not here such as it draws itself."""
        return self.model.chain.sample(EXAMPLES, seed=0) if self.data is None else self.data.test[:EXAMPLES]

    def item(self, number: int) -> Tensor:
        """One of the examples, (1, *E).

        Raises:
            SaltusError: for another number.
        """
        check_whole(number, "the item", len(self.examples) - 1, 0)
        return self.examples[number : number + 1]

    def python_item(self, item: int | str) -> tuple[str, str]:
        """How Python gets an example by its number, or an image by its file: a line of imports, and an expression of a `model`."""
        if isinstance(item, str):
            return "from pathlib import Path\n\nfrom saltus.studio.items import read_image", f"read_image(Path({item!r}), model.encoding)"
        if self.data is None:
            return "", f"model.chain.sample({EXAMPLES}, seed=0)[{item}:{item + 1}]"
        words = "from saltus.pretrained import run_folder\nfrom saltus.training import load_data"
        return words, f"load_data(run_folder({self.place!r})).test[{item}:{item + 1}]"

    @cached_property
    def multiply_adds(self) -> int:
        """Of one sample on its own grid."""
        return multiply_adds(self.model.chain)


class Runs:
    """The runs of a studio, by the names that are shown.

    Args:
        places: folders of runs, or names of chains that come with saltus; all of these unless given.
        most: how many are held at a time.

    Raises:
        SaltusError: if a place holds no run, or is given twice.
    """

    def __init__(self, places: Sequence[str | Path] = (), most: int = 8) -> None:
        self._places: dict[str, str] = {}
        for place in map(str, places or PRETRAINED):
            if not (run_folder(place) / "chain.json").is_file():
                raise SaltusError(f"{place} holds no run; give the folder that training wrote, or one of: {', '.join(PRETRAINED)}")
            if place in self._places.values():
                raise SaltusError(f"{place} was given twice; give each run once")
            name = Path(place).name or place
            self._places[place if name in self._places else name] = place
        self._most, self._lock, self._held = most, threading.Lock(), OrderedDict[str, Run]()

    @property
    def names(self) -> list[str]:
        """What they are called on the page."""
        return [*self._places]

    @cached_property
    def images(self) -> list[str]:
        """The names of those of images."""
        return [name for name in self.names if self[name].is_image]

    @cached_property
    def tables(self) -> list[str]:
        """The names of those of tables."""
        return [name for name in self.names if self[name].ending]

    def place(self, name: str) -> str:
        """Where the run of a name is: what a command is given.

        Raises:
            SaltusError: for another name.
        """
        if name not in self._places:
            raise SaltusError(f"there is no run named {name!r:.80}; expected one of: {', '.join(self.names)}")
        return self._places[name]

    def __getitem__(self, name: str) -> Run:
        """The run of a name.

        Raises:
            SaltusError: for another name, or a run that is damaged.
        """
        place = self.place(name)
        with self._lock:
            if name not in self._held:
                model = Model.load(place)
                model.chain.eval()
                self._held[name] = Run(place, model)
                while len(self._held) > self._most:
                    self._held.popitem(last=False)
            self._held.move_to_end(name)
            return self._held[name]
