"""Networks: shapes, conditioning and scaling, nothing of diffusion."""

from saltus.networks.backbones import MLP, UNet
from saltus.networks.encoders import ConvEncoder, MLPEncoder
from saltus.networks.ladder import Climb, Ladder, LadderEncoder
from saltus.networks.presets import Architecture, Preset, decoder, encoder, ladder
from saltus.networks.scaled import Scaled, Scales, positive, scales
from saltus.networks.transfer import transfer_weights

__all__ = [
    "MLP",
    "Architecture",
    "Climb",
    "ConvEncoder",
    "Ladder",
    "LadderEncoder",
    "MLPEncoder",
    "Preset",
    "Scaled",
    "Scales",
    "UNet",
    "decoder",
    "encoder",
    "ladder",
    "positive",
    "scales",
    "transfer_weights",
]
