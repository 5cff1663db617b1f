"""t-SNE: each part against its definition, the whole against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest

from mmclust.report import tsne


def groups(n, d, seed):
    """Return rows around five centres, of different widths."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(5, d))[rng.integers(5, size=n)]
    widths = rng.uniform(0.3, 1, size=(n, 1))
    return (centres + widths * rng.normal(size=(n, d))).astype(np.float32)


def likeness(places):
    """Return differences (n, n, 2) and q before it is divided by its sum."""
    apart = places[:, None] - places[None]
    q = 1 / (1 + (apart**2).sum(-1))
    np.fill_diagonal(q, 0)
    return apart, q


@pytest.mark.parametrize(
    ("scale", "off"), [(1e-4, 0.1), (1, 0.02), (12, 0.02), (40, 0.1)]
)
def test_the_mesh_repels_as_all_pairs_do(scale, off):
    """To two percent of the sum over pairs; where all are near or far, to ten."""
    places = scale * np.random.default_rng(0).normal(size=(900, 2))
    apart, q = likeness(places)
    exact = (q[..., None] ** 2 * apart).sum(1) / q.sum()
    found = tsne.repulsion(tsne.Mesh(), places)
    np.testing.assert_allclose(tsne.repulsion_of_pairs(places), exact, rtol=1e-9)
    assert np.linalg.norm(found - exact) < off * np.linalg.norm(exact)


@pytest.mark.parametrize("extent", [3, 20, 61])
def test_fields_are_those_of_whole_transforms(extent):
    """In every bit, though zeros are not transformed, nor what is not looked at."""
    from scipy.fft import irfft2, rfft2

    mesh = tsne.Mesh()
    mesh.fit(extent)
    n, wide = mesh.nodes, (2 * mesh.nodes, 2 * mesh.nodes)
    charge = np.random.default_rng(extent).normal(size=(n, n))
    whole = [irfft2(rfft2(charge, wide) * each, wide) for each in mesh.transforms]
    found = list(mesh.fields(charge))
    assert np.array_equal(found, [each[:n, :n] for each in whole])


def test_a_map_too_wide_for_the_mesh_has_a_wider_spacing(monkeypatch):
    """A point that flew off costs no memory."""
    monkeypatch.setattr(tsne, "NODES", 100)
    places = np.zeros((3, 2))
    places[2] = 1e6
    mesh = tsne.Mesh()
    assert np.isfinite(tsne.repulsion(mesh, places)).all()
    assert mesh.nodes < 1.3 * tsne.NODES


@pytest.mark.parametrize("pairs", [64, 1 << 15])
def test_attraction_is_the_sum_over_pairs(monkeypatch, pairs):
    """However many pairs are taken at a time."""
    monkeypatch.setattr(tsne, "PAIRS", pairs)
    near = tsne.affinities(groups(200, 6, 1))
    places = np.random.default_rng(2).normal(size=(200, 2))
    apart, q = likeness(places)
    table = np.zeros((200, 200))
    table[np.repeat(np.arange(200), np.diff(near.bounds)), near.others] = near.weights
    exact = ((table * q)[..., None] * apart).sum(1)
    np.testing.assert_allclose(tsne.attraction(near, places), exact, atol=1e-12)


def test_affinities_are_scikit_learns():
    """Same neighbours, same widths, made symmetric alike."""
    from scipy.sparse import csr_array
    from sklearn.manifold._t_sne import _joint_probabilities_nn
    from sklearn.neighbors import NearestNeighbors

    rows = groups(300, 8, 3)
    near = tsne.affinities(rows)
    theirs = NearestNeighbors(n_neighbors=90).fit(rows)
    graph = theirs.kneighbors_graph(mode="distance")
    graph.data **= 2
    expected = _joint_probabilities_nn(graph, 30, 0).toarray()
    found = csr_array((near.weights, near.others, near.bounds), (300, 300)).toarray()
    np.testing.assert_allclose(found, expected, atol=2e-7)
    assert abs(found.sum() - 1) < 1e-12


def test_maps_are_as_trustworthy_as_scikit_learns():
    """Of ten neighbours, and as many of them are kept."""
    from sklearn.manifold import TSNE, trustworthiness
    from sklearn.neighbors import NearestNeighbors

    rows = groups(600, 12, 4)
    start = 1e-4 * rows[:, :2] / rows[:, 0].std()

    def kept(places):
        lists = [
            NearestNeighbors(n_neighbors=10).fit(each).kneighbors()[1]
            for each in (rows, places)
        ]
        both = [len(set(a) & set(b)) for a, b in zip(*lists, strict=True)]
        return np.mean(both) / 10

    ours = tsne.lay_out(rows, start)
    theirs = TSNE(init=start, n_jobs=1).fit_transform(rows)
    trust = [trustworthiness(rows, each, n_neighbors=10) for each in (ours, theirs)]
    assert trust[0] > trust[1] - 0.005
    assert kept(ours) > kept(theirs) - 0.02
