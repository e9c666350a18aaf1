"""The metrics of generated items against real ones, and sets of items that keep what several metrics use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property

from torch import Tensor

from saltus.data import Examples
from saltus.evaluation.distances import energy_distance, mean_pairwise_distance, sliced_wasserstein
from saltus.evaluation.features import FEATURES
from saltus.evaluation.inception import INCEPTION_FEATURES
from saltus.evaluation.moments import frechet_distance, kernel_distance, vendi_score
from saltus.evaluation.neighbours import NEIGHBOURS, fidelity, memorisation, nearest_distances, neighbour_radii
from saltus.evaluation.two_sample import two_sample_accuracy

__all__ = ["DEFAULT_METRICS", "FEATURE_METRICS", "INCEPTION_METRICS", "MEMORISATION_METRICS", "METRICS", "Metric", "SampleSet", "measure"]


@dataclass(frozen=True)
class Metric:
    """One figure.

    Attributes:
        title: what it is, for humans.
        smaller_is_better: None if the best figure is that of real items.
        is_distance: whether it is a distance between two distributions.  The figure of real items is then subtracted.
        fewest: the number of items that each set must have at least.
    """

    title: str
    smaller_is_better: bool | None
    is_distance: bool = False
    fewest: int = 2


_HERE = "in features trained here"  # and not in those of the literature's networks

METRICS: Mapping[str, Metric] = {
    "frechet": Metric(f"Fréchet distance {_HERE}", True, True, 2 * FEATURES),
    "kernel_mmd": Metric(f"kernel distance (MMD²) {_HERE}", True, True),
    "sliced_wasserstein": Metric("sliced Wasserstein distance", True, True),
    "energy": Metric("energy distance", True, True),
    "precision": Metric(f"precision {_HERE}", False, fewest=NEIGHBOURS + 1),
    "recall": Metric(f"recall {_HERE}", False, fewest=NEIGHBOURS + 1),
    "density": Metric(f"density {_HERE}", None, fewest=NEIGHBOURS + 1),
    "coverage": Metric(f"coverage {_HERE}", False, fewest=NEIGHBOURS + 1),
    "vendi": Metric(f"Vendi score {_HERE}", None),
    "diversity": Metric("diversity (pairwise distance over real)", None),
    "two_sample": Metric("two-sample test (accuracy, 0.5 is best)", True, fewest=10),
    "memorisation": Metric("memorisation (nearer to training, 0.5 is none)", None, fewest=10),
    "nearest_ratio": Metric("nearest training item (distance over held-out)", None, fewest=10),
    "copies": Metric("copies of training items (share)", True, fewest=10),
    "inception_frechet": Metric("Inception Fréchet distance (FID)", True, True, INCEPTION_FEATURES + 1),
    "inception_kernel_mmd": Metric("Inception kernel distance (KID)", True, True),
}
"""Every metric, by its name."""
INCEPTION_METRICS = ("inception_frechet", "inception_kernel_mmd")
"""Those in the features of Inception v3, which has to be downloaded."""
DEFAULT_METRICS = tuple(name for name in METRICS if name not in INCEPTION_METRICS)
"""All others: they need nothing but the data."""
FEATURE_METRICS = ("frechet", "kernel_mmd", "precision", "recall", "density", "coverage", "vendi")
"""Those in the features of a classifier that is trained on the data set, see `features_for`."""
MEMORISATION_METRICS = ("memorisation", "nearest_ratio", "copies")
"""Those that compare distances to the training items with the distances of held-out items."""

Extractor = Callable[[Tensor], Tensor]


class SampleSet:
    """Items (N, *E), and what metrics use of them; each is computed when it is first used, and once.

    Args:
        items: generated or real.
        train: the training items, (M, *E).
        extract: gives the features of items in the classifier that is trained here.
        extract_inception: gives their features in Inception.
    """

    def __init__(self, items: Tensor, train: Examples, extract: Extractor, extract_inception: Extractor) -> None:
        self.items = items
        self._train, self._extract, self._extract_inception = train, extract, extract_inception

    @cached_property
    def features(self) -> Tensor:
        """The features in the classifier, (N, 64)."""
        return self._extract(self.items)

    @cached_property
    def inception(self) -> Tensor:
        """The features in Inception, (N, 2048)."""
        return self._extract_inception(self.items)

    @cached_property
    def radii(self) -> Tensor:
        """The distances to the k-th nearest other item of this set, in the features: (N,)."""
        return neighbour_radii(self.features)

    @cached_property
    def pairwise(self) -> float:
        """The mean distance of two items."""
        return mean_pairwise_distance(self.items)

    @cached_property
    def to_train(self) -> Tensor:
        """The distances to the nearest training item, (N,)."""
        return nearest_distances(self.items, self._train)


_MEASURES: Mapping[tuple[str, ...], Callable[[SampleSet, SampleSet, int], Sequence[float]]] = {
    ("frechet",): lambda x, real, _: [frechet_distance(x.features, real.features)],
    ("kernel_mmd",): lambda x, real, seed: [kernel_distance(x.features, real.features, seed=seed)],
    ("sliced_wasserstein",): lambda x, real, seed: [sliced_wasserstein(x.items, real.items, seed=seed)],
    ("energy",): lambda x, real, _: [energy_distance(x.items, real.items, within=(x.pairwise, real.pairwise))],
    ("precision", "recall", "density", "coverage"): lambda x, real, _: astuple(
        fidelity(x.features, real.features, radii=(x.radii, real.radii))
    ),
    ("vendi",): lambda x, _, __: [vendi_score(x.features)],
    ("diversity",): lambda x, real, _: [x.pairwise / real.pairwise],
    ("two_sample",): lambda x, real, seed: [two_sample_accuracy(x.items, real.items, seed=seed)],
    MEMORISATION_METRICS: lambda x, real, _: astuple(memorisation(x.to_train, real.to_train, dimensions=x.items[0].numel())),
    ("inception_frechet",): lambda x, real, _: [frechet_distance(x.inception, real.inception)],
    ("inception_kernel_mmd",): lambda x, real, seed: [kernel_distance(x.inception, real.inception, seed=seed)],
}


def measure(x: SampleSet, real: SampleSet, names: Sequence[str], *, seed: int = 0) -> dict[str, float]:
    """The figures of `names`, in their order, of generated items against real ones; the seed is of directions, subsets and folds."""
    found: dict[str, float] = {}
    for group, figures in _MEASURES.items():
        if set(group) & set(names):
            found |= zip(group, figures(x, real, seed), strict=True)
    return {name: found[name] for name in names}
