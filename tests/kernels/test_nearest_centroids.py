"""The nearest centroid: exact, the lowest of equals, whatever products round to."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from threadpoolctl import threadpool_limits

from mmclust.kernels import nearest_centroids as module
from mmclust.kernels.kmeans import Lloyd, Members, kmeans
from mmclust.kernels.nearest_centroids import exact_scores, nearest_centroids


def toy(d=37, seed=0):
    """Seven rows, and ten centroids of which some coincide or nearly do."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((7, d)).astype(np.float32)
    rows[6] = 0
    centroids = (rows[[3, 0, 3, 1, 0, 6, 6, 4, 5, 3]] + 0.25).astype(np.float32)
    centroids[[5, 6]] = 0
    centroids[7, 0] = -0.0
    centroids[9] = np.nextafter(centroids[0], np.float32(9))  # one bit away
    return rows, centroids


def exactly(rows, centroids, *, spherical):
    """Return the nearest centroids by fractions."""
    found = []
    for row in rows.tolist():
        costs = []
        for centroid in centroids.tolist():
            pairs = [
                (Fraction(a), Fraction(b)) for a, b in zip(row, centroid, strict=True)
            ]
            costs.append(sum(-a * b if spherical else (a - b) ** 2 for a, b in pairs))
        found.append(costs.index(min(costs)))
    return found


def noisy(scores, seed, *, share):
    """Round scores anew by their place, by at most what an order of sums may do."""
    rng = np.random.default_rng(seed)
    return scores + (share * rng.uniform(-1, 1, scores.shape)).astype(scores.dtype)


@pytest.mark.parametrize("device", ["cpu", "cpu:0"])  # torch runs the second
@pytest.mark.parametrize("spherical", [False, True])
def test_labels_are_exact_for_every_number_of_rows_and_block(
    spherical, device, monkeypatch
):
    """1 to 70 rows that repeat, in blocks of every kind, on one thread and on two."""
    some, centroids = toy()
    expected = np.array(exactly(some, centroids, spherical=spherical))
    assert {0, 1} <= set(expected)  # the lowest of those that coincide
    for n in range(1, 71):
        order = np.random.default_rng(n).integers(7, size=n)
        for size, threads in ((1, 1), (5, 2), (16, 1), (4096, 1), (4096, 2)):
            monkeypatch.setattr(module, "ROWS", size)
            with threadpool_limits(threads, "blas"):
                labels = nearest_centroids(
                    some[order], centroids, spherical=spherical, device=device
                )
            assert labels.dtype == np.int32
            assert np.array_equal(labels, expected[order])


@pytest.mark.parametrize("spherical", [False, True])
def test_labels_do_not_depend_on_rounding(spherical, monkeypatch):
    """Scores that are off by what the order of sums may change, in either precision."""
    some, centroids = toy()
    rows = np.tile(some, (40, 1))
    expected = np.tile(exactly(some, centroids, spherical=spherical), 40)
    product, seeds = module._scores, iter(range(1000))

    def off(rows, centroids, *, spherical):
        scores = product(rows, centroids, spherical=spherical)
        sizes = module.norms(rows)[:, None] * module.norms(centroids)
        share = module.rounding(rows.shape[1], sizes, rows.dtype)
        return noisy(scores, next(seeds), share=share)

    monkeypatch.setattr(module, "_scores", off)
    for _ in range(20):
        labels = nearest_centroids(rows, centroids, spherical=spherical)
        assert np.array_equal(labels, expected)


def test_what_is_equally_near_is_the_lower():
    """By hand: between 0 and 2, and a row of zeros by inner product."""
    rows, centroids = np.ones((9, 1), np.float32), np.array([[4], [2], [0]], "f")
    assert nearest_centroids(rows, centroids).tolist() == [1] * 9
    zeros = np.zeros((3, 4), np.float32)
    centroids = np.random.default_rng(0).standard_normal((300, 4)).astype(np.float32)
    assert nearest_centroids(zeros, centroids, spherical=True).tolist() == [0] * 3


@pytest.mark.parametrize("scale", [1e-30, 1e-22, 1.0, 1e18, 3e25])
def test_no_size_of_numbers_is_too_small_or_too_large(scale):
    """Where float32 products vanish or overflow, float64 decides."""
    rng = np.random.default_rng(3)
    rows, centroids = (
        (scale * rng.standard_normal((n, 5))).astype(np.float32) for n in (60, 9)
    )
    with np.errstate(all="ignore"):
        labels = nearest_centroids(rows, centroids)
    assert labels.tolist() == exactly(rows, centroids, spherical=False)


def test_rows_far_from_the_origin_go_to_the_nearest():
    """Centroids a millionth apart, a thousand away: float32 scores say nothing."""
    rng = np.random.default_rng(4)
    rows = (1000 + rng.standard_normal((50, 6))).astype(np.float32)
    centroids = rows[:12] + np.float32(1e-3)
    labels = nearest_centroids(rows, centroids)
    assert labels.tolist() == exactly(rows, centroids, spherical=False)


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("d", [1, 2, 3, 64, 1001])
def test_exact_scores_depend_on_the_pair_alone(d, apart):
    """Every order and number of pairs; as good as a sum without rounding."""
    rows = np.random.default_rng(5).standard_normal((40, d)).astype(np.float32)
    i, j = np.divmod(np.arange(1600), 40)
    alone = [exact_scores(rows, i[at : at + 1], rows, j[at : at + 1], apart=apart)[0]
             for at in range(0, 1600, 7)]  # fmt: skip
    together = exact_scores(rows, i, rows, j, apart=apart)
    assert together[::7].tolist() == alone
    assert np.array_equal(together.reshape(40, 40), together.reshape(40, 40).T)
    wide = rows.astype(float)
    exact = -cdist(wide, wide, "sqeuclidean") if apart else wide @ wide.T
    np.testing.assert_allclose(together.reshape(40, 40), exact, atol=1e-11)


def test_training_gives_coinciding_centroids_rows_once(monkeypatch):
    """The lowest takes them, though products differ in the last bits."""
    some, centroids = toy()
    rows = np.tile(some, (30, 1))
    product, seeds = np.dot, iter(range(1000))

    def off(a, b):
        return noisy(product(a, b), next(seeds), share=1e-6)

    monkeypatch.setattr(np, "dot", off)
    for spherical in (False, True):
        members = Members(Lloyd(rows, spherical=spherical), centroids)
        for _ in range(4):
            members.assign(centroids)
            assert not {2, 4, 6} & set(members.labels.tolist())


@pytest.mark.parametrize("spherical", [False, True])
def test_equal_rows_share_a_cluster_for_every_number_of_rows(spherical, monkeypatch):
    """More clusters than different rows, with products that round by place."""
    some = np.random.default_rng(6).standard_normal((7, 16)).astype(np.float32)
    product, seeds = np.dot, iter(range(100_000))

    def off(a, b):
        return noisy(product(a, b), next(seeds), share=1e-6)

    monkeypatch.setattr(np, "dot", off)
    for n in range(1, 71):
        order = np.arange(n) % 7
        for k in {1, min(n, 3), min(n, 10), n}:
            labels = kmeans(
                some[order], k, seed=n, n_init=2, spherical=spherical
            ).labels
            of_row = [set(labels[order == row].tolist()) for row in range(min(n, 7))]
            assert all(len(each) == 1 for each in of_row)
            assert len(set.union(*of_row)) == min(n, k, 7)
