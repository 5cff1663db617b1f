"""EfficientNet-B0 on ImageNet (Tan & Le 2019), pooled: 1,280 features.

Source: Tan and Le, EfficientNet, ICML 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

from mmclust.core.params import Positive  # noqa: TC001
from mmclust.encoders._pixels import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Colour,
    Interpolation,
)
from mmclust.encoders._vision import Library, encode_image, identity, prepare

__all__ = ["VIEWS", "Params", "encode_image", "identity", "prepare"]

VIEWS = ("image",)


@dataclass(frozen=True)
class Params:
    """See :class:`mmclust.encoders.resnet50.Params`."""

    model: str = "efficientnet_b0"
    library: Library = "torchvision"
    weights: str = "IMAGENET1K_V1"
    revision: str = ""
    short_side: Positive | None = 256
    crop: Positive = 224
    interpolation: Interpolation = "bicubic"
    mean: Colour = IMAGENET_MEAN
    std: Colour = IMAGENET_STD
    normalise: bool = False
    published: bool = True
