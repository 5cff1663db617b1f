"""Classes that clusters stand for: by their names, and by statistics of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.words import UNKNOWN
from mmclust.scoring.cluster_classes import (
    as_table,
    by_cooccurrence,
    by_iou,
    by_names,
    predicted_classes,
)
from mmclust.scoring.micro import set_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mmclust.grounding._model import Model

Array = np.ndarray[Any, Any]


def _iou_images(active: Array, instances: Array) -> Array:
    return by_iou(active, instances, images=True)


MAPPINGS: dict[str, Callable[[Array, Array], Array]] = {
    "cluster_cooccurrence": by_cooccurrence,
    "cluster_iou": by_iou,
    "cluster_iou_images": _iou_images,
}
"""Statistics that a class is chosen by. As published the first two, on the images that
are scored; the third counts images in place of pairs."""


def classes_of_names(model: Model, seed: int, names: Sequence[str]) -> Array:
    """Return the best cluster of each name, by no threshold: int (k,), -1 unknown."""
    place = {word: at for at, word in enumerate(model.words.words)}
    clusters = model.words.clusters[seed]
    return np.array(
        [clusters[place[n]] if n in place else UNKNOWN for n in names], np.int64
    )


def class_counts(
    active: Array, instances: Array, named: Array, half: Array
) -> dict[str, Array]:
    """Count right, wrong and missed classes of each image.

    Parameters
    ----------
    active
        bool (n, C): active clusters.
    instances
        int (n, k).
    named
        int (k,): what :func:`classes_of_names` gave.
    half
        bool (n,): which half an image is in.

    Returns
    -------
    dict
        int64 (n, 3) each: ``class_name``; the :data:`MAPPINGS`; and each of them
        ``_held_out``, every image scored by the mapping of the other half.
    """
    gold = instances > 0
    n_clusters, n_classes = active.shape[1], instances.shape[1]
    by_name = predicted_classes(active, by_names(named, n_clusters))
    counts = {"class_name": set_counts(by_name, gold)}
    for name, mapping in MAPPINGS.items():
        table = as_table(mapping(active, instances), n_classes)
        counts[name] = set_counts(predicted_classes(active, table), gold)
        held = np.zeros_like(gold)
        for mine in (half, ~half):
            table = as_table(mapping(active[~mine], instances[~mine]), n_classes)
            held[mine] = predicted_classes(active[mine], table)
        counts[f"{name}_held_out"] = set_counts(held, gold)
    return counts
