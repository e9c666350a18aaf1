"""Networks: shapes and conditioning, nothing of diffusion."""

from saltus.networks.backbones import MLP, UNet
from saltus.networks.conditions import ClassCondition, Condition, ImageCondition, VectorCondition
from saltus.networks.encoders import ConvEncoder, MLPEncoder
from saltus.networks.ladder import Draw, Ladder, LadderEncoder
from saltus.networks.patches import Patches
from saltus.networks.positive import positive
from saltus.networks.presets import NETWORKS, Preset, backbone, encoder, ladder
from saltus.networks.teacher import TeacherUNet
from saltus.networks.transfer import transfer_weights

__all__ = [
    "MLP",
    "NETWORKS",
    "ClassCondition",
    "Condition",
    "ConvEncoder",
    "Draw",
    "ImageCondition",
    "Ladder",
    "LadderEncoder",
    "MLPEncoder",
    "Patches",
    "Preset",
    "TeacherUNet",
    "UNet",
    "VectorCondition",
    "backbone",
    "encoder",
    "ladder",
    "positive",
    "transfer_weights",
]
