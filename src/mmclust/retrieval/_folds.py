"""The five-fold variant: each fold's images against its own captions alone.

"COCO 1K" of Karpathy and Li (CVPR 2015) and of what followed is the mean over five
folds of 1,000 test images; a fold's queries see no image and no caption of another.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.seeds import generator
from mmclust.retrieval._task import MAIN
from mmclust.scoring.retrieval import direction, random_expectation, retrieval_figures

if TYPE_CHECKING:
    from mmclust.retrieval._scorer import Scorer
    from mmclust.retrieval._task import Captions, Task
    from mmclust.scoring.retrieval import Direction

Array = np.ndarray[Any, Any]

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
