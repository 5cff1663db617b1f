"""SBERT on captions that a model made: 768 features (benchmarks, §13).

The encoder ``sbert`` with another default for ``captions``.
"""

from __future__ import annotations

from dataclasses import dataclass

from mmclust.encoders._sbert import encode_captions, encode_text, identity

__all__ = ["VIEWS", "Params", "encode_captions", "encode_text", "identity"]

VIEWS = ("text",)


@dataclass(frozen=True)
class Params:
    """Checkpoint, whose captions, and whether they are read as one text.

    ``captions`` is ``publisher``, or the name of captions that a model made or that
    the publisher gives besides.
    """

    model: str = "sentence-transformers/all-mpnet-base-v2"
    revision: str = "e8c3b32edf5434bc2275fc9bab85f82640a19130"
    joined: bool = False
    captions: str = "blip"
