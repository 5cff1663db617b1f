"""Words by BERT (Devlin et al. 2019), as Berger et al. (NAACL 2022) ask it.

"[CLS] this is a <word> [SEP]" with all segment ids 1; the last hidden layer at position
4, which is the word's first piece.

Source: Berger et al., NAACL 2022; Devlin et al., BERT, NAACL 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmclust.core.params import Positive  # noqa: TC001
from mmclust.models.hub import checkpoint, from_pretrained, loading
from mmclust.words._listed import CLUSTERS, WORD_LIST
from mmclust.words._texts import by_length, learn_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import torch

    from mmclust.core.types import Corpus, Learned, Run

TEMPLATE = "[CLS] this is a {} [SEP]"
POSITION = 4
SEGMENT = 1


@dataclass(frozen=True)
class Params:
    """The checkpoint; which words are clustered, and how."""

    model: str = "google-bert/bert-base-uncased"
    """Name on the hub, or a folder as ``save_pretrained`` writes it."""
    revision: str = "main"
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
    return learn_from("bert", embed_words, corpus, params, run)


def embed_words(
    words: Sequence[str], params: Params, device: str
) -> np.ndarray[Any, Any]:
    """Return the vectors of n words: float32 (n, hidden size)."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = checkpoint(params.model, params.revision)
    model = from_pretrained(AutoModel, folder).to(device)
    with loading(str(folder)):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    tokens = tokenizer(
        [TEMPLATE.format(word) for word in words], add_special_tokens=False,
        truncation=True, max_length=model.config.max_position_embeddings,
    )["input_ids"]  # fmt: skip

    def run(ids: torch.Tensor) -> torch.Tensor:
        ids = ids.to(device)
        segments = torch.full_like(ids, SEGMENT)
        found = model(input_ids=ids, token_type_ids=segments)
        rows: torch.Tensor = found.last_hidden_state[:, POSITION]
        return rows

    return by_length(tokens, run)
