"""HOG: histograms of oriented gradients on a coarse grid (Dalal & Triggs 2005).

With the defaults (224 px, cells of 56, blocks of 2 × 2 cells, 9 orientations) there
are 3 × 3 blocks of 36 numbers: 324 features.

Source: Dalal and Triggs, Histograms of Oriented Gradients for Human Detection,
CVPR 2005.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.params import Positive  # noqa: TC001
from mmclust.encoders._grey import grey_square

VIEWS = ("image",)


@dataclass(frozen=True)
class Params:
    """Size of the picture, cells, orientations and blocks."""

    size: Positive = 224
    """Side of the square the picture is resized to, in pixels."""
    cell: Positive = 56
    """Side of a cell, in pixels."""
    bins: Positive = 9
    """Orientations of each cell's histogram."""
    block: Positive = 2
    """Cells along each side of a block; a block starts at every cell."""


def completed(params: Params, where: str, given: str) -> Params:
    """Refuse cells that do not tile the image."""
    if params.size % params.cell or params.size < params.block * params.cell:
        raise MmclustError(
            "HOG cells must tile the image",
            where=where,
            expected="size a multiple of cell, and at least one block",
            found=f"size {params.size}, cell {params.cell}, block {params.block}",
            do=f"correct {where} in {given}",
        )
    return params


def prepare(rgb: np.ndarray[Any, Any], params: Params) -> np.ndarray[Any, Any]:
    """Turn an image uint8 (h, w, 3) into its HOG descriptor: float32 (d,).

    d = (size / cell - block + 1)² · block² · bins.
    """
    import cv2

    side = params.block * params.cell
    cell, block = (params.cell, params.cell), (side, side)
    window = (params.size, params.size)
    descriptor = cv2.HOGDescriptor(window, block, cell, cell, params.bins)
    return np.asarray(descriptor.compute(grey_square(rgb, params.size))).ravel()
