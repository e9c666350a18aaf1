"""p(y | .) of continuous numbers: the density itself, with a floor on the standard deviation, since a density on data with ties could
otherwise rise without limit."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor
from torch.distributions import Normal

from saltus.likelihoods.heads import FAR, Head
from saltus.likelihoods.normal import log_interval_mass, middle, standard

__all__ = ["ContinuousHead", "GaussianHead"]


class ContinuousHead(Head):
    """p(y | .) of continuous numbers, each on its own, which gives intervals a mass too."""

    @property
    @abstractmethod
    def label(self) -> str:
        """The distribution in words."""

    def log_prob_each(self, y: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        return self.log_density(y, mean, variance, extra)

    @abstractmethod
    def log_density(self, y: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        """ln of the density of each number, (B, *E)."""

    @abstractmethod
    def log_mass(self, below: Tensor, above: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        """ln of the probability of the interval from `below` to `above` of each number, (B, *E); in float64."""

    @abstractmethod
    def eps_within(self, below: Tensor, above: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        """Unit Gaussian noise (B, *E) from which `sample` makes a number in each interval, about the middle by probability."""


class GaussianHead(ContinuousHead):
    """The Gaussian density, its standard deviation at least `floor` (in the units of y).

    Raises:
        ValueError: if the floor is not positive, or float32 cannot square it.
    """

    def __init__(self, floor: float) -> None:
        if not 0 < floor < FAR:
            raise ValueError(f"floor = {floor}; expected a positive standard deviation below {FAR:g}")
        self.floor = floor

    @property
    def convention(self) -> str:
        return f"density in the units of the file, by {self.label} whose standard deviation is at least {self.floor:g} of the data's"

    @property
    def label(self) -> str:
        return "a Gaussian"

    def spread(self, variance: Tensor) -> Tensor:
        return self._std(variance).square()

    def log_density(self, y: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        density: Tensor = Normal(mean, self._std(variance), validate_args=False).log_prob(y)
        return density

    def log_mass(self, below: Tensor, above: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        std = self._std(variance)
        return log_interval_mass(standard(below, mean, std), standard(above, mean, std))

    def mean(self, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        return mean

    def mode(self, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        return mean

    def sample(self, mean: Tensor, variance: Tensor, eps: Tensor, extra: Tensor | None = None) -> Tensor:
        return mean + self._std(variance) * eps

    def eps(self, y: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        return (y - mean) / self._std(variance)

    def eps_within(self, below: Tensor, above: Tensor, mean: Tensor, variance: Tensor, extra: Tensor | None = None) -> Tensor:
        std = self._std(variance)
        return middle(standard(below, mean, std), standard(above, mean, std))

    def _std(self, variance: Tensor) -> Tensor:
        return variance.clamp_min(self.floor**2).sqrt()
