"""Clusterers: right on easy cases, the same every time."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from mmclust.clusterers import dbscan
from mmclust.clusterers import kmeans as kmeans_plugin
from mmclust.clusterers._graph import (
    components,
    leading,
    neighbour_graph,
    normalised_affinity,
)
from mmclust.clusterers._runs import assign, finds_k, rows_for, takes_both
from mmclust.core.errors import MmclustError
from mmclust.core.features import Features, normalised
from mmclust.core.plugins import instance_of, known, load
from mmclust.kernels.kmeans import kmeans
from mmclust.scoring.clustering import ari, contingency
from tests.conftest import ROOT


def blobs(n=300, k=4, d=16, spread=0.15, seed=0):
    rng = np.random.default_rng(seed)
    centres = normalised(rng.standard_normal((k, d)))
    labels = np.arange(n) % k
    noise = spread * rng.standard_normal((n, d))
    return normalised(centres[labels] + noise), labels


def method(name, **block):
    return instance_of("clusterers", name, block, name)


def run(name, features, k, seed=0, **block):
    """Cluster one array; methods that take both views get it twice."""
    rows = (features, features) if takes_both(method(name)) else features
    return assign(method(name, **block), rows, k, seed)[0]


@pytest.mark.parametrize("name", sorted(set(known("clusterers")) - {"random"}))
def test_separated_blobs_are_found(name):
    """Well separated groups come out, but for a stray image of a density method."""
    features, labels = blobs()
    options = {"dbscan": {"eps": 0.7}}.get(name, {})
    assert ari(contingency(labels, run(name, features, 4, **options))) > 0.99


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["spectral", "coregularized_spectral"])
def test_groups_that_no_neighbour_joins_are_told_apart(name, seed):
    """The eigenvalue 1 comes eight times; an iterative solver easily misses some."""
    features, labels = blobs(1200, 8, seed=seed)
    assert ari(contingency(labels, run(name, features, 8, seed=seed))) > 0.99


def test_leading_eigenvectors_are_those_of_a_dense_solver():
    """Above the size of the dense solver, in one component and in several."""
    for spread in (0.1, 0.5):
        graph = neighbour_graph(blobs(1100, 5, spread=spread)[0], 10)
        affinity = normalised_affinity(graph)
        vectors = leading(affinity, 9, seed=1, known=components(graph))
        values = np.linalg.eigvalsh(affinity.toarray())[::-1][:9]
        assert vectors.T @ vectors == pytest.approx(np.eye(9), abs=1e-6)
        assert affinity @ vectors == pytest.approx(vectors * values, abs=1e-3)


@pytest.mark.parametrize("held", [1, 60, 1 << 20])
@pytest.mark.parametrize("seed", range(12))
def test_dbscan_gives_the_labels_of_scikit_learn(seed, held, monkeypatch):
    """Whatever block it holds at once; whole numbers lie on the radius itself."""
    from sklearn.cluster import DBSCAN

    monkeypatch.setattr(dbscan, "_NUMBERS", held)
    rng = np.random.default_rng(seed)
    n, d, least = (int(rng.integers(low, high)) for low, high in
                   ((1, 200), (1, 12), (1, 9)))  # fmt: skip
    whole = rng.integers(-2, 3, (n, d)), float(rng.integers(1, 4))
    rows, eps = whole if seed % 2 else (rng.standard_normal((n, d)), d**0.5 * 0.6)
    rows = rows.astype(np.float32)
    found = dbscan.fit_predict(rows, 0, dbscan.Params(eps, least), seed=0)
    expected = DBSCAN(eps=eps, min_samples=least).fit_predict(rows)
    assert np.array_equal(found, expected)
    assert found.dtype == np.int32


@pytest.mark.parametrize(
    ("name", "n", "most"),
    [("spectral", 3_000_000, "1,048,576"), ("ward_graph", 3_000_000, "1,048,576"),
     ("dbscan", 3_000_000, "1,482,910"), ("hdbscan", 100_000, "92,681")],
)  # fmt: skip
def test_what_would_take_hours_is_refused_at_once(name, n, most):
    """With the number of rows that works; no row is looked at."""
    rows = np.broadcast_to(np.float32(0.125), (n, 64))
    with pytest.raises(MmclustError, match="would take hours") as caught:
        run(name, rows, 10)
    assert f"at most {most} rows of 64 features" in str(caught.value)


def test_ward_along_a_graph_of_all_rows_is_plain_ward():
    """With every other row among the neighbours there is nothing to leave out."""
    features, _ = blobs(120, 7, spread=0.5)
    for k in (2, 5, 40):
        plain = run("agglomerative", features, k)
        along = run("ward_graph", features, k, n_neighbors=119)
        assert ari(contingency(plain, along)) == 1


def merged(features, edges, k):
    """Merge the two neighbouring clusters that add least to the squares within."""
    groups = [{row} for row in range(len(features))]
    while len(groups) > k:
        costs = {}
        for i, j in itertools.combinations(range(len(groups)), 2):
            if any(edges[a, b] for a in groups[i] for b in groups[j]):
                one, two = features[sorted(groups[i])], features[sorted(groups[j])]
                share = len(one) * len(two) / (len(one) + len(two))
                apart = one.mean(axis=0) - two.mean(axis=0)
                costs[i, j] = share * float(apart @ apart)
        i, j = min(costs, key=costs.__getitem__)
        groups[i] |= groups.pop(j)
    labels = np.empty(len(features), int)
    for label, group in enumerate(groups):
        labels[sorted(group)] = label
    return labels


@pytest.mark.parametrize("seed", range(4))
def test_ward_along_a_graph_merges_neighbours_only(seed):
    """As brute force on the same graph."""
    features = blobs(36, 4, d=3, spread=0.6, seed=seed)[0].astype(np.float64)
    rows = features.astype(np.float32)
    edges = neighbour_graph(rows, 5).toarray() > 0
    assert connected_components(edges)[0] == 1
    found = run("ward_graph", rows, 4, n_neighbors=5)
    assert ari(contingency(merged(features, edges, 4), found)) == 1


@pytest.mark.parametrize("name", known("clusterers"))
def test_every_clusterer_keeps_the_contract(name):
    """int32 labels below k for every row; same seed, same labels; k > n refused;
    methods that find k themselves may leave rows out as -1."""
    features, _ = blobs(60)
    labels = run(name, features, 7, seed=3)
    assert labels.dtype == np.int32
    assert labels.shape == (60,)
    assert np.array_equal(labels, run(name, features, 7, seed=3))
    same = np.array_equal(labels, run(name, features, 7, seed=4))
    assert same or not load("clusterers", name).DETERMINISTIC
    if finds_k(method(name)):
        assert labels.min() >= -1
        return
    assert 0 <= labels.min() <= labels.max() < 7
    with pytest.raises(MmclustError, match="Cannot make 61 clusters of 60") as e:
        run(name, features, 61)
    assert "between 1 and 60" in str(e.value)


def test_the_clusterers_are_those_of_the_documentation():
    """docs/clusterers.md describes every one; none is left out of these tests."""
    listed = known("clusterers")
    assert len(listed) >= 11
    page = (ROOT / "docs/clusterers.md").read_text()
    assert [name for name in listed if f"`{name}`" not in page] == []


@pytest.mark.parametrize("name", known("clusterers"))
def test_rows_without_content(name):
    """Zero rows (images without a caption) and equal rows stop no method."""
    features, _ = blobs(60)
    features[:5] = 0
    features[5:15] = features[5]
    assert run(name, features, 4).shape == (60,)


@pytest.mark.parametrize("k", [1, 60])
def test_extreme_k(k):
    """One cluster, and as many clusters as rows."""
    features, _ = blobs(60)
    for name in ("kmeans", "agglomerative", "average_linkage", "spectral",
                 "coregularized_spectral"):  # fmt: skip
        assert len(np.unique(run(name, features, k))) == k


def test_kmeans_uses_every_row():
    """faiss would sample 256 rows per centroid; a far group of 3 must be seen."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((3000, 4)).astype(np.float32)
    features[:3] += 200
    labels = kmeans(features, 2, seed=0).labels
    assert sorted(np.bincount(labels).tolist()) == [3, 2997]


