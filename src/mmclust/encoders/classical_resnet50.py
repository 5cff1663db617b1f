"""classical_resnet50: the classical features beside ResNet-50's, each at unit norm.

Source: those of the members.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mmclust.encoders import classical, resnet50
from mmclust.encoders.fuse import VIEWS, encode_image, flags, identity, prepare

__all__ = ["VIEWS", "Params", "encode_image", "flags", "identity", "prepare"]


@dataclass(frozen=True)
class Params(classical.Params):
    """The options of each member."""

    resnet50: resnet50.Params = field(default_factory=resnet50.Params)
