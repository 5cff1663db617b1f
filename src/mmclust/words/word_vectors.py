"""Words by vectors of a file: word2vec, fastText or GloVe, as text.

The baseline of Berger et al. (NAACL 2022) is word2vec of Google News (export it as
text, for instance with gensim's ``save_word2vec_format``). Vectors are taken raw;
words that the file lacks are unknown.

Source: Berger et al., NAACL 2022; word2vec is Mikolov et al.'s (NIPS 2013).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmclust.core.io import file_digest
from mmclust.core.params import Positive  # noqa: TC001
from mmclust.models.vector_file import indexed
from mmclust.words._listed import CLUSTERS, WORD_LIST, learn_by, listed

if TYPE_CHECKING:
    from mmclust.core.types import Corpus, Learned, Run


@dataclass(frozen=True)
class Params:
    """The file of vectors; which words are clustered, and how."""

    file: str = "word2vec-google-news-300.txt"
    """Text file of one word and its numbers per line."""
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
    """Cluster words by their vectors; see :mod:`mmclust.words._stage`."""
    path = run.root / Path(params.file).expanduser()
    file = indexed(path)
    rows = listed(corpus, params.word_list, run.root)
    rows = rows[[corpus.words[i] in file.starts for i in rows]]
    words = [corpus.words[i] for i in rows]
    file.read(set(words))
    vectors = np.array([file.known[w] for w in words]).reshape(-1, file.dim)
    return learn_by(
        "word_vectors", corpus, rows, vectors, params, run,
        model=path.name, weights=file_digest(path),
    )  # fmt: skip
