"""p(y | .) of the last step: what kind of data y is, and the mass or density of its values."""

from saltus.likelihoods.autoregressive import AutoregressiveHead
from saltus.likelihoods.columns import ColumnsHead
from saltus.likelihoods.continuous import ContinuousHead, GaussianHead
from saltus.likelihoods.heads import Choose, DiscretisedHead, Head
from saltus.likelihoods.logistic import LogisticMixtureHead
from saltus.likelihoods.mixture import MixtureHead
from saltus.likelihoods.number_distributions import Moments, NumberDistributions, Row, Within
from saltus.likelihoods.numbers import Number, Numbers

__all__ = [
    "AutoregressiveHead",
    "Choose",
    "ColumnsHead",
    "ContinuousHead",
    "DiscretisedHead",
    "GaussianHead",
    "Head",
    "LogisticMixtureHead",
    "MixtureHead",
    "Moments",
    "Number",
    "NumberDistributions",
    "Numbers",
    "Row",
    "Within",
]
