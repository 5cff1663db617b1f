"""Which classes clusters of a visual encoder stand for (Berger et al., NAACL 2022).

Shapes: n images; C clusters; k classes. ``active`` is bool (n, C): which clusters an
image is in. ``instances`` is int (n, k): how many objects of each class it shows,
every one counted.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

NONE = -1
"""The class of a cluster that has none."""


def by_names(clusters: Array, n_clusters: int) -> Array:
    """Give each class to the best cluster of its name; a cluster may get several.

    Parameters
    ----------
    clusters
        int (k,): the best cluster of each class's name, -1 where the name is unknown.
    n_clusters
        C.

    Returns
    -------
    numpy.ndarray
        bool (C, k).
    """
    given = np.zeros((n_clusters, len(clusters)), bool)
    known = np.flatnonzero(clusters >= 0)
    given[clusters[known], known] = True
    return given


def by_cooccurrence(active: Array, instances: Array) -> Array:
    """Give each cluster the class whose instances its images show most often.

    Returns
    -------
    numpy.ndarray
        int64 (C,): the first of several; :data:`NONE` where there is no instance.
    """
    together = active.astype(np.int64).T @ instances.astype(np.int64)
    return np.where(together.any(axis=1), together.argmax(axis=1), NONE)


def by_iou(active: Array, instances: Array, *, images: bool = False) -> Array:
    """Give each cluster the class with the highest intersection over union.

    As published, the count of a cluster grows by one for each image it is active in,
    the counts of a class and of both together by one for each (active cluster,
    instance) pair: a class is not counted in images without active cluster, and
    several times in those with several. An IoU may be above 1. The union of a cluster
    and a class that never meet is 0, and so is their IoU.

    Parameters
    ----------
    active, instances
        See the module.
    images
        Count images instead, each once: those in the cluster, those that show the
        class, and both.

    Returns
    -------
    numpy.ndarray
        int64 (C,): the first of several; :data:`NONE` where all are 0.
    """
    seen = (instances > 0) if images else instances
    together = active.astype(np.int64).T @ seen.astype(np.int64)
    of_class = (seen if images else together).sum(axis=0)
    union = np.add.outer(active.sum(axis=0), of_class) - together
    iou = np.divide(together, union, out=np.zeros(together.shape), where=(together > 0))
    return np.where(iou.any(axis=1), iou.argmax(axis=1), NONE)


def as_table(mapping: Array, n_classes: int) -> Array:
    """Return int (C,) classes of clusters as bool (C, k)."""
    table: Array = mapping[:, None] == np.arange(n_classes)
    return table


def predicted_classes(active: Array, given: Array) -> Array:
    """Return the classes of each image's active clusters, united: bool (n, k).

    Parameters
    ----------
    active
        bool (n, C).
    given
        bool (C, k).
    """
    return active.astype(np.int64) @ given.astype(np.int64) > 0
