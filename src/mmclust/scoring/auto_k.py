"""How many clusters, without labels: the k with the largest mean silhouette."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.progress import track
from mmclust.scoring.internal import distances, sample_rows, silhouette

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

CRITERION = (
    "largest mean silhouette (Rousseeuw 1987; Euclidean, rows at unit norm, a seeded "
    "sample of at most 2,000 rows) of k-means over a grid of k; the smaller k of equals"
)
GRID = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 25, 30, 35, 40, 45, 50, 60, 70,
        80, 90, 100)  # fmt: skip
"""Tried when no grid is given; those above half the number of rows are left out."""


@dataclass(frozen=True)
class Choice:
    """A chosen k, and why.

    Parameters
    ----------
    k
        The chosen one.
    curve
        Each k tried and its silhouette, ascending.
    """

    k: int
    curve: list[tuple[int, float]]

    @property
    def at_edge(self) -> bool:
        """Whether k is the first or last tried: the grid may be too narrow."""
        return self.k in (self.curve[0][0], self.curve[-1][0])


def choose_k(
    features: np.ndarray[Any, Any],
    cluster: Callable[[np.ndarray[Any, Any], int], np.ndarray[Any, Any]],
    *,
    rng: np.random.Generator,
    grid: Iterable[int] = GRID,
) -> Choice:
    """Choose the number of clusters.

    Parameters
    ----------
    features
        float32 (n, d), rows at unit norm, of the images that methods are fitted on.
    cluster
        ``cluster(features, k)`` gives int labels (n,); k-means.
    rng
        Draws the silhouette's sample.
    grid
        The k to try.

    Returns
    -------
    Choice
        Its k and the whole curve.

    Raises
    ------
    MmclustError
        When no k of the grid lies between 2 and half the number of rows, or all
        rows are the same.
    """
    n = len(features)
    tried = sorted({k for k in grid if 2 <= k <= n // 2})  # noqa: PLR2004
    if not tried:
        raise MmclustError(
            f"No k can be chosen for {n} images",
            where="k: auto",
            expected=f"a k from 2 to {n // 2} (half the images) in the grid",
            found=", ".join(map(str, sorted(grid))) or "an empty grid",
            do="give k, or a grid with such a k (model.k_grid in params.yaml)",
        )
    sample = sample_rows(n, rng)
    apart = distances(features[sample])
    scored = [
        (k, silhouette(apart, cluster(features, k)[sample]))
        for k in track(tried, "k: auto", len(tried), "k")
    ]
    curve = [(k, score) for k, score in scored if score is not None]
    if not curve:
        raise MmclustError(
            "No k can be chosen: all rows fall into one cluster",
            where="k: auto",
            expected="features that differ between images",
            found=f"{len(np.unique(features, axis=0))} different rows",
            do="check the features, or give k",
        )
    best = max(score for _, score in curve)
    return Choice(next(k for k, score in curve if score >= best - 1e-9), curve)
