"""The words of a model in the plane: near where their clusters are alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.io import read_array
from mmclust.core.words import UNKNOWN
from mmclust.report.maps import GRID, lay_out

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.report.learned import Learner

SHOWN = 120
"""Words on the map: the most frequent ones that have a cluster."""
LEAST = 10
"""Words that make a map."""
SIZE = (900, 520)
"""Of the map, in SVG units."""
MARGIN = 30
LETTER = (7.5, 14)
"""Width and height that a letter takes, in SVG units."""


def word_map(learner: Learner, root: Path, seed: int) -> dict[str, Any] | None:
    """Lay out the most frequent words of a model's first run by p(cluster | word).

    Parameters
    ----------
    learner
        A model; one that keeps no counts of words and clusters has no map.
    root
        The root of the repository.
    seed
        Of the layout.

    Returns
    -------
    dict or None
        ``words`` (x, y, word, count, cluster, hue, clear: nothing more frequent is
        written where it would be), ``n`` (all words with a cluster)
        and ``size``; None without counts or with fewer than :data:`LEAST` words.

    Notes
    -----
    t-SNE of the square roots of the probabilities, whose distances are Hellinger's.
    """
    path = root / "data/words" / learner.name / "seed_0/counts.npy"
    clusters = learner.words.clusters[0]
    known = np.flatnonzero(clusters != UNKNOWN)
    if not path.is_file() or len(known) < LEAST:
        return None
    counts = np.asarray(read_array(path), np.float64)
    given_cluster = counts / np.maximum(counts.sum(axis=0), 1)
    often = known[np.argsort(-learner.words.counts[known], kind="stable")][:SHOWN]
    shares = given_cluster[often]
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    places = lay_out(np.sqrt(shares).astype(np.float32), seed)
    width, height = SIZE
    scale = np.array([width - 2 * MARGIN, height - 2 * MARGIN]) / GRID
    spots = np.rint(places * scale + MARGIN).astype(int).tolist()
    named = [learner.words.words[row] for row in often.tolist()]
    return {
        "words": [
            (
                x,
                y,
                word,
                int(learner.words.counts[row]),
                int(clusters[row]),
                int(clusters[row]) * 137 % 360,
                clear,
            )
            for (x, y), row, word, clear in zip(
                spots, often.tolist(), named, _clear(spots, named), strict=True
            )
        ],
        "n": len(known),
        "size": SIZE,
    }


def _clear(spots: list[list[int]], words: list[str]) -> list[bool]:
    """Say which words overlap none of those written before them."""
    width, height = LETTER
    written: list[tuple[float, int, float]] = []  # middle, line, half the width
    clear = []
    for (x, y), word in zip(spots, words, strict=True):
        half = len(word) * width / 2
        free = all(
            abs(x - at) >= half + other or abs(y - line) >= height
            for at, line, other in written
        )
        if free:
            written.append((x, y, half))
        clear.append(free)
    return clear
