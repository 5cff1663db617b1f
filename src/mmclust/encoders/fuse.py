"""fuse: image features of several encoders side by side, each at unit L2 norm.

``encoders.fuse.members`` names them with their options. For a second fusion, or one
with a text view, copy a preset of a few lines such as ``classical.py`` or
``resnet50_caption_sbert.py``: its name is then a name in params.yaml.

Source: those of the members.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.encoders import _fuse
from mmclust.encoders._fuse import encode_image, fit, flags, identity

if TYPE_CHECKING:
    import numpy as np

__all__ = ["VIEWS", "Params", "encode_image", "fit", "flags", "identity", "prepare"]

VIEWS = ("image",)


def _default() -> dict[str, dict[str, Any] | None]:
    return {"hog": None, "color_histogram": None}


@dataclass(frozen=True)
class Params:
    """Encoders of images, each with its options (``null``: its defaults)."""

    members: dict[str, dict[str, Any] | None] = field(default_factory=_default)
    """Encoders of images, each with its options (``null``: its defaults)."""


def prepare(rgb: np.ndarray[Any, Any], params: Params) -> np.ndarray[Any, Any]:
    """Pack what the members make of an image uint8 (h, w, 3) into uint8 (bytes,).

    Raises
    ------
    MmclustError
        When a member gives no image features.
    """
    for name, (module, _) in _fuse.members_of(params).items():
        if "image" not in module.VIEWS or not hasattr(module, "prepare"):
            raise MmclustError(
                f"{name} does not look at images",
                where=f"encoders.fuse.members.{name}",
                expected="encoders that read pictures",
                found=f"{name}, which gives {' and '.join(module.VIEWS)} features",
                do="take it out; to join images with captions, copy "
                "encoders/resnet50_caption_sbert.py",
            )
    return _fuse.prepare(rgb, params)
