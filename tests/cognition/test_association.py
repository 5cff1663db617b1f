"""Association strength and cluster counts: the check value and a plain loop."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmclust.cognition.metrics import association, cluster_counts
from mmclust.scoring.intervals import flat

WORDS = ("apple", "axe", "cat", "cow", "dog", "owl", "pear", "saw")
CLUSTERS = np.array([[1, 2, 0, 1, 0, 3, 1, 2]])


def record(clusters, pairs, strengths, n_resamples=100):
    return flat(
        association(
            np.atleast_2d(clusters),
            np.array(pairs, int).reshape(-1, 2),
            np.array(strengths, float),
            n_resamples=n_resamples,
            rng=np.random.default_rng(0),
        )
    )


def test_check_value():
    """The published example: MAS 9.5, two pairs found, three not."""
    found = record(CLUSTERS, [(2, 4), (0, 6)], [12, 7])
    assert (found["mas"], found["found"], found["not_found"]) == (9.5, 2, 3)
    assert found["coverage"] == pytest.approx(0.4)
    assert found["n_single_word_clusters"] == 1


def test_pairs_across_clusters_and_unknown_words_do_not_count():
    """Two unknown words are not in one cluster, whatever the norms say."""
    found = record([[0, 0, -1, -1]], [(0, 1), (2, 3), (1, 2)], [4, 100, 100])
    assert (found["mas"], found["found"], found["not_found"]) == (4, 1, 0)
    assert found["n_unknown"] == 2


@pytest.mark.parametrize(
    ("clusters", "why"),
    [([0, 0, 1, 1], "no pair of words"), ([0, 1, 2, 3], "no cluster has two words"),
     ([-1, -1, -1, -1], "no cluster has two words")],
)  # fmt: skip
def test_nothing_found(clusters, why):
    """Never a division by zero: null, with its reason."""
    found = record(clusters, [(0, 2)], [9])
    assert found["mas"] is None
    assert why in found["mas_why"]
    assert found["found"] == 0
    json.dumps(found, allow_nan=False)


def test_no_norms_at_all():
    found = record([[0, 0]], [], [])
    assert (found["mas"], found["found"], found["not_found"]) == (None, 0, 1)


@given(
    st.lists(st.integers(-1, 3), min_size=2, max_size=12),
    st.dictionaries(
        st.tuples(st.integers(0, 11), st.integers(0, 11)), st.integers(0, 50)
    ),
)
def test_against_a_loop_over_pairs(clusters, table):
    n = len(clusters)
    table = {(a, b): s for (a, b), s in table.items() if a < b < n}
    sums, found, missing = 0, 0, 0
    for a, b in itertools.combinations(range(n), 2):
        if clusters[a] == clusters[b] != -1:
            if (a, b) in table:
                sums, found = sums + table[a, b], found + 1
            else:
                missing += 1
    got = record([clusters], list(table), list(table.values()))
    assert (got["found"], got["not_found"]) == (found, missing)
    assert got["mas"] == (pytest.approx(sums / found) if found else None)


def test_counting_active_clusters():
    """A word is active from probability 0.03 on; unknown words never are."""
    clusters = np.array([[0, 1, 2, -1], [0, 0, 0, 0]])
    confidence = np.array([[0.03, 0.0299, 0.5, 0.0], [0.9, 0.9, 0.9, 0.9]])
    found = cluster_counts(clusters, confidence)
    assert found == {"active_cluster_num": 1.5, "active_token_count": 3.0}
    assert cluster_counts(clusters[:1], None)["active_token_count"] == 3
