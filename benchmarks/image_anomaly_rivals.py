"""What `image_anomaly.py` compares with: each learns from ordinary images and gives a score, more for stranger ones."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from torch import Tensor, nn

from saltus import ImageModel
from saltus.chain import OraclePrior
from saltus.data.layout import Array
from saltus.oracles import LowRankMixture

__all__ = ["Score", "forest_of_responsibilities", "forests_and_pca", "vae"]

Score = Callable[[Array], Array]
TREES, COMPONENTS, LATENT, BATCH, RATE, DRAWS = 200, 50, 32, 128, 1e-3, 4
RARE = -50.0  # ln of a responsibility below which none is told apart


def pixels(images: Array) -> Array:
    """Between 0 and 1, flat."""
    found: Array = images.reshape(len(images), -1) / 255
    return found


def forests_and_pca(train: Array) -> dict[str, Score]:
    """The squared error of a reconstruction by 50 principal components, and IsolationForest on these components."""
    pca = PCA(COMPONENTS, random_state=0).fit(pixels(train))
    forest = IsolationForest(n_estimators=TREES, random_state=0).fit(pca.transform(pixels(train)))

    def error(images: Array) -> Array:
        x = pixels(images)
        found: Array = ((x - pca.inverse_transform(pca.transform(x))) ** 2).sum(1)
        return found

    return {
        "PCA, error of reconstruction": error,
        "IsolationForest on principal components": lambda images: -forest.score_samples(pca.transform(pixels(images))),
    }


def forest_of_responsibilities(model: ImageModel, train: Array) -> dict[str, Score]:
    """IsolationForest on ln of the responsibilities of the mixture that the chain starts from; none where it starts from N(0, I)."""
    chain, encode = model.model_.chain, model.model_.encoding.encode
    if not isinstance(chain.prior, OraclePrior) or not isinstance(chain.prior.oracle, LowRankMixture):
        return {}
    mixture = chain.prior.oracle

    def log_shares(images: Array) -> Array:
        y = encode(images).double().flatten(1)
        joint = torch.cat([mixture.log_weights(None, len(part)) + mixture.at(0.0).log_prob(part) for part in y.split(BATCH)])
        found: Array = joint.log_softmax(1).clamp_min(RARE).numpy()
        return found

    forest = IsolationForest(n_estimators=TREES, random_state=0).fit(log_shares(train))
    return {"IsolationForest on responsibilities": lambda images: -forest.score_samples(log_shares(images))}


class PlainVAE(nn.Module):
    """One hidden layer each way, a latent of 32 numbers, and pixels as probabilities (Kingma and Welling 2014)."""

    def __init__(self, d: int, width: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(d, width), nn.ReLU(), nn.Linear(width, 2 * LATENT))
        self.decoder = nn.Sequential(nn.Linear(LATENT, width), nn.ReLU(), nn.Linear(width, d))

    def forward(self, x: Tensor) -> Tensor:
        """A bound on -ln p of each item, (B,)."""
        mean, log_scale = self.encoder(x).chunk(2, 1)
        logits = self.decoder(mean + log_scale.exp() * torch.randn_like(mean))
        kl = 0.5 * (mean.square() + (2 * log_scale).exp() - 1 - 2 * log_scale).sum(1)
        cost: Tensor = kl + nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
        return cost


def vae(train: Array, parameters: int, seconds: float) -> tuple[Score, int, int]:
    """A plain VAE of about so many parameters, trained for so many CPU seconds, with its parameters and passes over the images."""
    torch.manual_seed(0)
    x = torch.from_numpy(pixels(train)).float()
    d = x.shape[1]
    model = PlainVAE(d, max(1, (parameters - d - 2 * LATENT) // (2 * d + 3 * LATENT + 2)))
    optimiser, begun, seen = torch.optim.Adam(model.parameters(), RATE), time.process_time(), 0
    while time.process_time() - begun < seconds:
        for rows in torch.randperm(len(x)).split(BATCH):
            optimiser.zero_grad()
            model(x[rows]).mean().backward()
            optimiser.step()
            seen += len(rows)
            if time.process_time() - begun >= seconds:
                break

    @torch.no_grad()
    def score(images: Array) -> Array:
        torch.manual_seed(0)
        y = torch.from_numpy(pixels(images)).float()
        found: Array = torch.stack([model(y) for _ in range(DRAWS)]).mean(0).numpy()
        return found

    return score, sum(p.numel() for p in model.parameters()), seen // len(x)
