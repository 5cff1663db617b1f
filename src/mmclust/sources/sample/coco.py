"""COCO's own formats: polygons, run lengths, and the four annotation files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.sources.sample.paint import SCALE, box
from mmclust.sources.sample.world import CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mmclust.sources.sample.paint import Painted
    from mmclust.sources.sample.scene import Scene

Array = np.ndarray[Any, Any]

MIN_AREA = 48.0  # pixels of a thing that must be visible for it to be annotated
MIN_PIECE = 12.0  # pixels of a polygon that is kept


def annotate(scene: Scene, painted: Painted) -> list[dict[str, Any]] | None:
    """Return COCO's annotations of a picture, without ids."""
    found = []
    for index, group in enumerate(scene.groups):
        masks = [mask for at, mask in painted.masks if at == index]
        annotations = [_crowd(masks)] if group.crowd else map(_instance, masks)
        seen = [{**a, "category_id": group.category.id} for a in annotations if a]
        if not seen:
            return None
        found += seen
    return found


def _instance(mask: Array) -> dict[str, Any] | None:
    """Describe one thing's visible part by polygons; ``None`` if there is too little.

    Parameters
    ----------
    mask
        bool (2 h, 2 w), on the canvas.
    """
    import cv2

    # Opening removes slivers, which no reader would draw the same way.
    rows, columns = box(mask)
    top, left = max(0, rows.start - 2), max(0, columns.start - 2)
    near = mask[top : rows.stop + 2, left : columns.stop + 2].astype(np.uint8)
    solid = cv2.morphologyEx(near, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    contours, _ = cv2.findContours(
        solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(left, top)
    )
    polygons = []
    for contour in contours:
        corners = cv2.approxPolyDP(contour, 0.8, True)[:, 0]
        if cv2.contourArea(corners) >= MIN_PIECE * SCALE**2:
            # The canvas pixel (0, 0) has its centre at (0.5, 0.5).
            polygons.append((corners + 0.5) / SCALE)
    area = sum(float(cv2.contourArea(p.astype(np.float32))) for p in polygons)
    if area < MIN_AREA or not polygons:
        return None
    points = np.concatenate(polygons)
    (left, top), (right, bottom) = points.min(0), points.max(0)
    return {
        "segmentation": [_rounded(polygon.ravel()) for polygon in polygons],
        "area": round(area, 4),
        "iscrowd": 0,
        "bbox": _rounded([left, top, right - left, bottom - top]),
    }


def _crowd(masks: Sequence[Array]) -> dict[str, Any] | None:
    """Describe a mass of things by the run lengths of their union."""
    canvas = np.any(masks, axis=0)
    height, width = (side // SCALE for side in canvas.shape)
    share = canvas.reshape(height, SCALE, width, SCALE).mean((1, 3))
    mask = share >= 0.5  # noqa: PLR2004
    if mask.sum() < MIN_AREA:
        return None
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    left, top = int(columns[0]), int(rows[0])
    return {
        "segmentation": {"counts": run_lengths(mask), "size": [height, width]},
        "area": int(mask.sum()),
        "iscrowd": 1,
        "bbox": [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1],
    }


def run_lengths(mask: Array) -> list[int]:
    """Return COCO's uncompressed run lengths of a mask.

    Parameters
    ----------
    mask
        bool (h, w).

    Returns
    -------
    list of int
        Lengths of the runs of 0, 1, 0, 1, … down the columns, left to right; the
        first is 0 where the mask begins with 1.
    """
    flat = mask.ravel(order="F").astype(np.int8)
    changes = np.flatnonzero(np.diff(flat)) + 1
    bounds = [0, *changes.tolist(), flat.size]
    runs = np.diff(bounds).tolist()
    return [0, *runs] if flat[0] else runs


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(float(value), 2) for value in values]


def annotation_files(
    seed: int, split: str, drawn: Sequence[Any], order: np.random.Generator
) -> dict[str, dict[str, Any]]:
    """Build the contents of a split's two annotation files."""
    head = _head(seed, split, drawn)
    instances = [{**a, "image_id": p.image_id} for p in drawn for a in p.annotations]
    captions = [
        {"image_id": p.image_id, "caption": c} for p in drawn for c in p.captions
    ]
    categories = _categories()
    return {
        f"instances_{split}.json": {
            **head,
            "annotations": _numbered(instances, order),
            "categories": categories,
        },
        f"captions_{split}.json": {**head, "annotations": _numbered(captions, order)},
    }


def image_info(seed: int, split: str, drawn: Sequence[Any]) -> dict[str, Any]:
    """Build the file of a split that nobody annotated: its images alone."""
    return {**_head(seed, split, drawn), "categories": _categories()}


def file_name(split: str, image_id: int) -> str:
    """Return what COCO calls an image: in 2014 its split is a part of the name."""
    prefix = f"COCO_{split}_" if split.endswith("2014") else ""
    return f"{prefix}{image_id:012d}.jpg"


def _head(seed: int, split: str, drawn: Sequence[Any]) -> dict[str, Any]:
    return {
        "info": {
            "description": f"Drawn by mmclust, seed {seed}: no photograph, no human "
            "caption",
            "url": "",
            "version": "1.0",
            "year": int(split[-4:]),
            "contributor": "mmclust sample",
            "date_created": f"{split[-4:]}/09/01",
        },
        "licenses": [
            {
                "url": "https://www.apache.org/licenses/LICENSE-2.0",
                "id": 1,
                "name": "Apache License 2.0",
            }
        ],
        "images": [_image(split, picture) for picture in drawn],
    }


def _categories() -> list[dict[str, Any]]:
    return [category.facts() for category in CATEGORIES.values()]


def _image(split: str, picture: Any) -> dict[str, Any]:
    return {
        "license": 1,
        "file_name": file_name(split, picture.image_id),
        "coco_url": "",
        "height": picture.height,
        "width": picture.width,
        "date_captured": f"{split[-4:]}-09-01 00:00:00",
        "flickr_url": "",
        "id": picture.image_id,
    }


def _numbered(
    annotations: list[dict[str, Any]], order: np.random.Generator
) -> list[dict[str, Any]]:
    """Give ids in order, then shuffle."""
    numbered = [{**a, "id": number} for number, a in enumerate(annotations, start=1)]
    return [numbered[i] for i in order.permutation(len(numbered))]
