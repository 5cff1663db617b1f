"""What a picture shows, and where; how a line of a recipe becomes polygons.

A drawing's parts are outlines, moved, scaled and turned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.sample.world import (
    CATEGORIES,
    PLACES,
    RGB,
    Group,
    Scene,
    at_odds,
    named,
    pick,
    tables,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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


SIZES = ((128, 96), (128, 96), (128, 112), (96, 128), (128, 128), (112, 128))
TEXTURES = (*["plain"] * 8, "stripes", "bands", "spots", "speckles")
# Some coats are given by nature.
OWN_TEXTURE = {"zebra": "stripes", "giraffe": "spots", "broccoli": "speckles"}
OWN_COLOUR = 0.65  # how often a category shows in a colour it prefers
OWN_PLACE = 0.85
# Height of a thing, as a part of the image's, by how many there are.
HEIGHTS = {1: (0.62, 0.88), 2: (0.42, 0.62), 3: (0.3, 0.45), 4: (0.26, 0.4)}
CROWD = 8


@dataclass(frozen=True)
class Wanted:
    """A category that a picture must show; ``crowd`` as one mass, as COCO says."""

    category: int
    crowd: bool = False


@dataclass(frozen=True)
class Thing:
    """One object on the canvas."""

    group: int  # its position in `Scene.groups`; -1 for decor, which is not annotated
    parts: list[Part]  # its polygons, in pixels
    colours: tuple[str, str]  # names of its colour and of its second one
    texture: str  # how its coat is patterned


def compose(rng: np.random.Generator, wanted: Sequence[Wanted]) -> Scene:
    """Decide what a picture shows."""
    width, height = SIZES[rng.integers(len(SIZES))]
    categories = [CATEGORIES[w.category] for w in wanted]
    odds = (0.74, 0.15, 0.07, 0.04) if len(wanted) == 1 else (0.75, 0.25, 0, 0)
    groups = tuple(
        Group(
            category,
            _usual(rng, category.colours, list(RGB), OWN_COLOUR),
            OWN_TEXTURE.get(category.name) or TEXTURES[rng.integers(len(TEXTURES))],
            CROWD if w.crowd else 1 + at_odds(rng, odds),
            w.crowd,
        )
        for w, category in zip(wanted, categories, strict=True)
    )
    known = categories[0].places if categories else ()
    place = _usual(rng, known, list(PLACES), OWN_PLACE)
    return Scene(width, height, place, groups)


def _usual(
    rng: np.random.Generator, preferred: Sequence[str], others: list[str], often: float
) -> str:
    """Pick one of ``preferred`` in ``often`` of the cases, any at all otherwise."""
    options = preferred if preferred and rng.random() < often else others
    return pick(rng, options)


def arrange(rng: np.random.Generator, scene: Scene) -> list[Thing]:
    """Put a scene's things on the canvas."""
    place = PLACES[scene.place]
    total = sum(1 if g.crowd else g.number for g in scene.groups)
    slots = rng.permutation(total)
    things: list[tuple[float, Thing]] = []
    for index, group in enumerate(scene.groups):
        n_slots = 1 if group.crowd else group.number
        mine, slots = slots[:n_slots], slots[n_slots:]
        middle = [(slot + 0.5) / total for slot in mine]
        low, high = HEIGHTS[min(total, 4)]
        for number in range(group.number):
            x = middle[number % n_slots] + rng.normal(0, 0.06 + 0.14 * group.crowd)
            size = rng.uniform(low, high) * (0.4 if group.crowd else 1.0)
            # Its lower edge is on the ground, or in the air.
            above = min(max(place.horizon + 0.1, size * 0.9), 0.92)
            foot = float(rng.uniform(above, 0.97))
            at, shape = (x * scene.width, foot * scene.height), group.category.name
            parts = placed(SHAPES[shape], rng, at=at, size=size * scene.height)
            second = list(RGB)[rng.integers(len(RGB))]
            colours = (group.colour, group.second or second)
            things.append((foot, Thing(index, parts, colours, group.texture)))
    things.sort(key=lambda pair: pair[0])
    decor = [
        _piece(rng, scene, name, float(rng.uniform(-0.05, 0.06)) + place.horizon)
        for name in rng.choice(place.decor, rng.integers(2, 5))
    ]
    in_the_way = []
    # Now and then, something is between the viewer and the objects.
    if scene.groups and rng.random() <= 0.2:  # noqa: PLR2004
        name = ("bush", "lamp", "rock")[rng.integers(3)]
        in_the_way.append(_piece(rng, scene, name, 1.1, edge=True))
    return [*decor, *(thing for _, thing in things), *in_the_way]


def _piece(
    rng: np.random.Generator,
    scene: Scene,
    name: str,
    foot: float,
    *,
    edge: bool = False,
) -> Thing:
    x = float(rng.integers(2)) + rng.normal(0, 0.1) if edge else rng.random()
    parts = placed(
        DECOR_SHAPES[name],
        rng,
        at=(float(x) * scene.width, foot * scene.height),
        size=rng.uniform(0.2, 0.45) * scene.height,
        wobble=1.5,
    )
    return Thing(-1, parts, ("green", "red"), "plain")
