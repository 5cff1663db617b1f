"""MobileNetV3-Large on ImageNet (Howard et al. 2019), pooled: 960 features.

Source: Howard et al., Searching for MobileNetV3, ICCV 2019.
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

    model: str = "mobilenet_v3_large"
    library: Library = "torchvision"
    weights: str = "IMAGENET1K_V2"
    revision: str = ""
    short_side: Positive | None = 232
    crop: Positive = 224
    interpolation: Interpolation = "bilinear"
    mean: Colour = IMAGENET_MEAN
    std: Colour = IMAGENET_STD
    normalise: bool = False
    published: bool = True
