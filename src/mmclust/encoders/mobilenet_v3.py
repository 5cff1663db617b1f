"""MobileNetV3-Large on ImageNet (Howard et al. 2019), pooled: 960 features.

Source: Howard et al., Searching for MobileNetV3, ICCV 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

from mmclust.core.params import Positive  # noqa: TC001
from mmclust.encoders import resnet50
from mmclust.encoders.resnet50 import VIEWS, encode_image, identity, prepare

__all__ = ["VIEWS", "Params", "encode_image", "identity", "prepare"]


@dataclass(frozen=True)
class Params(resnet50.Params):
    """See :class:`mmclust.encoders.resnet50.Params`."""

    model: str = "mobilenet_v3_large"
    weights: str = "IMAGENET1K_V2"
    short_side: Positive | None = 232
