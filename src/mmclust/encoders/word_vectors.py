"""Averaged word vectors of an image's captions: GloVe or fastText (benchmarks, §5).

Words as gensim's simple preprocessing gives them: lower case, letters, 2 to 15 of
them. Not normalised; zeros where no word is known. ``file`` is a text file of one word
and its numbers per line, with or without a first line of counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.io import file_digest, require_file
from mmclust.core.progress import track

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmclust.core.types import Batch, Fitted

VIEWS = ("text",)
EMPTY_CAPTIONS = "zeros"
WORD = re.compile(r"(?:(?!\d)\w)+")
SHORTEST, LONGEST = 2, 15
GET = (
    "download glove.6B.300d.txt (GloVe) or wiki-news-300d-1M.vec (fastText), unpack "
    "it, and give its path as encoders.word_vectors.file in params.yaml"
)


@dataclass(frozen=True)
class Params:
    """The file of vectors; whose captions."""

    file: str = "glove.6B.300d.txt"
    captions: str = "publisher"


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
                    self.known[word.decode(errors="replace")] = np.array(
                        numbers, np.float32
                    )
                except ValueError as error:
                    raise _not_vectors(self.path, start, error) from error


def encode_text(
    batch: Batch, params: Params, fitted: Fitted, *, device: str
) -> np.ndarray[Any, Any]:
    """Average the vectors of all words of an image's captions.

    Parameters
    ----------
    batch, params, fitted, device
        See :class:`mmclust.core.types.Encoder`.

    Returns
    -------
    numpy.ndarray
        float32 (b, d): a word counts as often as it occurs.

    Raises
    ------
    MmclustError
        When the file is missing or holds no word vectors.
    """
    del fitted, device
    vectors = _indexed(Path(params.file).expanduser())
    texts = [
        [word for word in words_of(each) if word in vectors.starts]
        for each in batch.captions
    ]
    vectors.read({word for words in texts for word in words})
    rows = np.zeros((len(texts), vectors.dim), np.float32)
    for row, words in zip(rows, texts, strict=True):
        if words:
            row[:] = np.mean([vectors.known[word] for word in words], axis=0)
    return rows


def words_of(captions: Sequence[str]) -> list[str]:
    """Split captions as gensim's ``simple_preprocess`` does.

    Returns
    -------
    list of str
        Lower case; runs of letters (and underscores inside) of 2 to 15 characters.
    """
    words = WORD.findall("\n".join(captions).lower())
    return [w for w in words if SHORTEST <= len(w) <= LONGEST and w[0] != "_"]


def identity(params: Params) -> dict[str, Any]:
    """Return the file's name and digest, for ``features.json``."""
    path = require_file(Path(params.file).expanduser(), GET)
    return {"model": path.name, "revision": "local", "weights": file_digest(path)}


@lru_cache(maxsize=1)
def _indexed(path: Path) -> Vectors:
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
                word = line[: line.index(b" ")]
                starts.setdefault(word.decode(errors="replace"), start)
    if not starts:
        raise _not_vectors(path, 0, "no line of a word and its numbers")
    vectors = Vectors(path, dim, starts)
    vectors.read({next(iter(starts))})  # so that a file of something else says so
    return vectors


def _not_vectors(path: Path, start: int, found: object) -> MmclustError:
    return MmclustError(
        f"{path.name} is not a text file of word vectors",
        where=f"{path}, byte {start}",
        expected="lines of a word and its numbers, with one blank between",
        found=found,
        do=GET,
    )
