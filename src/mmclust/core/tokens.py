"""Captions as tokens, by the rules of Berger et al. (NAACL 2022), section 4.

A caption is lower-cased and cut by spaCy's English tokenizer; tokens are taken as they
are: punctuation and white space stay, and "." is a word. The blank English pipeline
has the rules of the published ``en_core_web_sm``, so nothing is downloaded.
"""

from __future__ import annotations

import sys
from collections import Counter
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.text import same_form

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PIPELINE = "en_core_web_sm"
"""The spaCy model that lemmas come from."""
LARGEST = 1_000_000
"""Characters that spaCy's pipelines take at once."""


def tokenize(captions: Sequence[str], *, lemmas: bool = False) -> list[list[str]]:
    """Cut captions into tokens."""
    captions = [same_form(caption) for caption in captions]
    longest = max(map(len, captions), default=0)
    if longest > LARGEST:
        raise MmclustError(
            "A caption is too long",
            expected=f"at most {LARGEST:,} characters",
            found=f"{longest:,}",
            do="cut it, or take it out",
        )
    if lemmas:
        documents = _pipeline().pipe(captions, disable=["ner"])
        return [[sys.intern(token.lemma_) for token in each] for each in documents]
    lowered = (caption.lower() for caption in captions)
    documents = _tokenizer().pipe(lowered)
    return [[sys.intern(token.text) for token in each] for each in documents]


def token_counts(tokens: Iterable[Sequence[str]]) -> dict[str, int]:
    """Count tokens over captions."""
    counts = Counter(chain.from_iterable(tokens))
    if not counts:
        raise MmclustError(
            "The captions have no token",
            expected="captions with words",
            found="no caption, or empty ones alone",
            do="learn from a benchmark whose images have captions",
        )
    return dict(counts)


@lru_cache(maxsize=1)
def _tokenizer() -> Any:
    import spacy

    return spacy.blank("en").tokenizer


@lru_cache(maxsize=1)
def _pipeline() -> Any:
    import spacy

    try:
        return spacy.load(PIPELINE)
    except OSError as error:
        raise MmclustError(
            "Lemmas need a spaCy model that is not installed",
            where="lemmas",
            expected=PIPELINE,
            found="no package of that name",
            do=f"python -m spacy download {PIPELINE}, or leave lemmas off",
        ) from error
