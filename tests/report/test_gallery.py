"""Thumbnails decode to small squares of the picture's middle."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from mmclust.report.gallery import SIDE, encode


def test_thumbnail_is_the_middle_square():
    """Of a wide picture with red ends, the green middle is what remains."""
    rgb = np.zeros((100, 300, 3), np.uint8)
    rgb[..., 0] = 255
    rgb[:, 100:200] = (0, 255, 0)
    kind, _, text = encode(rgb).partition(",")
    assert kind == "data:image/jpeg;base64"
    small = np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))
    assert small.shape == (SIDE, SIDE, 3)
    assert np.abs(small[:, 5:-5].astype(int) - (0, 255, 0)).max() < 30
