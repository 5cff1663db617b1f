"""How well clusters of words agree with norms, and estimates with ratings.

The metrics of Berger et al. (NAACL 2022, "A Computational Acquisition Model for
Multimodal Word Categorization"), as their code computes them. Those of categories are
functions of the table that counts the words of each cluster (row) and category
(column), take stacks of tables and lie in [0, 1].

Two variants. *Ignore unknown*: of the categories restricted to a word list, words
without a cluster skipped. *Include unknown*: of the whole categories, all words
without a cluster in one more cluster that they share.

Concreteness: mean absolute error, Pearson's r and Spearman's rho over words that
occur more often than m times. Association: mean association strength (MAS) over the
pairs of words in one cluster that the norms have; most pairs are not in them.

Shapes: … any leading axes; k clusters; g categories; n words; s seeds; p pairs of the
norms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.clusters import UNKNOWN
from mmclust.scoring.clustering import nmi, resampled_tables
from mmclust.scoring.intervals import Sampled, draws

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

Array = np.ndarray[Any, Any]

CATEGORIZATION = "categorization-1"
CONCRETENESS = "concreteness-1"
ASSOCIATION = "association-1"
"""See :data:`mmclust.scoring.record.DEFINITIONS`."""
METRICS = ("v_measure_score", "purity", "collocation", "pu_co_f1", "fscore")
VARIANTS = ("ignore_unknown", "include_unknown")
THRESHOLDS = (0, 1, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
"""The published m: words count whose occurrences are strictly more."""
FEWEST = 10
"""Words below which a correlation has no interval."""
FEW = "fewer than two words"
FLAT = "all estimates, or all ratings, are equal"
TEXT_THRESHOLD = 0.03
"""The published probability from which a word belongs to its best cluster."""
NO_PAIR = "no pair of words in the same cluster is in the norms"
NO_TWO = "no cluster has two words"


def collocation(tables: Array) -> Array:
    """Mean over words of the largest share of one cluster in their category.

    ``tables`` are (…, k, g) counts, of at least one word each; the score is (…).
    """
    return np.asarray(tables.max(-2, initial=0).sum(-1) / tables.sum((-2, -1)))


def fscore(tables: Array) -> Array:
    """F-score of SemEval 2007 task 2 (Agirre & Soroa 2007).

    Σ_g (n_g / n) max_k 2 n_gk / (n_g + n_k), of tables as in :func:`collocation`.
    """
    categories, clusters = tables.sum(-2), tables.sum(-1)
    sizes = categories[..., None, :] + clusters[..., :, None]
    best = (2 * tables / np.maximum(sizes, 1)).max(-2, initial=0)
    return np.asarray((categories * best).sum(-1) / categories.sum(-1))


def scores(tables: Array) -> dict[str, Array]:
    """Compute all of :data:`METRICS` of (…, k, g) tables; NaN for one without words."""
    n = tables.sum((-2, -1))
    some = np.where((n > 0)[..., None, None], tables, 1)
    pure = some.max(-1, initial=0).sum(-1) / some.sum((-2, -1))
    together = collocation(some)
    values = {
        "v_measure_score": nmi(some),
        "purity": pure,
        "collocation": together,
        "pu_co_f1": 2 * pure * together / (pure + together),
        "fscore": fscore(some),
    }
    return {name: np.where(n > 0, value, np.nan) for name, value in values.items()}


def categorization(
    gold: Array,
    clusters: Array,
    listed: Array | None = None,
    *,
    n_resamples: int,
    rng: np.random.Generator,
    words: Hashable = None,
) -> dict[str, Any]:
    """Score the clusters of words, both variants, sampled over words: figures.

    Parameters
    ----------
    gold
        int (n,): each word's category, 0 … g-1, of the whole categories.
    clusters
        int (s, n): each run's cluster of each word; :data:`UNKNOWN` for none.
    listed
        bool (n,): the words of the word list that *ignore unknown* is restricted to;
        None: all.
    words
        Which words these are.
    """
    listed = np.ones(len(gold), bool) if listed is None else listed
    known = clusters != UNKNOWN
    record: dict[str, Any] = {
        "n_words": len(gold),
        "n_listed": int(listed.sum()),
        "n_known": float((known & listed).sum(-1).mean()),
        "n_unknown": float((~known).sum(-1).mean()),
        "n_categories": len(np.unique(gold)),
        "n_categories_listed": len(np.unique(gold[listed])),
        "n_clusters": max((len(np.unique(c[c != UNKNOWN])) for c in clusters),
                          default=0),
        "n_seeds": len(clusters),
    }  # fmt: skip
    parts = {
        "ignore_unknown": (gold[listed], clusters[:, listed], listed.tobytes()),
        "include_unknown": (gold, _with_unknown(clusters), b""),
    }
    for variant, (categories, assigned, which) in parts.items():
        why = (
            "no word of the categories has a cluster"
            if variant == "ignore_unknown"
            else "there is no word"
        )
        runs, resampled = _resampled_tables(categories, assigned, n_resamples, rng)
        n, of = len(categories), (words, which)
        record |= {
            f"{variant}_{name}": Sampled(
                values, resampled[name], n, of, (0.0, 1.0), why
            )
            for name, values in runs.items()
        }
    return record


def encode(
    categories: Mapping[str, str], runs: list[dict[str, str]]
) -> tuple[list[str], Array, Array]:
    """Return the words, sorted, their categories (n,) and each run's clusters (s, n).

    A word that a run has not, or whose cluster is ``-1``, is unknown.
    """
    words = sorted(categories)
    _, gold = np.unique([categories[w] for w in words], return_inverse=True)
    clusters = np.full((len(runs), len(words)), UNKNOWN)
    for row, run in zip(clusters, runs, strict=True):
        names = [run.get(w, str(UNKNOWN)) for w in words]
        known = np.array([name != str(UNKNOWN) for name in names], bool)
        held = [name for name in names if name != str(UNKNOWN)]
        row[known] = np.unique(held, return_inverse=True)[1] if held else []
    return words, gold.astype(np.int64), clusters


def _with_unknown(clusters: Array) -> Array:
    """Put the unknown words of each run into one cluster that no other word has."""
    return np.where(clusters == UNKNOWN, clusters.max(initial=0) + 1, clusters)


def _resampled_tables(
    gold: Array, clusters: Array, n_resamples: int, rng: np.random.Generator
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Score each run (s,), and resamples of the words (n_resamples, s)."""
    shape = (int(clusters.max(initial=0)) + 2, int(gold.max(initial=0)) + 1)
    # Unknown words are row 0, cut off before scoring.
    cells = (clusters + 1) * shape[1] + gold
    tables = [np.bincount(row, minlength=shape[0] * shape[1]) for row in cells]
    runs = scores(np.stack(tables).reshape(-1, *shape)[:, 1:])
    drawn = resampled_tables(cells, shape, n_resamples if len(gold) else 0, rng)
    parts = [scores(each[..., 1:, :]) for each in drawn]
    none = np.zeros((0, len(cells)))
    return runs, {
        name: np.concatenate([none, *(part[name] for part in parts)])
        for name in METRICS
    }


