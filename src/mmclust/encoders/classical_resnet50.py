"""classical_resnet50: the classical features beside ResNet-50's, each at unit norm.

Source: those of the members.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mmclust.encoders import canny, color_histogram, hog, lbp, resnet50, sift
from mmclust.encoders._fuse import encode_image, flags, identity, prepare

__all__ = ["VIEWS", "Params", "encode_image", "flags", "identity", "prepare"]

VIEWS = ("image",)


@dataclass(frozen=True)
class Params:
    """The options of each member."""

    sift: sift.Params = field(default_factory=sift.Params)
    hog: hog.Params = field(default_factory=hog.Params)
    color_histogram: color_histogram.Params = field(
        default_factory=color_histogram.Params
    )
    canny: canny.Params = field(default_factory=canny.Params)
    lbp: lbp.Params = field(default_factory=lbp.Params)
    resnet50: resnet50.Params = field(default_factory=resnet50.Params)
