"""The text side of the joint model: how often each word met each cluster.

Counts are a dense table with running sums, so that a batch normalises its own words
alone. Berger et al. (NAACL 2022), section 3; spec 2.2.

Shapes: v words, C clusters, b captions and n tokens of a batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mmclust.core.clusters import UNKNOWN

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

Mode = Literal["generative", "discriminative"]


@dataclass
class Counts:
    """Counts N(w, c), changed in place, and their column sums ``totals``.

    ``table``, int64 (v, C), is in how many captions with active cluster c a token w
    stood, repetitions counted. ``generative``: p(c|w) is proportional to
    N(w, c) / Σ N(w', c), under a uniform p(c); ``discriminative``: it is
    N(w, c) / Σ N(w, c').
    """

    table: Array
    mode: Mode = "generative"
    totals: Array = field(init=False)

    def __post_init__(self) -> None:
        self.totals = self.table.sum(0)

    def distribution(self, words: Array) -> Array:
        """Return p(c|w) of some words: float64 (m, C); zeros for unknown words."""
        shares: Array = self.table[words].astype(np.float64)
        if self.mode == "generative":
            shares /= np.maximum(self.totals, 1)
        sums = shares.sum(1, keepdims=True)
        np.divide(shares, sums, out=shares, where=sums > 0)
        return shares

    def best(self, words: Array) -> tuple[Array, Array]:
        """Return each word's most probable cluster, int32 (m,), and its probability.

        Ties go to the lowest; unknown words to ``UNKNOWN``, at probability 0.
        """
        shares = self.distribution(words)
        clusters = shares.argmax(1).astype(np.int32)
        confidence = np.take_along_axis(shares, clusters[:, None], 1)[:, 0]
        clusters[confidence == 0] = UNKNOWN
        return clusters, confidence

    def outputs(self, ids: Array, places: Array, n_captions: int) -> Array:
        """Return what captions say of clusters: float64 (b, C).

        Each token gives its single best cluster the word's probability; of several
        the largest counts.
        """
        distinct, at = np.unique(ids, return_inverse=True)
        clusters, confidence = self.best(distinct)
        clusters, confidence = clusters[at], confidence[at]
        known = clusters != UNKNOWN
        outputs = np.zeros((n_captions, self.table.shape[1]))
        np.maximum.at(outputs, (places[known], clusters[known]), confidence[known])
        return outputs

    def add(self, ids: Array, places: Array, active: Array) -> None:
        """Count a token once for each cluster active, bool (b, C), in its caption."""
        distinct, at = np.unique(ids, return_inverse=True)
        n_captions = len(active)
        cells = np.bincount(
            at * n_captions + places, minlength=len(distinct) * n_captions
        )
        occurrences = cells.reshape(len(distinct), n_captions).astype(np.float64)
        new = (occurrences @ active).astype(np.int64)  # exact: far below 2**53
        self.table[distinct] += new
        self.totals += new.sum(0)

    def active(self, threshold: float) -> tuple[int, int]:
        """Return the numbers of active clusters and of active words (spec 5.5).

        A cluster is active if it is the best of some word with at least
        ``threshold``; such words are active.
        """
        clusters, confidence = self.best(np.arange(len(self.table)))
        counted = (confidence >= threshold) & (clusters != UNKNOWN)
        return len(np.unique(clusters[counted])), int(counted.sum())
