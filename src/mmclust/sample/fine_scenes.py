"""Scenes whose every fact can be seen, near copies, and captions that tell them apart.

Near copies differ in one or two facts. The captions name colours, patterns, numbers and
places, and are true.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mmclust.sample.captions import pick
from mmclust.sample.scene import SIZES, Group, Scene
from mmclust.sample.world import (
    CATEGORIES,
    EXACT_NOUNS,
    EXACT_PLACES,
    RGB,
    article,
    plural,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

MOST = 4  # things in a picture, so that they can be counted
ALONE_SHARE = 0.4  # how many pictures show one kind of thing
COUNTS = (0.5, 0.27, 0.15, 0.08)
PATTERNED = 0.35
OWN_COLOUR = 0.4
FAR = 120.0  # between two colours of which one is not taken for the other
SEVERAL = 0.2  # how many near copies differ in two facts
# Categories whose colour covers most of them.
COLOURED = {c.name: c for c in CATEGORIES.values() if c.name in EXACT_NOUNS}
# Places that are told apart at a glance stand for those that are not.
SEEN_AS = {"park": "field", "kitchen": "room"}
OUTSIDE = ("street", "field", "savanna", "beach", "water", "snow")
INSIDE = ("table", "room", "bathroom")
INDOORS = {"kitchen", "food", "furniture", "electronic", "appliance", "indoor"}
NUMBER = 5  # captions of a picture
TRIES = 40
# What the writer of a caption cares to mention.
COLOUR, PATTERN, SECOND, PLACE, BOTH = 0.93, 0.85, 0.7, 0.9, 0.9
PATTERNS = {
    "stripes": ("striped", "with stripes"), "bands": ("banded", "with bands"),
    "spots": ("spotted", "with spots"), "speckles": ("speckled", "with speckles"),
}  # fmt: skip
EXACT_NUMBERS = {2: ("two", "two", "a pair of"), 3: ("three",), 4: ("four",)}
ALONE = ("{a} {place}", "{a} seen {place}", "there {is_} {a} {place}",
         "a picture of {a} {place}", "{a} can be seen {place}")  # fmt: skip
PAIRS = ("{a} and {b} {place}", "{a} next to {b} {place}", "{a} {place} beside {b}",
         "there {is_} {a} {place} with {b}", "{b} and {a} {place}",
         "{a} with {b} {place}", "{b} near {a} {place}")  # fmt: skip


def fine_scene(rng: np.random.Generator, subjects: Sequence[str] = ()) -> Scene:
    """Compose a scene of one or two groups of things."""
    names = list(subjects) or [pick(rng, list(COLOURED))]
    first = COLOURED[names[0]]
    if not subjects and rng.random() > ALONE_SHARE:
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
    options = [p for p in options if p in EXACT_PLACES] or list(_places(groups))
    width, height = SIZES[rng.integers(len(SIZES))]
    return Scene(width, height, pick(rng, options), tuple(groups))


def _group(rng: np.random.Generator, name: str, most: int) -> Group:
    category = COLOURED[name]
    own = [c for c in category.colours if rng.random() < OWN_COLOUR]
    colour = pick(rng, own or list(RGB))
    texture = pick(rng, list(PATTERNS)) if rng.random() < PATTERNED else "plain"
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
    texture = pick(rng, list(PATTERNS)) if group.texture == "plain" else "plain"
    return _with(scene, at, replace(group, texture=texture))


def _with(scene: Scene, at: int, group: Group) -> Scene:
    return replace(scene, groups=(*scene.groups[:at], group, *scene.groups[at + 1 :]))


def _places(groups: Sequence[Group]) -> tuple[str, ...]:
    return INSIDE if groups[0].category.supercategory in INDOORS else OUTSIDE


def _far(colour: str) -> list[str]:
    """Return the colours that are not taken for this one."""
    here = np.array(RGB[colour])
    return [n for n, rgb in RGB.items() if np.linalg.norm(np.array(rgb) - here) > FAR]


def finer(
    rng: np.random.Generator, scene: Scene, taken: AbstractSet[str] = frozenset()
) -> tuple[str, ...]:
    """Return five captions that tell a scene from its near copies."""
    # The writers of one picture agree on its nouns.
    nouns = [pick(rng, EXACT_NOUNS[group.category.name]) for group in scene.groups]
    said: list[str] = []
    spare: list[str] = []
    for _ in range(TRIES):
        caption = _caption(rng, scene, nouns)
        (spare if caption in taken or caption in said else said).append(caption)
        if len(said) == NUMBER:
            break
    return (*said, *spare)[:NUMBER]


def _caption(rng: np.random.Generator, scene: Scene, nouns: list[str]) -> str:
    order = rng.permutation(len(scene.groups))
    if rng.random() > BOTH:
        order = order[:1]
    things = [_thing(rng, scene.groups[i], nouns[i]) for i in order]
    place = pick(rng, EXACT_PLACES[scene.place]) if rng.random() < PLACE else ""
    a, b = things[0], things[-1]
    text = pick(rng, ALONE if len(things) == 1 else PAIRS)
    said = text.format(a=a, b=b, place=place, is_="is" if a[0] == "a" else "are")
    return " ".join(said.split()).removesuffix(" seen").removesuffix(" can be")


def _thing(rng: np.random.Generator, group: Group, noun: str) -> str:
    """Return for instance ``"two spotted red buses"``."""
    colour = [group.colour] if rng.random() < COLOUR else []
    before, after = "", ""
    if group.texture != "plain" and rng.random() < PATTERN:
        before, after = PATTERNS[group.texture]
        before, after = (before, "") if rng.random() < 0.7 else ("", after)  # noqa: PLR2004
    if group.category.name == "person":
        return _dressed(
            rng, group, noun, [*([before] if before else []), *colour], after
        )
    words = [*([before] if before else []), *colour]
    thing = " ".join([*words, noun if group.number == 1 else plural(noun)])
    counted = article(thing) if group.number == 1 else f"{_many(rng, group)} {thing}"
    return f"{counted} {after}".strip()


def _dressed(
    rng: np.random.Generator, group: Group, noun: str, shirt: list[str], after: str
) -> str:
    """Return for instance ``"a man in a striped red shirt and blue trousers"``."""
    one = group.number == 1
    who = article(noun) if one else f"{_many(rng, group)} {plural(noun)}"
    wear = []
    if shirt or after:
        top = " ".join([*shirt, "shirt"])
        wear.append(f"{article(top) if one else top + 's'} {after}".strip())
    if rng.random() < SECOND:
        wear.append(f"{group.second} {pick(rng, ('trousers', 'pants'))}")
    return f"{who} in {' and '.join(wear)}" if wear else who


def _many(rng: np.random.Generator, group: Group) -> str:
    return pick(rng, EXACT_NUMBERS[group.number])
