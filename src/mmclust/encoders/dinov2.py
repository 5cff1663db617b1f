"""DINOv2 ViT-B/14 (Oquab et al. 2023), class token after the norm: 768 features.

Source: Oquab et al., DINOv2: Learning Robust Visual Features without Supervision
(arXiv 2304.07193).
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

    model: str = "facebook/dinov2-base"
    library: resnet50.Library = "transformers"
    weights: str = "hub"
    revision: str = "f9e44c814b77203eaa57a6bdbbd535f21ede1415"
    interpolation: Interpolation = "bicubic"
