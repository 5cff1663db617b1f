"""LSA: TF-IDF of an image's captions, reduced by truncated SVD (Deerwester 1990).

TF-IDF as in Text-Guided Image Clustering (EACL 2024): unigrams, at most 6,000,
English stop words, all captions of an image joined with ". ".

Source: Deerwester et al., Indexing by Latent Semantic Analysis, JASIS 41 (1990).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmclust.core.numerics import threads
from mmclust.core.params import Positive  # noqa: TC001
from mmclust.core.types import Fitted
from mmclust.encoders._tfidf import apply_tfidf, fit_tfidf, too_few_words

if TYPE_CHECKING:
    from mmclust.core.types import Array, Batch

VIEWS = ("text",)
FLAGS = ()


@dataclass(frozen=True)
class Params:
    """Number of features, at most; size of the vocabulary, at most; whose captions."""

    dim: Positive = 64
    """Features, at most."""
    max_words: Positive = 6000
    """Words of the vocabulary, at most: the most frequent."""
    captions: str = "publisher"
    """Whose captions: ``publisher``, or the name of captions that a model made or
    that the publisher gives besides."""


def fit(batch: Batch, params: Params, *, seed: int, device: str) -> Fitted:
    """Learn vocabulary, word weights and the truncated SVD.

    Returns
    -------
    Fitted
        ``idf`` float64 (words,), ``components`` float64 (d, words); the
        vocabulary in order. d is ``dim`` or, where there are fewer, one less
        than the number of images or words.
    """
    del device
    from sklearn.decomposition import TruncatedSVD

    vectorizer, tfidf = fit_tfidf(batch.captions, params.max_words, "lsa")
    n_images, n_words = tfidf.shape
    dim = min(params.dim, n_words - 1, max(n_images - 1, 1))
    if dim < 1:
        raise too_few_words(n_words, "lsa")
    svd = TruncatedSVD(dim, random_state=seed % 2**32)
    with threads(1):  # the same sums in the same order everywhere
        svd.fit(tfidf)
    return Fitted(
        {"idf": vectorizer.idf_, "components": svd.components_},
        {"vocabulary": vectorizer.get_feature_names_out().tolist()},
    )


def encode_text(batch: Batch, params: Params, fitted: Fitted, *, device: str) -> Array:
    """Project the TF-IDF of b images' captions to float32 (b, d)."""
    del params, device
    with threads(1):
        tfidf = apply_tfidf(batch.captions, fitted)
        projected = tfidf @ fitted.arrays["components"].T
    return np.asarray(projected, dtype=np.float32)
