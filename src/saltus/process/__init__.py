"""The noise: the process, its point masses, and reproducible random numbers.  Knows nothing of networks."""

from saltus.process.delta import Delta
from saltus.process.divergence import normal_kl
from saltus.process.measurement import Measurement
from saltus.process.noise import Noise
from saltus.process.ornstein_uhlenbeck import ConstantAlpha, OrnsteinUhlenbeck, Time, as_time, per_item, sum_items

__all__ = ["ConstantAlpha", "Delta", "Measurement", "Noise", "OrnsteinUhlenbeck", "Time", "as_time", "normal_kl", "per_item", "sum_items"]
