"""Both directions, with and without the added images, from embeddings or scores.

A task says what is asked of whom: query images, the pool, captions. Captions and images
are scored against each other block by block. Where a benchmark has folds, each fold's
images are also ranked against its own captions alone: "COCO 1K" of Karpathy and Li
(CVPR 2015) and of what followed is the mean over five folds of 1,000 test images; a
fold's queries see no image and no caption of another.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError, some
from mmclust.core.io import read_table
from mmclust.core.manifest import read_manifest
from mmclust.core.seeds import generator
from mmclust.retrieval.metrics import (
    CUTOFFS,
    hits,
    of_ranks,
    random_expectation,
    retrieval_figures,
)
from mmclust.retrieval.ranks import rank_embeddings, rank_scores

if TYPE_CHECKING:
    from collections.abc import Container, Sequence
    from pathlib import Path

    from mmclust.core.manifest import Manifest
    from mmclust.retrieval.metrics import Direction
    from mmclust.retrieval.ranks import Ranks

Array = np.ndarray[Any, Any]

MAIN = "main"
"""The captions of the manifest itself."""
FOLD = "fold_1k"
"""The setting of folds."""


@dataclass(frozen=True)
class Captions:
    """One set of captions: by image, then in the publisher's order.

    ``image`` is int64 (m,): the position of each one's image among the queries.
    """

    texts: list[str]
    image: Array

    @property
    def of_image(self) -> Array:
        """Positions of each query image's captions: int64 (n, p), -1 fills up."""
        sizes = np.bincount(self.image)
        rows = np.full((len(sizes), sizes.max()), -1, dtype=np.int64)
        column = np.arange(len(self.image)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        rows[self.image, column] = np.arange(len(self.image))
        return rows


@dataclass(frozen=True)
class Task:
    """A retrieval benchmark.

    Parameters
    ----------
    manifest
        The digest of what it was made from.
    pool
        Image ids: the query images first, sorted, then those without captions.
    captions
        ``main``, and ``original`` where the benchmark has other ones.
    rows
        int64: the pool's rows in the manifest.
    folds
        int64 (n_queries,): the fold of each query image; -1 where it is in none.
    n_skipped
        Images of the benchmark that are left out: they have no embedding.
    """

    benchmark: str
    manifest: str
    pool: list[str]
    n_queries: int
    captions: dict[str, Captions]
    rows: Array
    folds: Array
    n_skipped: int = 0


def read_task(folder: Path, skipped: Container[str] = ()) -> Task:
    """Read a built benchmark as a retrieval task."""
    manifest = read_manifest(folder / "manifest.parquet")
    ids, texts = manifest.image_ids, manifest.captions
    rows = [row for row in manifest.evaluate_rows if ids[row] not in skipped]
    queries = [int(row) for row in rows if texts[row]]
    others = [int(row) for row in rows if not texts[row]]
    if not queries:
        raise MmclustError(
            f"{manifest.benchmark} has no captions to retrieve with",
            where=folder,
            expected="images with captions among those it evaluates",
            found=f"{len(others)} images without",
            do="name a benchmark of captioned images",
        )
    captions = {MAIN: _joined([texts[row] for row in queries])}
    for path in sorted(folder.glob("captions_*.parquet")):
        if not read_table(path)[0].num_rows:  # the benchmark has no others
            continue
        kind = path.stem.removeprefix("captions_")
        captions[kind] = _others(path, [ids[row] for row in queries], manifest)
    order = np.array(queries + others, dtype=np.int64)
    pool = [ids[row] for row in order]
    folds = _folds(folder / "folds.parquet", pool[: len(queries)], set(ids))
    n_skipped = len(manifest.evaluate_rows) - len(rows)
    return Task(
        manifest.benchmark, manifest.digest, pool, len(queries), captions, order, folds,
        n_skipped,
    )  # fmt: skip


def _folds(path: Path, queries: Sequence[str], known: set[str]) -> Array:
    """Return the fold of each query image; -1: none."""
    table = read_table(path)[0] if path.exists() else None
    if table is None or not table.num_rows:  # the benchmark has none
        return np.full(len(queries), -1, dtype=np.int64)
    ids = table["image_id"].to_pylist()
    if strange := sorted(set(ids) - known):
        raise MmclustError(
            "Folds name images that the benchmark does not have",
            where=path,
            expected="ids of its manifest",
            found=f"{len(strange)} others: {some(strange)}",
            do="build it again",
        )
    fold_of = dict(zip(ids, table["fold"].to_pylist(), strict=True))
    return np.array([fold_of.get(i, -1) for i in queries], dtype=np.int64)


def _joined(texts: Sequence[Sequence[str]]) -> Captions:
    owner = np.repeat(np.arange(len(texts)), [len(each) for each in texts])
    return Captions([text for each in texts for text in each], owner)


def _others(path: Path, queries: Sequence[str], manifest: Manifest) -> Captions:
    table, _ = read_table(path)
    known = dict(
        zip(table["image_id"].to_pylist(), table["captions"].to_pylist(), strict=True)
    )
    bare = [i for i in queries if not known.get(i)]
    if bare:
        raise MmclustError(
            "Query images lack a caption",
            where=path,
            expected=f"captions of all {len(queries)} query images",
            found=f"none for {len(bare)}: {some(bare)}",
            do=f"build it again: mmclust build {manifest.benchmark}",
        )
    return _joined([known[i] for i in queries])


@dataclass(frozen=True)
class Scorer:
    """Ranks candidates by embeddings of the pool and of the captions, in their orders.

    ``top_k`` of the best are listed; embeddings are multiplied on ``device``.
    """

    images: Array
    texts: Array
    device: str = "cpu"
    top_k: int = 10

    def part(self, texts: Array, images: Array) -> Scorer:
        """Return a scorer of some captions and some images alone, without lists."""
        return replace(
            self, images=self.images[images], texts=self.texts[texts], top_k=0
        )

    def captions_for(self, n_images: int, positives: Array) -> Ranks:
        """Rank all captions for the first ``n_images`` images."""
        return rank_embeddings(
            self.images[:n_images], self.texts, positives, top_k=self.top_k,
            device=self.device, label="Image to text",
        )  # fmt: skip

    def images_for(
        self, rows: Array, positives: Array, sections: tuple[int, ...]
    ) -> Ranks:
        """Rank the pool for the captions ``rows``."""
        texts = self.texts if len(rows) == len(self.texts) else self.texts[rows]
        return rank_embeddings(
            texts, self.images, positives, sections=sections, top_k=self.top_k,
            device=self.device, label="Text to image",
        )  # fmt: skip


@dataclass(frozen=True)
class MatrixScorer:
    """Ranks candidates by scores that are at hand, as :class:`Scorer` does.

    ``rows`` and ``columns`` say where in ``scores`` each caption and each image is.
    """

    scores: Array
    rows: Array
    columns: Array

    def part(self, texts: Array, images: Array) -> MatrixScorer:
        """Return a scorer of some captions and some images alone."""
        return MatrixScorer(self.scores, self.rows[texts], self.columns[images])

    def _ranks(
        self, rows: Array, columns: Array, positives: Array, label: str, **more: Any
    ) -> Ranks:
        """Rank columns for each row, in the precision of the scores."""
        turned, scores = label == "Image to text", self.scores
        kind = np.result_type(scores, np.float32)

        def block(a: int, b: int) -> Array:
            at = (columns, rows[a:b, None]) if turned else (rows[a:b, None], columns)
            return np.ascontiguousarray(scores[at], dtype=kind)

        return rank_scores(
            block, len(rows), len(columns), positives, top_k=0, label=label, kind=kind,
            **more,
        )  # fmt: skip

    def captions_for(self, n_images: int, positives: Array) -> Ranks:
        """Rank all captions for the first ``n_images`` images."""
        images = self.columns[:n_images]
        return self._ranks(images, self.rows, positives, "Image to text")

    def images_for(
        self, rows: Array, positives: Array, sections: tuple[int, ...]
    ) -> Ranks:
        """Rank the pool for the captions ``rows``."""
        return self._ranks(
            self.rows[rows], self.columns, positives, "Text to image", sections=sections
        )


@dataclass(frozen=True)
class Result:
    """What one set of captions gives: the figures of each setting, ranks and lists.

    Ranks are over the whole pool. ``shared`` has, for each caption that several images
    share, its images, and how many of its queries succeed at 1 as scored and with any
    of the images taken as right.
    """

    figures: dict[str, dict[str, Any]]
    i2t: Direction
    t2i: Direction
    i2t_ranks: Ranks
    t2i_ranks: Ranks
    shared: list[dict[str, Any]]


def evaluate(
    task: Task, kind: str, scorer: Scorer | MatrixScorer, *, n_resamples: int, seed: int
) -> Result:
    """Score one set of captions, ``main`` or ``original``, in both directions.

    The settings are ``main`` (or ``old_captions``) and, where the pool has added
    images, ``old_pool`` (or ``old_captions_old_pool``) without them; ``fold_1k`` where
    the benchmark names folds.
    """
    captions = task.captions[kind]
    n, pool = task.n_queries, len(task.pool)
    found = scorer.captions_for(n, captions.of_image)
    i2t = of_ranks(found, np.arange(n))
    sections = (n,) if n == pool else (n, pool)
    every = np.arange(len(captions.texts))
    ranked = scorer.images_for(every, captions.image[:, None], sections)
    names = ["main" if kind == MAIN else "old_captions"]
    if n < pool:
        names.insert(0, "old_pool" if kind == MAIN else "old_captions_old_pool")
    figures = {}
    of = kind, tuple(task.pool)
    for section, (name, size) in enumerate(zip(names, sections, strict=True)):
        t2i = of_ranks(ranked, captions.image, section)
        rng = generator(seed, "retrieve", "bootstrap")
        figures[name] = {
            "n_pool": size,
            **retrieval_figures([(i2t, t2i)], n_resamples=n_resamples, rng=rng, of=of),
            **random_expectation(n, len(captions.texts), size),
        }
    shared, cost = _shared(captions, scorer, t2i, pool)
    figures[names[-1]] |= cost
    figures |= _evaluate_folds(task, kind, scorer, n_resamples=n_resamples, seed=seed)
    return Result(figures, i2t, t2i, found, ranked, shared)


def _shared(
    captions: Captions, scorer: Scorer | MatrixScorer, t2i: Direction, pool: int
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Find captions that several images share, and what they cost text-to-image."""
    groups = _shared_texts(captions)
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
    forgiven = of_ranks(ranks, captions.image[at])
    for k in CUTOFFS:
        gained = hits(forgiven, k).sum() - hits(t2i, k)[at].sum()
        share = gained / len(captions.texts)
        record[f"shared_caption_cost_t2i_r{k}"] = round(float(share), 6)
    strict, lenient = hits(t2i, 1)[at], hits(forgiven, 1)
    listed = []
    for text, images in groups.items():
        mine = np.array([captions.texts[row] == text for row in rows])
        listed.append(
            {
                "caption": text,
                "images": images,
                "queries": int(mine.sum()),
                "found_at_1": int(strict[mine].sum()),
                "found_at_1_any_image": int(lenient[mine].sum()),
            }
        )
    return listed, record


def _evaluate_folds(
    task: Task, kind: str, scorer: Scorer | MatrixScorer, *, n_resamples: int, seed: int
) -> dict[str, dict[str, Any]]:
    """Score each fold by itself, and return the figures of the mean over the folds.

    Nothing where there are no folds. ``n_pool`` is how many images a fold has,
    ``n_images`` how many all have together.
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
    return {FOLD: {"n_folds": len(folds), "n_pool": pool, **record}}


def _rank(
    captions: Captions, scorer: Scorer | MatrixScorer, images: Array
) -> tuple[Direction, Direction]:
    """Rank a fold's captions for its images, and its images for its captions."""
    rows = np.flatnonzero(np.isin(captions.image, images))
    image = np.searchsorted(images, captions.image[rows])
    of_image = captions.of_image[images]
    own = np.where(of_image >= 0, np.searchsorted(rows, of_image), -1)
    part = scorer.part(rows, images)
    i2t = part.captions_for(len(images), own)
    t2i = part.images_for(np.arange(len(rows)), image[:, None], (len(images),))
    return of_ranks(i2t, np.arange(len(images))), of_ranks(t2i, image)


def _shared_texts(captions: Captions) -> dict[str, list[int]]:
    """Return the captions that several images share, and the images' positions."""
    images: defaultdict[str, set[int]] = defaultdict(set)
    for text, image in zip(captions.texts, captions.image.tolist(), strict=True):
        images[text].add(image)
    return {t: sorted(each) for t, each in sorted(images.items()) if len(each) > 1}
