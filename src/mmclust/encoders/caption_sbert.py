"""SBERT on captions that a model made: 768 features.

The encoder ``sbert`` with another default for ``captions``.

Source: Reimers and Gurevych, Sentence-BERT, EMNLP 2019; captions as in Text-Guided
Image Clustering (EACL 2024).
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
    captions: str = "blip"
    """Whose captions: ``publisher``, or the name of captions that a model made or
    that the publisher gives besides."""
