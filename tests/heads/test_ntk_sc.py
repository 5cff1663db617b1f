"""NTK-SC: the specification's check values, a plain reading, planted clusters."""

import os
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmclust.core.errors import MmclustError
from mmclust.core.features import normalised
from mmclust.core.types import HeadInputs
from mmclust.heads import ntk_sc
from mmclust.heads._space import mean_directions
from mmclust.heads._stage import run_head
from mmclust.kernels import diffusion
from mmclust.kernels.kmeans import kmeans
from tests.heads.planted import K, accuracy, planted

PARAMS = ntk_sc.Params()


@dataclass
class Words:
    """A vocabulary whose words each prompt embeds otherwise: (P, u, d)."""

    arrays: np.ndarray
    centres: np.ndarray

    @property
    def words(self):
        return [f"word {i}" for i in range(self.arrays.shape[1])]

    def embeddings(self, templates=(), *, normalise=False):
        assert normalise
        assert not templates
        return np.mean([normalised(rows) for rows in self.arrays], axis=0)

    def prompts(self, words, templates=()):
        assert not templates
        return self.arrays[:, [int(word.split()[1]) for word in words]]


def world(n=400, seed=0):
    """Planted images, and words near their clusters' means."""
    rows, kind = planted(n, seed)
    rng = np.random.default_rng(seed)
    means = mean_directions(rows, kind, K)
    groups = kmeans(rows, 3 * K, seed=1, spherical=True).labels
    noise = rng.standard_normal((3, 200, rows.shape[1]))
    words = means[np.arange(200) % K] + 0.3 * noise / np.sqrt(rows.shape[1])
    return rows, kind, Words(words, mean_directions(rows, groups, groups.max() + 1))


def test_the_kernel_of_the_specification():
    """Two images that are one, nouns alike, τ = .5: 1 · .5 / .25."""
    half = np.full((2, 2), 0.5, np.float32)
    found = ntk_sc.kernel(np.ones((2, 2), np.float32), half @ half.T, 0.5)
    assert found == pytest.approx(np.full((2, 2), 2.0))


def test_the_kernel_is_the_gram_matrix_of_gradients():
    """Of logsumexp(⟨x, nouns⟩ / τ) with respect to the nouns."""
    rows, _, words = world(30)
    rows = rows[:5]
    nouns = torch.from_numpy(normalised(words.arrays[0, :7])).requires_grad_()
    slopes = []
    for row in torch.from_numpy(rows):
        value = (nouns @ row / 0.2).logsumexp(0)
        slopes.append(torch.autograd.grad(value, nouns)[0].flatten())
    gram = torch.stack(slopes) @ torch.stack(slopes).T
    s = ntk_sc.softmax(rows @ nouns.detach().numpy().T / 0.2)
    found = ntk_sc.kernel(rows @ rows.T, s @ s.T, 0.2)
    assert found == pytest.approx(gram.numpy(), rel=1e-4)


def test_the_weights_of_the_specification():
    """Seven prompts at the start; two of them after a pass."""
    shares = diffusion.shares_of(np.full(7, 1 / 7), 0.1)
    assert shares == pytest.approx(np.full(7, 0.129870), abs=1e-6)
    assert 1 - shares.sum() == pytest.approx(0.090909, abs=1e-6)
    found = diffusion.descended(np.array([0.5, 0.5]), np.array([1.0, 3.0]), 10.0)
    assert found == pytest.approx([0.6, 0.4])


def test_graphs_that_are_all_alike_keep_equal_weights():
    """Nothing tells them apart."""
    rows, _, words = world(60)
    nouns = normalised(words.arrays[0])
    graphs = ntk_sc.graphs_of(rows, np.stack([nouns] * 4), PARAMS)
    weights = diffusion.diffused(graphs, 0.1, 10.0)[1]
    assert weights == pytest.approx(np.full(4, 0.25))


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=8))
def test_the_simplex_has_no_nearer_point(point):
    """None below 0, in sum 1, and no move of weight brings it nearer."""
    point = np.array(point)
    found = diffusion.on_simplex(point)
    assert found.min() >= 0
    assert found.sum() == pytest.approx(1)
    off = point - found
    assert off.max() - off[found > 1e-9].min() < 1e-6


