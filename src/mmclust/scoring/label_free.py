"""Scores that need no labels: of clusters against the features they were made of.

They say how compact and separate clusters are, and how much runs agree; none says
whether clusters mean anything. They are kept apart from the scores against classes.
Images that a method puts in no cluster (-1) are left out, as is usual, which favours
methods that call much noise: read them beside the share of noise.

How many clusters, without labels: the k with the largest mean silhouette, the largest
generalisation score, or the smallest coding length.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.progress import track
from mmclust.kernels.coding_length import coding_length
from mmclust.scoring.clustering import ari, contingency
from mmclust.scoring.generalisation import generalisation_score
from mmclust.scoring.record import Score

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mmclust.core.clusters import Clustering

Array = np.ndarray[Any, Any]

DEFINITIONS = {"generalisation": "generalisation-1", "coding_length": "coding-1"}
"""See :data:`mmclust.scoring.record.DEFINITIONS`; of the others :data:`INTERNAL`."""
INTERNAL = "internal-2"
UNDEFINED = dict.fromkeys(
    ("silhouette", "davies_bouldin", "calinski_harabasz"),
    "fewer than two clusters, or as many as images",
) | {
    "stability": "one run, or no two runs with images in common",
    "generalisation": "fewer than two clusters, or than ten images",
    "coding_length": "no image in a cluster",
}
"""Why a score is None."""
SAMPLE = 2000
"""Rows whose distances the silhouette holds: 16 MB."""
_NUMBERS = 1 << 21  # looked at at once where float64 copies are made: 16 MiB
CRITERIA = {
    "silhouette": (
        "largest mean silhouette (Rousseeuw 1987; Euclidean, rows at unit norm, a "
        "seeded sample of at most 2,000 rows)"
    ),
    "generalisation": (
        "largest generalisation score (TURTLE 2024; ten folds, at most 5,000 rows)"
    ),
    "coding_length": "smallest coding length (CPP 2024; rows at unit norm, eps 0.1)",
}
"""How k may be chosen; of k-means over a grid, the smaller k of equals."""
GRID = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 25, 30, 35, 40, 45, 50, 60, 70,
        80, 90, 100)  # fmt: skip
"""Tried when no grid is given; those above half the number of rows are left out."""


def sample_rows(n_samples: int, rng: np.random.Generator) -> Array:
    """Draw the silhouette's rows: int64, ascending, at most :data:`SAMPLE`."""
    if n_samples <= SAMPLE:
        return np.arange(n_samples)
    return np.sort(rng.choice(n_samples, SAMPLE, replace=False))


def distances(rows: Array) -> Array:
    """Return Euclidean distances between (m, d) rows: float32 (m, m).

    Squares are differences of numbers that are nearly equal where rows are near to
    each other: they are taken in float64, from the rows' mean.
    """
    rows = np.asarray(rows, np.float64)
    rows = rows - rows.mean(axis=0)
    squares = np.einsum("ij,ij->i", rows, rows)
    apart = squares[:, None] + squares - 2 * (rows @ rows.T)
    np.fill_diagonal(apart, 0)
    return np.asarray(np.sqrt(np.maximum(apart, 0)), np.float32)


def silhouette(apart: Array, labels: Array) -> float | None:
    """Mean silhouette (Rousseeuw 1987): (b - a) / max(a, b) of each row.

    Parameters
    ----------
    apart
        (m, m) distances.
    labels
        int (m,); -1 is left out.

    Returns
    -------
    float or None
        In [-1, 1]; a row alone in its cluster counts 0. None where there are fewer
        than two clusters, or as many as rows.
    """
    kept = labels >= 0
    if not _comparable(labels[kept]):
        return None
    if not kept.all():
        apart = apart[np.ix_(kept, kept)]
    codes = np.unique(labels[kept], return_inverse=True)[1]
    sizes = np.bincount(codes)
    member = np.eye(len(sizes), dtype=apart.dtype)[codes]
    sums = np.asarray(apart @ member, np.float64)
    rows = np.arange(len(codes))
    own = sizes[codes]
    within = sums[rows, codes] / np.maximum(own - 1, 1)
    means = sums / sizes
    means[rows, codes] = np.inf
    nearest = means.min(axis=1)
    larger = np.maximum(np.maximum(within, nearest), 1e-12)
    return float(np.where(own > 1, (nearest - within) / larger, 0).mean())


