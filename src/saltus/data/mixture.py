"""Data whose distribution is known: a Gaussian mixture fitted to the handwritten digits, and items drawn from it.

They look like digits, and everything about them is exact: the perfect denoiser, the reverse kernel, and the
likelihood of held-out items.  The class of an item is that of its component: the digit that the component fits most often.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from saltus.data.conditions import Labels, condition_on
from saltus.data.dataset import DataSet
from saltus.data.encoding import Standardised
from saltus.data.layout import Layout
from saltus.oracles import GaussianMixture
from saltus.oracles.oracle import choose
from saltus.process import Noise

__all__ = ["DIGITS_MIXTURE", "digits_mixture"]

DIGITS_MIXTURE = "digits-mixture"
_COMPONENTS = 10  # as many as there are digits
_LEAST_VARIANCE = 0.01  # added to every pixel: less than one of the 17 grey values, whose step is 0.125
_SIZES = {"train": 16_000, "validation": 2_000, "test": 4_000}
_ITEM_SEED = 0


def digits_mixture(digits: DataSet, condition: str | None = None) -> DataSet:
    """Items of a mixture fitted to the training part of `digits`; their `distribution` is that mixture.

    Raises:
        SaltusError: if the condition is not None or "labels".
    """
    y = digits.fitting_items.flatten(1).double().numpy()
    from sklearn.mixture import GaussianMixture as FullMixture

    fit = FullMixture(_COMPONENTS, covariance_type="full", reg_covar=_LEAST_VARIANCE, random_state=0).fit(y)
    weights, means, covariances = (torch.from_numpy(np.ascontiguousarray(v)) for v in (fit.weights_, fit.means_, fit.covariances_))
    classes, names = _classes(torch.from_numpy(fit.predict(y)), digits)
    mixture = GaussianMixture(weights, means.reshape(-1, *digits.event_shape), covariances, classes.tolist())
    n, sizes = sum(_SIZES.values()), list(_SIZES.values())
    train, validation, test = mixture.sample(n, seed=_ITEM_SEED).float().split(sizes)
    components = choose(mixture.marginal(0.0).logits, Noise(_ITEM_SEED, 0, n).uniform("component"))  # as `sample` draws them
    of_train, of_validation, of_test = classes[components].split(sizes)
    labels = Labels(of_train, of_validation, of_test, names)
    kind, values = condition_on(condition, labels, None)
    plain = Standardised(Layout.CHANNELS_FIRST, digits.event_shape, torch.tensor(0.0), torch.tensor(1.0))
    return DataSet(
        DIGITS_MIXTURE,
        plain,
        train,
        validation,
        test,
        labels=labels,
        source=DIGITS_MIXTURE,
        distribution=mixture,
        condition=kind,
        conditions=values,
    )


def _classes(components: Tensor, digits: DataSet) -> tuple[Tensor, tuple[str, ...]]:
    """The class of each component, int64 (K,), and the names of the classes: the digits that components fit most often."""
    assert digits.labels is not None  # they come with scikit-learn
    counts = torch.zeros(_COMPONENTS, 10).index_put_((components, digits.labels.train), torch.tensor(1.0), accumulate=True)
    fitted, classes = counts.argmax(1).unique(return_inverse=True)
    return classes, tuple(map(str, fitted.tolist()))
