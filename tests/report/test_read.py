"""Which class a cluster stands for on the page, against brute force."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from mmclust.core.clusters import NOISE
from mmclust.report.read import ABSENT, matched_classes


@pytest.mark.parametrize("seed", range(20))
def test_clusters_are_matched_so_that_most_images_agree(seed):
    """Over all one-to-one matchings of clusters and classes, none agrees on more."""
    rng = np.random.default_rng(seed)
    classes = [f"class {i}" for i in rng.integers(0, 4, 30)]
    clusters = rng.integers(0, 4, 30)
    matched = matched_classes(clusters, classes)
    found = sum(
        matched.get(c) == name for c, name in zip(clusters, classes, strict=True)
    )
    names = [f"class {i}" for i in range(4)]
    best = max(
        sum(order[c] == name for c, name in zip(clusters, classes, strict=True))
        for order in permutations(names)
    )
    assert found == best
    assert len(set(matched.values())) == len(matched)


def test_noise_and_images_without_a_class_match_nothing():
    """Noise is no cluster; hidden classes and images that were not given are out."""
    clusters = np.array([0, 0, NOISE, 1, ABSENT, 1])
    classes = ["cat", "cat", "dog", "", "dog", ""]
    assert matched_classes(clusters, classes) == {0: "cat"}
    assert matched_classes(clusters, [""] * 6) == {}
