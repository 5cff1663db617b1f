"""Both directions, with and without the added images, from embeddings or scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.seeds import generator
from mmclust.retrieval._folds import evaluate_folds
from mmclust.retrieval._task import MAIN, shared_texts
from mmclust.scoring.retrieval import (
    CUTOFFS,
    direction,
    hits,
    random_expectation,
    retrieval_figures,
)

if TYPE_CHECKING:
    from mmclust.kernels.ranks import Ranks
    from mmclust.retrieval._scorer import Scorer
    from mmclust.retrieval._task import Captions, Task
    from mmclust.scoring.retrieval import Direction

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Result:
    """What one set of captions gives.

    Parameters
    ----------
    figures
        Of each setting; see :mod:`mmclust.scoring.sampled`.
    i2t, t2i
        Ranks over the whole pool, for lists and plots.
    i2t_ranks, t2i_ranks
        With the best candidates of each query.
    shared
        For each caption that several images share: its images, and how many of its
        queries succeed at 1 as scored and with any of the images taken as right.
    """

    figures: dict[str, dict[str, Any]]
    i2t: Direction
    t2i: Direction
    i2t_ranks: Ranks
    t2i_ranks: Ranks
    shared: list[dict[str, Any]]


def evaluate(
    task: Task, kind: str, scorer: Scorer, *, n_resamples: int, seed: int
) -> Result:
    """Score one set of captions in both directions.

    Parameters
    ----------
    task
        The benchmark.
    kind
        ``main`` or ``original``.
    scorer
        Embeddings or scores; images in the pool's order, texts in the captions'.
    n_resamples, seed
        Of the bootstrap over query images.

    Returns
    -------
    Result
        The settings are ``main`` (or ``old_captions``) and, where the pool has
        added images, ``old_pool`` (or ``old_captions_old_pool``) without them;
        ``fold_1k`` where it names folds.
    """
    captions = task.captions[kind]
    n, pool = task.n_queries, len(task.pool)
    found = scorer.captions_for(n, captions.of_image)
    i2t = direction(found.greater[0], found.equal[0], found.scores, np.arange(n))
    sections = (n,) if n == pool else (n, pool)
    every = np.arange(len(captions.texts))
    ranked = scorer.images_for(every, captions.image[:, None], sections)
    names = ["main" if kind == MAIN else "old_captions"]
    if n < pool:
        names.insert(0, "old_pool" if kind == MAIN else "old_captions_old_pool")
    figures = {}
    of = kind, tuple(task.pool)
    for section, (name, size) in enumerate(zip(names, sections, strict=True)):
        counts = ranked.greater[section], ranked.equal[section]
        t2i = direction(*counts, ranked.scores, captions.image)
        rng = generator(seed, "retrieve", "bootstrap")
        figures[name] = {
            "n_pool": size,
            **retrieval_figures([(i2t, t2i)], n_resamples=n_resamples, rng=rng, of=of),
            **random_expectation(n, len(captions.texts), size),
        }
    shared, cost = _shared(captions, scorer, t2i, pool)
    figures[names[-1]] |= cost
    figures |= evaluate_folds(task, kind, scorer, n_resamples=n_resamples, seed=seed)
    return Result(figures, i2t, t2i, found, ranked, shared)


def _shared(
    captions: Captions, scorer: Scorer, t2i: Direction, pool: int
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Find captions that several images share, and what they cost text-to-image."""
    groups = shared_texts(captions)
    rows = [i for i, text in enumerate(captions.texts) if text in groups]
    record: dict[str, Any] = {
        "shared_captions": len(groups),
        "shared_caption_queries": len(rows),
    }
    if not rows:
        return [], record
    widest = max(map(len, groups.values()))
    right = np.full((len(rows), widest), -1, dtype=np.int64)
    for line, row in enumerate(rows):
        images = groups[captions.texts[row]]
        right[line, : len(images)] = images
    at = np.array(rows)
    ranks = scorer.images_for(at, right, (pool,))
    forgiven = direction(
        ranks.greater[0], ranks.equal[0], ranks.scores, captions.image[at]
    )
    for k in CUTOFFS:
        gained = np.count_nonzero(hits(forgiven, k)) - np.count_nonzero(
            hits(t2i, k)[at]
        )
        share = gained / len(captions.texts)
        record[f"shared_caption_cost_t2i_r{k}"] = round(float(share), 6)
    strict, lenient = hits(t2i, 1)[at], hits(forgiven, 1)
    listed = [
        {
            "caption": text,
            "images": images,
            "queries": int(
                (mine := np.array([captions.texts[r] == text for r in rows])).sum()
            ),
            "found_at_1": int(strict[mine].sum()),
            "found_at_1_any_image": int(lenient[mine].sum()),
        }
        for text, images in groups.items()
    ]
    return listed, record
