"""ViT-B/16 of timm (Dosovitskiy et al. 2021), 768 features.

Source: Dosovitskiy et al., An Image is Worth 16x16 Words, ICLR 2021.
"""

from __future__ import annotations

from dataclasses import dataclass

from mmclust.core.params import Positive  # noqa: TC001
from mmclust.encoders import resnet50
from mmclust.encoders.resnet50 import VIEWS, encode_image, identity, prepare
from mmclust.models.pixels import Colour, Interpolation  # noqa: TC001

__all__ = ["VIEWS", "Params", "encode_image", "identity", "prepare"]


@dataclass(frozen=True)
class Params(resnet50.Params):
    """See :class:`mmclust.encoders.resnet50.Params`."""

    model: str = "vit_base_patch16_224.augreg2_in21k_ft_in1k"
    library: resnet50.Library = "timm"
    weights: str = "hub"
    revision: str = "063c6c38a5d8510b2e57df480445e94b231dad2c"
    short_side: Positive | None = 248
    interpolation: Interpolation = "bicubic"
    mean: Colour = (0.5, 0.5, 0.5)
    std: Colour = (0.5, 0.5, 0.5)
