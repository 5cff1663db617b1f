"""A publisher of sixty pictures in an archive."""

from __future__ import annotations

import zipfile

import numpy as np

RNG = np.random.default_rng(0)
PICTURES = {
    f"p/{i:03d}.jpg": b"\xff\xd8" + RNG.bytes(2000 + i) + b"\xff\xd9" for i in range(60)
}
SOME = ["p/003.jpg", "p/004.jpg", "p/005.jpg", "p/040.jpg", "p/059.jpg"]


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}
