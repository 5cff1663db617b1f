"""A list of nouns in the form of the one made of WordNet, a few hundred rows long."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from mmclust.core.io import write_bytes
from mmclust.sources.sample import nouns_table
from mmclust.sources.sample.words import SYNONYMS, table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def write_nouns(out: Path) -> list[Path]:
    """Write ``WordNetNouns.csv``."""
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["word", "definition"])
    rows.writerows(nouns())
    write_bytes(out / "WordNetNouns.csv", text.getvalue().encode())
    return [out / "WordNetNouns.csv"]


def nouns() -> Iterator[tuple[str, str]]:
    """Yield words and definitions, in order."""
    for line in nouns_table.GENERAL.strip().splitlines():
        lemmas, _, definition = line.partition(": ")
        yield from ((lemma, definition) for lemma in lemmas.split())
    for line in nouns_table.CATEGORIES.strip().splitlines():
        name, _, definition = line.partition(": ")
        for lemma in dict.fromkeys([name, *SYNONYMS[name]]):
            yield lemma.replace(" ", "_"), definition
    for block in (nouns_table.KINDS, nouns_table.NAMES):
        for definition, words in table(block).items():
            yield from ((word, definition) for word in words)
