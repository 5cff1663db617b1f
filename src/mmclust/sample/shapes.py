"""From a line of a recipe to polygons: parts are outlines, moved, scaled and turned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.sample.world import named, tables

if TYPE_CHECKING:
    from collections.abc import Iterator

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Part:
    """One outline of a recipe."""

    paint: str  # the name of its colour
    loops: tuple[Array, ...]
    """Closed polygons, float (n, 2), on the recipe's grid of 100 x 100; what
    lies inside an even number of them is a hole."""


def _ngon(sides: int, turn: float = 0.5) -> Array:
    """Return a regular polygon that touches [-1, 1] on the axes it can reach."""
    angles = 2 * np.pi * (np.arange(sides) + turn) / sides
    return np.stack([np.cos(angles), np.sin(angles)], 1)


def _dome() -> Array:
    angles = np.pi * np.arange(17) / 16
    return np.stack([np.cos(angles), 1 - 2 * np.sin(angles)], 1)


def _cloud() -> Array:
    angles = 2 * np.pi * np.arange(72) / 72
    radius = 0.86 + 0.14 * np.abs(np.sin(4.5 * angles))
    return np.stack([radius * np.cos(angles), radius * np.sin(angles)], 1)


def _crescent() -> Array:
    outer = _dome() * [1, -1]
    inner = outer[::-1] * [0.94, 0.55] + [0, -0.45]
    return np.concatenate([outer, inner])


OVAL = _ngon(32)
# Every outline lies in [-1, 1] x [-1, 1], y downwards.
OUTLINES: dict[str, tuple[Array, ...]] = {
    "box": (np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], float),),
    "tri": (np.array([[0, -1], [1, 1], [-1, 1]], float),),
    "trap": (np.array([[-0.65, -1], [0.65, -1], [1, 1], [-1, 1]], float),),
    "diamond": (np.array([[0, -1], [1, -0.25], [0, 1], [-1, -0.25]], float),),
    "hex": (_ngon(6),),
    "oct": (_ngon(8) / np.cos(np.pi / 8),),
    "oval": (OVAL,),
    "pill": (np.sign(OVAL) * np.abs(OVAL) ** 0.45,),
    "dome": (_dome(),),
    "cloud": (_cloud(),),
    "crescent": (_crescent(),),
    "ring": (OVAL, 0.78 * OVAL),
    "torus": (OVAL, 0.34 * OVAL),
}


def _turned(points: Array, degrees: float) -> Array:
    angle = np.radians(degrees)
    sin, cos = np.sin(angle), np.cos(angle)
    turned: Array = points @ np.array([[cos, sin], [-sin, cos]])
    return turned


def _part(text: str) -> Part:
    """Read ``kind paint x y width height [angle]``, or a line between two points."""
    kind, paint, *rest = text.split()
    x, y, width, height, *more = map(float, rest)
    angle = more[0] if more else 0.0
    if kind == "line":
        span = np.array([width - x, height - y])
        angle = float(np.degrees(np.arctan2(span[1], span[0])))
        (x, y), (width, height) = (
            [x + span[0] / 2, y + span[1] / 2],
            [float(np.hypot(*span)), more[0]],
        )
        kind = "box"
    centre, half = np.array([x, y]), np.array([width, height]) / 2
    return Part(
        paint,
        tuple(_turned(loop * half, angle) + centre for loop in OUTLINES[kind]),
    )


def _recipe(text: str) -> list[Part]:
    return [_part(part) for part in text.split(";") if part.strip()]


def _animal(line: str) -> tuple[str, list[Part]]:
    """Fill the recipe of four-legged animals with one animal's numbers."""
    name, body, *numbers, head = line.split()[:-2]
    w, h = map(float, line.split()[-2:])
    length, girth, legs, leg_width, neck, neck_width, lean = map(float, numbers)
    back = 100 - legs - girth  # y of the top of the body
    shoulder, nape = 45 + length * 0.36, back + girth * 0.35
    head_x = shoulder + neck * np.sin(np.radians(lean))
    head_y = nape - neck * np.cos(np.radians(lean))
    trunk = _TABLES["quadruped"][0].format(
        body=body, length=length, girth=girth, middle=back + girth / 2,
        leg=legs + girth / 2, shin=100 - (legs + girth / 2) / 2, leg_width=leg_width,
        near0=45 - length * 0.36, near1=45 + length * 0.36,
        far0=45 - length * 0.2, far1=45 + length * 0.2,
        shoulder=shoulder, nape=nape, head_x=head_x, head_y=head_y,
        neck_width=neck_width, back=back + girth * 0.3, low=back + girth,
        tail=45 - length * 0.46, tip=45 - length * 0.62,
    )  # fmt: skip
    on_head = _recipe(named(_TABLES["heads"])[head].format(w=w, h=h))
    at = np.array([head_x, head_y])
    moved = [Part(p.paint, tuple(loop + at for loop in p.loops)) for p in on_head]
    return name, _fitted(_recipe(trunk) + moved)


def _fitted(parts: list[Part]) -> list[Part]:
    """Shrink what is taller than the grid, so that no head is cut off."""
    top = min(float(loop[:, 1].min()) for part in parts for loop in part.loops)
    foot, scale = np.array([50.0, 100.0]), min(1.0, 100 / (100 - top))
    return [
        Part(part.paint, tuple((loop - foot) * scale + foot for loop in part.loops))
        for part in parts
    ]


def _shapes(rows: list[str]) -> dict[str, list[Part]]:
    return {name: _recipe(parts) for name, parts in named(rows).items()}


_TABLES = tables("drawings.txt")
SHAPES = _shapes(_TABLES["things"]) | dict(map(_animal, _TABLES["animals"]))
DECOR_SHAPES = _shapes(_TABLES["decor"])


def placed(
    parts: list[Part],
    rng: np.random.Generator,
    *,
    at: tuple[float, float],
    size: float,
    wobble: float = 1.0,
) -> list[Part]:
    """Return a shape on the canvas, varied: no two instances are alike."""
    flip = (-1.0, 1.0)[rng.integers(2)]
    stretch = np.exp(wobble * rng.normal(0, 0.08, 2)) * size / 100
    slant = wobble * rng.normal(0, 4)
    shifts = wobble * rng.normal(0, 0.8, (len(parts), 2))
    foot = np.array([50.0, 100.0])

    # All points at once: a shape has dozens of parts.
    loops = [loop for part in parts for loop in part.loops]
    sizes = [sum(map(len, part.loops)) for part in parts]
    points = np.concatenate(loops)
    points += np.repeat(shifts, sizes, axis=0)
    points -= foot
    points *= (flip * stretch[0], stretch[1])
    moved = _turned(points, slant)
    moved += at
    return [
        Part(part.paint, tuple(of_part))
        for part, of_part in zip(parts, regrouped(parts, moved), strict=True)
    ]


def regrouped(parts: list[Part], points: Array) -> Iterator[list[Array]]:
    """Yield each part's loops, in the points of all parts one after another."""
    start = 0
    for part in parts:
        loops = []
        for loop in part.loops:
            loops.append(points[start : start + len(loop)])
            start += len(loop)
        yield loops
