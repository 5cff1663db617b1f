"""Classes in pictures: those that clusters stand for, and those that CLIP sees.

After Berger et al. (NAACL 2022). Clusters stand for classes by their names, or by
statistics of images. The CLIP baseline takes the classes whose prompt, "a photo of a
<name>", is similar enough to the image; the threshold is chosen for micro F1 on the
training part, each image once per caption.

Shapes: n images; C clusters; k classes. ``active`` is bool (n, C): which clusters an
image is in. ``instances`` is int (n, k): how many objects of each class it shows,
every one counted.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.clusters import UNKNOWN
from mmclust.core.errors import MmclustError
from mmclust.core.features import normalised
from mmclust.core.io import file_digest, read_array
from mmclust.scoring.record import Score

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mmclust.core.manifest import Manifest
    from mmclust.grounding.look import Gold, Model

Array = np.ndarray[Any, Any]

NONE = -1
"""The class of a cluster that has none."""


def by_names(clusters: Array, n_clusters: int) -> Array:
    """Give each class to the best cluster of its name: bool (C, k).

    ``clusters`` are int (k,), -1 where the name is unknown; one may get several.
    """
    given = np.zeros((n_clusters, len(clusters)), bool)
    known = np.flatnonzero(clusters >= 0)
    given[clusters[known], known] = True
    return given


def by_cooccurrence(active: Array, instances: Array) -> Array:
    """Give each cluster the class whose instances its images show most often.

    int64 (C,): the first of several; :data:`NONE` where there is no instance.
    """
    together = active.astype(np.int64).T @ instances.astype(np.int64)
    return np.where(together.any(axis=1), together.argmax(axis=1), NONE)


def by_iou(active: Array, instances: Array, *, images: bool = False) -> Array:
    """Give each cluster the class with the highest intersection over union.

    As published, the count of a cluster grows by one for each image it is active in,
    the counts of a class and of both together by one for each (active cluster,
    instance) pair: a class is not counted in images without active cluster, and several
    times in those with several. An IoU may be above 1. The union of a cluster and a
    class that never meet is 0, and so is their IoU. With ``images`` each image counts
    once instead: those in the cluster, those that show the class, and both.

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
    """Return the classes ``given`` to each image's active clusters: bool (n, k)."""
    return active.astype(np.int64) @ given.astype(np.int64) > 0


MAPPINGS: dict[str, Callable[[Array, Array], Array]] = {
    "cluster_cooccurrence": by_cooccurrence,
    "cluster_iou": by_iou,
    "cluster_iou_images": partial(by_iou, images=True),
}
"""Statistics that a class is chosen by. As published the first two, on the images that
are scored; the third counts images in place of pairs."""


def classes_of_names(model: Model, seed: int, names: Sequence[str]) -> Array:
    """Return the best cluster of each name, by no threshold: int (k,), -1 unknown."""
    place, clusters = model.place, model.words.clusters[seed]
    return np.array(
        [clusters[place[n]] if n in place else UNKNOWN for n in names], np.int64
    )


def set_counts(predicted: Array, gold: Array) -> Array:
    """Count TP, FP and FN of each image, int64 (n, 3), among bool (n, k) classes."""
    hits = predicted & gold
    both = [hits, predicted & ~gold, gold & ~predicted]
    return np.stack([each.sum(axis=1) for each in both], axis=1).astype(np.int64)


def class_counts(
    active: Array, instances: Array, named: Array, half: Array
) -> dict[str, Array]:
    """Count right, wrong and missed classes of each image: int64 (n, 3) each.

    ``class_name``, by what :func:`classes_of_names` gave; the :data:`MAPPINGS`; and
    each of them ``_held_out``, every image scored by the mapping of the other half,
    bool (n,).
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


PUBLISHED = 0.19031381607055664
"""Of CLIP RN50 on COCO train2014, prompts "a photo of a <name>"."""


def best_threshold(
    scores: Array, positive: Array, times: Array | None = None
) -> tuple[float, float]:
    """Return the score from which on "yes" has the best F1, and this F1.

    Candidates are the observed scores; a pair is predicted positive when its score is
    at least the threshold. F1 is TP / (TP + (FP + FN) / 2); the lowest of several as
    good wins. One sort and running sums: O(m log m). F1 is 0 where nothing is positive;
    every threshold is as good then.

    Parameters
    ----------
    scores, positive
        Of one shape: similarities, and which pairs are right.
    times
        int, of the same shape: how often each pair counts (an image once per caption);
        ``None``: once.
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


def clip_baseline(
    images: str, classes: str, manifest: Manifest, gold: Gold
) -> tuple[dict[str, Array], list[Score]]:
    """Classify the evaluated images by cosine similarity with prompts.

    ``images`` and ``classes`` are ``.npy`` of float (N, d) and (k, d), rows in manifest
    order and in that of ``gold.classes``. Returned are the counts of ``clip``
    (threshold chosen here) and ``clip_published_threshold``, int64 (1, n, 3); and the
    thresholds, the F1 where it was chosen, and the files' digests.
    """
    pictures = _read(images, "clip_images", len(manifest))
    prompts = _read(classes, "clip_classes", len(gold.classes))
    if pictures.shape[1] != prompts.shape[1]:
        raise MmclustError(
            "CLIP's images and classes are not of one space",
            where=f"{images}, {classes}",
            expected="as many columns",
            found=f"{pictures.shape[1]} and {prompts.shape[1]}",
        )
    similar = normalised(pictures) @ normalised(prompts).T
    right = gold.instances > 0
    fit, rows = manifest.fit_rows, manifest.evaluate_rows
    captions = np.array([len(each) for each in manifest.captions])[fit]
    times = np.broadcast_to(captions[:, None], right[fit].shape)
    threshold, f1 = best_threshold(similar[fit], right[fit], times)
    counts = {
        name: set_counts(similar[rows] >= value, right[rows])[None]
        for name, value in (
            ("clip", threshold),
            ("clip_published_threshold", PUBLISHED),
        )
    }
    files = f"images {file_digest(Path(images))}, classes {file_digest(Path(classes))}"
    facts = {
        ("clip", "threshold"): (threshold, files),
        ("clip", "threshold_train_f1"): (f1, ""),
        ("clip_published_threshold", "threshold"): (PUBLISHED, ""),
    }
    return counts, [
        Score("", "", *name, value, n_seeds=1, note=note)
        for name, (value, note) in facts.items()
    ]


def _read(path: str, key: str, n: int) -> Array:
    array = np.asarray(read_array(Path(path)), np.float32)
    if array.ndim != 2 or len(array) != n or not np.isfinite(array).all():  # noqa: PLR2004
        raise MmclustError(
            "CLIP's embeddings do not fit the benchmark",
            where=f"grounding.{key}: {path}",
            expected=f"finite numbers, {n:,} rows",
            found=f"shape {array.shape}",
            do="encode the benchmark's images, and the prompts of its one-word names",
        )
    return array
