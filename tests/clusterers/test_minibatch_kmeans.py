"""k-means by mini-batches: whole, sorted, mapped, and on several machines."""

from functools import partial

import numpy as np
import pytest

from mmclust.clusterers import minibatch_kmeans as minibatch
from mmclust.clusterers.minibatch_kmeans import (
    Params,
    fit_predict,
    minibatch_centroids,
    streamed_labels,
    summed,
)
from mmclust.core.errors import MmclustError
from mmclust.core.features import normalised
from mmclust.core.io import read_array, write_array
from mmclust.kernels.kmeans import kmeans


@pytest.fixture(autouse=True)
def short_runs(monkeypatch):
    """Runs of 8 rows, 3 of them a part: small files have many."""
    monkeypatch.setattr(minibatch, "RUN", 8)
    monkeypatch.setattr(minibatch, "PART", 3)


def blobs(n=1203, k=5, d=6, seed=0):
    rng = np.random.default_rng(seed)
    own = np.sort(rng.integers(k, size=n))  # sorted by cluster, as files may be
    centres = 3 * rng.standard_normal((k, d))
    return (centres[own] + 0.2 * rng.standard_normal((n, d))).astype(np.float32)


def euclidean(batch_rows, max_iter=10):
    return Params(batch_rows, max_iter, n_init=10, spherical=False)


def test_a_part_is_summed_as_by_hand():
    """Two runs, of which the last is short: sums, sizes and objective per cluster."""
    rows = np.arange(22, dtype=np.float32).reshape(11, 2)
    centroids = np.array([[0, 1], [19, 20], [99, 99]], np.float32)
    for spherical in (False, True):
        sums, sizes, loss = summed(rows, (np.array([1, 0]), centroids, spherical))
        far = ((rows[:, None] - centroids) ** 2).sum(axis=2) / 2
        own = (rows @ centroids.T).argmax(axis=1) if spherical else far.argmin(axis=1)
        assert sizes.tolist() == np.bincount(own, minlength=3).tolist()
        for cluster in range(3):
            assert np.array_equal(sums[cluster], rows[own == cluster].sum(axis=0))
        every = -(rows @ centroids.T) if spherical else far
        assert loss == pytest.approx(every[np.arange(11), own].sum())


def test_one_pass_of_whole_batches_is_a_step_of_lloyd():
    """From the first batch's k-means, which is of all rows: their means again."""
    rows = blobs()
    found = minibatch_centroids(rows, 5, euclidean(len(rows), 1), seed=3)
    order = np.argsort(found[:, 0])
    labels = streamed_labels(rows, found)
    means = np.stack([rows[labels == c].mean(axis=0) for c in range(5)])
    assert found[order] == pytest.approx(means[order], abs=1e-5)


@pytest.mark.parametrize("spherical", [False, True])
def test_small_batches_of_a_sorted_file_come_near_to_lloyd(spherical):
    """At an objective within one hundredth of that of k-means."""
    rows = normalised(blobs()) if spherical else blobs()
    params = Params(100, n_init=10, spherical=spherical)
    found = minibatch_centroids(rows, 5, params, seed=1)
    labels = streamed_labels(rows, found, spherical=spherical)
    lloyd = kmeans(rows, 5, seed=1, spherical=spherical)
    theirs = ((rows - lloyd.centroids[lloyd.labels]) ** 2).sum()
    assert ((rows - found[labels]) ** 2).sum() < 1.01 * theirs


def test_a_mapped_file_gives_what_memory_gives(tmp_path):
    """The same bytes, though what was read is let go after each part."""
    rows = blobs()
    write_array(tmp_path / "rows.npy", rows)
    mapped = read_array(tmp_path / "rows.npy")
    labels = [fit_predict(each, 5, Params(64), seed=2) for each in (rows, mapped)]
    assert np.array_equal(*labels)


def test_a_batch_that_is_too_small():
    """One clear error, with the option's name."""
    with pytest.raises(MmclustError, match="fewer rows than there are clusters") as e:
        minibatch_centroids(blobs(), 20, euclidean(10), seed=0)
    assert "batch_rows" in str(e.value)


def placed(path, run, rows, part):
    """Sum a part on a node, of the same file, which the node maps itself."""
    from pathlib import Path

    import ray

    minibatch.RUN = run
    del rows
    return ray.get_runtime_context().get_node_id(), summed(read_array(Path(path)), part)


@pytest.mark.slow
def test_two_nodes_of_ray_give_the_same_centroids(tmp_path):
    """Parts lie on both nodes; centroids are those of one process, to the byte."""
    ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")
    from ray.cluster_utils import Cluster

    write_array(tmp_path / "rows.npy", blobs())
    rows = read_array(tmp_path / "rows.npy")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        ray.init(address=cluster.address, log_to_driver=False)
        there = ray.remote(placed).options(scheduling_strategy="SPREAD")
        run = partial(there.remote, str(tmp_path / "rows.npy"), minibatch.RUN, None)
        nodes = set()

        def spread(_, parts):
            for node, sums in ray.get([run(part) for part in parts]):
                nodes.add(node)
                yield sums

        found = minibatch_centroids(rows, 5, euclidean(200), seed=2, spread=spread)
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert len(nodes) == 2
    assert np.array_equal(found, minibatch_centroids(rows, 5, euclidean(200), seed=2))
