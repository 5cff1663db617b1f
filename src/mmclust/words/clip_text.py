"""Words by the text encoder of CLIP (Radford et al. 2021), as Berger et al. ask it.

"a photo of a <word>", not normalised. The published model is OpenAI's RN50, whose
weights open_clip reads; checkpoints of transformers by ``library``.

Source: Berger et al., NAACL 2022; Radford et al., ICML 2021.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mmclust.core.errors import MmclustError
from mmclust.core.params import Positive  # noqa: TC001
from mmclust.models.hub import checkpoint, from_pretrained, loading
from mmclust.words._listed import CLUSTERS, WORD_LIST
from mmclust.words._texts import by_length, learn_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import torch

    from mmclust.core.types import Corpus, Learned, Run

TEMPLATE = "a photo of a {}"


@dataclass(frozen=True)
class Params:
    """The checkpoint; which words are clustered, and how."""

    model: str = "timm/resnet50_clip.openai"
    """Name on the hub, or a folder as ``save_pretrained`` writes it."""
    revision: str = "main"
    """Commit, tag or branch of the hub."""
    library: Literal["transformers", "open_clip"] = "open_clip"
    """Whose format the checkpoint has."""
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
    return learn_from("clip_text", embed_words, corpus, params, run)


def embed_words(
    words: Sequence[str], params: Params, device: str
) -> np.ndarray[Any, Any]:
    """Return the vectors of n words: float32 (n, size of the space)."""
    texts = [TEMPLATE.format(word) for word in words]
    if params.library == "open_clip":
        return _open_clip(texts, params, device)
    from transformers import AutoModel, AutoTokenizer

    folder = checkpoint(params.model, params.revision)
    model = from_pretrained(AutoModel, folder).to(device)
    if not hasattr(model, "get_text_features"):
        raise MmclustError(
            f"{params.model} has no text encoder of CLIP's kind",
            where=folder,
            expected="a CLIP checkpoint",
            found=type(model).__name__,
        )
    with loading(str(folder)):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)

    def run(ids: torch.Tensor) -> torch.Tensor:
        found = model.get_text_features(input_ids=ids.to(device))
        # transformers 5 wraps the embedding, 4 does not.
        rows: torch.Tensor = getattr(found, "pooler_output", found)
        return rows

    longest = model.config.text_config.max_position_embeddings
    tokens = tokenizer(texts, truncation=True, max_length=longest)["input_ids"]
    return by_length(tokens, run)


def _open_clip(
    texts: Sequence[str], params: Params, device: str
) -> np.ndarray[Any, Any]:
    try:
        import open_clip
    except ImportError as error:
        raise MmclustError(
            "open_clip is not installed",
            expected="the package open-clip-torch, for library: open_clip",
            found=error,
            do="pip install open-clip-torch",
        ) from error
    folder = checkpoint(params.model, params.revision)
    with loading(str(folder)):
        model = open_clip.create_model(f"local-dir:{folder}").to(device).eval()
        tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")

    def run(ids: torch.Tensor) -> torch.Tensor:
        rows: torch.Tensor = model.encode_text(ids.to(device))
        return rows

    return by_length(tokenizer(list(texts)).tolist(), run)