def test_the_largest_of_equals_are_the_first():
    """Two of each row."""
    scores = np.array([[1, 3, 1, 1], [0, 0, 0, 0], [4, 5, 6, 5]], np.float32)
    row, column = ntk_sc.largest(scores, 2)
    assert row.tolist() == [0, 0, 1, 1, 2, 2]
    assert column.tolist() == [0, 1, 0, 1, 1, 2]


def fused(a, b, c):
    """a b + c, rounded once: long doubles hold the product of two floats."""
    return (np.longdouble(a) * b.astype(np.longdouble) + c).astype(np.float32)


def test_a_product_is_a_chain_of_fused_steps():
    """In the order of a row, to the bit: no processor may give another. Rows may be
    empty, and so may the whole graph."""
    rng = np.random.default_rng(0)
    pairs = np.argwhere(np.triu(rng.random((50, 50)) < 0.2, 1))
    pairs = pairs[(pairs % 10 != 7).all(axis=1)]
    values = rng.random(len(pairs)).astype(np.float32)
    graph = diffusion.normalised_graph([(pairs[:, 0],), (pairs[:, 1],), (values,)], 50)
    starts, columns = graph.starts.tolist(), graph.columns.tolist()
    dense = rng.standard_normal((50, 21)).astype(np.float32)
    expected = np.zeros((50, 21), np.float32)
    for row in range(50):
        for at in range(starts[row], starts[row + 1]):
            weight = graph.weights[at].item()
            expected[row] = fused(weight, dense[columns[at]], expected[row])
    assert not expected[7].any()
    assert np.array_equal(graph.times(dense).numpy(), expected)
    assert np.array_equal(graph.times(dense, 13).numpy(), expected[13:])
    none = np.zeros(0, np.int64)
    graph = diffusion.normalised_graph([(none,), (none,), (none.astype("f4"),)], 50)
    assert not graph.times(dense).numpy().any()
    affinity, _ = diffusion.diffused([graph] * 2, 0.1, 10.0)
    assert np.array_equal(affinity, np.eye(50, dtype=np.float32) * np.float32(1 / 11))


def plain_graph(kernel, wanted):
    """Zero diagonal, 30 of each row, symmetric by the larger, degrees at least 1."""
    kernel = kernel - np.diag(np.diag(kernel))
    kept = np.zeros_like(kernel)
    for row, values in enumerate(kernel):
        best = np.argsort(-values, kind="stable")[:wanted]
        kept[row, best] = values[best]
    kept = np.maximum(np.maximum(kept, kept.T), 0)
    degrees = np.maximum(kept.sum(1), 1)
    return kept / np.sqrt(degrees[:, None] * degrees)


def plain(images, nouns, params):
    """The specification with dense float64 matrices."""
    tau = params.temperature
    graphs = []
    for rows in nouns.astype(np.float64):
        s = np.exp(images @ rows.T / tau)
        s /= s.sum(1, keepdims=True)
        kernel = (images @ images.T) * (s @ s.T) / tau**2
        graphs.append(plain_graph(kernel, params.n_neighbors))
    a, beta = np.eye(len(images)), np.full(len(graphs), 1 / len(graphs))
    for _ in range(5):
        alpha = beta / (params.mu + beta.sum())
        for _ in range(8):
            parts = [w * t @ a @ t.T for w, t in zip(alpha, graphs, strict=True)]
            new = sum(parts) + (1 - alpha.sum()) * np.eye(len(a))
            new = np.maximum((new + new.T) / 2, 0)
            change = np.linalg.norm(new - a) / np.linalg.norm(a)
            a = new
            if change < 1e-4:
                break
        h = [np.sum(a * a) - np.sum(a * (t @ a @ t.T)) for t in graphs]
        for _ in range(4):
            for i in range(len(h)):
                for j in range(i + 1, len(h)):
                    s = beta[i] + beta[j]
                    weight = params.smoothness
                    beta[i] = np.clip((weight * s + h[j] - h[i]) / (2 * weight), 0, 1)
                    beta[j] = np.clip(s - beta[i], 0, 1)
            order = np.sort(beta)[::-1]
            drop = (1 - np.cumsum(order)) / np.arange(1, len(h) + 1)
            beta = np.maximum(beta + drop[order + drop > 0][-1], 0)
    return a, beta


