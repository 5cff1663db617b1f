"""A mixture that k-means gets wrong, and what methods are held to on it."""

import numpy as np

from mmclust.core.features import normalised
from mmclust.scoring.clustering import contingency, scores

K = 8


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
