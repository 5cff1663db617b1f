"""Words written are the words read; what cannot be meant is refused."""

import dataclasses

import numpy as np
import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.words import UNKNOWN, WordClusters, read_words, write_words

LEARNED = WordClusters(
    ("dog", "a", "ice cream"),
    np.array([3, 40, 1]),
    np.array([[0, 2, UNKNOWN], [1, 2, 0]], np.int32),
    np.array([[1.0, 0.405405, 0.0], [0.7, 0.2, 0.1]]),
    meta={"model": "joint_model", "clusters": 4},
)


def test_words_written_are_the_words_read(tmp_path):
    write_words(tmp_path / "words.parquet", LEARNED)
    back = read_words(tmp_path / "words.parquet")
    assert back.words == LEARNED.words
    assert back.meta == LEARNED.meta
    np.testing.assert_array_equal(back.counts, LEARNED.counts)
    np.testing.assert_array_equal(back.clusters, LEARNED.clusters)
    assert back.clusters.dtype == np.int32
    np.testing.assert_array_equal(back.confidence, LEARNED.confidence)
    assert back.concreteness is None


def test_repeated_words_are_refused(tmp_path):
    twice = dataclasses.replace(LEARNED, words=("dog", "dog", "a"))
    with pytest.raises(MmclustError, match="repeated"):
        write_words(tmp_path / "words.parquet", twice)


def test_nan_is_refused(tmp_path):
    broken = dataclasses.replace(LEARNED, concreteness=np.full((2, 3), np.nan))
    with pytest.raises(MmclustError, match="concreteness"):
        write_words(tmp_path / "words.parquet", broken)
    assert not (tmp_path / "words.parquet").exists()