@pytest.mark.parametrize("n", [40, 128, 150])
def test_affinities_are_those_of_a_plain_implementation(n):
    """Over three prompts, of which one costs more than the others; blocks end evenly,
    or not, or there is one."""
    rows, _, words = world(n)
    nouns = np.stack([normalised(each[:40]) for each in words.arrays])
    rng = np.random.default_rng(1)
    nouns[2] = normalised(rng.standard_normal(nouns[2].shape).astype(np.float32))
    params = ntk_sc.Params(temperature=0.1, n_neighbors=10, smoothness=100.0)
    graphs = ntk_sc.graphs_of(rows, nouns, params)
    found, weights = diffusion.diffused(graphs, params.mu, params.smoothness)
    expected, beta = plain(rows.astype(np.float64), nouns, params)
    assert weights == pytest.approx(beta, abs=1e-4)
    assert weights[2] < weights[:2].min() - 1e-4
    assert found.flags.c_contiguous
    assert np.abs(found - expected).max() < 1e-4
    assert np.array_equal(found, found.T)


def test_it_finds_what_kmeans_does_not():
    """.95 where k-means does .8; each seed."""
    rows, kind, words = world()
    assert accuracy(kind, kmeans(rows, K, seed=1).labels) < 0.85
    inputs = HeadInputs(image=rows, nouns=words)
    affinity = ntk_sc.prepare(inputs, PARAMS)
    for seed in (1, 2, 3):
        labels = ntk_sc.cluster(affinity, K, PARAMS, seed=seed)
        assert accuracy(kind, labels) > 0.95


def test_words_are_chosen_by_the_mean_of_their_prompts():
    """The most confident of each centre, each word once, every prompt at unit norm."""
    _, _, words = world()
    found = ntk_sc.chosen_nouns(words, 2)
    ensemble = normalised(words.embeddings(normalise=True))
    scores = ensemble @ words.centres.T
    share = ntk_sc.softmax(scores)
    kept = set()
    for centre in range(len(words.centres)):
        own = np.flatnonzero(share.argmax(1) == centre)
        kept |= set(own[np.argsort(-share[own, centre], kind="stable")][:2].tolist())
    expected = [normalised(each[sorted(kept)]) for each in words.arrays]
    assert np.array_equal(found, np.stack(expected))
    assert 8 <= found.shape[1] < 2 * len(words.centres)


@pytest.mark.parametrize("cores", [1, 3])
def test_any_number_of_threads_gives_the_same_bytes(monkeypatch, cores):
    """Each block is the work of one of them."""
    rows, _, words = world(300)
    nouns = ntk_sc.chosen_nouns(words, 5)

    def made():
        graphs = ntk_sc.graphs_of(rows, nouns, PARAMS)
        return diffusion.diffused(graphs, PARAMS.mu, PARAMS.smoothness)[0].tobytes()

    first = made()
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert made() == first


def test_too_many_images_and_clusters_are_refused():
    """With the reason; one cluster, or one for each image, is no choice."""
    many = HeadInputs(image=np.zeros((15_001, 1), np.float32))
    with pytest.raises(MmclustError, match=r"at most 15,000 images(.|\n)*0\.9 GB"):
        ntk_sc.prepare(many, PARAMS)
    affinity = np.ones((20, 20), np.float32)
    with pytest.raises(MmclustError, match="Cannot make 21 clusters"):
        run_head(ntk_sc, PARAMS, many, HeadInputs(image=affinity), 21, [1])
    assert ntk_sc.cluster(affinity, 1, PARAMS, seed=1).tolist() == [0] * 20
    assert sorted(ntk_sc.cluster(affinity, 20, PARAMS, seed=1)) == list(range(20))
