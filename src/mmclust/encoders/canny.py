"""Canny: the share of edge pixels in each cell of a grid (Canny 1986).

With the defaults (thresholds 100 and 200, 8 × 8 cells) there are 64 features, as in
the thirty-class protocol.

Source: Canny, A Computational Approach to Edge Detection, IEEE TPAMI 8 (1986).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmclust.core.params import Positive  # noqa: TC001
from mmclust.encoders._grey import grey_square, tiling

VIEWS = ("image",)


@dataclass(frozen=True)
class Params:
    """Pixels of the resized image, cells along each side, thresholds of gradients."""

    size: Positive = 224
    """Side of the square the picture is resized to, in pixels."""
    grid: Positive = 8
    """Cells along each side."""
    low: Positive = 100
    """Gradient from which a pixel continues an edge."""
    high: Positive = 200
    """Gradient from which a pixel starts an edge."""


completed = tiling


def prepare(rgb: np.ndarray[Any, Any], params: Params) -> np.ndarray[Any, Any]:
    """Measure the density of edges: float32 (grid²,) in [0, 1].

    Cells go from left to right, then down.
    """
    import cv2

    edges = cv2.Canny(grey_square(rgb, params.size), params.low, params.high)
    cell = params.size // params.grid
    cells = (edges > 0).reshape(params.grid, cell, params.grid, cell)
    return np.asarray(cells.mean(axis=(1, 3)), np.float32).ravel()
