"""The threshold on similarities with the best micro F1 (Berger et al., NAACL 2022)."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmclust.core.errors import MmclustError

Array = np.ndarray[Any, Any]

PUBLISHED = 0.19031381607055664
"""Of CLIP RN50 on COCO train2014, prompts "a photo of a <name>"."""


def best_threshold(
    scores: Array, positive: Array, times: Array | None = None
) -> tuple[float, float]:
    """Return the score from which on "yes" has the best F1.

    Candidates are the observed scores; a pair is predicted positive when its score is
    at least the threshold. F1 is TP / (TP + (FP + FN) / 2); the lowest of several as
    good wins. One sort and running sums: O(m log m).

    Parameters
    ----------
    scores
        float (m,), or any shape.
    positive
        bool, of the same shape: which pairs are right.
    times
        int, of the same shape: how often each pair counts (an image once per
        caption); ``None``: once.

    Returns
    -------
    threshold, f1 : float
        F1 is 0 where nothing is positive; every threshold is as good then.

    Raises
    ------
    MmclustError
        When there are no scores, or one is NaN.
    """
    flat = np.ravel(scores)
    if not len(flat) or np.isnan(flat).any():
        raise MmclustError(
            "A threshold needs similarities that are numbers",
            expected="one or more, none of them NaN",
            found=f"{len(flat):,}, {int(np.isnan(flat).sum()):,} of them NaN",
            do="give the similarities of images and classes",
        )
    order = np.argsort(flat)
    ordered, right = flat[order], np.ravel(positive)[order]
    weight = np.ones(1, np.int64) if times is None else np.ravel(times)[order]
    # Pairs below the first of each run of equal scores are those predicted negative.
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] > ordered[:-1]]))
    below_right = _before(right * weight, starts)
    total_right = int((right * weight).sum())
    if times is None:
        below, total = starts, len(flat)
    else:
        below, total = _before(weight, starts), int(weight.sum())
    tp = total_right - below_right
    wrong = (total - below - tp) + below_right
    f1 = tp / np.maximum(tp + wrong / 2, 0.5)
    best = int(f1.argmax())
    return float(ordered[starts[best]]), float(f1[best])


def _before(values: Array, starts: Array) -> Array:
    """Return the sum of int values before each start."""
    sums = np.cumsum(values, dtype=np.int64)
    return np.where(starts > 0, sums[starts - 1], 0)
