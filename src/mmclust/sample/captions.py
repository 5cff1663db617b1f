"""Five people describe a picture: a small grammar with large gaps in attention."""

from __future__ import annotations

from bisect import bisect_right
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING

from mmclust.sample.world import (
    CATEGORIES,
    DOING,
    GENERAL,
    NUMBERS,
    PHRASES,
    PLACES,
    SYNONYMS,
    TEMPLATES,
    article,
    plural,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from mmclust.sample.scene import Group, Scene

# How often people name a thing exactly, by another word, by a general one, wrongly.
ATTENTIVE = (0.46, 0.32, 0.14, 0.08)
VAGUE = (0.05, 0.10, 0.40, 0.45)
VAGUE_PICTURES = 0.3
EXTRA = ((5, 0.97), (6, 0.02), (7, 0.01))  # captions per image, as in COCO


def describe(
    rng: np.random.Generator, scene: Scene, number: int | None = None
) -> list[str]:
    """Return the captions of a picture."""
    habits = VAGUE if rng.random() < VAGUE_PICTURES else ATTENTIVE
    # The writers of one picture agree on a word more often than not.
    favourite = rng.random()
    if number is None:
        number = EXTRA[at_odds(rng, tuple(odds for _, odds in EXTRA))][0]
    return [_sentence(rng, scene, habits, favourite) for _ in range(number)]


def _sentence(
    rng: np.random.Generator, scene: Scene, habits: tuple[float, ...], favourite: float
) -> str:
    order = rng.permutation(len(scene.groups))
    shown = [scene.groups[i] for i in order[: 1 + int(rng.random() < 0.7)]]  # noqa: PLR2004
    names = [_phrase(rng, group, habits, favourite) for group in shown]
    doing = pick(rng, DOING[shown[0].category.supercategory]) if shown else "seen"
    text = pick(rng, TEMPLATES).format(
        thing=" and ".join(names) or "an empty scene",
        doing=doing,
        place=pick(rng, PLACES[scene.place].phrases),
        other=pick(rng, PHRASES["distractors"]),
        quality=pick(rng, PHRASES["qualities"]),
    )
    return text[0].upper() + text[1:] + ("." if rng.random() < 0.8 else "")  # noqa: PLR2004


def _phrase(
    rng: np.random.Generator, group: Group, habits: tuple[float, ...], favourite: float
) -> str:
    """Return a noun phrase such as ``"two big red buses"``."""
    noun = _noun(rng, group, habits, favourite)
    before = []
    if rng.random() < 0.2:  # noqa: PLR2004
        before.append(pick(rng, PHRASES["sizes"]))
    if rng.random() < 0.25:  # noqa: PLR2004
        before.append(group.colour)
    if group.number == 1:
        return "someone" if noun == "someone" else article(" ".join([*before, noun]))
    many = PHRASES["crowds"] if group.crowd else NUMBERS[group.number]
    return " ".join([pick(rng, many), *before, plural(noun)])


def _noun(
    rng: np.random.Generator, group: Group, habits: tuple[float, ...], favourite: float
) -> str:
    category = group.category
    way = at_odds(rng, habits)
    if way == 0:
        return category.name
    if way == 1:
        synonyms = SYNONYMS[category.name]
        agreed = rng.random() < 0.6  # noqa: PLR2004
        at = favourite if agreed else rng.random()
        return synonyms[int(at * len(synonyms))]
    alike = [
        c.name
        for c in CATEGORIES.values()
        if c.supercategory == category.supercategory and c != category
    ]
    if way == 2 or not alike:  # noqa: PLR2004
        return pick(rng, GENERAL[category.supercategory])
    return pick(rng, alike)


def at_odds(rng: np.random.Generator, odds: tuple[float, ...]) -> int:
    """Draw as ``rng.choice(len(odds), p=odds)`` does, in a tenth of its time."""
    return bisect_right(_sums(odds), rng.random())


@cache
def _sums(odds: tuple[float, ...]) -> list[float]:
    sums = list(accumulate(odds))
    return [each / sums[-1] for each in sums]


def pick(rng: np.random.Generator, options: Sequence[str]) -> str:
    """Return one of the options, each as likely as the others."""
    return options[int(rng.integers(len(options)))]
