"""TF-IDF of an image's captions, one feature per word.

Source: Text-Guided Image Clustering (EACL 2024): unigrams, at most 6,000, English
stop words, all captions of an image joined with ". ".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmclust.core.params import Positive  # noqa: TC001
from mmclust.core.types import Fitted
from mmclust.encoders._tfidf import apply_tfidf, fit_tfidf

if TYPE_CHECKING:
    from mmclust.core.types import Array, Batch

VIEWS = ("text",)
FLAGS = ()


@dataclass(frozen=True)
class Params:
    """Size of the vocabulary, at most; whose captions."""

    max_words: Positive = 6000
    """Words of the vocabulary, at most: the most frequent."""
    captions: str = "publisher"
    """Whose captions: ``publisher``, or the name of captions that a model made or
    that the publisher gives besides."""


def fit(batch: Batch, params: Params, *, seed: int, device: str) -> Fitted:
    """Learn ``idf`` float64 (words,) and the vocabulary from the rows to fit on."""
    del seed, device
    vectorizer, _ = fit_tfidf(batch.captions, params.max_words, "tfidf")
    words = vectorizer.get_feature_names_out().tolist()
    return Fitted({"idf": vectorizer.idf_}, {"vocabulary": words})


def encode_text(batch: Batch, params: Params, fitted: Fitted, *, device: str) -> Array:
    """Weigh the words of b images: float32 (b, words) of unit norm.

    Zeros for an image that has none of the words.
    """
    del params, device
    return np.asarray(apply_tfidf(batch.captions, fitted).toarray(), np.float32)
