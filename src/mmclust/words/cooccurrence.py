"""Text alone: words that stand in the same captions (Berger et al., NAACL 2022, §4).

A word's vector is its row of the table of co-occurrences over all words, at unit norm.
The words of the list are clustered by k-means. The captions' tokens are kept beside
the clusters: the `cognition` stage makes the text-only estimates of concreteness of
them, since these take the norms' most and least concrete words as representatives.

Source: Berger et al., NAACL 2022, §4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmclust.core.io import write_array
from mmclust.core.params import Positive  # noqa: TC001
from mmclust.kernels.cooccurrence import coordinates, occurrences, vectors
from mmclust.words._listed import CLUSTERS, WORD_LIST, learn_by, listed

if TYPE_CHECKING:
    from mmclust.core.types import Corpus, Learned, Run


@dataclass(frozen=True)
class Params:
    """Which words are clustered, and how; defaults as published."""

    word_list: str | None = WORD_LIST
    """Text file of the words that are clustered, one a line; ``None``: all words."""
    clusters: Positive = CLUSTERS
    """Clusters of the words; the published typicality file has 41 categories."""
    n_init: Positive = 10
    """Starts of k-means; the one with the best objective is kept."""
    max_iter: Positive = 300
    """Iterations of each start, at most."""
    lemmas: bool = False
    """Whether captions are read as lemmas (needs spaCy's ``en_core_web_sm``)."""


def learn(corpus: Corpus, params: Params, run: Run) -> Learned:
    """Cluster words by what they stand with; see :mod:`mmclust.words._stage`."""
    rows = listed(corpus, params.word_list, run.root)
    table = occurrences(corpus.ids, corpus.bounds, len(corpus.words))
    points = coordinates(vectors(table, rows))
    learned = learn_by("cooccurrence", corpus, rows, points, params, run)
    write_array(run.out / "tokens.npy", corpus.ids)
    write_array(run.out / "bounds.npy", corpus.bounds)
    return learned
