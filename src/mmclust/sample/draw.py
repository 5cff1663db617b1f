"""From a picture of the plan to a JPEG, COCO's annotations, and captions.

A scene is painted at twice its size, then reduced.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.numerics import threads
from mmclust.core.seeds import generator
from mmclust.core.workers import in_order
from mmclust.sample.scene import arrange, compose, regrouped
from mmclust.sample.world import PAINT, PLACES, describe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mmclust.sample.scene import Part, Thing, Wanted
    from mmclust.sample.world import Scene

Array = np.ndarray[Any, Any]

SCALE = 2  # canvas pixels per image pixel
SUBPIXEL = 4  # bits of the fractional part of polygon corners
DECOR_FADE = 0.45  # how far decor melts into the backdrop
GREY = 0.06  # how many photographs are black and white
STEADY = 0.5  # how much of the usual change of colour an exact picture has


Seen = tuple[int, Array, int]
"""A thing that is annotated: its group; what is visible of it, bool (2 h, 2 w) on the
canvas; and how many pixels it covers there, hidden or not."""


def paint(
    rng: np.random.Generator,
    scene: Scene,
    things: list[Thing],
    *,
    exact: bool = False,
) -> tuple[Array, list[Seen]]:
    """Draw a scene; return it, uint8 (h, w, 3), and what is seen in it."""
    import cv2

    change = STEADY if exact else 1.0
    canvas = _backdrop(rng, scene, change)
    masks: list[Seen] = []
    for thing in things:
        fade = DECOR_FADE if thing.group < 0 and not masks else 0.0
        mask = _draw(rng, canvas, thing, fade, change)
        if masks:
            here = box(mask)
            seen = ~mask[here]
            for _, behind, _ in masks:
                behind[here] &= seen
        if thing.group >= 0:
            masks.append((thing.group, mask, int(np.count_nonzero(mask))))
    small = cv2.resize(
        canvas, (scene.width, scene.height), interpolation=cv2.INTER_AREA
    )
    return _photograph(rng, small, change), masks


def _backdrop(rng: np.random.Generator, scene: Scene, change: float) -> Array:
    """Return float32 (2 h, 2 w, 3): sky or wall, ground, and their unevenness."""
    import cv2

    place = PLACES[scene.place]
    height, width = SCALE * scene.height, SCALE * scene.width
    horizon = place.horizon + rng.normal(0, 0.05)
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    above, below = (
        np.array(c, np.float32) + rng.normal(0, 10 * change, 3).astype(np.float32)
        for c in (place.above, place.below)
    )
    canvas = np.where(y < horizon, above * (0.9 + 0.2 * y), below * (1.15 - 0.3 * y))
    noise = rng.normal(0, 9, (8, 8)).astype(np.float32)
    uneven = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    merged: Array = cv2.merge([canvas[..., c] + uneven for c in range(3)])
    return merged


def _draw(
    rng: np.random.Generator, canvas: Array, thing: Thing, fade: float, change: float
) -> Array:
    import cv2

    main, second = (_shade(rng, PAINT[name], change) for name in thing.colours)
    mask = np.zeros(canvas.shape[:2], np.uint8)
    before = canvas.copy() if fade else canvas
    for part, corners in zip(thing.parts, _corners(thing.parts), strict=True):
        colour = _colour(part, main, second)
        cv2.fillPoly(mask, corners, 255, cv2.LINE_8, SUBPIXEL)
        if part.paint == "a" and thing.texture != "plain":
            _fill_textured(canvas, corners, colour, thing.texture)
        else:
            cv2.fillPoly(canvas, corners, colour.tolist(), cv2.LINE_AA, SUBPIXEL)
        edge = (colour * 0.72).tolist()
        cv2.polylines(canvas, corners, True, edge, 1, cv2.LINE_AA, SUBPIXEL)
    if fade:
        cv2.addWeighted(before, fade, canvas, 1 - fade, 0, canvas)
    visible: Array = mask > 0
    return visible


def box(mask: Array) -> tuple[slice, slice]:
    """Return the rows and columns that hold all of a mask, bool or uint8."""
    import cv2

    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    return slice(y, y + height), slice(x, x + width)


def _shade(rng: np.random.Generator, rgb: tuple[int, ...], change: float) -> Array:
    light = np.exp(rng.normal(0, 0.12 * change))
    shade: Array = np.array(rgb) * light
    shade += rng.normal(0, 12 * change, 3)
    return shade.clip(10, 250, out=shade)


def _colour(part: Part, main: Array, second: Array) -> Array:
    match part.paint:
        case "a":
            return main
        case "b":
            return second
        case "dark":
            return main * 0.6
        case "lite":
            return main * 0.45 + 135
    return np.array(PAINT[part.paint])


def _corners(parts: list[Part]) -> Iterator[list[Array]]:
    """Yield each part's polygons as the fixed-point integers OpenCV takes."""
    points = np.concatenate([loop for part in parts for loop in part.loops])
    # A pixel's centre has whole coordinates there, its corner has them here.
    fixed = np.round((SCALE * points - 0.5) * (1 << SUBPIXEL)).astype(np.int32)
    return regrouped(parts, fixed)


