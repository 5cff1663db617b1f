"""How strongly people associate the words that share a cluster.

Mean association strength (MAS) of Berger et al. (NAACL 2022). A table of association
norms gives unordered pairs of words a strength; most pairs are not in it.

Shapes: n words; p pairs of the table; s seeds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.words import UNKNOWN
from mmclust.scoring.sampled import Sampled, draws

if TYPE_CHECKING:
    from collections.abc import Hashable

Array = np.ndarray[Any, Any]

DEFINITION = "association-1"
"""See :mod:`mmclust.scoring.definitions`."""
NO_PAIR = "no pair of words in the same cluster is in the norms"
NO_TWO = "no cluster has two words"


def association(
    clusters: Array,
    pairs: Array,
    strengths: Array,
    *,
    n_resamples: int,
    rng: np.random.Generator,
    of: Hashable = None,
) -> dict[str, Any]:
    """Score clusters by association norms, sampled over words: figures.

    Parameters
    ----------
    clusters
        int (s, n): each run's cluster of each word; :data:`UNKNOWN` for none.
    pairs
        int (p, 2): distinct unordered pairs of word numbers that the norms have, no
        word with itself.
    strengths
        float64 (p,): of each pair.
    n_resamples, rng
        Of the bootstrap over words.
    of
        Which words these are.

    Returns
    -------
    dict
        Flat: ``mas``, ``found``, ``not_found``, ``coverage``, ``n_words``,
        ``n_unknown``, ``n_single_word_clusters`` (counts are means over runs); null
        with a reason where no pair is found.
    """
    runs = [_one(row, pairs, strengths) for row in clusters]
    found = np.array([run["found"] for run in runs], float)
    possible = np.array([run["possible"] for run in runs], float)
    total = np.array([run["total"] for run in runs], float)
    nothing = np.full(len(runs), np.nan)
    mas = np.divide(total, found, out=nothing.copy(), where=found > 0)
    coverage = np.divide(found, possible, out=nothing.copy(), where=possible > 0)
    resampled = _resampled(clusters, pairs, strengths, n_resamples, rng)
    n = clusters.shape[1]
    record: dict[str, Any] = {
        "mas": Sampled(
            mas, resampled["mas"], n, of, (0.0, np.inf),
            NO_PAIR if (possible > 0).all() else NO_TWO,
            of_pairs=_resampled_pairs(clusters, pairs, strengths, n_resamples, rng),
        ),
        "found": _whole(found),
        "not_found": _whole(possible - found),
        "coverage": Sampled(
            coverage, resampled["coverage"], n, of, (0.0, 1.0), NO_TWO
        ),
    }  # fmt: skip
    single = [run["single"] for run in runs]
    return record | {
        "n_words": clusters.shape[1],
        "n_unknown": _whole((clusters == UNKNOWN).sum(-1)),
        "n_single_word_clusters": _whole(np.array(single)),
        "n_seeds": len(clusters),
    }


def _whole(values: Array) -> float | int:
    """Return the mean over runs, as an integer where it is one."""
    mean = float(np.mean(values))
    return int(mean) if mean.is_integer() else mean


def _same(clusters: Array, pairs: Array) -> Array:
    a, b = clusters[pairs[:, 0]], clusters[pairs[:, 1]]
    return np.asarray((a == b) & (a != UNKNOWN))


def _one(clusters: Array, pairs: Array, strengths: Array) -> dict[str, float]:
    same = _same(clusters, pairs)
    _, sizes = np.unique(clusters[clusters != UNKNOWN], return_counts=True)
    return {
        "found": int(same.sum()),
        "possible": int((sizes * (sizes - 1) // 2).sum()),
        "total": float(strengths[same].sum()),
        "single": int((sizes == 1).sum()),
    }


def _resampled(
    clusters: Array,
    pairs: Array,
    strengths: Array,
    n_resamples: int,
    rng: np.random.Generator,
) -> dict[str, Array]:
    """Score resamples of the words, in which a pair counts as often as both do.

    A word drawn twice makes no pair with itself.
    """
    from scipy.sparse import csr_matrix

    n = clusters.shape[1]
    sames = [_same(row, pairs) for row in clusters]
    members = [_members(row, n) for row in clusters]
    mas: list[Array] = []
    coverage: list[Array] = []
    for weights in draws(n, n_resamples, rng, cells=2_000_000):
        ratios, shares = [], []
        for same, member in zip(sames, members, strict=True):
            a, b, s = *pairs[same].T, strengths[same]
            matrix = csr_matrix((np.ones(len(a)), (a, b)), shape=(n, n))
            strong = csr_matrix((s, (a, b)), shape=(n, n))
            found = (weights * (matrix @ weights.T).T).sum(-1)
            total = (weights * (strong @ weights.T).T).sum(-1)
            # Pairs of different words: all pairs of draws, less a word with itself.
            sizes = (member @ weights.T).T
            squares = (member @ (weights**2).T).T
            possible = ((sizes**2 - squares) / 2).sum(-1)
            ratios.append(np.where(found > 0, total / np.maximum(found, 1), np.nan))
            shares.append(
                np.where(possible > 0, found / np.maximum(possible, 1), np.nan)
            )
        mas.append(np.stack(ratios, axis=1))
        coverage.append(np.stack(shares, axis=1))
    none = np.zeros((0, len(clusters)))
    return {
        "mas": np.concatenate([none, *mas]),
        "coverage": np.concatenate([none, *coverage]),
    }


def _resampled_pairs(
    clusters: Array,
    pairs: Array,
    strengths: Array,
    n_resamples: int,
    rng: np.random.Generator,
) -> Array:
    """Score resamples of the norms' pairs: MAS (n_resamples, s)."""
    same = np.stack([_same(row, pairs) for row in clusters]).T.astype(np.float64)
    parts = [np.zeros((0, len(clusters)))]
    for weights in draws(len(pairs), n_resamples, rng, cells=2_000_000):
        found, total = weights @ same, (weights * strengths) @ same
        parts.append(np.where(found > 0, total / np.maximum(found, 1), np.nan))
    return np.concatenate(parts)


def _members(clusters: Array, n: int) -> Any:
    from scipy.sparse import csr_matrix

    known = np.flatnonzero(clusters != UNKNOWN)
    names, rows = np.unique(clusters[known], return_inverse=True)
    return csr_matrix((np.ones(len(known)), (rows, known)), shape=(len(names), n))
