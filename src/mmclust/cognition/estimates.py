"""Concreteness from text alone, by representatives that the norms name.

Berger et al. (NAACL 2022): a word is as concrete as its row of co-occurrences is like
the rows of the 20 words that people rate the most concrete, and unlike those of the 20
they rate the least. The norms choose the representatives and judge the estimates, the
representatives' own among them: the estimate is supervised by its judge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.io import read_array
from mmclust.kernels.cooccurrence import occurrences, vectors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Array = np.ndarray[Any, Any]

REPRESENTATIVES = 20
MIN_COUNT = 10
"""Representatives occur more often than this."""
SOURCE = (
    "likeness of co-occurrences to the most and the least concrete words of the norms; "
    "supervised by the norms that judge it"
)


def text_only(
    folder: Path, words: Sequence[str], counts: Array, ratings: Mapping[str, float]
) -> Array:
    """Estimate the concreteness of every word.

    Parameters
    ----------
    folder
        Of the co-occurrence model: ``tokens.npy`` and ``bounds.npy``.
    words, counts
        Of the model: v words, and how often each occurs.
    ratings
        People's, in the file's order, which decides ties.

    Returns
    -------
    numpy.ndarray
        float64 (v,): the sum of cosines to concrete words, less those to abstract ones.

    Raises
    ------
    MmclustError
        When fewer than two rated words occur often enough.
    """
    concrete, abstract = representatives(words, counts, ratings)
    table = occurrences(
        read_array(folder / "tokens.npy"), read_array(folder / "bounds.npy"), len(words)
    )
    rows = vectors(table, np.arange(len(words)))
    sides = rows[concrete].sum(0) - rows[abstract].sum(0)
    return np.asarray(rows @ np.asarray(sides).ravel(), np.float64)


def representatives(
    words: Sequence[str], counts: Array, ratings: Mapping[str, float]
) -> tuple[Array, Array]:
    """Return the places of the most and the least concrete words, 20 each at most."""
    place = {word: i for i, word in enumerate(words)}
    often = [w for w in ratings if w in place and counts[place[w]] > MIN_COUNT]
    ordered = sorted(often, key=lambda word: ratings[word])
    n = min(REPRESENTATIVES, len(ordered) // 2)
    if not n:
        raise MmclustError(
            "Too few rated words occur often enough to represent concreteness",
            expected=f"two or more with over {MIN_COUNT} occurrences",
            found=len(ordered),
        )
    places = np.array([place[word] for word in ordered])
    return places[-n:], places[:n]
