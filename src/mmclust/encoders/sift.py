"""SIFT: the mean descriptor of each part of the image (Lowe 2004).

With the defaults (224 px, 2 × 2 parts) there are 4 · 128 = 512 features, as in the
thirty-class protocol.

Source: Lowe, Distinctive Image Features from Scale-Invariant Keypoints, IJCV 60 (2004).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmclust.core.params import Positive, PositiveFloat  # noqa: TC001
from mmclust.encoders._grey import grey_square, keypoints

VIEWS = ("image",)


@dataclass(frozen=True)
class Params:
    """Pixels of the resized image, parts along each side, weakest keypoint kept."""

    size: Positive = 224
    """Side of the square the picture is resized to, in pixels."""
    grid: Positive = 2
    """Parts along each side; each has its mean descriptor."""
    contrast: PositiveFloat = 0.04
    """OpenCV's contrast threshold: weaker keypoints are dropped."""


def prepare(rgb: np.ndarray[Any, Any], params: Params) -> np.ndarray[Any, Any]:
    """Average the descriptors of the keypoints in each part of an image.

    float32 (grid² · 128,): parts from left to right, then down; zeros for a part
    without keypoints.
    """
    places, descriptors = keypoints(grey_square(rgb, params.size), params.contrast)
    cells = (places * params.grid / params.size).astype(int).clip(0, params.grid - 1)
    part = cells[:, 1] * params.grid + cells[:, 0]
    # Sums of whole numbers: exact in any order.
    sums = np.zeros((params.grid**2, 128))
    np.add.at(sums, part, descriptors)
    counts = np.bincount(part, minlength=params.grid**2)[:, None]
    return (sums / np.maximum(counts, 1)).astype(np.float32).ravel()