def separation(features: Array, labels: Array) -> dict[str, float | None]:
    """Compute Davies–Bouldin and Calinski–Harabasz; None as in :func:`silhouette`.

    Davies and Bouldin 1979 (lower is better); Caliński and Harabasz 1974.

    Parameters
    ----------
    features
        float32 (n, d).
    labels
        int (n,); -1 is left out.
    """
    from scipy.sparse import csc_array
    from scipy.spatial.distance import cdist

    kept = labels >= 0
    if not _comparable(labels[kept]):
        return {"davies_bouldin": None, "calinski_harabasz": None}
    codes = np.unique(labels[kept], return_inverse=True)[1]
    sizes = np.bincount(codes)
    n, k = len(codes), len(sizes)
    # From their mean, rows that are near to each other keep all their digits.
    cuts = range(step := max(_NUMBERS // features.shape[1], 1), n, step)
    parts = np.split(np.flatnonzero(kept), cuts)
    middle = sum(features[part].sum(axis=0, dtype=np.float64) for part in parts) / n
    sums, squares = np.zeros((k, features.shape[1])), np.empty(n)
    codes_of = np.split(codes, cuts)
    for part, own in zip(parts, codes_of, strict=True):
        ends = np.arange(len(own) + 1)
        member = csc_array((np.ones(len(own)), own, ends), (k, len(own)))
        sums += member @ (features[part] - middle)
    centres = sums / sizes[:, None]
    start = 0
    for part, own in zip(parts, codes_of, strict=True):
        off = features[part] - middle
        off -= centres[own]
        squares[start : start + len(own)] = np.einsum("ij,ij->i", off, off)
        start += len(own)
    spread = np.bincount(codes, np.sqrt(squares)) / sizes
    apart = cdist(centres, centres)
    apart[apart == 0] = np.inf  # a cluster to itself, and centres that coincide
    worst = ((spread[:, None] + spread) / apart).max(axis=1)
    between = float(sizes @ np.einsum("ij,ij->i", centres, centres))
    within = float(squares.sum())
    ratio = between * (n - k) / (within * (k - 1)) if within else 1.0
    return {"davies_bouldin": float(worst.mean()), "calinski_harabasz": ratio}


def stability(labels: Array) -> float | None:
    """Mean ARI over all pairs of runs.

    Parameters
    ----------
    labels
        int (n_seeds, n); an image that is -1 in one of two runs is left out of the
        pair.

    Returns
    -------
    float or None
        Mean over the pairs that have two images or more; None where no pair has.
    """
    scores = []
    for one, two in combinations(labels, 2):
        kept = (one >= 0) & (two >= 0)
        if kept.sum() > 1:
            scores.append(float(ari(contingency(one[kept], two[kept]))))
    return float(np.mean(scores)) if scores else None


def internal_scores(
    features: Array,
    labels: Array,
    *,
    sample: Array,
    apart: Array,
    spaces: Sequence[Array] = (),
    seed: int = 0,
) -> dict[str, Any]:
    """Score one method's runs without labels.

    Parameters
    ----------
    features
        float32 (n, d), rows at unit norm.
    labels
        int (n_seeds, n); -1 is noise.
    sample, apart
        Rows for the silhouette, and their :func:`distances`: made once per view.
    spaces, seed
        For :func:`mmclust.scoring.generalisation.generalisation_score`, which takes
        most of the time, so that the first run alone is judged; none: not at all.

    Returns
    -------
    dict
        ``n_clusters`` (mean over seeds), ``noise`` (share), ``silhouette``,
        ``davies_bouldin``, ``calinski_harabasz`` and ``coding_length`` (nats per image
        that has a cluster), means over the seeds where they are defined, or None,
        ``stability`` and ``generalisation``.
    """
    runs = [
        {
            "silhouette": silhouette(apart, row[sample]),
            **separation(features, row),
            "coding_length": _nats(features, row),
        }
        for row in labels
    ]
    means: dict[str, float | None] = {}
    for name in runs[0]:
        known = [value for run in runs if (value := run[name]) is not None]
        means[name] = float(np.mean(known)) if known else None
    found = {
        "n_clusters": float(np.mean([len(np.unique(r[r >= 0])) for r in labels])),
        "noise": float((labels < 0).mean()),
        **means,
        "stability": stability(labels),
    }
    if spaces:
        score = generalisation_score(spaces, labels[0], seed=seed)
        found["generalisation"] = score
    return found


def internal_record(
    encoder: str, methods: Iterable[tuple[Clustering, dict[str, Any]]]
) -> list[Score]:
    """Return the rows of the record of methods and their :func:`internal_scores`."""
    return [
        Score(
            encoder, one.view, one.clusterer, metric, value, k=one.k,
            n_seeds=1 if metric == "generalisation" else len(one.labels),
            definition=DEFINITIONS.get(metric, INTERNAL),
            note="" if value is not None else UNDEFINED[metric],
        )
        for one, values in methods
        for metric, value in values.items()
    ]  # fmt: skip


def _nats(features: Array, labels: Array) -> float | None:
    """Return the coding length per image; None where none is in a cluster."""
    kept = int((labels >= 0).sum())
    return coding_length(features, labels) / kept if kept else None


def _comparable(labels: Array) -> bool:
    return 2 <= len(np.unique(labels)) < len(labels)  # noqa: PLR2004


@dataclass(frozen=True)
class Choice:
    """A chosen k, and why: per criterion each k tried and its score, ascending."""

    k: int
    by: str
    curves: dict[str, list[tuple[int, float]]]

    @property
    def curve(self) -> list[tuple[int, float]]:
        """What k was chosen by."""
        return self.curves[self.by]

    @property
    def at_edge(self) -> bool:
        """Whether k is the first or last tried: the grid may be too narrow."""
        return self.k in (self.curve[0][0], self.curve[-1][0])

    @property
    def chosen(self) -> dict[str, int]:
        """The k that each criterion would choose."""
        return {by: best_k(by, curve) for by, curve in self.curves.items()}


def best_k(by: str, curve: Sequence[tuple[int, float]]) -> int:
    """Return the best k of a curve, the first of equals."""
    sign = -1 if by == "coding_length" else 1
    best = max(sign * score for _, score in curve)
    return next(k for k, score in curve if sign * score >= best - 1e-9)


def choose_k(
    features: Array,
    cluster: Callable[[Array, int], Array],
    *,
    rng: np.random.Generator,
    grid: Iterable[int] = GRID,
    by: str = "silhouette",
    criteria: Iterable[str] | None = None,
    spaces: Sequence[Array] | None = None,
    seed: int = 0,
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
    by
        What chooses, of :data:`CRITERIA`.
    criteria
        Whose curves are drawn; without, that of ``by`` alone.
    spaces, seed
        For the generalisation score; without, ``features``.

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
    scores: dict[str, Callable[[Array], float | None]] = {
        "silhouette": lambda labels: silhouette(apart, labels[sample]),
        "generalisation": lambda labels: generalisation_score(
            spaces or (features,), labels, seed=seed
        ),
        "coding_length": lambda labels: _nats(features, labels),
    }
    curves: dict[str, list[tuple[int, float]]] = {c: [] for c in criteria or (by,)}
    for k in track(tried, "k: auto", len(tried), "k"):
        labels = cluster(features, k)
        for name, curve in curves.items():
            score = scores[name](labels)
            # One cluster has a coding length, too, but is no clustering.
            if score is not None and labels.min() < labels.max():
                curve.append((k, score))
    if not curves[by]:
        raise MmclustError(
            "No k can be chosen: all rows fall into one cluster",
            where="k: auto",
            expected="features that differ between images",
            found=f"{len(np.unique(features, axis=0))} different rows",
            do="check the features, or give k",
        )
    drawn = {name: curve for name, curve in curves.items() if curve}
    return Choice(best_k(by, drawn[by]), by, drawn)
