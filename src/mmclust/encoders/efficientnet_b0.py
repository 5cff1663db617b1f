"""EfficientNet-B0 on ImageNet (Tan & Le 2019), pooled: 1,280 features.

Source: Tan and Le, EfficientNet, ICML 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

from mmclust.encoders import resnet50
from mmclust.encoders.resnet50 import VIEWS, encode_image, identity, prepare
from mmclust.models.pixels import Interpolation  # noqa: TC001

__all__ = ["VIEWS", "Params", "encode_image", "identity", "prepare"]


@dataclass(frozen=True)
class Params(resnet50.Params):
    """See :class:`mmclust.encoders.resnet50.Params`."""

    model: str = "efficientnet_b0"
    interpolation: Interpolation = "bicubic"
