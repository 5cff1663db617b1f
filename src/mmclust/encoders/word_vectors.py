"""Averaged word vectors of an image's captions: GloVe or fastText.

Words as gensim's simple preprocessing gives them: lower case, letters, 2 to 15 of
them. Not normalised; zeros where no word is known. ``file`` is a text file of one word
and its numbers per line, with or without a first line of counts.

Source: Pennington et al., GloVe, EMNLP 2014; Bojanowski et al., Enriching Word
Vectors with Subword Information, TACL 5 (2017).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.io import file_digest, require_file
from mmclust.models.vector_file import GET, indexed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmclust.core.types import Array, Batch, Fitted

VIEWS = ("text",)
FLAGS = ()
EMPTY_CAPTIONS = "zeros"
WORD = re.compile(r"(?:(?!\d)\w)+")
SHORTEST, LONGEST = 2, 15


@dataclass(frozen=True)
class Params:
    """The file of vectors; whose captions."""

    file: str = "glove.6B.300d.txt"
    """Text file of one word and its numbers per line."""
    captions: str = "publisher"
    """Whose captions: ``publisher``, or the name of captions that a model made or
    that the publisher gives besides."""


def encode_text(batch: Batch, params: Params, fitted: Fitted, *, device: str) -> Array:
    """Average the vectors of all words of an image's captions: float32 (b, d).

    A word counts as often as it occurs.
    """
    del fitted, device
    vectors = indexed(Path(params.file).expanduser())
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

    Lower case; runs of letters (and underscores inside) of 2 to 15 characters.
    """
    words = WORD.findall("\n".join(captions).lower())
    return [w for w in words if SHORTEST <= len(w) <= LONGEST and w[0] != "_"]


def identity(params: Params) -> dict[str, Any]:
    """Return the file's name and digest, for ``features.json``."""
    path = require_file(Path(params.file).expanduser(), GET)
    vectors = indexed(path)
    return {
        "model": path.name,
        "revision": "local",
        "weights": file_digest(path),
        "parameters": len(vectors.starts) * vectors.dim,
        "bytes": path.stat().st_size,
    }
