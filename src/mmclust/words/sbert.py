"""Words by sentence embeddings (Reimers & Gurevych 2019): the word as a sentence.

Source: Reimers and Gurevych, Sentence-BERT, EMNLP 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.params import Positive  # noqa: TC001
from mmclust.models.hub import checkpoint, loading
from mmclust.words._listed import CLUSTERS, WORD_LIST
from mmclust.words._texts import BATCH, learn_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmclust.core.types import Corpus, Learned, Run


@dataclass(frozen=True)
class Params:
    """The checkpoint; which words are clustered, and how."""

    model: str = "sentence-transformers/all-mpnet-base-v2"
    """Name on the hub, or a folder as ``save_pretrained`` writes it."""
    revision: str = "e8c3b32edf5434bc2275fc9bab85f82640a19130"
    """Commit, tag or branch of the hub."""
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
    return learn_from("sbert", embed_words, corpus, params, run)


def embed_words(
    words: Sequence[str], params: Params, device: str
) -> np.ndarray[Any, Any]:
    """Return the vectors of n words, as the model gives them: float32 (n, d)."""
    from sentence_transformers import SentenceTransformer

    folder = checkpoint(params.model, params.revision)
    with loading(str(folder)):
        model = SentenceTransformer(str(folder), device=device, local_files_only=True)
    rows = model.encode(list(words), batch_size=BATCH, show_progress_bar=False)
    return np.asarray(rows, np.float32)
