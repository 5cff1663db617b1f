"""The count model against the values of the paper's description, and a plain one."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmclust.core.clusters import UNKNOWN
from mmclust.words._counts import Counts

WORDS = {"dog": 0, "a": 1, "cat": 2, "bike": 3, "sofa": 4}
SEEN = [
    ("dog", 0), ("dog", 0), ("a", 0), ("a", 1), ("cat", 1), ("cat", 1), ("cat", 0),
    ("a", 2), ("bike", 2), ("a", 0),
]  # fmt: skip


@pytest.fixture
def counts():
    made = Counts(np.zeros((len(WORDS), 4), np.int64))
    for word, cluster in SEEN:
        active = np.zeros((1, 4), bool)
        active[0, cluster] = True
        made.add(np.array([WORDS[word]]), np.array([0]), active)
    return made


def test_the_check_values(counts):
    """Spec 2.2, C = 4; a word never seen has no cluster."""
    p = counts.distribution(np.arange(5))
    expected = [
        [1, 0, 0, 0],
        [0.324324, 0.270270, 0.405405, 0],
        [0.230769, 0.769231, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 0],
    ]
    np.testing.assert_allclose(p, expected, atol=5e-7)
    clusters, confidence = counts.best(np.arange(5))
    assert clusters.tolist() == [0, 2, 1, 2, UNKNOWN]
    np.testing.assert_allclose(confidence, np.max(expected, 1), atol=5e-7)


def test_the_other_mode_is_complete():
    """Shares of a word's own counts, as distribution and as best cluster."""
    counts = Counts(np.array([[3, 1], [1, 9], [2, 2], [0, 0]]), "discriminative")
    p = counts.distribution(np.arange(4))
    assert p.tolist() == [[0.75, 0.25], [0.1, 0.9], [0.5, 0.5], [0, 0]]
    clusters, confidence = counts.best(np.arange(4))
    assert clusters.tolist() == [0, 1, 0, UNKNOWN]
    assert confidence.tolist() == [0.75, 0.9, 0.5, 0]


def test_a_caption_takes_each_words_single_best_cluster(counts):
    """Of "a dog a cat": a says cluster 2, dog 0, cat 1, though a is also of 0 and 1."""
    ids = np.array([WORDS[w] for w in ["a", "dog", "a", "cat", "sofa", "sofa"]])
    found = counts.outputs(ids, np.array([0, 0, 0, 0, 1, 1]), 3)
    expected = np.zeros((3, 4))
    expected[0, :3] = [1, 0.769231, 0.405405]
    np.testing.assert_allclose(found, expected, atol=5e-7)


def test_repeated_tokens_count_once_each():
    """For every active cluster of their own caption alone."""
    counts = Counts(np.zeros((3, 2), np.int64))
    ids, places = np.array([1, 1, 0, 1]), np.array([0, 0, 0, 1])
    counts.add(ids, places, np.array([[True, False], [True, True]]))
    assert counts.table.tolist() == [[1, 0], [3, 1], [0, 0]]
    assert counts.totals.tolist() == [4, 1]


def test_active_clusters_and_words():
    """Best clusters with at least the threshold, and the words that have them."""
    counts = Counts(np.array([[1, 1, 0], [9, 0, 0], [0, 0, 0], [0, 0, 5]]))
    assert counts.active(0.03) == (3, 3)
    assert counts.active(0.95) == (2, 2)
    assert Counts(np.zeros((4, 3), np.int64)).active(0.0) == (0, 0)


def _plain(batches, n_words, n_clusters, mode):
    """Dictionaries, recomputed from all counts, as the spec describes it."""
    n = defaultdict(lambda: defaultdict(int))
    said = []
    for captions, active in batches:
        total = {c: sum(n[w][c] for w in range(n_words)) for c in range(n_clusters)}
        for tokens in captions:
            t = [0.0] * n_clusters
            for w in tokens:
                if mode == "generative":
                    p = [
                        n[w][c] / total[c] if total[c] else 0 for c in range(n_clusters)
                    ]
                else:
                    p = [n[w][c] for c in range(n_clusters)]
                if sum(p):
                    p = [each / sum(p) for each in p]
                    c = p.index(max(p))
                    t[c] = max(t[c], p[c])
            said.append(t)
        for tokens, b in zip(captions, active, strict=True):
            for w in tokens:
                for c in range(n_clusters):
                    n[w][c] += b[c]
    return said, [[n[w][c] for c in range(n_clusters)] for w in range(n_words)]


CAPTION = st.lists(st.integers(0, 5), min_size=1, max_size=6)
BATCH = st.lists(
    st.tuples(CAPTION, st.lists(st.booleans(), min_size=3, max_size=3)),
    min_size=1,
    max_size=4,
)


@given(st.lists(BATCH, max_size=4), st.sampled_from(["generative", "discriminative"]))
def test_batches_are_those_of_a_plain_implementation(batches, mode):
    """Outputs from the state before each batch, and the counts at the end."""
    counts, said = Counts(np.zeros((6, 3), np.int64), mode), []
    for batch in batches:
        captions = [tokens for tokens, _ in batch]
        ids = np.concatenate(captions)
        places = np.repeat(np.arange(len(captions)), [len(c) for c in captions])
        said.extend(counts.outputs(ids, places, len(captions)).tolist())
        counts.add(ids, places, np.array([b for _, b in batch]))
    pairs = [([t for t, _ in batch], [b for _, b in batch]) for batch in batches]
    expected, table = _plain(pairs, 6, 3, mode)
    assert counts.table.tolist() == table
    assert counts.totals.tolist() == counts.table.sum(0).tolist()
    np.testing.assert_allclose(said, expected, atol=1e-12) if said else None
