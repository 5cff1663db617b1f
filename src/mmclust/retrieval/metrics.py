"""Image-text retrieval: recall, ranks and their intervals, from ranks alone.

Image-to-text (i2t): each query image ranks all captions; it succeeds at K if one of
its own captions is among the first K. Text-to-image (t2i): each caption ranks the
whole pool; images without captions are never queries and always wrong (Chen et al.,
Rethinking Benchmarks for Cross-modal Image-text Retrieval, SIGIR 2023).

A rank is 1 + the number of wrong candidates that score strictly more (optimistic);
``_pessimistic`` counts wrong candidates of equal score as better, ``_tied_mean`` half
of them. No figure depends on the order in which a sort leaves ties.

Shapes: n query images; m captions; p captions of an image at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.scoring.intervals import Sampled

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from mmclust.retrieval.ranks import Ranks

Array = np.ndarray[Any, Any]

CUTOFFS = (1, 5, 10)
DEFINITION = "retrieval-1"
"""See :data:`mmclust.scoring.record.DEFINITIONS`."""
_CELLS = 4_000_000


@dataclass(frozen=True)
class Direction:
    """One direction's ranks, of each query's right candidates.

    Parameters
    ----------
    best, tied
        int64 (q,): wrong candidates that score more than the best right one, and
        that score the same.
    places
        int64 (q, p): the place of each right candidate, 1 for the first, right ones
        of equal score one after the other; 0 fills up.
    image
        int64 (q,): which query image each query belongs to.
    """

    best: Array
    tied: Array
    places: Array
    image: Array


def direction(greater: Array, equal: Array, scores: Array, image: Array) -> Direction:
    """Turn counts over all candidates into ranks among the wrong ones.

    Parameters
    ----------
    greater, equal
        int64 (q, p): candidates that score more than each right one, and others
        that score the same.
    scores
        float32 (q, p): of the right ones; NaN fills up.
    image
        int64 (q,): the query image.
    """
    have = ~np.isnan(scores)
    order = np.argsort(np.where(have, -scores, np.inf), axis=1, kind="stable")
    score, more, same, have = (
        np.take_along_axis(each, order, axis=1)
        for each in (scores, greater, equal, have)
    )
    above = score[:, None, :] > score[:, :, None]  # right ones that outscore each
    beside = score[:, None, :] == score[:, :, None]
    wrong = more - above.sum(axis=2)
    tied = same - np.maximum(beside.sum(axis=2) - 1, 0)
    place = np.where(have, 1 + wrong + np.arange(scores.shape[1]), 0)
    return Direction(wrong[:, 0], tied[:, 0], place, image)


def of_ranks(ranks: Ranks, image: Array, section: int = 0) -> Direction:
    """Return the ranks over one section of the candidates; see :func:`direction`."""
    return direction(ranks.greater[section], ranks.equal[section], ranks.scores, image)


def retrieval_figures(
    folds: Sequence[tuple[Direction, Direction]],
    *,
    n_resamples: int,
    rng: np.random.Generator,
    of: Hashable = None,
) -> dict[str, Any]:
    """Return the figures of one setting; of several folds, their mean.

    Recalls are in [0, 1], ``rsum`` from 0 to 600; counts are sums over folds.

    Parameters
    ----------
    folds
        Both directions of each fold, image-to-text first; mostly there is one.
    n_resamples, rng
        Of the bootstrap over query images, those of each fold by themselves; an image
        takes its captions with it.
    of
        What was asked of what: figures of the same are paired.
    """
    each = [_figures(i2t, t2i) for i2t, t2i in folds]
    counts = {key for key, value in each[0].items() if isinstance(value, int)}
    figures: dict[str, Any] = {
        key: sum(values) if key in counts else float(np.mean(values))
        for key in each[0]
        for values in [[one[key] for one in each]]
    }
    drawn = np.mean([_drawn(*fold, n_resamples, rng) for fold in folds], axis=0)
    values = np.column_stack([drawn, 100 * drawn.sum(axis=1)])
    names = [*(f"{name}_r{k}" for name in ("i2t", "t2i") for k in CUTOFFS), "rsum"]
    for name, column in zip(names, values.T, strict=True):
        figures[name] = Sampled(
            np.array([np.mean([one[name] for one in each])]),
            column[:, None],
            figures["n_images"],
            of,
            (0.0, 600.0 if name == "rsum" else 1.0),
        )
    return figures


def _figures(i2t: Direction, t2i: Direction) -> dict[str, Any]:
    """Return all figures but the intervals."""
    record: dict[str, Any] = {"n_images": len(i2t.best), "n_captions": len(t2i.best)}
    for name, each in (("i2t", i2t), ("t2i", t2i)):
        rank = 1 + each.best
        record |= {
            f"{name}_median_rank": float(np.median(rank)),
            f"{name}_mean_rank": float(rank.mean()),
            f"{name}_mrr": float((1 / rank).mean()),
            f"{name}_ndcg": float(ndcg(each.places).mean()),
            f"{name}_tied_queries": int(np.count_nonzero(each.tied)),
        }
    for suffix, share in (("", 0.0), ("_tied_mean", 0.5), ("_pessimistic", 1.0)):
        values = {
            f"{name}_r{k}": float(hits(each, k, share).mean())
            for name, each in (("i2t", i2t), ("t2i", t2i))
            for k in CUTOFFS
        }
        values["rsum"] = 100 * sum(values.values())
        record |= {f"{key}{suffix}": value for key, value in values.items()}
    return record


def hits(ranks: Direction, k: int, share: float = 0.0) -> Array:
    """Return which queries succeed at ``k``: bool (q,).

    ``share`` of the wrong candidates of equal score count as better.
    """
    return np.asarray(1 + ranks.best + share * ranks.tied <= k)


def ndcg(places: Array) -> Array:
    """Return each query's normalised discounted cumulative gain: float64 (q,).

    Right candidates have gain 1 and discount log2(1 + place) (Järvelin and
    Kekäläinen 2002), over the whole ranking; ``places`` is int64 (q, p), 0 fills up.
    """
    have = places > 0
    gained = np.where(have, 1 / np.log2(1 + np.maximum(places, 1)), 0).sum(axis=1)
    ideal = np.cumsum(1 / np.log2(2 + np.arange(places.shape[1])))
    return np.asarray(gained / ideal[have.sum(axis=1) - 1])


def _drawn(
    i2t: Direction, t2i: Direction, n_resamples: int, rng: np.random.Generator
) -> Array:
    """Return six recalls of each resample of images with captions: float64 (n, 6)."""
    n = len(i2t.best)
    columns, sizes = [], []
    for each in (i2t, t2i):
        size = np.bincount(each.image, minlength=n)
        for k in CUTOFFS:
            columns.append(np.bincount(each.image, hits(each, k), minlength=n))
            sizes.append(size)
    found, of = np.stack(columns, axis=1), np.stack(sizes, axis=1)
    drawn = []
    for start in range(0, n_resamples, chunk := max(1, _CELLS // n)):
        times = rng.multinomial(n, np.full(n, 1 / n), min(chunk, n_resamples - start))
        drawn.append((times @ found) / (times @ of))
    return np.concatenate(drawn)


def random_expectation(n_images: int, n_captions: int, n_pool: int) -> dict[str, float]:
    """Return what random scores give on average, where images have equally many.

    Exact: for i2t the chance that none of the p own captions is among the first K of m
    is C(m-p, K)/C(m, K).
    """
    own = n_captions // n_images
    chance = {}
    for k in CUTOFFS:
        place = np.arange(min(k, n_captions - own + 1))
        none = np.prod((n_captions - own - place) / (n_captions - place))
        miss = float(none) if k <= n_captions - own else 0.0
        chance[f"chance_i2t_r{k}"] = round(1 - miss, 8)
        chance[f"chance_t2i_r{k}"] = round(min(1.0, k / n_pool), 8)
    return chance
