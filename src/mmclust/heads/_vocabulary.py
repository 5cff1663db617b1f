"""Vocabularies: the words that describe what pictures may show."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError, some
from mmclust.core.io import file_digest, require_file

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Vocabulary:
    """A list of words, in order; a word may occur more than once.

    Parameters
    ----------
    words
        One per row of the file.
    definitions
        Likewise; empty where the file has none.
    digest
        sha256 of the file.
    """

    words: list[str]
    definitions: list[str]
    digest: str


def is_empty(path: Path) -> bool:
    """Say whether a list has no word: the pipeline's, where WordNet is no source."""
    return path.is_file() and path.read_bytes().strip() in {b"", b"word,definition"}


def read_vocabulary(path: Path) -> Vocabulary:
    """Read ``word,definition`` (any CSV with a column ``word``) or a word list.

    Nothing is dropped: ``WordNetNouns.csv`` has 146,347 rows of 119,034 words, and
    embeddings of one's own have a row for each. ``nan`` and ``null`` are words.
    """
    require_file(path, "make WordNet's with `mmclust sources nouns`, or give a .txt")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MmclustError(
            "A vocabulary must be UTF-8", where=path, found=error
        ) from error
    if path.suffix == ".csv":
        words, definitions = _columns(text, path)
    else:
        words = [line.strip() for line in text.splitlines()]
        definitions = [""] * len(words)
    first = 2 if path.suffix == ".csv" else 1
    blank = [i + first for i, word in enumerate(words) if not word]
    if blank:
        raise MmclustError(
            "The vocabulary has blank words",
            where=f"{path}, line {some(blank)}",
            expected="a word in every row",
            found=f"{len(blank)} blank of {len(words)}",
            do="remove these lines (and the embeddings that belong to them)",
        )
    if not words:
        raise MmclustError(
            "The vocabulary is empty",
            where=path,
            expected="words",
            found="none",
            do="add wordnet to data.sources, or name a list of your own in "
            "nouns.vocabulary",
        )
    return Vocabulary(words, definitions, file_digest(path))


def _columns(text: str, path: Path) -> tuple[list[str], list[str]]:
    rows = csv.DictReader(io.StringIO(text, newline=""))
    if "word" not in (rows.fieldnames or ()):
        raise MmclustError(
            "The vocabulary has no column 'word'",
            where=path,
            expected="a header such as word,definition",
            found=some(rows.fieldnames or ()),
            do="name the column, or give a .txt with one word per line",
        )
    pairs = [(row["word"] or "", row.get("definition") or "") for row in rows]
    return [word.strip() for word, _ in pairs], [text for _, text in pairs]


def unique(words: list[str]) -> tuple[list[str], list[int]]:
    """Return the distinct words by first occurrence, and where each row's is."""
    position: dict[str, int] = {}
    place = [position.setdefault(word, len(position)) for word in words]
    return list(position), place
