"""ResNet-50 on ImageNet (He et al. 2016), pooled: 2,048 features.

Any other model of torchvision, timm or transformers by ``model`` and ``library``.

Source: He et al., Deep Residual Learning for Image Recognition, CVPR 2016.
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
    """The model's name in its library, or a hub id or folder of transformers."""
    library: Library = "torchvision"
    """Where the model is from."""
    weights: str = "IMAGENET1K_V1"
    """A member of torchvision's enum, ``hub``, or a file of weights."""
    revision: str = ""
    """Commit, tag or branch of the hub; empty for torchvision."""
    short_side: Positive | None = 256
    """Pixels of the shorter side after resizing; ``None``: the picture is squeezed."""
    crop: Positive = 224
    """Side of the square that is cut out of the middle, in pixels."""
    interpolation: Interpolation = "bilinear"
    """How Pillow resizes."""
    mean: Colour = IMAGENET_MEAN
    """Taken from red, green and blue in [0, 1]."""
    std: Colour = IMAGENET_STD
    """Red, green and blue are divided by it after that."""
    normalise: bool = False
    """Whether features are scaled to unit norm; clustering does so anyway."""
    published: bool = True
    """Whether pixels must be as the weights were published with."""
