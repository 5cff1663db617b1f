"""The cluster stage: every clusterer, view and seed; the same at any workers."""

import csv
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from mmclust.clusterers._stage import cluster_benchmark
from mmclust.core.clusters import read_clusters
from mmclust.core.errors import MmclustError
from mmclust.core.features import normalised, sealed
from mmclust.core.io import read_json, read_table, write_array, write_json, write_table
from mmclust.core.params import ModelParams, Params
from mmclust.core.seeds import derive
from mmclust.kernels.coding_length import coding_length
from mmclust.scoring.generalisation import generalisation_score
from mmclust.scoring.label_free import CRITERIA
from mmclust.scoring.record import path_of, read
from tests.encode.staging import encode_benchmark

METHODS = ("kmeans", "agglomerative", "random")


def params(**model):
    settings = {"clusterers": METHODS, "n_seeds": 2, "k_sweep": (2, 3, 99), **model}
    return Params(seed=5, model=ModelParams(**settings))


@pytest.fixture
def encoded(tiny):
    manifest = tiny / "data/benchmarks/tiny/manifest.parquet"
    for encoder in ("random", "color_histogram"):
        out = tiny / "data/features/tiny" / encoder
        encode_benchmark(manifest, encoder, out, block=None, seed=1)
    return tiny


def cluster(root, encoder, settings, **options):
    cluster_benchmark("tiny", encoder, settings, root, **options)
    return root / f"data/clusters/tiny/{encoder}.parquet"


def test_the_sweep_takes_k_means_under_a_name_of_ones_own(encoded):
    """The one named kmeans, else the first: its curves are of one method."""
    blocks = {name: {"is": "kmeans", "n_init": 2} for name in ("one", "two")}
    for names, swept in ((("one", "two"), "one"), (("one", "kmeans"), "kmeans")):
        settings = replace(params(clusterers=("random", *names)), clusterers=blocks)
        assert settings.swept == swept
        file = cluster(encoded, "color_histogram", settings)
        found, _, _ = read_clusters(file)
        assert [c.clusterer for c in found if c.k != 3] == [swept]
        curve = (encoded / "plots/auto_k/tiny_color_histogram.csv").read_text()
        assert [line.split(",")[2] for line in curve.splitlines()[1:]] == ["2", "3"]
    assert params(clusterers=("random",)).swept == ""


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
    labels = clusterings[0].labels[0]
    assert len({(label, i % 3) for i, label in enumerate(labels)}) == 3


@pytest.mark.parametrize(
    ("k", "told"),
    [
        (37, "Cannot make 37 clusters of 36 images"),
        (1, r"One cluster holds everything[\s\S]*between 2 and 36, or auto"),
    ],
)
def test_k_that_cannot_be_is_refused(encoded, k, told):
    """More clusters than images, and one alone; nothing is written."""
    with pytest.raises(MmclustError, match=told):
        cluster(encoded, "random", params(k=k), workers=2)
    assert not (encoded / "data/clusters").exists()


def test_a_benchmark_without_classes_needs_k(encoded):
    """k: null needs a number of classes."""
    (encoded / "data/benchmarks/tiny.json").write_text("{}")
    with pytest.raises(MmclustError, match="k must be given"):
        cluster(encoded, "random", params())
    assert cluster(encoded, "random", params(k=2)).exists()


def test_both_views_apart(encoded):
    """A method that takes both views runs once for them, and not on one view."""
    settings = params(clusterers=("kmeans", "concat_kmeans"), k_sweep=())
    found = [(c.clusterer, c.view) for c in read_clusters(
        cluster(encoded, "random", settings))[0]]  # fmt: skip
    assert found[-1] == ("concat_kmeans", "both")
    assert len(found) == 4
    one = read_clusters(cluster(encoded, "color_histogram", settings))[0]
    assert [c.clusterer for c in one] == ["kmeans"]
    alone = params(clusterers=("concat_kmeans",))
    with pytest.raises(MmclustError, match="No clusterer of"):
        cluster(encoded, "color_histogram", alone)


def test_methods_that_find_k_and_are_unsure(encoded):
    """k is 0, noise is -1, and confidence lies beside the labels of those with it."""
    settings = params(clusterers=("hdbscan", "gaussian_mixture", "kmeans"))
    found = {
        c.clusterer: c
        for c in read_clusters(cluster(encoded, "color_histogram", settings))[0]
        if c.k in (0, 3)
    }
    assert [c.k for c in found.values()] == [0, 3, 3]
    assert found["kmeans"].confidence is None
    assert found["hdbscan"].confidence.shape == (1, 36)
    sure = found["gaussian_mixture"].confidence
    assert sure.dtype == np.float32
    assert ((sure > 0) & (sure <= 1)).all()


