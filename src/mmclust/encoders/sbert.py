"""SBERT: sentence embeddings of captions, averaged: 768 features.

all-mpnet-base-v2 by default; all-MiniLM-L6-v2 (384 features) by ``model`` and
``revision`` (1110a243fdf4706b3f48f1d95db1a4f5529b4d41).

Source: Reimers and Gurevych, Sentence-BERT, EMNLP 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

from mmclust.encoders._sbert import (
    captions_cut,
    encode_captions,
    encode_text,
    identity,
)

__all__ = [
    "VIEWS",
    "Params",
    "captions_cut",
    "encode_captions",
    "encode_text",
    "identity",
]

VIEWS = ("text",)


@dataclass(frozen=True)
class Params:
    """Checkpoint, whose captions, and whether they are read as one text.

    ``captions`` is ``publisher``, or the name of captions that a model made or that
    the publisher gives besides.
    """

    model: str = "sentence-transformers/all-mpnet-base-v2"
    """Name on the hub, or a folder as ``save_pretrained`` writes it."""
    revision: str = "e8c3b32edf5434bc2275fc9bab85f82640a19130"
    """Commit, tag or branch of the hub."""
    joined: bool = False
    """Whether an image's captions are read as one text, not averaged."""
    captions: str = "publisher"
    """Whose captions: ``publisher``, or the name of captions that a model made or
    that the publisher gives besides."""