def cluster_counts(
    clusters: Array, confidence: Array | None, threshold: float = TEXT_THRESHOLD
) -> dict[str, float]:
    """Count the clusters that are some word's best, and the words that have one.

    A word is active from a probability of its cluster on: confidence, float64 (s, v).
    Of a model without, all known words are. Counts are means over runs.
    """
    active = clusters != UNKNOWN
    if confidence is not None:
        active &= confidence >= threshold
    used = [len(np.unique(row[on])) for row, on in zip(clusters, active, strict=True)]
    return {
        "active_cluster_num": float(np.mean(used)),
        "active_token_count": float(active.sum(-1).mean()),
    }


def pearson(x: Array, y: Array) -> float:
    """Return Pearson's r; NaN for fewer than two values or without variance."""
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:  # noqa: PLR2004
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    # Each scaled by itself: a product of two tiny sums of squares may underflow.
    r = (x / np.linalg.norm(x)) @ (y / np.linalg.norm(y))
    return float(np.clip(r, -1, 1))


def spearman(x: Array, y: Array) -> float:
    """Return Spearman's rho, ties at their mean rank; NaN as :func:`pearson`."""
    from scipy.stats import rankdata

    return pearson(rankdata(x), rankdata(y))


def concreteness(
    ratings: Array,
    estimates: Array,
    counts: Array,
    *,
    n_resamples: int,
    rng: np.random.Generator,
    words: Hashable = None,
) -> dict[str, Any]:
    """Score estimates of concreteness, sampled over words: figures.

    A correlation is null with a reason for fewer than two words, or without variance.

    Parameters
    ----------
    ratings
        float64 (n,): people's.
    estimates
        float64 (s, n): of each run; 0 for unknown words.
    counts
        int (n,): occurrences in the training captions.
    words
        Which words these are.
    """
    kept = {m: counts > m for m in THRESHOLDS}
    gaps = np.abs(ratings - estimates)
    resampled = _resampled_estimates(ratings, estimates, kept, n_resamples, rng)
    record: dict[str, Any] = {"n_words": len(ratings), "n_seeds": len(estimates)}
    name = "concreteness_prediction_mae"
    record[name] = Sampled(
        gaps.mean(-1) if len(ratings) else np.full(len(estimates), np.nan),
        resampled[name], len(ratings), words, why="no word has a rating",
    )  # fmt: skip
    for m, mask in kept.items():
        n = int(mask.sum())
        rated, estimated = ratings[mask], estimates[:, mask]
        of = words, mask.tobytes()
        why = FEW if n < 2 else FLAT  # noqa: PLR2004
        name = f"prediction_correlation_over_{m}"
        r = np.array([pearson(rated, row) for row in estimated])
        record[name] = Sampled(r, resampled[name], n, of, (-1.0, 1.0), why)
        record[f"{name}_n"] = n
        rho = np.array([spearman(rated, row) if n else np.nan for row in estimated])
        record[f"spearman_over_{m}"] = Sampled(rho, None, n, of, why=why)
    return record


