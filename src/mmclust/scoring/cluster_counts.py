"""How many clusters words use (Berger et al., NAACL 2022)."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmclust.core.words import UNKNOWN

Array = np.ndarray[Any, Any]

TEXT_THRESHOLD = 0.03
"""The published probability from which a word belongs to its best cluster."""


def cluster_counts(
    clusters: Array, confidence: Array | None, threshold: float = TEXT_THRESHOLD
) -> dict[str, float]:
    """Count the clusters that are some word's best, and the words that have one.

    Parameters
    ----------
    clusters
        int (s, v): each word's best cluster; :data:`UNKNOWN` for none.
    confidence
        float64 (s, v): the probability of that cluster; None: a model without, all
        of whose known words are active.
    threshold
        A word is active from this probability on.

    Returns
    -------
    dict
        ``active_cluster_num`` and ``active_token_count``, means over runs.
    """
    active = clusters != UNKNOWN
    if confidence is not None:
        active &= confidence >= threshold
    used = [len(np.unique(row[on])) for row, on in zip(clusters, active, strict=True)]
    return {
        "active_cluster_num": float(np.mean(used)),
        "active_token_count": float(active.sum(-1).mean()),
    }
