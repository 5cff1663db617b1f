"""Pixels, masks and boxes: a scene is painted at twice its size, then reduced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.sample.shapes import regrouped
from mmclust.sample.world import PAINT, PLACES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mmclust.sample.scene import Scene, Thing
    from mmclust.sample.shapes import Part

Array = np.ndarray[Any, Any]

SCALE = 2  # canvas pixels per image pixel
SUBPIXEL = 4  # bits of the fractional part of polygon corners
DECOR_FADE = 0.45  # how far decor melts into the backdrop
GREY = 0.06  # how many photographs are black and white
STEADY = 0.5  # how much of the usual change of colour an exact picture has


@dataclass(frozen=True)
class Painted:
    """A finished picture."""

    rgb: Array
    """uint8 (h, w, 3)."""
    masks: list[tuple[int, Array]]
    """For each thing that is annotated, its group and what is visible of it:
    bool (2 h, 2 w), on the canvas."""
    whole: list[int]
    """For each of them, the canvas pixels it covers, hidden or not."""


def paint(
    rng: np.random.Generator,
    scene: Scene,
    things: list[Thing],
    *,
    exact: bool = False,
) -> Painted:
    """Draw a scene."""
    import cv2

    change = STEADY if exact else 1.0
    canvas = _backdrop(rng, scene, change)
    masks: list[tuple[int, Array]] = []
    whole: list[int] = []
    for thing in things:
        fade = DECOR_FADE if thing.group < 0 and not masks else 0.0
        mask = _draw(rng, canvas, thing, fade, change)
        if masks:
            here = box(mask)
            seen = ~mask[here]
            for _, behind in masks:
                behind[here] &= seen
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
    merged: Array = cv2.merge([canvas[..., c] + uneven for c in range(3)])
    return merged


def _draw(
    rng: np.random.Generator, canvas: Array, thing: Thing, fade: float, change: float
) -> Array:
    """Paint one thing and return its mask, bool (2 h, 2 w)."""
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
