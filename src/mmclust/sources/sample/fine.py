"""Scenes whose every fact can be seen, and near copies that differ in one or two."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mmclust.sources.sample.captions import pick
from mmclust.sources.sample.finer import NOUNS, PHRASES
from mmclust.sources.sample.scene import SIZES, Group, Scene
from mmclust.sources.sample.world import CATEGORIES, RGB

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST = 4  # things in a picture, so that they can be counted
ALONE = 0.4  # how many pictures show one kind of thing
COUNTS = (0.5, 0.27, 0.15, 0.08)
PATTERNS = ("stripes", "bands", "spots", "speckles")
PATTERNED = 0.35
OWN_COLOUR = 0.4
FAR = 120.0  # between two colours of which one is not taken for the other
SEVERAL = 0.2  # how many near copies differ in two facts
# Categories whose colour covers most of them.
COLOURED = {c.name: c for c in CATEGORIES.values() if c.name in NOUNS}
# Places that are told apart at a glance stand for those that are not.
SEEN_AS = {"park": "field", "kitchen": "room"}
OUTSIDE = ("street", "field", "savanna", "beach", "water", "snow")
INSIDE = ("table", "room", "bathroom")
INDOORS = {"kitchen", "food", "furniture", "electronic", "appliance", "indoor"}


def fine_scene(rng: np.random.Generator, subjects: Sequence[str] = ()) -> Scene:
    """Compose a scene of one or two groups of things."""
    names = list(subjects) or [pick(rng, list(COLOURED))]
    first = COLOURED[names[0]]
    if not subjects and rng.random() > ALONE:
        inside = first.supercategory in INDOORS
        near = [
            n for n, c in COLOURED.items() if (c.supercategory in INDOORS) == inside
        ]
        names.append(pick(rng, [n for n in near if n != first.name]))
    groups: list[Group] = []
    for name in names:
        left = MOST - sum(g.number for g in groups) - (len(names) - len(groups) - 1)
        groups.append(_group(rng, name, left))
    options = [SEEN_AS.get(p, p) for p in first.places]
    options = [p for p in options if p in PHRASES] or list(_places(groups))
    width, height = SIZES[rng.integers(len(SIZES))]
    return Scene(width, height, pick(rng, options), tuple(groups))


def _group(rng: np.random.Generator, name: str, most: int) -> Group:
    category = COLOURED[name]
    own = [c for c in category.colours if rng.random() < OWN_COLOUR]
    colour = pick(rng, own or list(RGB))
    texture = pick(rng, PATTERNS) if rng.random() < PATTERNED else "plain"
    number = min(most, 1 + int(rng.choice(len(COUNTS), p=COUNTS)))
    second = pick(rng, _far(colour)) if name == "person" else ""
    return Group(category, colour, texture, number, second=second)


def vary(rng: np.random.Generator, scene: Scene) -> Scene:
    """Return a near copy: another colour, number, place or pattern."""
    for _ in range(1 + int(rng.random() < SEVERAL)):
        change = (_recoloured, _recoloured, _recounted, _moved, _patterned)
        scene = change[rng.integers(len(change))](rng, scene)
    width, height = SIZES[rng.integers(len(SIZES))]
    return replace(scene, width=width, height=height)


def facts(scene: Scene) -> tuple[object, ...]:
    """Return what is to be seen; scenes with equal facts cannot be told apart."""
    groups = (
        (g.category.id, g.colour, g.texture, g.number, g.second) for g in scene.groups
    )
    return (scene.place, *sorted(groups))


def _recoloured(rng: np.random.Generator, scene: Scene) -> Scene:
    """Change a colour, or let two groups exchange theirs, which is harder to see."""
    colours = [g.colour for g in scene.groups]
    if len(set(colours)) > 1 and rng.random() < 0.4:  # noqa: PLR2004
        pairs = zip(scene.groups, colours[::-1], strict=True)
        return replace(scene, groups=tuple(replace(g, colour=c) for g, c in pairs))
    at = int(rng.integers(len(scene.groups)))
    group = scene.groups[at]
    if group.second and rng.random() < 0.5:  # noqa: PLR2004
        return _with(scene, at, replace(group, second=pick(rng, _far(group.second))))
    return _with(scene, at, replace(group, colour=pick(rng, _far(group.colour))))


def _recounted(rng: np.random.Generator, scene: Scene) -> Scene:
    at = int(rng.integers(len(scene.groups)))
    group = scene.groups[at]
    most = MOST - sum(g.number for g in scene.groups) + group.number
    numbers = [n for n in range(1, max(most, 2) + 1) if n != group.number]
    return _with(scene, at, replace(group, number=int(rng.choice(numbers))))


def _moved(rng: np.random.Generator, scene: Scene) -> Scene:
    return replace(
        scene, place=pick(rng, [p for p in _places(scene.groups) if p != scene.place])
    )


def _patterned(rng: np.random.Generator, scene: Scene) -> Scene:
    at = int(rng.integers(len(scene.groups)))
    group = scene.groups[at]
    texture = pick(rng, PATTERNS) if group.texture == "plain" else "plain"
    return _with(scene, at, replace(group, texture=texture))


def _with(scene: Scene, at: int, group: Group) -> Scene:
    return replace(scene, groups=(*scene.groups[:at], group, *scene.groups[at + 1 :]))


def _places(groups: Sequence[Group]) -> tuple[str, ...]:
    return INSIDE if groups[0].category.supercategory in INDOORS else OUTSIDE


def _far(colour: str) -> list[str]:
    """Return the colours that are not taken for this one."""
    here = np.array(RGB[colour])
    return [n for n, rgb in RGB.items() if np.linalg.norm(np.array(rgb) - here) > FAR]
