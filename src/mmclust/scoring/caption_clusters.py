"""What captions' clusters say: sentence-image matching and nouns.

Both are defined by Berger et al. (NAACL 2022) and were never run there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

NOUN_TAGS = frozenset(["NN", "NNP", "NNS", "NNPS", "PRP"])
"""The tags that count as nouns."""


def caption_indicators(
    tokens: list[list[int]], clusters: Array, confidence: Array, threshold: float
) -> Array:
    """Return the clusters of captions: those of their sufficiently sure words.

    Parameters
    ----------
    tokens
        Of each of m captions, positions of its words; -1 for unknown ones.
    clusters
        int (v,): the best cluster of each word, -1 for none.
    confidence
        float (v,): its probability.
    threshold
        A word counts from this probability on.

    Returns
    -------
    numpy.ndarray
        bool (m, C), C being one more than the highest cluster.
    """
    found = np.zeros((len(tokens), int(clusters.max(initial=-1)) + 1), bool)
    row = np.repeat(np.arange(len(tokens)), [len(each) for each in tokens])
    word = np.array([w for each in tokens for w in each], int)
    known = word >= 0
    row, word = row[known], word[known]
    sure = (clusters[word] >= 0) & (confidence[word] >= threshold)
    found[row[sure], clusters[word[sure]]] = True
    return found


def sentence_matching(images: Array, captions: Array) -> dict[str, Array]:
    """Tell, for consecutive pairs of samples, whether the first knows its caption.

    The pairs are (0, 1), (2, 3), …; a last single sample is left out. The Hamming
    distance of the first image's clusters to its own caption's is held against that
    to the second caption's.

    Parameters
    ----------
    images, captions
        bool (m, C): clusters of each sample's image and caption.

    Returns
    -------
    dict
        bool (m // 2,) each. ``right``: its own is strictly nearer; ``wrong``: the
        other one is strictly nearer. Accuracy is the share of right ones, extended
        accuracy 1 minus the share of wrong ones.
    """
    n = len(images) // 2
    first, own, other = (
        images[: 2 * n : 2],
        captions[: 2 * n : 2],
        captions[1 : 2 * n : 2],
    )
    to_own, to_other = (first != own).sum(axis=1), (first != other).sum(axis=1)
    return {"right": to_own < to_other, "wrong": to_own > to_other}


def noun_counts(predicted: Array, gold: Array, owner: Array, n: int) -> Array:
    """Count right, wrong and missed nouns of each of n images: int64 (n, 3).

    Parameters
    ----------
    predicted, gold
        bool (t,): of each token, whether it is taken for a noun and whether it is.
    owner
        int (t,): its image.
    n
        How many images there are.
    """
    kinds = (predicted & gold, predicted & ~gold, gold & ~predicted)
    return np.stack([np.bincount(owner[k], minlength=n) for k in kinds], axis=1)
