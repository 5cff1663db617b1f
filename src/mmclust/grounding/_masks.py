"""Outlines of objects on the network's square input, and their overlap with regions."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.text import json_value

Array = np.ndarray[Any, Any]

_CORNERS = 6
"""Numbers of the smallest polygon; shorter ones have no area."""


def encode(mask: Array) -> dict[str, Any]:
    """Return a region, bool (h, w), in COCO's run-length code."""
    from pycocotools import mask as coco

    code: dict[str, Any] = coco.encode(np.asfortranarray(mask, np.uint8))
    return code


def outline(text: str, width: int, height: int, side: int, where: str) -> Any:
    """Return an object's mask on the square input, in COCO's run-length code.

    Polygons are scaled; the mask of a crowd is sampled at the pixels' centres.

    Parameters
    ----------
    text
        COCO's ``segmentation``, as JSON.
    width, height
        Of the picture.
    side
        Of the input.
    where
        For messages.

    Raises
    ------
    MmclustError
        When the outline is not in COCO's layout.
    """
    from pycocotools import mask as coco

    try:
        value = json_value(text)
        if isinstance(value, dict):
            stored = _crowd(value)
            rows, columns = (
                ((np.arange(side) + 0.5) * n / side).astype(int) for n in stored.shape
            )
            return encode(stored[np.ix_(rows, columns)])
        if not isinstance(value, list):
            raise TypeError(type(value).__name__)  # noqa: TRY301
        scale = np.array([side / width, side / height])
        polygons = [
            (np.reshape(polygon, (-1, 2)) * scale).ravel().tolist()
            for polygon in value
            if len(polygon) >= _CORNERS
        ]
        if not polygons:
            return encode(np.zeros((side, side), bool))
        return coco.merge(coco.frPyObjects(polygons, side, side))
    except (TypeError, ValueError, KeyError) as error:
        raise MmclustError(
            "An outline is not in COCO's layout",
            where=where,
            expected="polygons of x and y in turn, or size and counts",
            found=f"{text[:80]} ({error})",
            do="correct the annotations, or build with masks: false",
        ) from error


def _crowd(value: dict[str, Any]) -> Array:
    """Return a mask in run-length code as bool (h, w)."""
    height, width = value["size"]
    if isinstance(value["counts"], list):  # column by column, off and on in turn
        lengths = np.array(value["counts"])
        bits = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
        return np.asarray(bits.reshape(width, height).T)
    from pycocotools import mask as coco

    return np.asarray(coco.decode(value), bool)


def mask_iou(regions: list[dict[str, Any]], gold: list[Any]) -> Array:
    """Return the IoU of every pair of masks: float64 (p, g)."""
    from pycocotools import mask as coco

    if not regions or not gold:
        return np.zeros((len(regions), len(gold)))
    iou: Array = coco.iou(regions, gold, [0] * len(gold))
    return iou