def _resampled_estimates(
    ratings: Array,
    estimates: Array,
    kept: dict[int, Array],
    n_resamples: int,
    rng: np.random.Generator,
) -> dict[str, Array]:
    """Score resampled words by weighted sums: (n_resamples, s); none for few words."""
    y = ratings - ratings.mean() if len(ratings) else ratings
    parts: dict[str, list[Array]] = {"concreteness_prediction_mae": []}
    parts |= {f"prediction_correlation_over_{m}": [] for m in kept}
    kept = {m: mask for m, mask in kept.items() if mask.sum() >= FEWEST}
    gaps = np.abs(ratings - estimates)
    for weights in draws(len(ratings), n_resamples, rng):
        total = weights.sum(-1)
        parts["concreteness_prediction_mae"].append(weights @ gaps.T / total[:, None])
        for m, mask in kept.items():
            r = [
                _weighted(weights[:, mask], row[mask], y[mask])
                for row in estimates - estimates.mean(-1, keepdims=True)
            ]
            parts[f"prediction_correlation_over_{m}"].append(np.stack(r, axis=1))
    none = np.zeros((0, len(estimates)))
    return {name: np.concatenate([none, *values]) for name, values in parts.items()}


def _weighted(weights: Array, x: Array, y: Array) -> Array:
    """Pearson's r under each row of weights; NaN without variance."""
    n = weights.sum(-1)
    moments = weights @ np.stack([x, y, x * x, y * y, x * y], axis=1)
    sx, sy, sxx, syy, sxy = np.moveaxis(moments, -1, 0)
    vx, vy = n * sxx - sx * sx, n * syy - sy * sy
    flat = (vx <= 1e-9 * n * sxx) | (vy <= 1e-9 * n * syy)
    r = (n * sxy - sx * sy) / np.sqrt(np.where(flat, 1, vx) * np.where(flat, 1, vy))
    return np.where(flat, np.nan, np.clip(r, -1, 1))


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

    Counts are means over runs; scores are null with a reason where no pair is found.

    Parameters
    ----------
    clusters
        int (s, n): each run's cluster of each word; :data:`UNKNOWN` for none.
    pairs
        int (p, 2): distinct unordered pairs of word numbers that the norms have, no
        word with itself.
    strengths
        float64 (p,): of each pair.
    of
        Which words these are.
    """
    sames = [_same(row, pairs) for row in clusters]
    sizes = [np.unique(c[c != UNKNOWN], return_counts=True)[1] for c in clusters]
    found = np.array([same.sum() for same in sames], float)
    possible = np.array([(size * (size - 1) // 2).sum() for size in sizes], float)
    total = np.array([strengths[same].sum() for same in sames], float)
    nothing = np.full(len(clusters), np.nan)
    mas = np.divide(total, found, out=nothing.copy(), where=found > 0)
    coverage = np.divide(found, possible, out=nothing.copy(), where=possible > 0)
    resampled = _resampled(clusters, pairs, strengths, n_resamples, rng)
    n = clusters.shape[1]
    return {
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
        "n_words": n,
        "n_unknown": _whole((clusters == UNKNOWN).sum(-1)),
        "n_single_word_clusters": _whole([(size == 1).sum() for size in sizes]),
        "n_seeds": len(clusters),
    }  # fmt: skip


def _whole(values: Array | list[int]) -> float | int:
    """Return the mean over runs, as an integer where it is one."""
    mean = float(np.mean(values))
    return int(mean) if mean.is_integer() else mean


def _same(clusters: Array, pairs: Array) -> Array:
    a, b = clusters[pairs[:, 0]], clusters[pairs[:, 1]]
    return np.asarray((a == b) & (a != UNKNOWN))


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
