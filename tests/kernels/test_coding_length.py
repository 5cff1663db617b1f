"""CPP's coding length: by hand, against its formula, and the k it finds."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmclust.kernels.coding_length import coding_length


def test_rows_that_fill_all_dimensions_alike():
    """ZᵀZ = (m/p) I: (m + p)/2 · p ln(1 + 1/ε), the p ln 11 of the specification."""
    z = np.tile(np.eye(128), (2, 1))
    found = coding_length(z, np.zeros(256, int))
    assert found == pytest.approx((256 + 128) / 2 * 128 * math.log(11), rel=1e-12)
    assert 128 / 2 * math.log(11) == pytest.approx(153.465297, abs=1e-6)


def test_two_rows_by_hand():
    """p = 1: one cluster, (2 + 1)/2 ln 11; two, each (1 + 1)/2 ln 11 + ln 2."""
    z = np.ones((2, 1))
    assert coding_length(z, [0, 0]) == pytest.approx(1.5 * math.log(11))
    both = 2 * (math.log(11) + math.log(2))
    assert coding_length(z, [0, 1]) == pytest.approx(both)
    assert coding_length(z, [0, 0], eps=1.0) == pytest.approx(1.5 * math.log(2))


def plain(z, labels, eps):
    """The formula with determinants of p × p matrices."""
    m, p = z.shape
    total = 0.0
    for c in set(labels.tolist()):
        own = z[labels == c]
        size = len(own)
        matrix = np.eye(p) + p / (eps * size) * own.T @ own
        total += (size + p) / 2 * np.linalg.slogdet(matrix)[1]
        total -= size * math.log(size / m)
    return total


@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(1, 12))
def test_it_is_the_formula(seed, n, p):
    """Also where a cluster has fewer rows than dimensions, whatever its number is."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, p)).astype(np.float32)
    labels = rng.integers(0, 4, n)
    expected = plain(z.astype(np.float64), labels, 0.1)
    found = coding_length(z, labels)
    assert found == pytest.approx(expected, rel=1e-9)
    assert found >= 0
    order = rng.permutation(n)
    assert coding_length(z[order], 7 * labels[order] + 3) == pytest.approx(found)
    more = np.concatenate([labels, [-1]])
    assert coding_length(np.vstack([z, z[:1]]), more) == found


def test_its_smallest_length_is_at_the_planted_number():
    """Five lines in 16 dimensions, parted and joined: 5 is the shortest."""
    rng = np.random.default_rng(0)
    lines = np.linalg.qr(rng.standard_normal((16, 5)))[0].T
    true = np.repeat(np.arange(5), 60)
    z = lines[true] + 0.05 * rng.standard_normal((300, 16))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    lengths = {k: coding_length(z, true % k) for k in (1, 2, 3, 4, 5)}
    for parts in (2, 3):
        lengths[5 * parts] = coding_length(z, true + 5 * (np.arange(300) % parts))
    assert min(lengths, key=lengths.get) == 5


def test_nothing_has_no_length():
    """Where every row is left out."""
    assert coding_length(np.ones((2, 2)), np.full(2, -1)) == 0


def test_a_cluster_at_a_time_is_held():
    """Not a copy of all rows, which may be a file of millions."""
    z, labels = np.ones((20_000, 64), np.float32), np.arange(20_000) % 40
    coding_length(z[:40], labels[:40])
    tracemalloc.start()
    try:
        coding_length(z, labels)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < z.nbytes / 3
