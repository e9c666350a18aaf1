r"""How strange images are, beside images that a model did not learn from, and which of their pixels are.

Bits/dim do not tell: simple images of another kind are cheaper than ordinary ones (Nalisnick et al. 2019,
https://arxiv.org/abs/1810.09136).  So nothing is asked to be cheap, but to be as it is in ordinary images: with x the terms of the bound,
level by level, and r their pixels in standard deviations of each pixel, averaged over a grid of at most 7 x 7 places,

.. math:: \text{terms} = \ln |x - \bar x|_{C}, \quad \text{pixels} = \ln |r - \bar r|_{C'}, \quad |x|_C^2 = x^T C^{-1} x,

mean and covariance those of one half of the held-out images.  This is typicality in more than one dimension: too cheap is as strange as too
dear (Nalisnick et al. 2019, https://arxiv.org/abs/1906.02994).  The other half says how often ordinary images are as far
away, and from there on `saltus.estimators.anomaly` does with both as it does with the columns of a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saltus.chain import Chain, like, profile
from saltus.data import DataSet, subsample
from saltus.data.layout import Array
from saltus.errors import SaltusError
from saltus.estimators.anomaly import Ordinary

__all__ = ["FEWEST", "IMAGE_PARTS", "Cloud", "OrdinaryImages", "Seen", "Strangeness", "seen_of"]

IMAGE_PARTS = ("terms", "pixels")
"""What an image is strange by; a chain whose last step has no pixels has the first alone."""
FEWEST = 4
"""Ordinary images that others can be held against."""
_KEPT = 2000  # held-out images that are looked at
_PLACES = 7  # a side, over which pixels are averaged
_LEAST = 1.0  # nats: standard deviations of pixels below are taken for it, as those of pixels that are always black
_NEAREST = 1e-12  # squared distance, whose logarithm is finite
_DIGITS = 6


@dataclass(frozen=True, eq=False)
class Seen:
    """What the bound says of images.

    Attributes:
        terms: those of the bound, (N, k) nats.
        pixels: -ln p of each at the last step, (N, H, W) nats; None where the step has none.
    """

    terms: Array
    pixels: Array | None

    def __getitem__(self, some: slice | Array) -> Seen:
        return Seen(self.terms[some], None if self.pixels is None else self.pixels[some])


def seen_of(chain: Chain, y: Tensor, *, seed: int = 0) -> Seen:
    """That of items (N, C, H, W) on one path each, whose class is not told.

    Raises:
        SaltusError: if the chain has no bound, or its items are others.
    """
    if not chain.has_bound:
        raise SaltusError(f"this model has no bound ({chain.kernel(1).label}), which strangeness is told by; train one with --kernel vae")
    if not len(y):
        raise SaltusError("no images were given; expected at least one: give some")
    found = profile(chain, y.to(like(chain)), seed=seed)
    return Seen(torch.stack(list(found.terms.values()), 1).numpy(), None if found.pixels is None else found.pixels.numpy())


@dataclass(frozen=True, eq=False)
class Strangeness:
    """How strange N images are.

    Attributes:
        seen: what the bound says of them.
        ordinary: what they are held against.
    """

    seen: Seen
    ordinary: OrdinaryImages

    @cached_property
    def score(self) -> Array:
        """(N,) nats: -ln of the share of ordinary images that are at least as strange."""
        return self.ordinary.score(self.seen)

    @cached_property
    def by_part(self) -> Array:
        """The same of each of the `IMAGE_PARTS` that there are, (N, parts)."""
        return self.ordinary.by_part(self.seen)

    def map(self, some: Array | slice = slice(None)) -> Array:
        """See `OrdinaryImages.map`; of some images."""
        return self.ordinary.map(self.seen[some])


class Cloud:
    """Where points lie: their mean, and how far each way.

    Args:
        mean, scale: of each axis, (k,); scale > 0.
        precision: the inverse of the covariance of points in units of the scale, (k, k).
    """

    def __init__(self, mean: Array, scale: Array, precision: Array) -> None:
        self.mean, self.scale, self.precision = mean, scale, precision

    @classmethod
    def of(cls, points: Array) -> Cloud:
        """That of points (n, k), n >= 2: the covariance is shrunk as Ledoit and Wolf (2004) do, so that few points give one too."""
        from sklearn.covariance import LedoitWolf

        mean, std = points.mean(0), points.std(0)
        scale = np.where(std > 0, std, 1.0)
        return cls(mean, scale, LedoitWolf().fit((points - mean) / scale).precision_)

    def log_distance(self, points: Array) -> Array:
        """ln of the Mahalanobis distance of each point, (n,)."""
        off = (points - self.mean) / self.scale
        squared = np.einsum("ni,ij,nj->n", off, self.precision, off)
        found: Array = np.log(np.maximum(squared, _NEAREST)) / 2
        return found


@dataclass(frozen=True, eq=False)
class OrdinaryImages:
    """What ordinary images look like to a model.

    Attributes:
        mean, std: of -ln p of each pixel, (H, W) nats; None where there are none.
        clouds: one for each of the `IMAGE_PARTS` that there are.
        distances: ln of those of held-out images from them, (n, parts).
    """

    mean: Array | None
    std: Array | None
    clouds: tuple[Cloud, ...]
    distances: Array

    @classmethod
    def of(cls, chain: Chain, data: DataSet) -> OrdinaryImages:
        """That of a data set's validation images.

        Raises:
            SaltusError: if the chain has no bound, or there are fewer than `FEWEST` images.
        """
        return cls.of_seen(seen_of(chain, subsample(data.validation, _KEPT, seed=0)))

    @classmethod
    def of_seen(cls, seen: Seen) -> OrdinaryImages:
        """From n >= `FEWEST` ordinary images: every second one is for the clouds, the others are held against them.

        Raises:
            SaltusError: for fewer.
        """
        if len(seen.terms) < FEWEST:
            raise SaltusError(f"{len(seen.terms)} ordinary images were given to compare with; expected at least {FEWEST}: give more")
        one, other = seen[::2], seen[1::2]
        mean = std = None
        if one.pixels is not None:
            mean, std = one.pixels.mean(0), np.maximum(one.pixels.std(0), _LEAST)
        clouds = tuple(map(Cloud.of, _points(one, mean, std)))
        return cls(mean, std, clouds, _distances(clouds, _points(other, mean, std)))

    @cached_property
    def _ordinary(self) -> Ordinary:
        return Ordinary(self.distances)

    def score(self, seen: Seen) -> Array:
        """How strange each image is, (N,) nats: -ln of the share of ordinary ones that are at least as strange."""
        return self._ordinary.score(self._of(seen))

    def by_part(self, seen: Seen) -> Array:
        """How strange each image is by its terms and by its pixels, (N, parts) nats."""
        return self._ordinary.by_column(self._of(seen))

    def map(self, seen: Seen) -> Array:
        """How much dearer each pixel is than it is in ordinary images, (N, H, W), in standard deviations of that pixel.

        Raises:
            SaltusError: if the model has no likelihood of single pixels.
        """
        if seen.pixels is None or self.mean is None or self.std is None:
            raise SaltusError(
                "a map over pixels was asked for, and the last step of this model has no likelihood of single pixels; train longer, or "
                "with --kernel vae --no-closed-forms"
            )
        found: Array = (seen.pixels - self.mean) / self.std
        return found

    def _of(self, seen: Seen) -> Array:
        return _distances(self.clouds, _points(seen, self.mean, self.std))

    def to_json(self) -> dict[str, Any]:
        """What makes the same again, within rounding."""
        clouds = [[_plain(cloud.mean), _plain(cloud.scale), _plain(cloud.precision)] for cloud in self.clouds]
        pixels = None if self.mean is None or self.std is None else [_plain(self.mean), _plain(self.std)]
        return {"pixels": pixels, "clouds": clouds, "distances": _plain(self.distances)}

    @classmethod
    def from_json(cls, found: Any) -> OrdinaryImages:
        """That of `to_json`.

        Raises:
            ValueError, KeyError, TypeError: for what is none.
        """
        mean, std = (None, None) if found["pixels"] is None else (_array(each, 2) for each in found["pixels"])
        clouds = tuple(Cloud(_array(mean, 1), _array(scale, 1), _array(precision, 2)) for mean, scale, precision in found["clouds"])
        distances = _array(found["distances"], 2)
        fits = all(len(cloud.mean) == len(cloud.scale) and cloud.precision.shape == (len(cloud.mean),) * 2 for cloud in clouds)
        if (
            not fits
            or not len(clouds) == distances.shape[1] == 1 + (mean is not None)
            or (mean is not None and std is not None and mean.shape != std.shape)
        ):
            raise ValueError("the parts of what ordinary images look like do not fit together")
        return cls(mean, std, clouds, distances)


def _points(seen: Seen, mean: Array | None, std: Array | None) -> list[Array]:
    """Of each part a point for each image: its terms, and its pixels on a grid."""
    if seen.pixels is None or mean is None or std is None:
        return [seen.terms]
    off = torch.from_numpy((seen.pixels - mean) / std)[:, None]
    side = min(_PLACES, off.shape[2]), min(_PLACES, off.shape[3])
    return [seen.terms, torch.nn.functional.adaptive_avg_pool2d(off, side).flatten(1).numpy()]


def _distances(clouds: tuple[Cloud, ...], points: list[Array]) -> Array:
    return np.stack([cloud.log_distance(each) for cloud, each in zip(clouds, points, strict=True)], axis=1)


def _plain(values: Array) -> Any:
    """Numbers with so many digits that count."""
    return [_plain(row) for row in values] if values.ndim > 1 else [float(f"{value:.{_DIGITS}g}") for value in values]


def _array(found: Any, axes: int) -> Array:
    values = np.asarray(found, dtype=np.float64)
    if values.ndim != axes or not values.size or not np.isfinite(values).all():
        raise ValueError(f"finite numbers on {axes} axes were expected")
    return values
