"""resnet50_caption_sbert: pictures by ResNet-50, captions a model made by SBERT.

The image view is the one, the text view the other, and the view ``concat`` of both is
the fusion.

Source: those of the members.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mmclust.encoders import caption_sbert, resnet50
from mmclust.encoders.fuse import (
    captions_cut,
    encode_image,
    encode_text,
    flags,
    identity,
    prepare,
)

__all__ = [
    "VIEWS",
    "Params",
    "captions_cut",
    "encode_image",
    "encode_text",
    "flags",
    "identity",
    "prepare",
]

VIEWS = ("image", "text")


@dataclass(frozen=True)
class Params:
    """The options of each member."""

    resnet50: resnet50.Params = field(default_factory=resnet50.Params)
    caption_sbert: caption_sbert.Params = field(default_factory=caption_sbert.Params)