@pytest.mark.parametrize("name", ["gaussian_mixture", "minibatch_kmeans", "kmeans"])
def test_equal_rows_share_a_cluster(name):
    """Seven rows that repeat, at every number of rows: by place, products round."""
    some = blobs(7, 7, spread=0.9)[0]
    for n in range(7, 71, 3):
        order = np.arange(n) % 7
        labels = run(name, some[order], 3)
        assert np.array_equal(labels, labels[:7][order])


def test_posteriors_of_equal_rows_are_equal(monkeypatch):
    """Though the mixture's own differ by their place."""
    from sklearn.mixture import GaussianMixture

    rng = np.random.default_rng(0)
    monkeypatch.setattr(
        GaussianMixture, "predict_proba",
        lambda _, rows: rng.dirichlet(np.ones(3), len(rows)),
    )  # fmt: skip
    features = np.tile(blobs(5)[0], (4, 1))
    labels, sure = assign(method("gaussian_mixture"), features, 3, 0)
    assert np.array_equal(labels, np.tile(labels[:5], 4))
    assert np.array_equal(sure, np.tile(sure[:5], 4))


@given(st.integers(1, 9), st.integers(0, 5))
def test_random_clusters_are_uniform_in_range(k, seed):
    """Labels lie in 0 … k-1 and, over many rows, all occur."""
    labels = run("random", np.zeros((400, 2), np.float32), k, seed=seed)
    assert set(labels.tolist()) == set(range(k))


