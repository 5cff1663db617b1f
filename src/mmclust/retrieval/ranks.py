"""Both directions, with and without the added images, from embeddings or scores.

Captions and images are scored against each other block by block. Where a benchmark
has folds, each fold's images are also ranked against its own captions alone: "COCO 1K"
of Karpathy and Li (CVPR 2015) and of what followed is the mean over five folds of 1,000
test images; a fold's queries see no image and no caption of another.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.seeds import generator
from mmclust.kernels.ranks import rank_embeddings, rank_scores
from mmclust.retrieval.metrics import (
    CUTOFFS,
    direction,
    hits,
    random_expectation,
    retrieval_figures,
)
from mmclust.retrieval.task import MAIN, shared_texts

if TYPE_CHECKING:
    from mmclust.kernels.ranks import Ranks
    from mmclust.retrieval.metrics import Direction
    from mmclust.retrieval.task import Captions, Task

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Scorer:
    """How candidates are ranked: by embeddings, or by scores that are at hand.

    Parameters
    ----------
    images
        float (pool, d), pool order; ``None`` with ``scores``.
    texts
        float (m, d), in the captions' order; ``None`` with ``scores``.
    scores
        (m, pool): a score for each caption and image, in the order of a file.
    rows, columns
        Where in ``scores`` each caption and each image is; ``None``: as they are.
    device
        Where embeddings are multiplied.
    top_k
        How many of the best to list.
    """

    images: Array | None
    texts: Array | None
    scores: Array | None = None
    rows: Array | None = None
    columns: Array | None = None
    device: str = "cpu"
    top_k: int = 10

    def part(self, texts: Array, images: Array) -> Scorer:
        """Return a scorer of some captions and some images alone."""
        if self.scores is None:
            assert self.images is not None
            assert self.texts is not None
            return replace(self, images=self.images[images], texts=self.texts[texts])
        return replace(
            self,
            rows=texts if self.rows is None else self.rows[texts],
            columns=images if self.columns is None else self.columns[images],
        )

    def _score(self, texts: Any, images: Any) -> Array:
        """Read scores of some captions (rows) and some images (columns)."""
        assert self.scores is not None
        rows = np.arange(len(self.scores)) if self.rows is None else self.rows
        columns = self.columns
        if columns is None:
            columns = np.arange(self.scores.shape[1])
        return np.asarray(self.scores[rows[texts][:, None], columns[images]])

    @property
    def _kind(self) -> np.dtype[Any]:
        """The precision in which scores at hand are compared."""
        assert self.scores is not None
        return np.result_type(self.scores, np.float32)

    def captions_for(self, n_images: int, positives: Array) -> Ranks:
        """Rank all captions for the first ``n_images`` images."""
        if self.scores is None:
            assert self.images is not None
            assert self.texts is not None
            return rank_embeddings(
                self.images[:n_images],
                self.texts,
                positives,
                top_k=self.top_k,
                device=self.device,
                label="Image to text",
            )
        return rank_scores(
            lambda a, b: np.ascontiguousarray(
                self._score(slice(None), slice(a, b)).T, dtype=self._kind
            ),
            n_images,
            len(self.scores if self.rows is None else self.rows),
            positives,
            top_k=self.top_k,
            label="Image to text",
            kind=self._kind,
        )

    def images_for(
        self, rows: Array, positives: Array, sections: tuple[int, ...]
    ) -> Ranks:
        """Rank the pool for the captions ``rows``."""
        if self.scores is None:
            assert self.images is not None
            assert self.texts is not None
            texts = self.texts if len(rows) == len(self.texts) else self.texts[rows]
            return rank_embeddings(
                texts,
                self.images,
                positives,
                sections=sections,
                top_k=self.top_k,
                device=self.device,
                label="Text to image",
            )
        columns = self.columns
        return rank_scores(
            lambda a, b: np.asarray(
                self._score(rows[a:b], slice(None)), dtype=self._kind
            ),
            len(rows),
            self.scores.shape[1] if columns is None else len(columns),
            positives,
            sections=sections,
            top_k=self.top_k,
            label="Text to image",
            kind=self._kind,
        )


@dataclass(frozen=True)
class Result:
    """What one set of captions gives.

    Parameters
    ----------
    figures
        Of each setting; see :mod:`mmclust.scoring.intervals`.
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


SETTING = "fold_1k"


def evaluate_folds(
    task: Task, kind: str, scorer: Scorer, *, n_resamples: int, seed: int
) -> dict[str, dict[str, Any]]:
    """Score each fold by itself; return the mean over the folds.

    Parameters
    ----------
    task
        The benchmark.
    kind
        The captions; folds are of those of the manifest.
    scorer
        Embeddings or scores of the whole benchmark.
    n_resamples, seed
        Of the bootstrap over the query images of each fold.

    Returns
    -------
    dict
        ``fold_1k``: its figures; empty where the benchmark has no folds. ``n_pool``
        is how many images a fold has, ``n_images`` how many all have together.
    """
    if kind != MAIN or not np.any(task.folds >= 0):
        return {}
    captions = task.captions[kind]
    folds = [np.flatnonzero(task.folds == f) for f in np.unique(task.folds) if f >= 0]
    ranked = [_rank(captions, scorer, images) for images in folds]
    record = retrieval_figures(
        ranked,
        n_resamples=n_resamples,
        rng=generator(seed, "retrieve", "bootstrap"),
        of=(kind, tuple(task.pool)),
    )
    chances = [
        random_expectation(len(i2t.best), len(t2i.best), len(i2t.best))
        for i2t, t2i in ranked
    ]
    record |= {
        key: round(float(np.mean([chance[key] for chance in chances])), 8)
        for key in chances[0]
    }
    sizes = sorted({len(images) for images in folds})
    pool = sizes[0] if len(sizes) == 1 else float(np.mean([len(i) for i in folds]))
    return {SETTING: {"n_folds": len(folds), "n_pool": pool, **record}}


def _rank(
    captions: Captions, scorer: Scorer, images: Array
) -> tuple[Direction, Direction]:
    """Rank a fold's captions for its images, and its images for its captions."""
    rows = np.flatnonzero(np.isin(captions.image, images))
    image = np.searchsorted(images, captions.image[rows])
    of_image = captions.of_image[images]
    own = np.where(of_image >= 0, np.searchsorted(rows, of_image), -1)
    part = replace(scorer.part(rows, images), top_k=0)
    i2t = part.captions_for(len(images), own)
    t2i = part.images_for(np.arange(len(rows)), image[:, None], (len(images),))
    return (
        direction(i2t.greater[0], i2t.equal[0], i2t.scores, np.arange(len(images))),
        direction(t2i.greater[0], t2i.equal[0], t2i.scores, image),
    )
