"""Clusters and classes, each rule by hand."""

import numpy as np

from mmclust.grounding.classes import (
    NONE,
    as_table,
    by_cooccurrence,
    by_iou,
    by_names,
    predicted_classes,
)

# Image 0: clusters 0, 1; two dogs and a cat. Image 1: cluster 0; one cat.
# Image 2: no cluster; five cats. Image 3: cluster 2; nothing.
ACTIVE = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]], bool)
DOG_CAT_COW = np.array([[2, 1, 0], [0, 1, 0], [0, 5, 0], [0, 0, 0]])


def test_names_go_to_their_best_cluster():
    """Two names share cluster 1; the third is unknown."""
    given = by_names(np.array([1, 1, -1]), 2)
    assert given.tolist() == [[False, False, False], [True, True, False]]
    found = predicted_classes(np.array([[1, 1], [1, 0]], bool), given)
    assert found.tolist() == [[True, True, False], [False, False, False]]


def test_cooccurrence_counts_instances():
    """Cluster 0: two dogs, two cats, the first wins; clusters 2 and 3 meet none."""
    assert by_cooccurrence(ACTIVE, DOG_CAT_COW).tolist() == [0, 0, NONE, NONE]


def test_iou_as_published_counts_images_of_clusters_and_pairs_of_classes():
    """Pairs: dog 0:2 1:2, cat 0:2 1:1. Clusters 2, 1, 0 and 1 images, classes 4 and 3.

    Cluster 0: dog 2/(2+4-2) = 1/2, cat 2/(2+3-2) = 2/3. Cluster 1: dog 2/(1+4-2) =
    2/3, cat 1/(1+3-1) = 1/3. Image 2, without a cluster, counts for nothing.
    """
    assert by_iou(ACTIVE, DOG_CAT_COW).tolist() == [1, 0, NONE, NONE]


def test_iou_over_images_counts_each_once():
    """Cluster 1, image 0: dog 1/1, cat 1/3. Cluster 0: dog 1/2, cat 2/3."""
    assert by_iou(ACTIVE, DOG_CAT_COW, images=True).tolist() == [1, 0, NONE, NONE]
    # Image 2 counts as one that shows cats: without it cluster 0 has cat 2/2.
    more = np.vstack([DOG_CAT_COW, [[0, 1, 0]] * 3])
    none = np.vstack([ACTIVE, np.zeros((3, 4), bool)])
    # Now cluster 0: cat 2/6, dog 1/2.
    assert by_iou(none, more, images=True).tolist() == [0, 0, NONE, NONE]
    assert by_iou(none, more).tolist() == [1, 0, NONE, NONE]


def test_clusters_without_class_predict_nothing():
    """Their row of the table is empty."""
    table = as_table(np.array([1, NONE]), 3)
    assert table.tolist() == [[False, True, False], [False, False, False]]
