"""TF-IDF of an image's captions, one feature per word.

Source: Text-Guided Image Clustering (EACL 2024): unigrams, at most 6,000, English
stop words, all captions of an image joined with ". ".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.params import Positive  # noqa: TC001
from mmclust.core.types import Fitted

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def fit_tfidf(
    captions: Sequence[Sequence[str]], max_words: int, encoder: str
) -> tuple[Any, Any]:
    """Learn vocabulary and word weights."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(max_features=max_words, stop_words="english")
    try:
        return vectorizer, vectorizer.fit_transform(_documents(captions))
    except ValueError as error:
        raise too_few_words(0, encoder) from error


def apply_tfidf(captions: Sequence[Sequence[str]], fitted: Fitted) -> Any:
    """Weigh words with what was learned: sparse float64 (b, words)."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = fitted.facts["vocabulary"]
    vectorizer = TfidfVectorizer(
        vocabulary={word: i for i, word in enumerate(words)}, stop_words="english"
    )
    vectorizer.idf_ = fitted.arrays["idf"]
    return vectorizer.transform(_documents(captions))


def too_few_words(n_words: int, encoder: str) -> MmclustError:
    """Return the error for captions without words."""
    return MmclustError(
        f"The captions hold too few words for {encoder}",
        where=f"encoders.{encoder}",
        expected="at least two words that are not English stop words",
        found=n_words,
        do="take it out of encoders in params.yaml for this benchmark",
    )


def _documents(captions: Sequence[Sequence[str]]) -> list[str]:
    return [". ".join(each) for each in captions]
