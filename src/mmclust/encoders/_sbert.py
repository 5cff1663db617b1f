"""Sentence embeddings of captions (Reimers & Gurevych 2019)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mmclust.encoders._batches import (
    cleaned,
    embed_tokens,
    n_longer,
    per_image,
    unit_rows,
)
from mmclust.encoders._compute import is_compiled, ready
from mmclust.kernels.hub import checkpoint, checkpoint_stamp, loading
from mmclust.kernels.hub import identity as checkpoint_identity

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import torch

    from mmclust.core.types import Batch, Fitted
    from mmclust.kernels.hub import Stamp


def encode_captions(
    captions: Sequence[str], params: Any, fitted: Fitted, *, device: str
) -> np.ndarray[Any, Any]:
    """Encode n captions to float32 (n, d) of unit norm."""
    import numpy as np

    del fitted
    model, dim = _model(params, device)
    if not captions:
        return np.zeros((0, dim), np.float32)
    tokenizer, longest = model.tokenizer, int(model.max_seq_length)
    tokens = tokenizer(list(captions), truncation=True, max_length=longest)["input_ids"]

    def run(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        found = model({"input_ids": ids, "attention_mask": mask})
        rows: torch.Tensor = found["sentence_embedding"]
        return rows

    rows = embed_tokens(
        run,
        tokens,
        longest=longest,
        padding=int(tokenizer.pad_token_id),
        device=device,
    )
    return unit_rows(rows)


def encode_text(
    batch: Batch, params: Any, fitted: Fitted, *, device: str
) -> np.ndarray[Any, Any]:
    """Encode the captions of b images to float32 (b, d) of unit norm.

    The mean of the captions' embeddings (benchmarks, §5), or with ``joined`` the
    embedding of all captions in one text (benchmarks, §11); zeros without captions.
    """
    captions = _texts(batch.captions, params)
    flat = [text for each in captions for text in each]
    rows = encode_captions(flat, params, fitted, device=device)
    return per_image(rows, captions, rows.shape[1])


def captions_cut(captions: Sequence[Sequence[str]], params: Any) -> int:
    """Count captions (joined: images) whose text is longer than the model reads."""
    texts = [text for each in _texts(captions, params) for text in each]
    model, _ = _model(params, "cpu")

    def lengths(some: list[str]) -> list[int]:
        found = model.tokenizer(some, truncation=False, verbose=False)
        return [len(ids) for ids in found["input_ids"]]

    return n_longer(texts, int(model.max_seq_length), lengths)


def _texts(captions: Sequence[Sequence[str]], params: Any) -> list[list[str]]:
    """Return the texts of each image that are embedded."""
    each = cleaned(captions)
    return [[". ".join(c)] if c else [] for c in each] if params.joined else each


def identity(params: Any) -> dict[str, Any]:
    """Return model id, commit and digest of the weights, for ``features.json``."""
    return checkpoint_identity(params.model, params.revision)


def _model(params: Any, device: str) -> tuple[Any, int]:
    """Load a model and the size of its embeddings; again when files have changed."""
    files = checkpoint_stamp(params.model, params.revision)
    return _loaded(params.model, params.revision, device, files, is_compiled())


@lru_cache(maxsize=2)
def _loaded(
    name: str,
    revision: str,
    device: str,
    files: Stamp,  # noqa: ARG001
    compiled: bool,  # noqa: ARG001
) -> tuple[Any, int]:
    from sentence_transformers import SentenceTransformer

    folder = checkpoint(name, revision)
    with loading(str(folder)):
        model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    return ready(model.float(), device), int(model.get_embedding_dimension() or 0)
