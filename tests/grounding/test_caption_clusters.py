"""Captions' clusters, matching of pairs, and nouns: by hand."""

import numpy as np

from mmclust.grounding.captions import (
    caption_indicators,
    noun_counts,
    sentence_matching,
)

CLUSTERS = np.array([0, 2, -1, 1])
CONFIDENCE = np.array([0.9, 0.03, 0.0, 0.0299])


def test_words_below_the_threshold_do_not_count():
    """0.03 counts, 0.0299 does not; unknown words (-1) neither."""
    found = caption_indicators([[0, 1, 1], [2, 3, -1], []], CLUSTERS, CONFIDENCE, 0.03)
    assert found.tolist() == [[True, False, True], [False] * 3, [False] * 3]


def test_pairs_are_consecutive_and_ties_are_neither():
    """Pair (0, 1) is right, (2, 3) wrong, (4, 5) a tie; 6 is left out."""
    a, b, none = [1, 0], [0, 1], [0, 0]
    images = np.array([a, none, a, none, a, none, a], bool)
    captions = np.array([a, b, b, a, none, none, a], bool)
    outcome = sentence_matching(images, captions)
    assert outcome["right"].tolist() == [True, False, False]
    assert outcome["wrong"].tolist() == [False, True, False]


def test_a_single_sample_has_no_pair():
    """Nothing is compared with nothing."""
    outcome = sentence_matching(np.ones((1, 2), bool), np.ones((1, 2), bool))
    assert outcome["right"].shape == (0,)


def test_nouns_are_counted_by_image():
    """Right, wrong, missed."""
    predicted = np.array([1, 1, 0, 0], bool)
    gold = np.array([1, 0, 1, 0], bool)
    owner = np.array([0, 0, 2, 2])
    assert noun_counts(predicted, gold, owner, 3).tolist() == [
        [1, 1, 0], [0, 0, 0], [0, 0, 1],
    ]  # fmt: skip
