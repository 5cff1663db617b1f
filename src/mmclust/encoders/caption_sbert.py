"""SBERT on captions that a model made: 768 features.

The encoder ``sbert`` with another default for ``captions``.

Source: Reimers and Gurevych, Sentence-BERT, EMNLP 2019; captions as in Text-Guided
Image Clustering (EACL 2024).
"""

from __future__ import annotations

from dataclasses import dataclass

from mmclust.encoders import sbert
from mmclust.encoders.sbert import (
    VIEWS,
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


@dataclass(frozen=True)
class Params(sbert.Params):
    """See :class:`mmclust.encoders.sbert.Params`."""

    captions: str = "blip"
