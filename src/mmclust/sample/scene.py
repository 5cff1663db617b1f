"""What a picture shows: which things, how many, in which colours, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmclust.sample.captions import at_odds
from mmclust.sample.shapes import DECOR_SHAPES, SHAPES, Part, placed
from mmclust.sample.world import CATEGORIES, PLACES, RGB, Category

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

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
class Group:
    """Things of one category in one colour; ``second`` is left to chance if empty."""

    category: Category
    colour: str
    texture: str
    number: int
    crowd: bool = False
    second: str = ""


@dataclass(frozen=True)
class Scene:
    """A picture before it is drawn."""

    width: int
    height: int
    place: str
    groups: tuple[Group, ...]


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
            str(_usual(rng, category.colours, list(RGB), OWN_COLOUR)),
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
    return options[int(rng.integers(len(options)))]


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
