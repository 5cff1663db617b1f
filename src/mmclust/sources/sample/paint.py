"""Pixels, masks and boxes: a scene is painted at twice its size, then reduced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.sources.sample.world import PAINT, PLACES

if TYPE_CHECKING:
    from mmclust.sources.sample.scene import Scene, Thing
    from mmclust.sources.sample.shapes import Part

Array = np.ndarray[Any, Any]

SCALE = 2  # canvas pixels per image pixel
SUBPIXEL = 4  # bits of the fractional part of polygon corners
DECOR_FADE = 0.45  # how far decor melts into the backdrop
GREY = 0.06  # how many photographs are black and white
STEADY = 0.5  # how much of the usual change of colour an exact picture has


@dataclass(frozen=True)
class Painted:
    """A finished picture.

    Parameters
    ----------
    rgb
        uint8 (h, w, 3).
    masks
        For each thing that is annotated, its group and what is visible of it:
        bool (2 h, 2 w), on the canvas.
    whole
        For each of them, the canvas pixels it covers, hidden or not.
    """

    rgb: Array
    masks: list[tuple[int, Array]]
    whole: list[int]


def paint(
    rng: np.random.Generator,
    scene: Scene,
    things: list[Thing],
    *,
    exact: bool = False,
) -> Painted:
    """Draw a scene.

    Parameters
    ----------
    rng
        Decides about light, grain and shades.
    scene
        Gives size and place.
    things
        Back to front; see :func:`mmclust.sources.sample.scene.arrange`.
    exact
        Whether colours must be told apart: they change less, and none is lost.

    Returns
    -------
    Painted
        What lies behind something else has that part cut from its mask.
    """
    import cv2

    change = STEADY if exact else 1.0
    canvas = _backdrop(rng, scene, change)
    masks: list[tuple[int, Array]] = []
    whole: list[int] = []
    for thing in things:
        fade = DECOR_FADE if thing.group < 0 and not masks else 0.0
        mask = _draw(rng, canvas, thing, fade, change)
        for _, behind in masks:
            np.logical_and(behind, ~mask, out=behind)
        if thing.group >= 0:
            masks.append((thing.group, mask))
            whole.append(int(np.count_nonzero(mask)))
    small = cv2.resize(
        canvas, (scene.width, scene.height), interpolation=cv2.INTER_AREA
    )
    return Painted(_photograph(rng, small, change), masks, whole)


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
    return np.ascontiguousarray(
        np.broadcast_to(canvas, (height, width, 3)) + uneven[..., None], np.float32
    )


def _draw(
    rng: np.random.Generator, canvas: Array, thing: Thing, fade: float, change: float
) -> Array:
    """Paint one thing and return its mask, bool (2 h, 2 w)."""
    import cv2

    main, second = (_shade(rng, PAINT[name], change) for name in thing.colours)
    mask = np.zeros(canvas.shape[:2], np.uint8)
    before = canvas.copy() if fade else canvas
    for part in thing.parts:
        colour = _colour(part, main, second)
        corners = _corners(part)
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


def _shade(rng: np.random.Generator, rgb: tuple[int, int, int], change: float) -> Array:
    light = np.exp(rng.normal(0, 0.12 * change))
    shade: Array = np.clip(
        np.array(rgb) * light + rng.normal(0, 12 * change, 3), 10, 250
    )
    return shade


def _colour(part: Part, main: Array, second: Array) -> Array:
    mixed = {"a": main, "b": second, "dark": main * 0.6, "lite": main * 0.45 + 135}
    return mixed[part.paint] if part.paint in mixed else np.array(PAINT[part.paint])


def _corners(part: Part) -> list[Array]:
    """Return the polygons as the fixed-point integers OpenCV takes."""
    # A pixel's centre has whole coordinates there, its corner has them here.
    return [
        np.round((SCALE * loop - 0.5) * (1 << SUBPIXEL)).astype(np.int32)
        for loop in part.loops
    ]


def _fill_textured(
    canvas: Array, corners: list[Array], colour: Array, texture: str
) -> None:
    import cv2

    inside = np.zeros(canvas.shape[:2], np.uint8)
    cv2.fillPoly(inside, corners, 255, cv2.LINE_8, SUBPIXEL)
    y, x = np.nonzero(inside)
    if not len(y):
        return
    u, v = x - x.min(), y - y.min()
    marked = {
        "stripes": (u + 0.35 * v) % 11 < 5,  # noqa: PLR2004
        "bands": v % 14 < 5,  # noqa: PLR2004
        "spots": np.hypot(u % 13 - 6, (v + (u // 13 % 2) * 6) % 13 - 6) < 5,  # noqa: PLR2004
        "speckles": (u * 7 + v * 13) % 17 < 4,  # noqa: PLR2004
    }[texture]
    other = colour * 0.5 if colour.mean() > 80 else colour + 70  # noqa: PLR2004
    canvas[y, x] = np.where(marked[:, None], other, colour)


def _photograph(rng: np.random.Generator, image: Array, change: float) -> Array:
    """Add what cameras add: light, a colour cast, blur, grain, no colour at all."""
    import cv2

    if rng.random() < 0.15:  # noqa: PLR2004
        image = cv2.GaussianBlur(image, (0, 0), 0.9)
    if rng.random() < GREY and change == 1:
        image = np.repeat(image.mean(2, keepdims=True), 3, 2)
    cast = np.exp(rng.normal(0, 0.06 * change, 3) + rng.normal(0, 0.12 * change))
    grain = rng.normal(0, rng.uniform(2, 7), image.shape)
    pixels: Array = np.clip(image * cast + grain, 0, 255).astype(np.uint8)
    return pixels
