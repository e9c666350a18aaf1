"""What the models with `fit` share: they are estimators of scikit-learn, so its pipelines and searches take them.

See https://scikit-learn.org/stable/developers/develop.html for what that means.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.exceptions import NotFittedError

from saltus.errors import SaltusError
from saltus.estimators.model import Model
from saltus.training import Config

__all__ = ["Estimator", "NotFitted", "check_enough"]

_FEWEST = 10  # items: of fewer nothing is learned but the items themselves
_MOST_SEEDS = 2**31


class NotFitted(SaltusError, NotFittedError):  # type: ignore[misc]
    """A model was used before it was fitted; to scikit-learn a `NotFittedError`."""


class Estimator(DensityMixin, BaseEstimator):  # type: ignore[misc]
    """A density that is learned by `fit`.

    Args:
        time: of a fit, such as "60s" or "10m".
        updates: of a fit, in place of a time: fits of one random_state are then equal on one machine.
        random_state: of all random numbers; of draws the first of their seeds.
        verbose: whether a fit tells how far it is, on stderr.

    Attributes:
        model_: the trained `Model`, whose `chain` and `encoding` it is made of.
        notes_: what a user should know about the data that were learned, one sentence each.
    """

    model_: Model
    notes_: tuple[str, ...]

    def __init__(self, *, time: str | float, updates: int | None, random_state: int | None, verbose: bool) -> None:
        self.time, self.updates, self.random_state, self.verbose = time, updates, random_state, verbose

    def score_samples(self, X: Any) -> Any:
        """A lower bound on ln p of each item, (N,) nats."""
        raise NotImplementedError

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of `score_samples`; y is not looked at."""
        return float(self.score_samples(X).mean())

    def _config(self, time: str | float | None, **options: Any) -> Config:
        """Of a fit; `time` stands for the one that was given before, and for updates.

        Raises:
            SaltusError: for a time, a number of updates or a random state that there is not.
        """
        given: Any = self.random_state
        if given is not None and not (type(given) is not bool and isinstance(given, Integral) and 0 <= int(given) < _MOST_SEEDS):
            raise SaltusError(f"random_state was given as {given!r:.60}; expected a whole number from 0 to {_MOST_SEEDS - 1:,}, or None")
        self._first = int(np.random.default_rng().integers(_MOST_SEEDS)) if given is None else int(given)
        timed = time is not None or self.updates is None
        length = {"time": self.time if time is None else time} if timed else {"updates": self.updates}
        return Config(seed=self._first, **length, **options)

    def _learned(self, model: Model, notes: tuple[str, ...]) -> None:
        self.model_, self.notes_, self._drawn = model, notes, 0

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise NotFitted("this model has not been fitted; call fit with data first")

    def _seed(self) -> int:
        """Of new draws, another one at every call."""
        self._drawn += 1
        return int(torch.randint(_MOST_SEEDS, ())) if self.random_state is None else self._first + self._drawn

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")


def check_enough(n: int) -> None:
    """Raise SaltusError for fewer items than can be learned from."""
    if n < _FEWEST:
        raise SaltusError(f"{n} sample{'s are' if n != 1 else ' is'} too few to learn from; expected at least {_FEWEST}: give more")
