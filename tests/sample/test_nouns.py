"""The sample's nouns have the form of WordNet's."""

from __future__ import annotations

import csv
from collections import Counter

import pytest

from mmclust.sample.world import CATEGORIES, RGB, SYNONYMS


@pytest.fixture(scope="module")
def data(world):
    return (world / "wordnet/WordNetNouns.csv").read_bytes()


def test_form(data):
    """UTF-8, LF, a header, minimal quoting, no blanks in words."""
    text = data.decode()
    assert text.startswith("word,definition\nentity,")
    assert "\r" not in text
    assert text.endswith("\n")
    rows = list(csv.reader(text.splitlines()))
    assert {len(row) for row in rows} == {2}
    assert 600 < len(rows) < 800
    assert not any(" " in word or not word for word, _ in rows)
    assert all(definition for _, definition in rows)
    for line, (_, definition) in zip(text.splitlines(), rows, strict=True):
        assert line.endswith('"') == ("," in definition)


def test_words(data):
    """The categories and what people call them, colours, repeats, names."""
    words = [row[0] for row in csv.reader(data.decode().splitlines()[1:])]
    names = [c.name for c in CATEGORIES.values()]
    said = [*names, *(s for name in names for s in SYNONYMS[name])]
    assert {each.replace(" ", "_") for each in said} <= set(words)
    assert set(RGB) <= set(words)
    counts = Counter(words)
    assert counts["line"] == 4
    assert sum(n > 1 for n in counts.values()) > 25
    assert sum(word[0].isupper() for word in counts) > 40
    assert sum("_" in word for word in counts) > 40
