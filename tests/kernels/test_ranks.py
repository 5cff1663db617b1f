"""Ranks by blocks against counting in a whole matrix of scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmclust.kernels import ranks as module
from mmclust.kernels._ranks_torch import ranks_on
from mmclust.kernels.ranks import best, rank_embeddings, rank_scores


def problem(seed, m=300, n=501, d=6, p=3):
    """Whole numbers, so that there are many exact ties and sums are exact."""
    rng = np.random.default_rng(seed)
    queries = rng.integers(-2, 3, (m, d)).astype(np.float32)
    candidates = rng.integers(-2, 3, (n, d)).astype(np.float32)
    positives = np.stack([rng.permutation(n)[:p] for _ in range(m)])
    positives[::7, p - 1] = -1
    return queries, candidates, positives


def counted(scores, positives, end):
    own = np.take_along_axis(scores, np.maximum(positives, 0), 1)
    more = (scores[:, None, :end] > own[:, :, None]).sum(2)
    same = (scores[:, None, :end] == own[:, :, None]).sum(2) - (positives < end)
    return more, same


@pytest.mark.parametrize("seed", range(3))
def test_counts_are_those_of_the_whole_matrix(seed):
    """More than one block, sections, filled-up positives, and ties."""
    queries, candidates, positives = problem(seed)
    ranks = rank_embeddings(queries, candidates, positives, sections=(200, 501))
    scores = queries @ candidates.T
    have = positives >= 0
    for section, end in enumerate((200, 501)):
        more, same = counted(scores, positives, end)
        assert (ranks.greater[section][have] == more[have]).all()
        assert (ranks.equal[section][have] == same[have]).all()
        assert (ranks.greater[section][~have] == 0).all()
    assert np.isnan(ranks.scores[~have]).all()


def test_an_accelerator_counts_the_same():
    """The torch path, here on the CPU."""
    queries, candidates, positives = problem(5)
    ours = rank_embeddings(queries, candidates, positives, sections=(200, 501), top_k=7)
    repeated = module._repeated(candidates)
    theirs = ranks_on("cpu", queries, candidates, positives, (200, 501), 7, repeated)
    have = positives >= 0
    assert (ours.greater[:, have] == theirs[0][:, have]).all()
    assert (ours.equal[:, have] == theirs[1][:, have]).all()
    assert (ours.top_scores == theirs[4]).all()


@given(st.integers(1, 12), st.integers(0, 10_000))
def test_best_sorts_by_score_then_position(k, seed):
    """Against a whole sort; ties are broken by position."""
    scores = np.random.default_rng(seed).integers(0, 9, (5, 40)).astype(np.float32)
    positions, values = best(scores, k)
    columns = np.broadcast_to(np.arange(40), scores.shape)
    expected = np.lexsort((columns, -scores))[:, :k]
    assert (positions == expected).all()
    assert (values == np.take_along_axis(scores, expected, 1)).all()


def test_best_looks_beyond_the_sample(monkeypatch):
    """The bar is set by the first columns; the best may be anywhere."""
    monkeypatch.setattr(module, "_SAMPLE", 4)
    scores = np.arange(40, dtype=np.float32).reshape(2, 20)
    assert best(scores, 3)[0].tolist() == [[19, 18, 17]] * 2


def test_equal_embeddings_tie_exactly():
    """Whatever the matrix product does at the edges of its tiles."""
    rng = np.random.default_rng(0)
    candidates = rng.standard_normal((1003, 37)).astype(np.float32)
    candidates[1002] = candidates[17]
    candidates[500] = candidates[17]
    queries = rng.standard_normal((301, 37)).astype(np.float32)
    positives = np.full((301, 1), 17)
    ranks = rank_embeddings(queries, candidates, positives)
    assert (ranks.equal[0, :, 0] == 2).all()


def test_scores_at_hand_are_ranked_alike():
    """A matrix in blocks gives what embeddings give."""
    queries, candidates, positives = problem(9)
    scores = queries @ candidates.T
    ours = rank_scores(lambda a, b: scores[a:b], 300, 501, positives)
    theirs = rank_embeddings(queries, candidates, positives)
    assert (ours.greater == theirs.greater).all()
    assert (ours.top == theirs.top).all()


def test_count_of_wide_masks():
    """More columns than the lanes of one word hold."""
    mask = np.random.default_rng(0).random((4, 5003)) < 0.9
    assert (module._count(mask) == mask.sum(1)).all()
    assert (module._count(np.ones((2, 4099), bool)) == 4099).all()
