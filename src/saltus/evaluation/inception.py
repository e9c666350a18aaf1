"""The features of Inception v3 (Szegedy et al. 2015) by which images are compared in the literature.

Their network was trained on photographs of 299x299 pixels: on small or grey images the figures order models less well
than features of the data set's own, and they can be compared with published ones only at the same sizes and numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from saltus.errors import SaltusError

__all__ = ["INCEPTION_FEATURES", "inception_features", "inception_network"]

INCEPTION_FEATURES = 2048
"""How many features there are in its last pooling layer."""
_CHUNK = 64  # images at a time, which the network enlarges


def inception_network() -> nn.Module:
    """The network, with the weights that torchmetrics' Frechet inception distance uses.

    Raises:
        SaltusError: if the package torch-fidelity or its weights cannot be had.
    """
    from torchmetrics.image.fid import FrechetInceptionDistance

    try:
        return FrechetInceptionDistance(feature=INCEPTION_FEATURES).inception.eval()
    except ModuleNotFoundError as error:
        raise SaltusError(
            "Inception distances need the package torch-fidelity, which is not installed; install it with: pip install torch-fidelity"
        ) from error
    except (OSError, RuntimeError) as error:  # no network, or half a file
        why = str(error).strip().partition("\n")[0].rstrip(".")
        raise SaltusError(
            f"the weights of Inception v3 cannot be had ({why}); connect this machine once, for torch-fidelity to fetch them, or go without"
        ) from error


@torch.no_grad()
def inception_features(y: Tensor, network: nn.Module, *, shown: tuple[float, float]) -> Tensor:
    """Features of images (N, C, H, W), as many as the network gives: (N, F) float64.

    Args:
        y: images; of 2 and 4 channels the last, which is transparency, is left out, and grey is repeated in 3.
        network: takes uint8 (n, 3, H, W).
        shown: the values that are black and white.
    """
    colours = y[:, : 3 if y.shape[1] >= 3 else 1].expand(-1, 3, -1, -1)
    unit = ((colours.detach().cpu().double() - shown[0]) / (shown[1] - shown[0])).clamp(0, 1)
    pixels = (255 * unit).round().to(torch.uint8)
    return torch.cat([network(part).double() for part in pixels.split(_CHUNK)])
