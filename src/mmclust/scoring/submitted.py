"""Scoring a submission against the classes that were hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.io import file_digest
from mmclust.core.labels import read_labels
from mmclust.core.seeds import generator
from mmclust.scoring.definitions import defined
from mmclust.scoring.submission import read_asked, read_submission
from mmclust.scoring.summary import score_runs, summarise

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.params import Params


def score_submission(
    benchmark: str,
    path: Path,
    params: Params,
    root: Path,
    max_clusters: int | None = None,
) -> dict[str, Any]:
    """Score a submission; reads the labels that are kept aside.

    Parameters
    ----------
    benchmark
        Its name.
    path
        See :func:`mmclust.scoring.submission.read_submission`.
    params
        ``seed`` and ``score.n_resamples`` are used.
    root
        The repository.
    max_clusters
        As many may be in it; ``None``: as many as classes.

    Returns
    -------
    dict
        ``benchmark``, ``definition``, ``submission`` (sha256) and the record of
        :func:`mmclust.scoring.summary.summarise`.
    """
    asked = read_asked(root, benchmark)
    ids = asked.ids
    found = read_submission(path, ids, max_clusters or asked.n_classes)
    labels = root / "data/benchmarks" / benchmark / "labels.parquet"
    every = read_labels(labels, reveal=True)
    named = dict(zip(every.image_ids, every.labels.tolist(), strict=True))
    truth = np.unique([named[i] for i in ids], return_inverse=True)[1]
    clusters = np.array([[found[i] for i in ids]])
    kept = clusters >= 0
    clusters[kept] = np.unique(clusters[kept], return_inverse=True)[1]
    scored = score_runs(
        truth,
        clusters,
        n_resamples=params.score.n_resamples,
        rng=generator(params.seed, "score", benchmark),
    )
    return {
        "benchmark": benchmark,
        "definition": defined("clustering-2"),
        "submission": file_digest(path),
        **summarise(scored),
    }
