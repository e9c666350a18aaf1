r"""A small classifier, in whose last hidden layer sets of items are compared: a measuring instrument.

It is trained once for each data set, on its training items only, and kept.  Its classes are the data set's own labels or,
if there are none, clusters of the training items (mini-batch k-means, Sculley 2010, https://doi.org/10.1145/1772690.1772862).
It is never used to train or to choose a chain: figures in its features would then flatter what they chose.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from saltus.data import DataSet, Examples, Items
from saltus.evaluation.cache import cached
from saltus.registry import Configurable

__all__ = ["FEATURES", "Features", "features_for"]

FEATURES = 64
"""The number of features."""
_RECIPE = 2  # raise it with every change below: trained classifiers are kept
_UPDATES, _EPOCHS = 600, 25  # the smaller of the two counts
_BATCH, _RATE, _DECAY = 128, 3e-3, 0.05
_WIDTH = 16  # channels of the first layer
_ROWS_WIDTH = 128  # neurons of a layer, for rows
_SIZE, _LAST_SIZE = 16, 4  # of images after the first and the last convolution, at most
_CHUNK = 256  # items at a time, always as many: the features of an item then do not depend on the others
_CLUSTERS = 32  # half as many as features: a few features could tell fewer clusters apart, and the others would learn nothing
_CLUSTER_SIZE = 20  # training items in a cluster, on average
_DIGEST = 8  # bytes of a hash


class Features(Configurable, nn.Module):
    """A classifier of items, whose last hidden layer gives the features.

    Args:
        event_shape: E; (C, H, W) for images, which are convolved, or (d,) for rows.
        classes: the number of classes.
        labelled: whether classes are the data set's labels; if not, they are clusters.
        accuracy: the share of the test items that it classifies correctly.
    """

    scale: Tensor

    def __init__(self, event_shape: Sequence[int], classes: int, *, labelled: bool, accuracy: float = math.nan) -> None:
        super().__init__()
        self.event_shape, self.classes, self.labelled, self.accuracy = tuple(event_shape), classes, labelled, accuracy
        self.body = _convolutions(self.event_shape) if len(self.event_shape) == 3 else _layers(math.prod(self.event_shape))
        self.last = nn.Linear(FEATURES, classes)
        self.register_buffer("scale", torch.ones(()))

    def forward(self, y: Tensor) -> Tensor:
        """Logits of the classes, (N, classes)."""
        logits: Tensor = self.last(self.body(y))
        return logits

    @torch.no_grad()
    def extract(self, y: Examples) -> Tensor:
        """The features of items (N, *E): float32 (N, 64), scaled so that their mean variance over the training items is 1."""
        parts = []
        for items in y.split(_CHUNK):
            part = items.detach().cpu().float()
            padding = part.new_zeros(_CHUNK - len(part), *self.event_shape)
            parts.append(self.body(torch.cat([part, padding]))[: len(part)])
        return torch.cat(parts) / self.scale

    @torch.no_grad()
    def finish(self, data: DataSet, test_classes: Tensor) -> None:
        """End the training: set the scale, and measure the accuracy."""
        self.eval()
        self.scale.fill_(float(self.extract(data.train).var(0).mean().sqrt()))
        guesses = self.last(self.extract(data.test) * self.scale).argmax(1)
        self.accuracy = float((guesses == test_classes).double().mean())

    @property
    def hash(self) -> str:
        """16 hexadecimal digits, a hash of the weights."""
        hashed = hashlib.blake2b(digest_size=_DIGEST)
        for name, value in self.state_dict().items():
            hashed.update(name.encode() + value.cpu().numpy().tobytes())
        return hashed.hexdigest()

    def describe(self) -> str:
        """One line for humans."""
        what = "labels" if self.labelled else "clusters"
        return f"features of a classifier of {self.classes} {what}, {self.accuracy:.1%} right on test items (weights {self.hash})"


def _convolutions(event_shape: Sequence[int]) -> nn.Sequential:
    """A first layer that sees every pixel and leaves at most 16 x 16, then halvings to at most 4 x 4."""
    channels, *sizes = event_shape
    stride = -(-max(sizes) // _SIZE)
    layers: list[nn.Module] = [nn.Conv2d(channels, _WIDTH, 2 * stride + 1, stride, stride, bias=False)]
    width, size = _WIDTH, -(-min(sizes) // stride)
    while size > _LAST_SIZE:
        layers += [nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, 2 * width, 3, 2, 1, bias=False)]
        width, size = 2 * width, -(-size // 2)
    layers += [nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(_LAST_SIZE), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(width * _LAST_SIZE**2, FEATURES), nn.ReLU())


def _layers(size: int) -> nn.Sequential:
    hidden = [nn.Linear(size, _ROWS_WIDTH), nn.BatchNorm1d(_ROWS_WIDTH), nn.ReLU(), nn.Linear(_ROWS_WIDTH, _ROWS_WIDTH), nn.ReLU()]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(_ROWS_WIDTH, FEATURES), nn.ReLU())


def features_for(data: DataSet, *, seed: int = 0) -> Features:
    """The classifier of a data set: trained the first time, and read again afterwards.

    It is kept in the user's cache folder, or in the folder that the environment variable SALTUS_CACHE names.  Its key is
    made of the data's fingerprint, the labels, the seed and the recipe.  A damaged or unusable folder costs a warning.
    """
    return cached(Features, "features", _key(data, seed), lambda: _trained(data, seed))


def _key(data: DataSet, seed: int) -> str:
    hashed = hashlib.blake2b(f"{_RECIPE} {data.fingerprint} {seed}".encode(), digest_size=_DIGEST)
    for labels in (data.labels.train, data.labels.test) if data.labels else ():
        hashed.update(labels.numpy().astype("<i8").tobytes())
    return hashed.hexdigest()


def _trained(data: DataSet, seed: int) -> Features:
    train, test, labelled = _classes(data, seed)
    updates = min(_UPDATES, _EPOCHS * -(-len(train) // _BATCH))
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)
        features = Features(data.event_shape, int(train.max()) + 1, labelled=labelled).train()
        optimiser = torch.optim.AdamW(features.parameters(), lr=_RATE, weight_decay=_DECAY)
        rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=_RATE, total_steps=updates)
        for _ in range(updates):
            items = torch.from_numpy(rng.integers(0, len(train), _BATCH))
            loss = nn.functional.cross_entropy(features(data.train[items]), train[items])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()
    features.finish(data, test)
    return features


def _classes(data: DataSet, seed: int) -> tuple[Tensor, Tensor, bool]:
    """Classes 0, 1, ... of the training and the test items, and whether they are labels.

    Labels that nearly all differ, or are all the same, are no classes.
    """
    if data.labels is not None:
        kinds, train = torch.unique(data.labels.train, return_inverse=True)
        if 2 <= len(kinds) <= len(train) // 2:
            known = torch.isin(data.labels.test, kinds)
            return train, torch.where(known, torch.bucketize(data.labels.test, kinds), -1), True
    return *_clusters(data, seed), False


def _clusters(data: DataSet, seed: int) -> tuple[Tensor, Tensor]:
    from sklearn.cluster import MiniBatchKMeans

    number = max(2, min(_CLUSTERS, len(data.train) // _CLUSTER_SIZE))
    means = MiniBatchKMeans(number, random_state=seed % 2**32, n_init=3)
    train = means.fit(data.fitting_items.flatten(1).numpy()).labels_
    if isinstance(data.train, Items):  # which were not all looked at
        train = np.concatenate([means.predict(part.flatten(1).numpy()) for part in data.train.blocks()])
    test = means.predict(data.test.flatten(1).numpy())
    return torch.from_numpy(train).long(), torch.from_numpy(test).long()
