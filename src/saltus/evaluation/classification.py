"""What drawn items are worth for a classifier: it learns from them and is tested on real ones.

This is the classification accuracy score of Ravuri and Vinyals (2019, https://arxiv.org/abs/1905.10887), beside the accuracy of the same
classifier that learned from as many real items of the same classes, which is the most that can be hoped for, and from both together.
The classifier is scikit-learn's MLPClassifier with its defaults, on items as the model knows them.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from saltus.chain import Chain
from saltus.data import DataSet, subsample
from saltus.data.layout import Array
from saltus.errors import SaltusError
from saltus.kernels import Sampling
from saltus.networks import ClassCondition

__all__ = ["Classification", "classification_accuracy"]

MOST_LEARNED = 5000
"""Items that a classifier learns from unless a number is given."""


@dataclass(frozen=True)
class Classification:
    """Accuracies on real test items, each a share with its standard error over items.

    Attributes:
        generated: accuracy of the classifier that learned from drawn items, and its error.
        real: accuracy of one that learned from as many real ones.
        both: accuracy of one that learned from both.
        constant: the share of the most frequent class of the training items: what needs no classifier.
        learned, tested: how many items.
    """

    generated: tuple[float, float]
    real: tuple[float, float]
    both: tuple[float, float]
    constant: float
    learned: int
    tested: int


def classification_accuracy(
    chain: Chain, items: DataSet, n: int | None = None, *, seed: int = 0, sampling: Sampling | None = None
) -> Classification:
    """How well classifiers do that learn from n items that a chain draws, and from n real ones.

    Args:
        chain: conditioned on classes.
        items: with the classes of its training and test items.
        n: at most the number of training items, whose classes are drawn; all up to `MOST_LEARNED` unless given.
        seed: of the draw, the samples and the classifiers.
        sampling: as for `Chain.sample`.

    Raises:
        SaltusError: if the chain or the data know no classes.
    """
    classes, tested = items.conditions_for(chain.condition, "train"), items.conditions_for(chain.condition, "test")
    if not isinstance(chain.condition, ClassCondition) or classes is None or tested is None:
        raise SaltusError("a classifier was asked for, and the run knows no classes; train one with --condition labels")
    n = min(len(items.train), n or MOST_LEARNED)
    real, told = (subsample(part, n, seed=seed) for part in (items.train, classes))
    drawn = chain.sample(n, seed=seed, condition=told, sampling=sampling).cpu()
    truth = tested.numpy()
    usual = np.bincount(told.numpy()).argmax()

    def accuracy(*parts: Tensor) -> tuple[float, float]:
        x = np.concatenate([part.flatten(1).numpy() for part in parts])
        right = _predicted(x, np.tile(told.numpy(), len(parts)), items.test.flatten(1).numpy(), seed) == truth
        return float(right.mean()), float(right.std()) / math.sqrt(len(right))

    return Classification(accuracy(drawn), accuracy(real), accuracy(drawn, real), float((truth == usual).mean()), n, len(truth))


def _predicted(x: Array, classes: Array, tested: Array, seed: int) -> Array:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    made = MLPClassifier(random_state=seed % 2**32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # as many passes as its default has
        found: Array = made.fit(x, classes).predict(tested)
    return found
