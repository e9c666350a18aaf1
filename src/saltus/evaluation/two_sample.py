"""A classifier two-sample test (Lopez-Paz & Oquab 2017): how often a judge who sees the values tells samples from real items."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

__all__ = ["two_sample_accuracy"]

_MOST = 2000  # items a side
_FOLDS, _TREES = 5, 100


def two_sample_accuracy(x: Tensor, real: Tensor, *, seed: int = 0) -> float:
    """The share of items, as many samples (N, *E) as real items (M, *E), that extremely randomised trees judge rightly, cross-validated.

    1/2: they cannot tell; 1: always.  At most 2000 of each side are drawn, and the judge is scikit-learn's, 5 folds.

    Raises:
        ValueError: for fewer than 5 items on a side.
    """
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    n = min(len(x), len(real), _MOST)
    if n < _FOLDS:
        raise ValueError(f"{len(x)} samples and {len(real)} real items; expected at least {_FOLDS} of each")
    rng = np.random.default_rng(seed)
    drawn = [side[torch.from_numpy(rng.permutation(len(side))[:n])].detach().cpu().flatten(1) for side in (x, real)]
    judge = ExtraTreesClassifier(_TREES, random_state=seed % 2**32, n_jobs=torch.get_num_threads())
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed % 2**32)
    return float(cross_val_score(judge, torch.cat(drawn).numpy(), np.repeat([0, 1], n), cv=folds).mean())
