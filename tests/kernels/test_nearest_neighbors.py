"""Nearest neighbours: against brute force, with rows that repeat."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmclust.core.errors import MmclustError
from mmclust.kernels import nearest_neighbors as module
from mmclust.kernels.nearest_centroids import exact_scores
from mmclust.kernels.nearest_neighbors import nearest_by_distance, nearest_neighbors


def brute_force(rows, k, *, apart=False):
    scores = rows.astype(np.float64) @ rows.T.astype(np.float64)
    if apart:
        scores = 2 * scores - scores.diagonal()
    np.fill_diagonal(scores, -np.inf)
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


@given(
    st.integers(0, 10_000), st.integers(2, 40), st.integers(1, 39), st.integers(1, 4)
)
def test_brute_force_agrees_where_many_scores_are_equal(seed, n, k, distinct):
    """Small integers: inner products are exact, and most of them tie."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(-distinct, distinct + 1, (n, 3)).astype(np.float32)
    k = min(k, n - 1)
    assert np.array_equal(nearest_neighbors(rows, k), brute_force(rows, k))
    expected = brute_force(rows, k, apart=True)
    assert np.array_equal(nearest_by_distance(rows, k), expected)


@pytest.mark.parametrize("apart", [False, True])
def test_more_equal_rows_than_are_listed(apart):
    """The lowest of them, where faiss lists any: 12 different rows, often repeated."""
    rng = np.random.default_rng(0)
    some, own = rng.standard_normal((12, 64)), rng.integers(12, size=4400)
    some = some.astype(np.float32).astype(np.float64)
    scores = -((some[:, None] - some) ** 2).sum(-1) if apart else some @ some.T
    found = (nearest_by_distance if apart else nearest_neighbors)(some[own], 20)
    scores = scores[own[:100]][:, own]
    np.fill_diagonal(scores, -np.inf)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :20]
    assert np.array_equal(found[:100], expected)


@pytest.mark.parametrize("find", [nearest_by_distance, nearest_neighbors])
def test_equal_rows_are_compared_with_all_once(find, monkeypatch):
    """However many they are: each list is the same but for the row itself."""
    compared, exact = [], module._in_full

    def counted(rows, row, *given, **apart):
        compared.append(int(row))
        return exact(rows, row, *given, **apart)

    monkeypatch.setattr(module, "_in_full", counted)
    rows = np.random.default_rng(0).standard_normal((300, 16)).astype(np.float32)
    rows[100:200] = 9 * rows[99]
    found = find(rows, 4)
    assert compared.count(100) == 1
    assert not {*compared} & {*range(101, 200)}
    assert found[100].tolist() == [101, 102, 103, 104]
    assert found[102].tolist() == [100, 101, 103, 104]
    assert found[199].tolist() == [100, 101, 102, 103]


def test_brute_force_agrees_on_many_rows():
    """More rows than faiss takes in one block."""
    rows = np.random.default_rng(1).standard_normal((5000, 16)).astype(np.float32)
    found = nearest_neighbors(rows, 50)
    expected = brute_force(rows, 50)
    assert np.array_equal(found, expected)
    assert not (found == np.arange(5000)[:, None]).any()


def test_a_row_is_excluded_by_its_index():
    """Three equal rows and one other: each lists the other two, never itself."""
    rows = np.array([[1, 0], [1, 0], [0, 1], [1, 0]], np.float32)
    expected = [[1, 3], [0, 3], [0, 1], [0, 1]]
    assert nearest_neighbors(rows, 2).tolist() == expected


def test_self_need_not_be_among_the_best():
    """A short row: longer ones have the larger inner product with it."""
    rows = np.array([[1, 0], [2, 0], [3, 0], [4, 0]], np.float32)
    assert nearest_neighbors(rows, 2).tolist() == [[3, 2], [3, 2], [3, 1], [2, 1]]


def test_the_torch_path_finds_the_same():
    """What an accelerator runs, here on the CPU, block by block."""
    rows = np.random.default_rng(2).standard_normal((300, 8)).astype(np.float32)
    found = nearest_neighbors(rows, 10, device="cpu:0")
    assert np.array_equal(found, nearest_neighbors(rows, 10))


@pytest.mark.parametrize("n", [13, 70, 301])
@pytest.mark.parametrize("k", [1, 5, 12])
def test_lists_do_not_depend_on_rounding(n, k, monkeypatch):
    """Rows that repeat, or differ in one bit, and scores that round by their place."""
    rng = np.random.default_rng(n)
    some = rng.standard_normal((max(n // 3, 2), 11)).astype(np.float32)
    some[1] = np.nextafter(some[0], np.float32(9))
    rows = some[rng.integers(len(some), size=n)]
    i, j = np.divmod(np.arange(n * n), n)
    scores = exact_scores(rows, i, rows, j, apart=False).reshape(n, n)
    np.fill_diagonal(scores, -np.inf)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    assert np.array_equal(nearest_neighbors(rows, k), expected)

    def off(rows, wanted, device):
        noise = 1e-6 * rng.uniform(-1, 1, (n, n))
        found = (rows @ rows.T + noise).astype(np.float32)
        order = np.argsort(-found, axis=1)[:, :wanted]
        return np.take_along_axis(found, order, axis=1), order

    monkeypatch.setattr(module, "_torch", off)
    for _ in range(5):
        assert np.array_equal(nearest_neighbors(rows, k, device="cuda"), expected)


def test_too_few_rows():
    """One clear error."""
    with pytest.raises(MmclustError, match="5 rows do not have 5 neighbours each"):
        nearest_neighbors(np.ones((5, 2), np.float32), 5)