def test_k_is_chosen_without_labels(encoded):
    """k: auto finds the three colours, and writes every criterion's curve."""
    (encoded / "data/benchmarks/tiny/labels.parquet").unlink()
    settings = params(k="auto", k_grid=(2, 3, 4, 6), clusterers=("kmeans",))
    clusterings, _, meta = read_clusters(cluster(encoded, "color_histogram", settings))
    assert clusterings[0].k == meta["k"] == 3
    text = (encoded / "plots/auto_k/tiny_color_histogram.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert [(r["k"], r["chosen"]) for r in rows if r["metric"] == "silhouette"] == [
        ("2", "0"), ("3", "1"), ("4", "0"), ("6", "0")]  # fmt: skip
    assert {row["images"] for row in rows} == {"fit"}
    record = read(path_of(encoded, "cluster", "tiny", "color_histogram"))
    chosen = record.of(("color_histogram", "", ""))
    assert chosen["chosen_k"].mean == 3
    assert chosen["chosen_k_at_edge"].mean == 0
    assert "silhouette" in chosen["chosen_k"].note
    for by in CRITERIA:
        own = [row for row in rows if row["metric"] == by]
        scores = {int(row["k"]): float(row["score"]) for row in own}
        assert list(scores) == [2, 3, 4, 6]
        best = min if by == "coding_length" else max
        first = next(k for k in scores if scores[k] == best(scores.values()))
        assert [row["k"] for row in own if row["chosen"] == "1"] == [str(first)]
        assert chosen[f"chosen_k_by_{by}"].mean == first
        again = replace(settings, model=replace(settings.model, k_by=by))
        other = cluster(encoded, "color_histogram", again)
        assert read_clusters(other)[2]["k"] == first


def test_label_free_scores_are_apart(encoded):
    """They are written without labels, and say nothing of classes."""
    (encoded / "data/benchmarks/tiny/labels.parquet").unlink()
    cluster(encoded, "random", params())
    record = read(path_of(encoded, "cluster", "tiny", "random"))
    kmeans = record.of(("random", "concat", "kmeans"))
    assert kmeans["silhouette"].k == 3
    assert -1 <= kmeans["silhouette"].mean <= 1
    assert kmeans["davies_bouldin"].mean > 0
    assert -1 <= kmeans["stability"].mean <= 1
    folder = encoded / "data/features/tiny/random"
    rows = [np.load(folder / f"{view}.npy") for view in ("image", "text")]
    one = read_clusters(encoded / "data/clusters/tiny/random.parquet")[0][2]
    assert (one.view, one.clusterer) == ("concat", "kmeans")
    expected = generalisation_score(
        rows, one.labels[0], seed=derive(5, "cluster", "random"))  # fmt: skip
    assert kmeans["generalisation"].mean == pytest.approx(expected, abs=1e-6)
    assert kmeans["generalisation"].n_seeds == 1
    nats = coding_length(normalised(np.hstack([*map(normalised, rows)])), one.labels[0])
    assert kmeans["coding_length"].n_seeds == 2
    assert 0 < kmeans["coding_length"].mean < 2 * nats / 36
    alone = record.get(("random", "image", "agglomerative"), "stability")
    assert alone.mean is None
    assert alone.note == "one run, or no two runs with images in common"
    assert not {"acc", "nmi", "ari", "f1", "purity"} & set(kmeans)


def test_clusters_are_named_by_their_captions(encoded):
    """Where clusters are the classes, keywords are what their captions share."""
    cluster(encoded, "color_histogram", params(clusterers=("kmeans",)))
    path = encoded / "data/clusters/tiny/names/color_histogram.parquet"
    rows = [row for row in read_table(path)[0].to_pylist() if row["k"] == 3]
    found = {tuple(sorted(row["keywords"][:2])) for row in rows}
    assert found == {("red", "square"), ("disc", "green"), ("bar", "blue")}
    assert [row["size"] for row in rows] == [12, 12, 12]
    assert all(row["weights"] == sorted(row["weights"])[::-1] for row in rows)
    assert {tuple(row["nouns"]) for row in rows} == {()}


def test_nouns_name_clusters_where_they_are(encoded):
    """Nouns of the same encoder's space: the nearest to each centre, best first."""
    folder = encoded / "data/nouns/tiny"
    made_of = encoded / "data/features/tiny/random"
    features = np.load(made_of / "image.npy")
    table = pa.table({"word": [f"noun{i}" for i in range(36)]})
    write_table(folder / "nouns.parquet", table, {})
    write_array(folder / "nouns.npy", features)
    write_array(folder / "counterparts.npy", features)
    facts = read_json(made_of / "features.json")
    names = ("nouns.parquet", "nouns.npy", "counterparts.npy")
    write_json(
        folder / "nouns.json",
        {
            "encoder": "random",
            "manifest": facts["manifest"],
            "image_features": facts["sha256"]["image.npy"],
            **sealed(folder, names),
        },
    )
    settings = params(k=36, clusterers=("kmeans",), k_sweep=())
    found = read_clusters(cluster(encoded, "random", settings))[0][0]
    assert found.view == "image"
    path = encoded / "data/clusters/tiny/names/random.parquet"
    for row in read_table(path)[0].to_pylist():
        assert len(row["nouns"]) == 5
        assert row["cosines"] == sorted(row["cosines"])[::-1]
    cluster(encoded, "color_histogram", params())
    other = encoded / "data/clusters/tiny/names/color_histogram.parquet"
    assert read_table(other)[0]["nouns"][0].as_py() == []
