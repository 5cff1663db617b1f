"""Text files of word vectors: word2vec, GloVe or fastText, one word and its numbers.

A first line of counts, as word2vec and fastText write it, may be there or not. Files
have gigabytes, so lines are found in one pass and numbers read for asked words alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.io import require_file
from mmclust.core.progress import track
from mmclust.core.text import same_form

if TYPE_CHECKING:
    from pathlib import Path

GET = (
    "download glove.6B.300d.txt (GloVe) or wiki-news-300d-1M.vec (fastText), unpack "
    "it, and give its path in params.yaml"
)


@dataclass
class Vectors:
    """Where each word's line begins in a file, and the lines read so far."""

    path: Path
    dim: int
    starts: dict[str, int]
    known: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)

    def read(self, words: set[str]) -> None:
        """Read the vectors of words that the file has, each once."""
        wanted = sorted(self.starts[w] for w in words - set(self.known))
        with self.path.open("rb") as file:
            for start in wanted:
                file.seek(start)
                word, *numbers = file.readline().rstrip().split(b" ")
                try:
                    with np.errstate(over="ignore"):
                        vector = np.array(numbers, np.float32)
                except ValueError as error:
                    raise _not_vectors(self.path, start, error) from error
                if not np.isfinite(vector).all():
                    found = "a number that is not finite as float32"
                    raise _not_vectors(self.path, start, found)
                self.known[_text(word)] = vector


@lru_cache(maxsize=1)
def indexed(path: Path) -> Vectors:
    """Note where each word's line begins: one pass, without reading numbers."""
    require_file(path, GET)
    starts: dict[str, int] = {}
    dim = position = 0
    with path.open("rb") as file:
        for number, line in enumerate(track(file, path.name, unit="words")):
            start, position = position, position + len(line)
            spaces = line.rstrip().count(b" ")
            if number == 0 and spaces == 1:
                continue  # fastText begins with the counts of words and numbers
            dim = dim or spaces
            # A word of GloVe may hold blanks; none of those is a word of letters.
            if spaces == dim and dim > 1:
                starts.setdefault(_text(line[: line.index(b" ")]), start)
    if not starts:
        raise _not_vectors(path, 0, "no line of a word and its numbers")
    vectors = Vectors(path, dim, starts)
    vectors.read({next(iter(starts))})  # so that a file of something else says so
    return vectors


def _text(word: bytes) -> str:
    return same_form(word.decode(errors="replace"))


def _not_vectors(path: Path, start: int, found: object) -> MmclustError:
    return MmclustError(
        f"{path.name} is not a text file of word vectors",
        where=f"{path}, byte {start}",
        expected="lines of a word and its numbers, with one blank between",
        found=found,
        do=GET,
    )
