"""LBP: histograms of uniform local binary patterns (Ojala, Pietikäinen, Mäenpää 2002).

With the defaults (8 points at radius 1, one cell) there are 10 features, as in the
thirty-class protocol. The patterns are those of scikit-image's
``local_binary_pattern(method="uniform")``.

Source: Ojala, Pietikäinen and Mäenpää, IEEE TPAMI 24 (2002).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmclust.core.params import Positive, PositiveFloat  # noqa: TC001
from mmclust.encoders._grey import grey_square, tiling

if TYPE_CHECKING:
    from mmclust.core.types import Array

VIEWS = ("image",)


@dataclass(frozen=True)
class Params:
    """Pixels of the resized image, points on the circle, its radius, cells a side."""

    size: Positive = 224
    """Side of the square the picture is resized to, in pixels."""
    points: Positive = 8
    """Points on the circle around a pixel."""
    radius: PositiveFloat = 1.0
    """Of the circle, in pixels."""
    grid: Positive = 1
    """Cells along each side; each has its histogram."""


completed = tiling


def prepare(rgb: Array, params: Params) -> Array:
    """Count the patterns of each cell: float32 (grid² · (points + 2),).

    Each cell's histogram sums to 1; cells go from left to right, then down.
    """
    codes = patterns(grey_square(rgb, params.size), params.points, params.radius)
    cell, kinds = params.size // params.grid, params.points + 2
    row = np.arange(params.size) // cell
    slot = (row[:, None] * params.grid + row) * kinds + codes
    counts = np.bincount(slot.ravel(), minlength=params.grid**2 * kinds)
    return (counts / cell**2).astype(np.float32)


def patterns(grey: Array, points: int, radius: float) -> Array:
    """Return the uniform pattern of each pixel of uint8 (h, w): whole numbers (h, w).

    How many points are at least as bright as the centre where these lie side by side
    (at most two changes along the points), else points + 1. Outside the picture all
    is 0; values between pixels are interpolated linearly.
    """
    reach = int(np.ceil(radius)) + 1
    padded = np.pad(grey.astype(np.float64), reach)
    angles = 2 * np.pi * np.arange(points) / points
    # Rounded as scikit-image does, so that points on the axes are pixels.
    downs, rights = np.round((-radius * np.sin(angles), radius * np.cos(angles)), 5)
    columns = {x: _moved(padded.T, x, grey.shape[1], reach).T for x in set(rights)}
    centre = np.ascontiguousarray(padded[reach:-reach, reach:-reach])
    count = np.zeros(grey.shape, np.min_scalar_type(points + 1))
    changes = np.zeros_like(count)
    before = None
    for down, right in zip(downs, rights, strict=True):
        value = _moved(columns[right], down, grey.shape[0], reach)
        brighter = (value >= centre).view(np.uint8)
        count += brighter
        if before is not None:
            changes += brighter ^ before
        before = brighter
    np.copyto(count, points + 1, where=changes > 2)  # noqa: PLR2004
    return count


def _moved(padded: Array, by: float, length: int, reach: int) -> Array:
    """Return ``length`` rows, moved ``by`` a distance and interpolated between two."""
    whole = int(np.floor(by))
    first = padded[reach + whole : reach + whole + length]
    if whole == by:
        return first
    second = padded[reach + whole + 1 : reach + whole + 1 + length]
    # Weights as scikit-image rounds them, which differ in the last bit from row to
    # row; they decide where a flat patch ties with its centre.
    rows = np.arange(length)
    weight = ((rows + by) - (rows + whole))[:, None]
    value: Array = (1 - weight) * first
    value += weight * second
    return value
