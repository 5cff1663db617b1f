"""DINOv2 ViT-B/14 (Oquab et al. 2023), class token after the norm: 768 features.

Source: Oquab et al., DINOv2: Learning Robust Visual Features without Supervision
(arXiv 2304.07193).
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

    model: str = "facebook/dinov2-base"
    library: Library = "transformers"
    weights: str = "hub"
    revision: str = "f9e44c814b77203eaa57a6bdbbd535f21ede1415"
    short_side: Positive | None = 256
    crop: Positive = 224
    interpolation: Interpolation = "bicubic"
    mean: Colour = IMAGENET_MEAN
    std: Colour = IMAGENET_STD
    normalise: bool = False
    published: bool = True
