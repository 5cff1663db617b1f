"""Tokens of captions, by the published rules."""

import pytest
import spacy

from mmclust.core import tokens
from mmclust.core.errors import MmclustError
from mmclust.core.tokens import token_counts, tokenize


def test_tokens_are_lower_case_and_taken_as_they_are():
    """Punctuation and white space stay; clitics are cut off."""
    assert tokenize(["A man's dog  doesn't sit.", ""]) == [
        ["a", "man", "'s", "dog", " ", "does", "n't", "sit", "."],
        [],
    ]


def test_many_captions_are_cut_as_one():
    """What a stream gives is what spaCy gives for each caption by itself."""
    captions = ["Two cats, one dog!", "U.S. flags (3)", "e.g. a hot-dog\n"] * 3
    alone = spacy.blank("en")
    assert tokenize(captions) == [[t.text for t in alone(c.lower())] for c in captions]


def test_equal_tokens_are_one_object():
    """So that half a million captions need little memory."""
    first, second = tokenize(["Seven zebras", "zebras graze"])
    assert first[1] is second[0]


def test_counts_are_of_occurrences_in_order_of_first_occurrence():
    """A word that a caption repeats counts twice."""
    counts = token_counts(tokenize(["a cat and a dog", "the cat"]))
    assert list(counts.items()) == [
        ("a", 2), ("cat", 2), ("and", 1), ("dog", 1), ("the", 1),
    ]  # fmt: skip


def test_captions_without_tokens_are_refused():
    """Nothing can be learned from them."""
    for captions in ([], ["", ""]):
        with pytest.raises(MmclustError, match="have no token"):
            token_counts(tokenize(captions))


def test_lemmas_need_a_model(monkeypatch):
    """The message names the package and the way without it."""
    monkeypatch.setattr(tokens, "PIPELINE", "en_absent_model")
    tokens._pipeline.cache_clear()
    with pytest.raises(MmclustError, match="not installed") as raised:
        tokenize(["A cat"], lemmas=True)
    assert "python -m spacy download en_absent_model" in str(raised.value)


def test_a_caption_beyond_all_measure_is_refused(monkeypatch):
    """SpaCy would raise in the middle of a stream."""
    monkeypatch.setattr(tokens, "LARGEST", 5)
    with pytest.raises(MmclustError, match="too long"):
        tokenize(["abcdef"])
