"""Colour histogram: how much of each red, green and blue; nothing of where.

Source: Swain and Ballard, Color Indexing, IJCV 7 (1991); three histograms of one
channel each in place of their joint one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmclust.core.params import Positive  # noqa: TC001

VIEWS = ("image",)


@dataclass(frozen=True)
class Params:
    """Bins per channel, of equal width."""

    bins: Positive = 32
    """Bins of each channel, of equal width."""


def prepare(rgb: np.ndarray[Any, Any], params: Params) -> np.ndarray[Any, Any]:
    """Turn an image uint8 (h, w, 3) into three histograms: float32 (3 · bins,).

    Shares of pixels, red then green then blue; each channel sums to 1.
    """
    pixels = rgb.reshape(-1, 3)
    levels = np.arange(256) * params.bins // 256  # bin of each of the 256 values
    counts = [
        np.bincount(levels[pixels[:, channel]], minlength=params.bins)
        for channel in range(3)
    ]
    return (np.concatenate(counts) / len(pixels)).astype(np.float32)
