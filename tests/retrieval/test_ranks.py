"""Ranks by blocks against counting in a whole matrix of scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmclust.retrieval import ranks as module
from mmclust.retrieval.ranks import rank_embeddings, rank_scores


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
@pytest.mark.parametrize("few", [0, 1])
def test_counts_are_those_of_the_whole_matrix(seed, few, monkeypatch):
    """More than one block, sections, filled-up positives, and ties.

    By passes over all candidates, and by those that reach the lowest positive.
    """
    monkeypatch.setattr(module, "_FEW", few)
    queries, candidates, positives = problem(seed)
    ranks = rank_embeddings(queries, candidates, positives, sections=(200, 501))
    scores = queries @ candidates.T
    have = positives >= 0
    for section, end in enumerate((200, 501)):
        more, same = counted(scores, positives, end)
        assert (ranks.greater[section][have] == more[have]).all()
        assert (ranks.equal[section][have] == same[have]).all()
        assert (ranks.greater[section][~have] == 0).all()
        assert (ranks.equal[section][~have] == 0).all()
    assert np.isnan(ranks.scores[~have]).all()


@pytest.mark.parametrize("top_k", [0, 1, 7, 501])
def test_an_accelerator_counts_the_same(top_k):
    """The torch path, here on the CPU; the list may end among equals."""
    ours, theirs = (
        rank_embeddings(*problem(5), sections=(200, 501), top_k=top_k, device=device)
        for device in ("cpu", "cpu:0")
    )
    have = problem(5)[2] >= 0
    assert (ours.greater[:, have] == theirs.greater[:, have]).all()
    assert (ours.equal[:, have] == theirs.equal[:, have]).all()
    assert (ours.top_scores == theirs.top_scores).all()
    assert (ours.top == theirs.top).all()


def best(scores, k):
    """Rank each row as one query's scores, and return what is listed."""
    none = np.full((len(scores), 1), -1)
    ranks = rank_scores(lambda a, b: scores[a:b], *scores.shape, none, top_k=k)
    return ranks.top, ranks.top_scores


@given(st.integers(1, 12), st.integers(0, 10_000))
def test_best_sorts_by_score_then_position(k, seed):
    """Against a whole sort; ties are broken by position."""
    scores = np.random.default_rng(seed).integers(0, 9, (5, 40)).astype(np.float32)
    positions, values = best(scores, k)
    columns = np.broadcast_to(np.arange(40), scores.shape)
    expected = np.lexsort((columns, -scores))[:, :k]
    assert (positions == expected).all()
    assert (values == np.take_along_axis(scores, expected, 1)).all()


def test_best_in_parts_that_are_not_whole(monkeypatch):
    """The last part of a row may be shorter; the best may be anywhere."""
    monkeypatch.setattr(module, "_PARTS", 4)
    scores = np.arange(46, dtype=np.float32).reshape(2, 23)
    assert best(scores, 1)[0].tolist() == [[22]] * 2
    assert best(scores[:, ::-1], 1)[0].tolist() == [[0]] * 2
    assert best(np.zeros((2, 23), np.float32), 3)[0].tolist() == [[0, 1, 2]] * 2


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


def test_scores_in_double_precision_are_not_rounded():
    """What float32 would take for a tie is none."""
    scores = 1 + np.arange(4)[None, :] * 1e-12
    ranks = rank_scores(
        lambda a, b: scores[a:b], 1, 4, np.array([[2]]), kind=np.float64
    )
    assert (ranks.greater.item(), ranks.equal.item()) == (1, 0)
    assert ranks.top.tolist() == [[3, 2, 1, 0]]
    queries, candidates = np.ones((1, 1)), scores.T
    for device in ("cpu", "cpu:0"):
        ranks = rank_embeddings(queries, candidates, np.array([[0]]), device=device)
        assert (ranks.greater.item(), ranks.equal.item()) == (3, 0)
