"""ResNet-50 on ImageNet (He et al. 2016), pooled: 2,048 features (benchmarks, §5).

Any other model of torchvision, timm or transformers by ``model`` and ``library``.
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
    """Model, weights and pixels; see ``docs/encoders.md``."""

    model: str = "resnet50"
    library: Library = "torchvision"
    weights: str = "IMAGENET1K_V1"
    revision: str = ""
    short_side: Positive | None = 256
    crop: Positive = 224
    interpolation: Interpolation = "bilinear"
    mean: Colour = IMAGENET_MEAN
    std: Colour = IMAGENET_STD
    normalise: bool = False
    published: bool = True
