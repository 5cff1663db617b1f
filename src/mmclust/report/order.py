"""The order that images are shown in: cluster by cluster, the surest first.

Shapes: n images of the benchmark that are scored, d features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.clusters import NOISE
from mmclust.core.features import normalised, view_of, views_of

if TYPE_CHECKING:
    from mmclust.report.run import Run

Array = np.ndarray[Any, Any]

CONFIDENCE = "confidence"
CLOSENESS = "closeness"


@dataclass(frozen=True)
class Order:
    """Images in the order of the gallery.

    Parameters
    ----------
    rows
        int64 (n,): the manifest's row of each.
    clusters
        Ids of the clusters, the largest first; those without a cluster last.
    starts
        int64 (number of clusters + 1,): where each cluster begins, and n.
    sure
        float (n,) from 0 to 1, in this order; None where nothing is known.
    sure_of
        :data:`CONFIDENCE` of the method, or :data:`CLOSENESS`: the cosine to the
        mean of the cluster, scaled to the range found, for a method without one.
    nearest
        For each cluster the clusters whose means are nearest, and their cosines.
    """

    rows: Array
    clusters: list[int]
    starts: Array
    sure: Array | None
    sure_of: str
    nearest: dict[int, list[tuple[int, float]]]

    @property
    def position(self) -> Array:
        """Where each row of the manifest stands, int64 (n,)."""
        return np.argsort(self.rows)


def order_of(run: Run, n_nearest: int = 3) -> Order:
    """Sort a benchmark's images by cluster and confidence of the primary method.

    Parameters
    ----------
    run
        The benchmark.
    n_nearest
        Neighbours of each cluster.
    """
    clusters = run.scored.clusters
    found, sizes = np.unique(clusters, return_counts=True)
    by_size = np.lexsort((found, -sizes, found == NOISE))
    found = found[by_size]
    place = np.argsort(found)[np.searchsorted(np.sort(found), clusters)]
    features = _unit_features(run)
    centres = None if features is None else _centres(features, place, len(found))
    sure, sure_of = _confidence(run), CONFIDENCE
    if sure is None and features is not None and centres is not None:
        cosines = np.einsum("nd,nd->n", features, centres[place])
        sure, sure_of = _scaled(cosines, clusters != NOISE), CLOSENESS
    keys = np.zeros(len(clusters)) if sure is None else sure
    rows = np.lexsort((np.arange(len(clusters)), -keys, place))
    return Order(
        rows,
        found.tolist(),
        np.searchsorted(place[rows], np.arange(len(found) + 1)),
        None if sure is None else sure[rows],
        sure_of,
        {} if centres is None else _nearest(found, centres, n_nearest),
    )


def _unit_features(run: Run) -> Array | None:
    """Return the features that the primary method saw, unless it saw others."""
    encoder, view, _ = run.scored.method
    if encoder != run.encoder or view not in views_of(run.features):
        return None
    return normalised(np.asarray(view_of(run.features, view)))


def _centres(features: Array, place: Array, n_clusters: int) -> Array:
    sums = np.zeros((n_clusters, features.shape[1]))
    np.add.at(sums, place, features)
    return normalised(sums)


def _confidence(run: Run) -> Array | None:
    _, view, clusterer = run.scored.method
    for one in run.clusterings:
        if (one.clusterer, one.view, one.k) == (clusterer, view, run.scored.k):
            return None if one.confidence is None else one.confidence[0]
    return None


def _scaled(cosines: Array, placed: Array) -> Array:
    """Return cosines from 0 (the farthest) to 1; 0 for images in no cluster."""
    if not placed.any():
        return np.zeros(len(cosines))
    low, high = cosines[placed].min(), cosines[placed].max()
    scaled = (cosines - low) / max(float(high - low), 1e-12)
    return np.where(placed, np.round(scaled, 4), 0.0)


def _nearest(
    found: Array, centres: Array, n_nearest: int
) -> dict[int, list[tuple[int, float]]]:
    cosines = (centres @ centres.T).astype(float)
    np.fill_diagonal(cosines, -np.inf)
    cosines[:, found == NOISE] = -np.inf
    first = np.argsort(-cosines, axis=1, kind="stable")[:, :n_nearest]
    return {
        int(cluster): [
            (int(found[other]), float(cosines[i, other]))
            for other in first[i]
            if np.isfinite(cosines[i, other])
        ]
        for i, cluster in enumerate(found)
        if cluster != NOISE
    }
