"""What word models learn from: the captions to fit on as word ids, image by image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.tokens import token_counts, tokenize

if TYPE_CHECKING:
    from mmclust.core.manifest import Manifest

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Corpus:
    """The captions of a benchmark's ``fit_rows``; no label reaches it.

    Parameters
    ----------
    manifest
        Where the images are.
    words
        v tokens, in the order of first occurrence.
    counts
        int64 (v,): occurrences.
    ids
        int32 (t,): the word of each token, caption after caption.
    bounds
        int64 (c + 1,): the tokens of caption i are ``ids[bounds[i]:bounds[i + 1]]``.
        A caption without tokens is left out.
    owners
        int64 (c,), ascending: each caption's image, a row of the manifest.
    empty
        Number of captions left out.
    """

    manifest: Manifest
    words: tuple[str, ...]
    counts: Array
    ids: Array
    bounds: Array
    owners: Array
    empty: int = 0

    def __len__(self) -> int:
        return len(self.owners)

    def tokens_of(self, captions: Array) -> tuple[Array, Array]:
        """Return the tokens of some captions, and where each stands.

        Parameters
        ----------
        captions
            int64 (b,): positions among the captions.

        Returns
        -------
        ids, places
            Both (n,): the word, and the position in ``captions``, of each token.
        """
        starts = self.bounds[captions]
        lengths = self.bounds[captions + 1] - starts
        places = np.repeat(np.arange(len(captions)), lengths)
        first = np.cumsum(lengths) - lengths
        at = np.arange(len(places)) - first[places] + starts[places]
        return self.ids[at], places


def read_corpus(manifest: Manifest, *, lemmas: bool = False) -> Corpus:
    """Cut the captions of ``fit_rows`` into tokens."""
    rows = manifest.fit_rows
    captions = manifest.table["captions"].take(rows).to_pylist()
    owners = np.repeat(rows, [len(each) for each in captions])
    tokens = tokenize([text for each in captions for text in each], lemmas=lemmas)
    counts = token_counts(tokens)
    place = {word: i for i, word in enumerate(counts)}
    lengths = np.array([len(each) for each in tokens], np.int64)
    flat = (place[token] for each in tokens for token in each)
    return Corpus(
        manifest,
        tuple(counts),
        np.fromiter(counts.values(), np.int64, len(counts)),
        np.fromiter(flat, np.int32, int(lengths.sum())),
        np.concatenate([[0], np.cumsum(lengths[lengths > 0])]).astype(np.int64),
        owners[lengths > 0],
        int((lengths == 0).sum()),
    )
