"""The cluster stage: every clusterer, view and seed; the same at any workers."""

import csv

import numpy as np
import pytest

from mmclust.clusterers._stage import cluster_benchmark
from mmclust.core.clusters import read_clusters
from mmclust.core.errors import MmclustError
from mmclust.core.params import ModelParams, Params
from mmclust.encoders._stage import encode_benchmark

METHODS = ("kmeans", "agglomerative", "random")


def params(**model):
    settings = {"clusterers": METHODS, "n_seeds": 2, "k_sweep": (2, 3, 99), **model}
    return Params(seed=5, model=ModelParams(**settings))


@pytest.fixture
def encoded(tiny):
    manifest = tiny / "data/benchmarks/tiny/manifest.parquet"
    for encoder in ("random", "color_histogram"):
        encode_benchmark(manifest, encoder, tiny / encoder, block=None, seed=1)
    return tiny


def cluster(root, encoder, settings, **options):
    out = root / f"{encoder}.parquet"
    folder = root / "data/benchmarks/tiny"
    cluster_benchmark(folder, root / encoder, out, settings, **options)
    return out


def test_all_methods_views_and_seeds(encoded):
    """k: null takes the number of classes; the sweep leaves out the main k and
    what is larger than the number of images; deterministic methods run once."""
    (encoded / "data/benchmarks/tiny/labels.parquet").unlink()
    clusterings, ids, meta = read_clusters(cluster(encoded, "random", params()))
    found = [(c.clusterer, c.view, c.k, len(c.labels)) for c in clusterings]
    views = ("image", "text", "concat")
    expected = [
        (name, view, 3, 1 if name == "agglomerative" else 2)
        for name in METHODS
        for view in views
    ]
    expected += [("kmeans", view, 2, 2) for view in views]
    assert found == expected
    assert len(ids) == 36
    assert meta["params"]["kmeans"]["spherical"] is True


def test_seeds_differ_and_runs_repeat(encoded):
    """Two seeds are two runs; the same params give the same bytes."""
    settings = params(k=7)
    out = cluster(encoded, "random", settings)
    first = out.read_bytes()
    clusterings = read_clusters(out)[0]
    one, two = clusterings[0].labels
    assert not np.array_equal(one, two)
    for workers in (2, 7):
        again = cluster(encoded, "random", settings, workers=workers)
        assert again.read_bytes() == first


def test_one_view_has_no_concat(encoded):
    """An encoder of images is clustered on images, and finds the colours."""
    settings = params(clusterers=("kmeans",))
    clusterings = read_clusters(cluster(encoded, "color_histogram", settings))[0]
    assert {c.view for c in clusterings} == {"image"}
    assert len({tuple(row % 3) for row in [np.arange(3)]}) == 1
    labels = clusterings[0].labels[0]
    assert len({(label, i % 3) for i, label in enumerate(labels)}) == 3


def test_k_larger_than_the_number_of_images(encoded):
    """One clear error; nothing is written."""
    with pytest.raises(MmclustError, match="Cannot make 37 clusters of 36 images"):
        cluster(encoded, "random", params(k=37), workers=2)
    assert not (encoded / "random.parquet").exists()


def test_a_benchmark_without_classes_needs_k(encoded):
    """k: null needs a number of classes."""
    (encoded / "data/benchmarks/tiny/summary.json").write_text("{}")
    with pytest.raises(MmclustError, match="k must be given"):
        cluster(encoded, "random", params())
    assert cluster(encoded, "random", params(k=2)).exists()


def test_ones_own_features(encoded, run_mmclust):
    """`mmclust cluster METHOD` needs neither params.yaml nor a benchmark."""
    rng = np.random.default_rng(0)
    np.save(encoded / "x.npy", rng.standard_normal((9, 4)).astype(np.float32))
    (encoded / "ids.txt").write_text("\n".join("abcdefghi"))
    options = ("--image-features", "x.npy", "--k", 3, "--out", "c.csv")
    done = run_mmclust("cluster", "kmeans", *options, "--ids", "ids.txt", cwd=encoded)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((encoded / "c.csv").open()))
    assert "".join(row["image_id"] for row in rows) == "abcdefghi"
    assert {row["cluster"] for row in rows} == {"0", "1", "2"}
    np.save(encoded / "y.npy", rng.standard_normal((8, 4)).astype(np.float32))
    done = run_mmclust("cluster", "kmeans", *options, "--text-features", "y.npy",
                       cwd=encoded)  # fmt: skip
    assert done.returncode == 1
    assert "wrong number of rows" in done.stderr
    done = run_mmclust("cluster", "kmean", *options, cwd=encoded)
    assert done.returncode == 1
    assert "Did you mean 'kmeans'?" in done.stderr
    done = run_mmclust("cluster", "kmeans", cwd=encoded)
    assert done.returncode == 2
    done = run_mmclust("cluster", "coco_cross", "hog", "--k", 5, cwd=encoded)
    assert done.returncode == 2
    assert "features of your own" in done.stderr
