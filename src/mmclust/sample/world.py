"""The world's things, places, colours and words, from the tables in ``data``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

    def facts(self) -> dict[str, Any]:
        """Return the entry of COCO's ``categories`` list."""
        return {"supercategory": self.supercategory, "id": self.id, "name": self.name}


@dataclass(frozen=True)
class Place:
    """A backdrop."""

    above: tuple[int, ...]
    below: tuple[int, ...]  # RGB of what is over and under the horizon
    horizon: float  # its height, as a part of the image from the top
    decor: tuple[str, ...]  # things drawn behind, by name
    phrases: tuple[str, ...]  # how captions name it


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
