"""Densities of numeric rows: one Gaussian, a mixture chosen by validation rows, and zuko's spline flow.

All of them learn rows with the noise of rounded columns (`mixed_tables_cells`), standardised, and give nats in the units of the table.
"""

from __future__ import annotations

import math
import warnings
from abc import abstractmethod
from typing import Any

import numpy as np

from mixed_tables_cells import Array, cells_of
from mixed_tables_data import bounds, frame, matrix
from mixed_tables_models import Model, clock

VALIDATION = 0.25  # of the training rows, by which a model is chosen
COMPONENTS, REGULAR = (1, 2, 4, 8, 16, 32, 64, 128), (1e-6, 1e-3)
"""Sizes and regularisations of mixtures that are tried, small ones first."""
_CHOICE = 0.6  # of the time for the choice; the rest is for the fit to all rows
BATCH, LEARNING_RATE, EACH = 512, 0.004, 20  # of the spline flow; updates between two validations


class Density(Model):
    """What the densities share."""

    numeric = True
    can = frozenset({"sample", "density", "anomaly"})

    def fit(self, train: Any, seconds: float, seed: int) -> None:
        end = clock() + seconds
        self.cells = {name: cells_of(train[name].to_numpy()) for name in self.schema.numbers}
        self._dtypes, self.rng = train.dtypes, np.random.default_rng(seed)
        numbers = matrix(self.schema, train)
        noisy = self.noisy(numbers)
        self._mean, self._std = noisy.mean(0), noisy.std(0)
        self._jacobian = float(np.log(self._std).sum())
        order = self.rng.permutation(len(noisy))
        n = round(VALIDATION * len(order))
        self.learn(numbers[order[n:]], (noisy[order[:n]] - self._mean) / self._std, end, seed)

    def noisy(self, numbers: Array) -> Array:
        """Numbers with the noise of rounded columns."""
        lower, width = bounds(self.schema, numbers)
        return lower + width * self.rng.random(numbers.shape)

    def standard(self, numbers: Array) -> Array:
        """Numbers with noise, standardised."""
        found: Array = (self.noisy(numbers) - self._mean) / self._std
        return found

    def log_density(self, exact: Any, noisy: Array) -> Array:
        return self.scores((noisy - self._mean) / self._std) - self._jacobian

    def sample(self, n: int) -> Any:
        return frame(self.schema, self.draws(n) * self._std + self._mean, self.cells).astype(self._dtypes)

    def anomaly(self, rows: Any) -> dict[str, Array]:
        return {"-log density": -self.scores(self.standard(matrix(self.schema, rows)))}

    @abstractmethod
    def learn(self, numbers: Array, validation: Array, end: float, seed: int) -> None:
        """From numbers (n, d) as they are and validation rows (m, d) that are standardised and noisy, before a time of `clock`."""

    @abstractmethod
    def scores(self, standard: Array) -> Array:
        """ln p of standardised rows, (n,)."""

    @abstractmethod
    def draws(self, n: int) -> Array:
        """Standardised rows (n, d)."""


class Mixture(Density):
    """scikit-learn's mixture of Gaussians with full covariances."""

    timed = True
    modules = ("sklearn.mixture",)
    components: tuple[int, ...] = COMPONENTS

    def learn(self, numbers: Array, validation: Array, end: float, seed: int) -> None:
        from sklearn.mixture import GaussianMixture

        train, begun = self.standard(numbers), clock()
        best, kept = -math.inf, (1, REGULAR[-1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of fits that have not converged
            for choice in ((k, reg) for k in self.components for reg in REGULAR if k < len(train)):
                found = GaussianMixture(choice[0], reg_covar=choice[1], random_state=seed).fit(train).score(validation)
                if found > best:
                    best, kept = found, choice
                if clock() > begun + _CHOICE * (end - begun):
                    break
            self.distribution = GaussianMixture(kept[0], reg_covar=kept[1], random_state=seed).fit(np.concatenate([train, validation]))
        self.told = {"components": kept[0], "regularisation": kept[1], "tried up to": choice[0]}

    def scores(self, standard: Array) -> Array:
        return np.asarray(self.distribution.score_samples(standard))

    def draws(self, n: int) -> Array:
        drawn: Array = self.distribution.sample(n)[0]
        return self.rng.permutation(drawn)  # they come component by component


class Gaussian(Mixture):
    """One Gaussian: the floor."""

    timed = False
    components = (1,)


class Spline(Density):
    """zuko's neural spline flow; new noise at every update, and the best of its validations is kept."""

    timed = True
    modules = ("torch", "zuko")

    def learn(self, numbers: Array, validation: Array, end: float, seed: int) -> None:
        import torch
        import zuko

        torch.manual_seed(seed)
        begun, held = clock(), torch.from_numpy(validation).float()
        self.flow = flow = zuko.flows.NSF(numbers.shape[1], 0, transforms=5, bins=8, hidden_features=(128, 128))
        optimiser = torch.optim.Adam(flow.parameters(), lr=LEARNING_RATE)
        best, kept, updates, at = math.inf, flow.state_dict(), 0, 0
        while (now := clock()) < end or not updates:
            for group in optimiser.param_groups:
                group["lr"] = LEARNING_RATE * 0.5 * (1 + math.cos(math.pi * min(1.0, (now - begun) / (end - begun))))
            for _ in range(EACH):
                rows = self.rng.integers(len(numbers), size=min(BATCH, len(numbers)))
                loss = -flow().log_prob(torch.from_numpy(self.standard(numbers[rows])).float()).mean()
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(flow.parameters(), 1.0)
                optimiser.step()
            updates += EACH
            with torch.no_grad():
                found = float(-flow().log_prob(held).mean())
            if found < best:
                best, at, kept = found, updates, {name: value.clone() for name, value in flow.state_dict().items()}
        flow.load_state_dict(kept)
        self.told = {"updates": updates, "best at": at}

    def scores(self, standard: Array) -> Array:
        import torch

        with torch.no_grad():
            parts = [self.flow().log_prob(part) for part in torch.from_numpy(standard).float().split(4 * BATCH)]
            found: Array = torch.cat(parts).double().numpy()
        return found

    def draws(self, n: int) -> Array:
        import torch

        with torch.no_grad():
            found: Array = torch.cat([self.flow().sample((len(part),)) for part in torch.arange(n).split(4 * BATCH)]).double().numpy()
        return found