def _fill_textured(
    canvas: Array, corners: list[Array], colour: Array, texture: str
) -> None:
    import cv2

    inside = np.zeros(canvas.shape[:2], np.uint8)
    cv2.fillPoly(inside, corners, 255, cv2.LINE_8, SUBPIXEL)
    here = box(inside)
    covered = inside[here] > 0
    height, width = covered.shape
    marked = _pattern(texture, np.arange(width), np.arange(height)[:, None])
    other = colour * 0.5 if colour.mean() > 80 else colour + 70  # noqa: PLR2004
    canvas[here][covered] = colour
    canvas[here][covered & marked] = other


def _pattern(texture: str, u: Array, v: Array) -> Array:
    """Say which pixels are marked, u to the right and v down, which broadcast."""
    marked: Array
    match texture:
        case "stripes":
            marked = (u + 0.35 * v) % 11 < 5  # noqa: PLR2004
        case "bands":
            marked = v % 14 < 5  # noqa: PLR2004
        case "spots":
            down = (v + (u // 13 % 2) * 6) % 13 - 6
            marked = np.hypot(u % 13 - 6, down) < 5  # noqa: PLR2004
        case _:  # speckles
            marked = (u * 7 + v * 13) % 17 < 4  # noqa: PLR2004
    return marked


def _photograph(rng: np.random.Generator, image: Array, change: float) -> Array:
    """Add what cameras add: light, a colour cast, blur, grain, no colour at all."""
    import cv2

    if rng.random() < 0.15:  # noqa: PLR2004
        image = cv2.GaussianBlur(image, (0, 0), 0.9)
    if rng.random() < GREY and change == 1:
        image = np.repeat(image.mean(2, keepdims=True), 3, 2)
    cast = np.exp(rng.normal(0, 0.06 * change, 3) + rng.normal(0, 0.12 * change))
    light = np.tile(cast, image.shape[1])  # numpy is slow over three channels
    grain = rng.normal(0, rng.uniform(2, 7), (len(image), len(light)))
    grain += image.reshape(grain.shape) * light
    pixels: Array = np.clip(grain, 0, 255, out=grain).astype(np.uint8)
    return pixels.reshape(image.shape)


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

    split: str  # where it belongs
    image_id: int  # unique in its source; its randomness derives from it
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
        rgb, masks = paint(rng, scene, things, exact=picture.exact)
        annotations = annotate(scene, masks)
        if picture.exact and annotations and not _shows(masks, scene, seen):
            annotations, seen = None, seen * RELAXED
    _, jpeg = cv2.imencode(
        ".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
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


def _shows(masks: list[Seen], scene: Scene, share: float) -> bool:
    """Say whether every thing can be counted: enough of each is seen."""
    all_there = len(masks) == sum(group.number for group in scene.groups)
    return all_there and all(
        np.count_nonzero(mask) >= share * whole for _, mask, whole in masks
    )


def annotate(scene: Scene, seen: list[Seen]) -> list[dict[str, Any]] | None:
    """Return COCO's annotations of a picture, without ids."""
    found = []
    for index, group in enumerate(scene.groups):
        masks = [mask for at, mask, _ in seen if at == index]
        annotations = [_crowd(masks)] if group.crowd else map(_instance, masks)
        known = [{**a, "category_id": group.category.id} for a in annotations if a]
        if not known:
            return None
        found += known
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
