"""Mixtures that k-means gets wrong, and what methods are held to on them."""

import numpy as np

from mmclust.core.features import normalised
from mmclust.kernels.kmeans import kmeans
from mmclust.scoring.clustering import contingency, scores

K = 8
SHORT = {
    "sic": {"epochs": 2, "batch": 12, "n_neighbors": 5, "uniqueness": 0.0},
    "scan": {"epochs": 2, "batch": 12, "n_neighbors": 5},
    "temi": {"epochs": 2, "batch": 12, "n_neighbors": 5, "n_heads": 2, "hidden": 8,
             "bottleneck": 8},
    "cpp": {"epochs": 2, "batch": 12, "warm_up": 2, "hidden": 8, "dim": 8},
    "ntk_sc": {"n_neighbors": 5},
}  # fmt: skip
"""Options with which a head is through in a moment, on some 30 rows."""


def planted(n=800, seed=0, dim=24):
    """Seven tight clusters near each other, and a wide one: float32 (n, d), (n,).

    Rows are at unit norm. k-means parts the wide cluster and joins two others; each
    row's neighbours are of its own cluster.
    """
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
    kind = np.arange(n) % K
    centres = basis[dim - 1] + 0.5 * basis[:K]
    centres[0] = -basis[dim - 1]
    spread = np.where(kind == 0, 0.3, 0.05)[:, None]
    rows = centres[kind] + spread * rng.standard_normal((n, dim))
    return normalised(rows.astype(np.float32)), kind


def accuracy(kind, labels):
    """Return the share of rows in the cluster that was matched to their own."""
    return float(scores(contingency(kind, np.asarray(labels)))["acc"])


def two_spaces(seed, n=500, k=5, d=32, nuisance=3.0):
    """Classes that both spaces share, and two wide directions that say nothing."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(n) % k
    spaces = []
    for _ in range(2):
        centres = rng.standard_normal((k, d))
        centres *= 3 / np.linalg.norm(centres, axis=1, keepdims=True)
        wide = np.linalg.qr(rng.standard_normal((d, 2)))[0].T
        rows = centres[kinds] + 0.3 * rng.standard_normal((n, d))
        rows += nuisance * rng.standard_normal((n, 2)) @ wide
        spaces.append(rows.astype(np.float32))
    return tuple(spaces), kinds


def by_kmeans(rows, k):
    """Clusters of the rows at unit norm."""
    return kmeans(normalised(rows), k, seed=1, n_init=10, spherical=True).labels


def with_nouns(seed, n=500, k=5, d=48, nuisance=1.6, spread=0.09, others=200):
    """Images whose widest directions say nothing; nouns that lie along the classes.

    Images, nouns, the image centres of 3 k groups, classes; lengths are about 10.
    """
    rng = np.random.default_rng(seed)
    kinds = np.arange(n) % k
    basis = np.linalg.qr(rng.standard_normal((d, d)))[0]
    centres, wide = basis[:k], basis[k : k + 2]
    images = centres[kinds] + spread * rng.standard_normal((n, d))
    images += nuisance * rng.standard_normal((n, 2)) @ wide / 2
    nouns = [c + 0.05 * rng.standard_normal((12, d)) for c in centres]
    nouns.append(0.3 * rng.standard_normal((others, d)))
    unit = normalised(images.astype(np.float32))
    groups = kmeans(unit, 3 * k, seed=2, n_init=3, spherical=True).centroids
    return (
        (10 * images).astype(np.float32),
        (10 * np.concatenate(nouns)).astype(np.float32),
        normalised(groups),
        kinds,
    )
