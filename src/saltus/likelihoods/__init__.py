"""p(y | .) of the last step: what kind of data y is, and the mass or density of its values."""

from saltus.likelihoods.autoregressive import AutoregressiveHead
from saltus.likelihoods.heads import DiscretisedHead, GaussianHead, Head
from saltus.likelihoods.logistic import LogisticMixtureHead
from saltus.likelihoods.mixture import MixtureHead

__all__ = ["AutoregressiveHead", "DiscretisedHead", "GaussianHead", "Head", "LogisticMixtureHead", "MixtureHead"]