def test_kmeans_of_raw_rows_fitted_on_others():
    """As scikit-learn's fit and predict; rows of unlike lengths stay as they are."""
    from sklearn.cluster import KMeans

    rng = np.random.default_rng(3)
    centres = np.array([[0, 0], [9, 1], [1, 30]], np.float32)
    fit, asked = (
        (centres[np.arange(n) % 3] + rng.standard_normal((n, 2))).astype(np.float32)
        for n in (60, 30)
    )
    params = kmeans_plugin.Params(spherical=False, rows="raw", fit_on="fit", n_init=2)
    found = kmeans_plugin.fit_predict(asked, 3, params, seed=0, fit=fit)
    expected = KMeans(3, n_init=2, random_state=0).fit(fit).predict(asked)
    assert ari(contingency(found, expected)) == 1


@pytest.mark.parametrize(
    ("rows", "view", "lengths"),
    [
        ("unit", "image", (1, 1)), ("unit", "concat", (1, 1)),
        ("raw", "image", (3, 6)), ("raw", "concat", (5, 10)),
        ("raw_if_single", "text", (4, 8)), ("raw_if_single", "concat", (2**0.5,) * 2),
    ],
)  # fmt: skip
def test_which_rows_the_dialects_take(rows, view, lengths):
    """Rows as they are, at unit norm, or two views at unit norm each, side by side."""
    views = {"image": np.array([[3, 0], [0, 6]], np.float32),
             "text": np.array([[0, 4], [8, 0]], np.float32)}  # fmt: skip
    both = np.arange(2)
    options = kmeans_plugin.Params(spherical=False, rows=rows)
    found, fit = rows_for(Features(views, {}), view, options, both, both[:1])
    assert np.linalg.norm(found, axis=1) == pytest.approx(lengths)
    assert fit is None
    apart, fit = rows_for(
        Features(views, {}), view, replace(options, fit_on="fit"), both, both[:1]
    )
    assert np.array_equal(apart, found)
    assert np.array_equal(fit, found[:1])


def test_spherical_kmeans_of_raw_rows_is_refused():
    """Its centroids are directions, and lengths would weigh rows in silence."""
    with pytest.raises(MmclustError, match="wants rows at unit norm"):
        instance_of("clusterers", "kmeans", {"rows": "raw"}, "clusterers.kmeans")


@pytest.mark.parametrize("name", ["kmeans", "concat_kmeans"])
def test_a_start_that_there_is_not_is_refused_where_options_are_read(name):
    """Before any feature is."""
    with pytest.raises(MmclustError, match=r"expected: (random or )?k-means\+\+"):
        method(name, init="forgy")
