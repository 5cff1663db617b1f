"""SBERT: sentence embeddings of captions, averaged: 768 features.

all-mpnet-base-v2 by default; all-MiniLM-L6-v2 (384 features) by ``model`` and
``revision`` (1110a243fdf4706b3f48f1d95db1a4f5529b4d41).

Source: Reimers and Gurevych, Sentence-BERT, EMNLP 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.io import read_note
from mmclust.models.compute import (
    cleaned,
    embed_tokens,
    maybe_longer,
    n_longer,
    per_image,
    ready,
    unit_rows,
)
from mmclust.models.hub import checkpoint, checkpoint_stamp, kept, loading
from mmclust.models.hub import identity as checkpoint_identity

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from mmclust.core.types import Array, Batch, Fitted

VIEWS = ("text",)


@dataclass(frozen=True)
class Params:
    """Checkpoint, whose captions, and whether they are read as one text."""

    model: str = "sentence-transformers/all-mpnet-base-v2"
    """Name on the hub, or a folder as ``save_pretrained`` writes it."""
    revision: str = "e8c3b32edf5434bc2275fc9bab85f82640a19130"
    """Commit, tag or branch of the hub."""
    joined: bool = False
    """Whether an image's captions are read as one text, not averaged."""
    captions: str = "publisher"
    """Whose captions: ``publisher``, or the name of captions that a model made or
    that the publisher gives besides."""


def encode_captions(
    captions: Sequence[str], params: Params, fitted: Fitted, *, device: str
) -> Array:
    """Encode n captions to float32 (n, d) of unit norm."""
    del fitted
    model, dim = _model(params.model, params.revision, device)
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


def encode_text(batch: Batch, params: Params, fitted: Fitted, *, device: str) -> Array:
    """Encode the captions of b images to float32 (b, d) of unit norm.

    The mean of the captions' embeddings (benchmarks, §5), or with ``joined`` the
    embedding of all captions in one text (benchmarks, §11); zeros without captions.
    """
    encode = partial(encode_captions, params=params, fitted=fitted, device=device)
    return per_image(_texts(batch.captions, params), encode)


def captions_cut(captions: Sequence[Sequence[str]], params: Params) -> int:
    """Count captions (joined: images) whose text is longer than the model reads."""
    texts = [text for each in _texts(captions, params) for text in each]
    folder = checkpoint(params.model, params.revision)
    note = read_note(folder / "sentence_bert_config.json")
    plain = note.keys().isdisjoint(("processor_kwargs", "tokenizer_args"))
    longest = note.get("max_seq_length") if plain else None  # those may say another
    if not maybe_longer(texts, longest):
        return 0  # without the seconds that loading takes
    model, _ = _model(params.model, params.revision, "cpu")

    def lengths(some: list[str]) -> list[int]:
        found = model.tokenizer(some, truncation=False, verbose=False)
        return [len(ids) for ids in found["input_ids"]]

    return n_longer(texts, int(model.max_seq_length), lengths)


def _texts(captions: Sequence[Sequence[str]], params: Params) -> list[list[str]]:
    """Return the texts of each image that are embedded."""
    each = cleaned(captions)
    return [[". ".join(c)] if c else [] for c in each] if params.joined else each


def identity(params: Params) -> dict[str, Any]:
    """Return model id, commit and digest of the weights, for ``features.json``."""
    return checkpoint_identity(params.model, params.revision)


@kept(lambda name, revision, _: checkpoint_stamp(name, revision))
def _model(name: str, revision: str, device: str) -> tuple[Any, int]:
    """Load a model and the size of its embeddings."""
    from sentence_transformers import SentenceTransformer

    folder = checkpoint(name, revision)
    with loading(str(folder)):
        model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    return ready(model.float(), device), int(model.get_embedding_dimension() or 0)
