"""Regions of activation maps: boxes, points and masks, and matching them.

After Berger et al. (NAACL 2022). Boxes are ``[x0, y0, x1, y1]`` in pixels of the
network's square input; maps are indexed (row, column), so y comes first. Outlines of
objects are brought to the same input.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.text import json_value

Array = np.ndarray[Any, Any]

SHARE = 0.5
"""Of a map's maximum, from which on a pixel belongs to the region."""
OVERLAP = 0.5
"""IoU from which on a box matches."""
_EIGHT = np.ones((3, 3), int)


def scale_boxes(boxes: Array, width: int, height: int, side: int) -> Array:
    """Scale boxes of a picture as stored to the square input, truncating.

    int64 (g, 4): ``x * side // width``, ``y * side // height``, exactly.
    """
    size = np.array([width, height, width, height], np.int64)
    return np.asarray(boxes, np.int64).reshape(-1, 4) * side // size


def min_max(maps: Array) -> Array:
    """Scale each of maps (m, h, w) to [0, 1]; all 0 where a map is flat."""
    low = maps.min(axis=(1, 2), keepdims=True)
    spread = maps.max(axis=(1, 2), keepdims=True) - low
    scaled: Array = (maps - low) / np.where(spread > 0, spread, 1)
    return scaled


def region(heat: Array) -> Array:
    """Return where a map is at least half its maximum, the largest piece of it.

    Pieces are 8-connected; of several as large, the one whose first pixel comes
    first row by row. A flat map has no region: as published, where scaling it
    divides 0 by 0, so that no pixel passes. ``heat`` was scaled by :func:`min_max`
    before it was enlarged.
    """
    from scipy.ndimage import label

    if not heat.max() > 0:
        return np.zeros(heat.shape, bool)
    pieces, _ = label(heat >= SHARE * heat.max(), structure=_EIGHT)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    largest = sizes == sizes.max()
    flat = pieces.ravel()
    return np.asarray(pieces == flat[largest[flat].argmax()])


def box_of(mask: Array) -> Array:
    """Return the box of a region: int64 [min col, min row, max col, max row].

    No region, of a flat map, has the published inverted box ``[w, h, 0, 0]``.
    """
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return np.array([width, height, 0, 0])
    return np.array([columns[0], rows[0], columns[-1], rows[-1]])


def peaks(heat: Array) -> Array:
    """Return row and column of each map's (first) maximum: int64 (m, 2)."""
    count, height, width = heat.shape
    rows, columns = np.divmod(heat.reshape(count, height * width).argmax(1), width)
    return np.stack([rows, columns], axis=1)


def box_iou(a: Array, b: Array) -> Array:
    """Return the IoU of every pair: float64 (p, g).

    Areas are (x1 - x0)(y1 - y0), without a pixel more; an inverted box, and a pair
    without area, has 0.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    a, b = a.reshape(-1, 1, 4), b.reshape(1, -1, 4)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = sides.clip(min=0).prod(axis=-1)
    areas = [(each[..., 2:] - each[..., :2]).prod(axis=-1) for each in (a, b)]
    union = areas[0] + areas[1] - shared
    iou: Array = np.divide(
        shared, union, out=np.zeros(shared.shape), where=(shared > 0) & (union > 0)
    )
    return iou


def inside(points: Array, boxes: Array) -> Array:
    """Return which point lies in which box, edges included: bool (p, g)."""
    p, b = np.reshape(points, (-1, 1, 2)), np.reshape(boxes, (1, -1, 4))
    within = (p >= b[..., :2]) & (p <= b[..., 2:])
    return np.asarray(within.all(axis=-1))


def assign(matches: Array) -> list[tuple[int, int]]:
    """Pair predictions with gold boxes, one to one, by the published heuristic.

    Three passes, each over lists that are made before it and not changed by it.
    First the predictions with exactly one match take it, in order, where it is free.
    Then each free gold box lists its free matches; those that list exactly one take
    it. Then free gold boxes list again, and each takes the first on its list. A
    prediction that was taken meanwhile is passed over.

    Gold boxes come in the order in which the free predictions, one after the other,
    name them; that may be another one than their own. ``matches`` are bool (p, g);
    prediction and gold box are returned in the order they were paired.
    """
    matches = np.asarray(matches, bool)
    of_prediction = [np.flatnonzero(row).tolist() for row in matches]
    taken: dict[int, int] = {}  # gold box to prediction, in the order of pairing
    for prediction, golds in enumerate(of_prediction):
        if len(golds) == 1 and golds[0] not in taken:
            taken[golds[0]] = prediction
    for most in (1, len(matches)):
        used = set(taken.values())
        lists: dict[int, list[int]] = {}
        for prediction, golds in enumerate(of_prediction):
            for gold in golds:
                if prediction not in used and gold not in taken:
                    lists.setdefault(gold, []).append(prediction)
        for gold, listed in lists.items():
            free = [prediction for prediction in listed if prediction not in used]
            if len(listed) <= most and free:
                taken[gold] = free[0]
                used.add(free[0])
    return [(prediction, gold) for gold, prediction in taken.items()]


def match_counts(matches: Array) -> tuple[int, int, int]:
    """Return TP (pairs), FP (other predictions) and FN (other gold boxes)."""
    n_pairs = len(assign(matches))
    return n_pairs, matches.shape[0] - n_pairs, matches.shape[1] - n_pairs


def random_boxes(rng: np.random.Generator, count: int, side: int) -> Array:
    """Return boxes of two uniform draws on each axis, sorted: int64 (count, 4)."""
    drawn = np.sort(rng.integers(side, size=(count, 2, 2)), axis=1)
    return drawn.reshape(count, 4)


def random_points(rng: np.random.Generator, count: int, side: int) -> Array:
    """Return points drawn uniformly: int64 (count, 2)."""
    return rng.integers(side, size=(count, 2))


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
