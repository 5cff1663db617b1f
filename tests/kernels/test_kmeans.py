"""k-means: against scikit-learn and torch, by hand, and at any number of threads."""

import os
import subprocess
import sys

import faiss
import numpy as np
import pytest
from sklearn.cluster import KMeans as Reference

from mmclust.core.errors import MmclustError
from mmclust.core.features import normalised
from mmclust.kernels.kmeans import Lloyd, Members, kmeans, unit
from tests.conftest import ROOT

INITS = {
    "random": faiss.ClusteringInitMethod_RANDOM,
    "k-means++": faiss.ClusteringInitMethod_KMEANS_PLUS_PLUS,
}


def blobs(n=600, d=16, k=6, spread=0.4, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((k, d))
    rows = centres[rng.integers(k, size=n)] + spread * rng.standard_normal((n, d))
    return rows.astype(np.float32)


TORCH = "cpu:0"  # torch runs there


def objective(rows, found):
    return float(((rows - found.centroids[found.labels]) ** 2).sum())


@pytest.mark.parametrize("init", ["random", "k-means++"])
def test_the_objective_is_that_of_scikit_learn(init):
    """Both engines find what an independent library finds."""
    rows = blobs(spread=1.5)
    reference = Reference(6, n_init=30, tol=0, random_state=0).fit(rows).inertia_
    for device in ("cpu", TORCH):
        ours = kmeans(rows, 6, seed=1, n_init=30, init=init, device=device)
        assert objective(rows, ours) == pytest.approx(reference, rel=1e-3)


@pytest.mark.parametrize(
    ("n", "k", "most", "init"),
    [
        (900, 6, None, "random"),
        (900, 6, None, "k-means++"),
        (900, 20, 16, "random"),  # a sample, which leaves some clusters empty
        (30, 30, None, "random"),
    ],
)
@pytest.mark.parametrize("spherical", [False, True])
def test_a_seed_gives_what_faiss_gives(n, k, most, init, spherical):
    """Its sample, its starts, its rules: the same labels and centroids."""
    rows = blobs(n, k=6, spread=1.5)
    rows = normalised(rows) if spherical else rows
    solver = faiss.Kmeans(
        rows.shape[1], k, niter=300, nredo=5, seed=11, spherical=spherical,
        min_points_per_centroid=1, max_points_per_centroid=most or n,
        init_method=INITS[init],
    )  # fmt: skip
    solver.train(rows)
    expected = solver.index.search(rows, 1)[1][:, 0]
    ours = kmeans(rows, k, seed=11, n_init=5, init=init, spherical=spherical,
                  max_points_per_centroid=most)  # fmt: skip
    assert np.array_equal(ours.labels, expected)
    assert ours.centroids == pytest.approx(solver.centroids, abs=1e-4)


@pytest.mark.parametrize(
    ("n", "d", "k"), [(500, 16, 6), (500, 16, 60), (300, 4, 40), (400, 200, 12)]
)
@pytest.mark.parametrize("spherical", [False, True])
def test_no_row_that_is_skipped_would_change(n, d, k, spherical):
    """At each step the labels are those of all distances, in float64."""
    rows = blobs(n, d, k=5, spread=1.5)
    rows = normalised(rows) if spherical else rows
    wide = rows.astype(np.float64)
    solver, computed = Lloyd(rows, spherical=spherical), []
    centroids = rows[:k].copy()
    members = Members(solver, centroids)
    compute = members._compute

    def counting(part, *args, **options):
        computed.append(len(rows[part]))
        return compute(part, *args, **options)

    members._compute = counting
    draw = faiss.RandomGenerator(1234)
    for _ in range(40):
        members.assign(centroids)
        scores = wide @ centroids.T.astype(np.float64)
        if not spherical:
            scores -= (centroids.astype(np.float64) ** 2).sum(1) / 2
        assert np.array_equal(members.labels, scores.argmax(1))
        total = -scores[np.arange(n), members.labels].sum()
        assert members.objective(centroids) == pytest.approx(total, rel=1e-6)
        centroids = members.means(draw)
        sizes = np.bincount(members.labels, minlength=k)
        for j in np.flatnonzero(sizes[: k if (sizes > 0).all() else 0]):
            mean = wide[members.labels == j].mean(0)
            assert centroids[j] == pytest.approx(mean, abs=1e-5)
        centroids = unit(centroids) if spherical else centroids
    assert sum(computed) < 40 * n * 0.8  # some were skipped


def test_fewer_different_rows_than_clusters():
    """Each different row has a cluster; what is too many stays empty."""
    rows = np.repeat(blobs(n=7), 20, axis=0)
    for spherical, k in ((False, 10), (True, 10), (False, 140)):
        found = kmeans(rows, k, seed=2, spherical=spherical)
        assert len(np.unique(found.labels)) == 7
    assert objective(rows, kmeans(rows, 10, seed=2)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("spherical", [False, True])
def test_torch_and_faiss_agree_on_clear_clusters(spherical):
    """The same partition and objective, from other random numbers."""
    rows = normalised(blobs(spread=0.2)) if spherical else blobs(spread=0.2)
    ours, theirs = (
        kmeans(rows, 6, seed=1, spherical=spherical, device=device)
        for device in ("cpu", TORCH)
    )
    assert len(set(zip(ours.labels.tolist(), theirs.labels.tolist(), strict=True))) == 6
    assert objective(rows, theirs) == pytest.approx(objective(rows, ours), rel=1e-4)
    if spherical:
        for found in (ours, theirs):
            lengths = np.linalg.norm(found.centroids, axis=1)
            assert lengths == pytest.approx(1, abs=1e-5)


def test_every_row_is_with_its_nearest_centroid():
    """Also the rows that training did not see."""
    rows = blobs(n=3000, spread=1.5)
    for device in ("cpu", TORCH):
        ours = kmeans(rows, 6, seed=1, max_points_per_centroid=32, device=device)
        distances = ((rows[:, None] - ours.centroids[None]) ** 2).sum(axis=2)
        assert np.array_equal(ours.labels, distances.argmin(axis=1))


def test_a_sample_per_centroid_costs_a_little():
    """256 rows per centroid, as faiss would take, come close to all rows."""
    rows = blobs(n=6000, spread=1.0)
    everything = objective(rows, kmeans(rows, 4, seed=1))
    sampled = objective(rows, kmeans(rows, 4, seed=1, max_points_per_centroid=256))
    assert everything < sampled < 1.05 * everything


def test_no_cluster_is_left_empty():
    """By hand: three far points of twelve, from a start that can miss them."""
    rows = np.zeros((12, 2), np.float32)
    rows[:9, 0] = np.linspace(0, 0.01, 9)
    rows[9:] = [[50, 0], [0, 50], [50, 50]]
    for seed in range(5):
        result = kmeans(rows, 4, seed=seed, n_init=20, init="random")
        assert len(np.unique(result.labels)) == 4
    result = kmeans(rows, 4, seed=3, n_init=1, init="random", device=TORCH)
    assert len(np.unique(result.labels)) == 4


CODE = """
import sys, hashlib, numpy as np
from mmclust.kernels.kmeans import kmeans
from mmclust.kernels.nearest_neighbors import nearest_neighbors
rows = np.random.default_rng(0).standard_normal((3000, 48)).astype("f")
found = kmeans(rows, 17, seed=3, n_init=2, init=sys.argv[1])
near = nearest_neighbors(rows, 7)
parts = found.labels, found.centroids, near
print(hashlib.sha256(b"".join(p.tobytes() for p in parts)).hexdigest())
"""


def test_the_same_bytes_on_one_thread_and_on_two():
    """Whatever the environment gives the libraries."""
    digests = {
        subprocess.run(
            [sys.executable, "-c", CODE, "k-means++"],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT / "src"),
                "OMP_NUM_THREADS": threads,
                "OPENBLAS_NUM_THREADS": threads,
            },
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2")
    }
    assert len(digests) == 1


def test_what_cannot_be():
    """k of none or more than the rows; an unknown start."""
    rows = blobs(n=5)
    for k in (0, 6):
        with pytest.raises(MmclustError, match=f"Cannot make {k} clusters of 5"):
            kmeans(rows, k, seed=0)
    with pytest.raises(MmclustError, match="Unknown k-means initialisation"):
        kmeans(rows, 2, seed=0, init="forgy")
    assert kmeans(rows, 1, seed=0).labels.tolist() == [0] * 5
