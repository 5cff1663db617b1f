"""The world's things, places, colours and words, from the tables in ``data``.

Five people describe a picture: a small grammar with large gaps in attention.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np


MIN_IMAGES = 31  # of a category of COCO-all: train images that show nothing else


def tables(name: str) -> dict[str, list[str]]:
    """Read a file of tables: the rows below each ``[title]``.

    Lines that begin with ``#`` are comments; indented ones continue the line before.
    """
    text = (Path(__file__).parent / "data" / name).read_text(encoding="utf-8")
    _, *parts = re.split(r"^\[(\w+)\]$", re.sub(r"\n +", " ", text), flags=re.MULTILINE)
    return {
        title: [row for row in rows.splitlines() if row and row[0] != "#"]
        for title, rows in zip(parts[::2], parts[1::2], strict=True)
    }


def named(rows: list[str]) -> dict[str, str]:
    """Return what stands after each ``name:``."""
    return {name: rest for name, _, rest in (row.partition(": ") for row in rows)}


def lists(rows: list[str]) -> dict[str, tuple[str, ...]]:
    """Return the words after each ``name:``, which commas part."""
    return {name: tuple(words.split(", ")) for name, words in named(rows).items()}


@dataclass(frozen=True)
class Category:
    """One of COCO's categories, and its habits in this world."""

    id: int
    name: str
    supercategory: str  # as COCO publishes them
    alone: int  # train images that show nothing else
    colours: tuple[str, ...]
    places: tuple[str, ...]  # those it prefers; it also comes in others


@dataclass(frozen=True)
class Place:
    """A backdrop."""

    above: tuple[int, ...]
    below: tuple[int, ...]  # RGB of what is over and under the horizon
    horizon: float  # its height, as a part of the image from the top
    decor: tuple[str, ...]  # things drawn behind, by name
    phrases: tuple[str, ...]  # how captions name it


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


def _category(row: str) -> Category:
    number, name, kind, alone, colours, places = map(str.strip, row.split("|"))
    return Category(
        int(number),
        name,
        kind,
        int(alone),
        tuple(colours.split()),
        tuple(places.split()),
    )


def _place(row: str) -> tuple[str, Place]:
    name, above, below, horizon, decor, phrases = map(str.strip, row.split("|"))
    return name, Place(
        _rgb(above),
        _rgb(below),
        float(horizon),
        tuple(decor.split()),
        tuple(phrases.split(", ")),
    )


def _rgb(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split()))


_WORLD, _WORDS = tables("world.txt"), tables("words.txt")
CATEGORIES = {c.id: c for c in map(_category, _WORLD["categories"])}
PLACES = dict(map(_place, _WORLD["places"]))
RGB = {name: _rgb(text) for name, text in named(_WORLD["colours"]).items()}
PAINT = RGB | {name: _rgb(text) for name, text in named(_WORLD["paints"]).items()}
"""With those that drawings use and captions never name."""

SYNONYMS = lists(_WORDS["synonyms"])
GENERAL = lists(_WORDS["general"])
DOING = lists(_WORDS["actions"])
PHRASES = lists(_WORDS["phrases"])
PLURALS = named(_WORDS["plurals"])
EXACT_NOUNS = lists(_WORDS["exact_nouns"])
EXACT_PLACES = lists(_WORDS["exact_places"])
EXACT_PATTERNS = lists(_WORDS["exact_patterns"])
EXACT_ALONE, EXACT_PAIRS = _WORDS["exact_alone"], _WORDS["exact_pairs"]
TEMPLATES = _WORDS["templates"]
NUMBERS, EXACT_NUMBERS = (
    {int(number): words for number, words in lists(_WORDS[name]).items()}
    for name in ("numbers", "exact_numbers")
)
VOC = named(_WORLD["voc"])  # the classes of PASCAL VOC, and what COCO calls them


def plural(noun: str) -> str:
    """Return the English plural, for instance ``"double deckers"``."""
    if noun in PLURALS:
        return PLURALS[noun]
    head, _, last = noun.rpartition(" ")
    if last in PLURALS:
        return f"{head} {PLURALS[last]}"
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def article(words: str) -> str:
    """Return the words with ``a`` or ``an`` before them."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


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
