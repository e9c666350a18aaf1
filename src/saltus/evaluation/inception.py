"""The features of Inception v3 (Szegedy et al. 2015, https://arxiv.org/abs/1512.00567), in which the literature compares images.

The network was trained on photographs of 299x299 pixels.  On small or grey images its features order models less well than
features that are trained on the data set.  Its figures compare with published ones only at equal image sizes and equal numbers of
images.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from saltus.errors import SaltusError
from saltus.extras import needs

__all__ = ["INCEPTION_FEATURES", "inception_features", "inception_network"]

INCEPTION_FEATURES = 2048
"""The number of features, those of the last pooling layer."""
_CHUNK = 64  # images at a time: the network enlarges them


def inception_network() -> nn.Module:
    """The network, with the weights that torchmetrics' Frechet inception distance uses.

    Raises:
        SaltusError: if a library is not installed, or the weights cannot be had.
    """
    library = needs("torchmetrics.image.fid", extra="evaluate")
    try:
        network: nn.Module = library.FrechetInceptionDistance(feature=INCEPTION_FEATURES).inception
        return network.eval()
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
    """The network's features of images (N, C, H, W): float64 (N, F).

    Args:
        y: images of 1 to 4 channels.  The last of 2 or 4 channels is transparency and is left out; grey is repeated in 3 channels.
        network: takes uint8 (n, 3, H, W).
        shown: the values that are black and white.
    """
    colours = y[:, : 3 if y.shape[1] >= 3 else 1].expand(-1, 3, -1, -1)
    unit = ((colours.detach().cpu().double() - shown[0]) / (shown[1] - shown[0])).clamp(0, 1)
    pixels = (255 * unit).round().to(torch.uint8)
    return torch.cat([network(part).double() for part in pixels.split(_CHUNK)])
