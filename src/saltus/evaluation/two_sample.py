"""A two-sample test by a classifier: how often it tells samples from real items by their values.

The test is that of Lopez-Paz and Oquab (2017, https://arxiv.org/abs/1610.06545); the classifier is the extremely
randomised trees of Geurts et al. (2006, https://doi.org/10.1007/s10994-006-6226-1).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

__all__ = ["two_sample_accuracy"]

_MOST = 2000  # items of each set
_FOLDS, _TREES = 5, 100


def two_sample_accuracy(x: Tensor, real: Tensor, *, seed: int = 0) -> float:
    """The accuracy of a classifier of samples (N, *E) against as many real items (M, *E), by cross-validation in 5 folds.

    It is 1/2 if the sets cannot be told apart and 1 if they always can.  Of larger sets 2000 items are taken.

    Raises:
        ValueError: for fewer than 5 items of either.
    """
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    n = min(len(x), len(real), _MOST)
    if n < _FOLDS:
        raise ValueError(f"{len(x)} samples and {len(real)} real items; expected at least {_FOLDS} of each")
    rng = np.random.default_rng(seed)
    taken = [items[torch.from_numpy(rng.permutation(len(items))[:n])].detach().cpu().flatten(1) for items in (x, real)]
    classifier = ExtraTreesClassifier(_TREES, random_state=seed % 2**32, n_jobs=torch.get_num_threads())
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed % 2**32)
    return float(cross_val_score(classifier, torch.cat(taken).numpy(), np.repeat([0, 1], n), cv=folds).mean())
