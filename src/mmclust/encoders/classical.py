"""classical: SIFT, HOG, colour histogram, Canny and LBP, each at unit L2 norm.

1,006 features by default (512 + 324 + 96 + 64 + 10), as in the thirty-class protocol.

Source: those of the members, and a course assignment on text-guided image
clustering, not a publication.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mmclust.encoders import canny, color_histogram, hog, lbp, sift
from mmclust.encoders.fuse import encode_image, flags, prepare

__all__ = ["VIEWS", "Params", "encode_image", "flags", "prepare"]

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
