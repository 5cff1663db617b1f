"""From a picture of the plan to a JPEG, COCO's annotations, and captions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.numerics import threads
from mmclust.core.seeds import generator
from mmclust.core.workers import in_order
from mmclust.sample.captions import describe
from mmclust.sample.paint import SCALE, box, paint
from mmclust.sample.scene import arrange, compose

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mmclust.sample.paint import Painted
    from mmclust.sample.scene import Scene, Wanted

Array = np.ndarray[Any, Any]

JPEG_QUALITY = 85
CHUNK = 32  # pictures handed to a worker at a time
CAPTIONS = 5  # of a picture whose scene is settled; COCO's number varies
SEEN = 0.6  # how much of each thing an exact picture shows, at first
RELAXED = 0.98  # from try to try, so that crowded scenes end, too
MIN_AREA = 48.0  # pixels of a thing that must be visible for it to be annotated
MIN_PIECE = 12.0  # pixels of a polygon that is kept


@dataclass(frozen=True)
class Picture:
    """One image to draw."""

    split: str
    """Where it belongs."""
    image_id: int
    """Unique in its source; its randomness derives from it."""
    wanted: tuple[Wanted, ...] = ()
    """The categories it must show, if ``scene`` leaves that open."""
    scene: Scene | None = None
    """What it shows, where that is settled before it is drawn."""
    exact: bool = False
    """Whether all that the scene says must be seen: each thing, and its colour."""


@dataclass(frozen=True)
class Drawn:
    """A finished picture and all that is said about it."""

    split: str
    image_id: int
    width: int
    height: int
    jpeg: bytes
    annotations: list[dict[str, Any]]
    captions: list[str]


def draw_all(seed: int, pictures: Iterable[Picture], workers: int) -> Iterator[Drawn]:
    """Yield the drawn pictures in order, the same at any number of workers."""
    source = iter(pictures)
    chunks = iter(lambda: list(islice(source, CHUNK)), [])
    drawn = in_order(
        partial(_draw_some, seed),
        chunks,
        workers,
        describe=lambda chunk: f"pictures {chunk[0].image_id} on",
    )
    for each in drawn:
        yield from each


@threads(1)  # here, too: to hold libraries anew for each picture takes longer than that
def _draw_some(seed: int, pictures: list[Picture]) -> list[Drawn]:
    return [draw(seed, picture) for picture in pictures]


@threads(1)
def draw(seed: int, picture: Picture) -> Drawn:
    """Draw, annotate and describe one picture; it depends on nothing else."""
    import cv2

    rng = generator(seed, "sample", "scene", picture.image_id)
    scene = picture.scene or compose(rng, picture.wanted)
    annotations, seen = None, SEEN
    while annotations is None:  # rarely more than once: something hid a category
        things = arrange(rng, scene)
        painted = paint(rng, scene, things, exact=picture.exact)
        annotations = annotate(scene, painted)
        if picture.exact and annotations and not _shows(painted, scene, seen):
            annotations, seen = None, seen * RELAXED
    _, jpeg = cv2.imencode(
        ".jpg", painted.rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    number = None if picture.scene is None else CAPTIONS
    rng = generator(seed, "sample", "caption", picture.image_id)
    return Drawn(
        picture.split,
        picture.image_id,
        scene.width,
        scene.height,
        jpeg.tobytes(),
        annotations,
        describe(rng, scene, number),
    )


def _shows(painted: Painted, scene: Scene, share: float) -> bool:
    """Say whether every thing can be counted: enough of each is seen."""
    visible = np.array([np.count_nonzero(mask) for _, mask in painted.masks])
    things = sum(group.number for group in scene.groups)
    return len(visible) == things and bool(
        (visible >= share * np.array(painted.whole)).all()
    )


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

    The mask is bool (2 h, 2 w), on the canvas.
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
    """Return COCO's uncompressed run lengths of a mask, bool (h, w).

    They are the lengths of the runs of 0, 1, 0, 1, … down the columns, left to right;
    the first is 0 where the mask begins with 1.
    """
    flat = mask.ravel(order="F").astype(np.int8)
    changes = np.flatnonzero(np.diff(flat)) + 1
    bounds = [0, *changes.tolist(), flat.size]
    runs = np.diff(bounds).tolist()
    return [0, *runs] if flat[0] else runs


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(float(value), 2) for value in values]
