"""Data whose law is known: a Gaussian mixture fitted to the handwritten digits, and items drawn from it.

They look like digits, and everything about them is exact: the perfect denoiser, the reverse kernel, and the
likelihood of held-out items.
"""

from __future__ import annotations

import numpy as np
import torch

from saltus.data.dataset import DataSet
from saltus.data.encoding import Standardised
from saltus.data.layout import Layout
from saltus.oracles import GaussianMixture

__all__ = ["DIGITS_MIXTURE", "digits_mixture"]

DIGITS_MIXTURE = "digits-mixture"
_COMPONENTS = 10  # as many as there are digits
_LEAST_VARIANCE = 0.01  # added to every pixel: less than one of the 17 grey values, whose step is 0.125
_SIZES = {"train": 16_000, "validation": 2_000, "test": 4_000}
_ITEM_SEED = 0


def digits_mixture(digits: DataSet) -> DataSet:
    """Items of a mixture fitted to the training part of `digits`; their `law` is that mixture."""
    from sklearn.mixture import GaussianMixture as Fit

    y = digits.train.flatten(1).double().numpy()
    fit = Fit(_COMPONENTS, covariance_type="full", reg_covar=_LEAST_VARIANCE, random_state=0).fit(y)
    weights, means, covariances = (torch.from_numpy(np.ascontiguousarray(v)) for v in (fit.weights_, fit.means_, fit.covariances_))
    law = GaussianMixture(weights, means.reshape(-1, *digits.event_shape), covariances)
    drawn = law.sample(sum(_SIZES.values()), seed=_ITEM_SEED).float()
    train, validation, test = drawn.split(list(_SIZES.values()))
    plain = Standardised(Layout.CHANNELS_FIRST, digits.event_shape, torch.tensor(0.0), torch.tensor(1.0))
    return DataSet(DIGITS_MIXTURE, plain, train, validation, test, source=DIGITS_MIXTURE, law=law)
