"""What the classical encoders share: a grey square, and keypoints on it."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmclust.core.errors import MmclustError


def grey_square(rgb: np.ndarray[Any, Any], size: int) -> np.ndarray[Any, Any]:
    """Turn uint8 RGB (h, w, 3) into grey uint8 (size, size), averaging areas."""
    import cv2

    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    side = (size, size)
    return np.asarray(cv2.resize(grey, side, interpolation=cv2.INTER_AREA))


def tiling(params: Any, where: str, given: str) -> Any:
    """Refuse a grid that does not divide the image; the options of a plugin."""
    if params.size % params.grid:
        raise MmclustError(
            "The cells of a grid must tile the image",
            where=where,
            expected="size a multiple of grid",
            found=f"size {params.size}, grid {params.grid}",
            do=f"correct {where} in {given}",
        )
    return params


def keypoints(
    grey: np.ndarray[Any, Any], contrast: float, limit: int = 0
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Find SIFT keypoints (Lowe 2004) on uint8 (size, size) and describe them.

    Those weaker than ``contrast`` are dropped (OpenCV's default is 0.04), and all but
    the ``limit`` strongest; 0 keeps all.

    Returns
    -------
    places : numpy.ndarray
        float32 (k, 2): x and y in pixels, strongest first.
    descriptors : numpy.ndarray
        uint8 (k, 128); OpenCV rounds them to these values itself.
    """
    import cv2

    sift = cv2.SIFT.create(nfeatures=limit, contrastThreshold=contrast)
    points, found = sift.detectAndCompute(grey, None)
    if not points:
        return np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8)
    places = np.array([point.pt for point in points], np.float32)
    strength = np.array([-point.response for point in points])
    angle = np.array([point.angle for point in points])
    order = np.lexsort((angle, places[:, 0], places[:, 1], strength))
    order = order[:limit] if limit else order
    return places[order], found[order].astype(np.uint8)
