"""Words with vectors, in clusters: what all baselines but the random one share.

k-means is fitted on the words of a list that the captions hold and that have a
vector, as Berger et al. (NAACL 2022) do; all other words are unknown. The list comes
from a file, so that what learns sees no norms: ``mmclust word-list`` writes
the words of the typicality file, in alphabetical order, without their ratings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.clusters import UNKNOWN
from mmclust.core.errors import MmclustError
from mmclust.core.types import Learned
from mmclust.scoring.columns import read_list

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.types import Corpus, Run

Array = np.ndarray[Any, Any]

WORD_LIST = "data/word-list/words.txt"
CLUSTERS = 41
"""Categories of the published typicality file."""


def listed(corpus: Corpus, word_list: str | None, root: Path) -> Array:
    """Return where in the corpus the words of a list are: int64 (n,), ascending."""
    if word_list is None:
        return np.arange(len(corpus.words))
    path = root / word_list
    if not path.is_file():
        raise MmclustError(
            "The list of words to cluster is missing",
            where=path,
            expected="a text file with one word per line",
            found="nothing",
            do="write one with `mmclust word-list`, or give word_list: null "
            "to cluster all words",
        )
    wanted = set(read_list(path))
    rows = np.flatnonzero([word in wanted for word in corpus.words])
    if not len(rows):
        raise MmclustError(
            "The captions hold no word of the list",
            where=path,
            expected="words in the letters of the captions",
            found=f"{len(wanted)} words, none of the corpus's {len(corpus.words)}",
        )
    return rows


def learn_by(
    kind: str, corpus: Corpus, rows: Array, vectors: Array, params: Any, run: Run,
    **more: Any,
) -> Learned:  # fmt: skip
    """Cluster the words at ``rows`` by k-means on float (n, d), once per seed.

    All other words are :data:`UNKNOWN`; ``more`` goes to ``model.json``.
    """
    from mmclust.kernels.kmeans import kmeans

    if len(rows) < params.clusters:
        raise MmclustError(
            "There are fewer words than clusters",
            where="clusters of the word model in params.yaml",
            expected=f"at least {params.clusters} words with vectors",
            found=len(rows),
            do="ask for fewer clusters, or give a longer list of words",
        )
    if not np.isfinite(vectors).all():
        raise MmclustError("A word's vector is not a number", where="the vectors")
    clusters = np.full((len(run.seeds), len(corpus.words)), UNKNOWN, np.int32)
    for row, seed in zip(clusters, run.seeds, strict=True):
        row[rows] = kmeans(
            np.asarray(vectors, np.float32),
            params.clusters,
            seed=seed,
            n_init=params.n_init,
            max_iter=params.max_iter,
            device=run.device.partition(",")[0],
        ).labels
    facts = {"kind": kind, "clusters": params.clusters, "n_clustered": len(rows)}
    return Learned(clusters, facts=facts | more)
