"""TF-IDF of captions as Text-Guided Image Clustering (EACL 2024) has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmclust.core.types import Fitted


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
