"""Retrieval figures against hand-computed cases and the protocol's acceptance tests."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmclust.retrieval.metrics import (
    direction,
    hits,
    ndcg,
    random_expectation,
    retrieval_figures,
)
from mmclust.scoring.intervals import flat


def directions(scores, image, n, n_pool=None):
    """Both directions from a whole matrix (captions x pool): the plain way."""
    n_pool = n_pool or scores.shape[1]
    own = np.arange(len(scores))
    right = scores[own, image][:, None]
    more = (scores[:, :n_pool] > right).sum(1)[:, None]
    same = (scores[:, :n_pool] == right).sum(1)[:, None] - 1
    t2i = direction(more, same, right, image)
    widest = np.bincount(image).max()
    greater = np.zeros((n, widest), int)
    equal, value = np.zeros_like(greater), np.full((n, widest), np.nan)
    for i in range(n):
        for j, caption in enumerate(np.flatnonzero(image == i)):
            value[i, j] = scores[caption, i]
            greater[i, j] = (scores[:, i] > value[i, j]).sum()
            equal[i, j] = (scores[:, i] == value[i, j]).sum() - 1
    return direction(greater, equal, value, np.arange(n)), t2i


def record(i2t, t2i):
    rng = np.random.default_rng(0)
    return flat(retrieval_figures([(i2t, t2i)], n_resamples=200, rng=rng))


def test_a_case_by_hand():
    """Two images with two captions each, and one added image."""
    scores = np.array(
        [
            [0.9, 0.1, 0.2],  # image 0, found at once
            [0.3, 0.5, 0.4],  # image 0, last of three
            [0.2, 0.8, 0.9],  # image 1, beaten by the added image
            [0.7, 0.6, 0.1],  # image 1, beaten by image 0
        ]
    )
    i2t, t2i = directions(scores, np.array([0, 0, 1, 1]), 2)
    assert t2i.best.tolist() == [0, 2, 1, 1]
    assert i2t.best.tolist() == [0, 0]
    assert i2t.places.tolist() == [[1, 3], [1, 2]]
    found = record(i2t, t2i)
    assert found["t2i_r1"] == 0.25
    assert found["t2i_median_rank"] == 2.0
    assert found["t2i_mean_rank"] == 2.0
    assert found["t2i_mrr"] == pytest.approx((1 + 1 / 3 + 1 / 2 + 1 / 2) / 4, abs=1e-6)
    assert found["i2t_r1"] == 1.0
    assert found["rsum"] == 100 * (1 + 1 + 1 + 0.25 + 1 + 1)
    ideal = 1 + 1 / math.log2(3)
    gained = (1 + 1 / math.log2(4)) / ideal
    assert found["i2t_ndcg"] == pytest.approx((gained + 1) / 2, abs=1e-6)


def test_ties_are_counted_three_ways():
    """One right and two wrong candidates of one score: ranks 1, 2 and 3."""
    i2t, t2i = directions(np.zeros((3, 3)), np.arange(3), 3)
    assert t2i.tied.tolist() == [2, 2, 2]
    found = record(i2t, t2i)
    assert found["t2i_r1"] == 1.0
    assert found["t2i_r1_tied_mean"] == 0.0
    assert found["t2i_r5_tied_mean"] == 1.0
    assert found["t2i_r1_pessimistic"] == 0.0
    assert hits(t2i, 2, 0.5).all()


def test_own_captions_never_count_against_an_image():
    """Five own captions of one score, and none better: rank 1, no wrong ties."""
    scores = np.zeros((10, 2))
    image = np.repeat([0, 1], 5)
    scores[np.arange(10), image] = 1
    i2t, t2i = directions(scores, image, 2)
    found = record(i2t, t2i)
    assert found["rsum"] == 600.0
    assert found["i2t_ndcg"] == 1.0
    assert found["rsum_pessimistic"] == 600.0
    assert i2t.places.tolist() == [[1, 2, 3, 4, 5]] * 2


@given(st.integers(0, 10_000), st.integers(2, 8), st.integers(0, 6))
def test_added_images_never_help(seed, n, added):
    """They leave image-to-text alone and never improve text-to-image."""
    rng = np.random.default_rng(seed)
    image = np.repeat(np.arange(n), 3)
    scores = rng.integers(0, 6, (3 * n, n + added)).astype(float)
    i2t, small = directions(scores[:, :n], image, n)
    i2t_more, large = directions(scores, image, n)
    assert (i2t.places == i2t_more.places).all()
    assert (large.best >= small.best).all()
    before, after = record(i2t, small), record(i2t_more, large)
    for key in ("t2i_r1", "t2i_r5", "t2i_r10", "rsum", "rsum_pessimistic"):
        assert after[key] <= before[key]
    for key in ("i2t_r1", "i2t_ndcg"):
        assert after[key] == before[key]


@given(st.integers(0, 10_000))
def test_figures_are_in_range_and_ordered(seed):
    """Optimistic ≥ half ≥ pessimistic; intervals hold the estimate."""
    rng = np.random.default_rng(seed)
    image = np.sort(rng.integers(0, 6, 20))
    image = np.unique(image, return_inverse=True)[1]
    n = image.max() + 1
    scores = rng.integers(0, 4, (20, n + 3)).astype(float)
    found = record(*directions(scores, image, n))
    for side in ("i2t", "t2i"):
        for k in (1, 5, 10):
            key = f"{side}_r{k}"
            low, middle = found[f"{key}_pessimistic"], found[f"{key}_tied_mean"]
            assert 0 <= low <= middle <= found[key] <= 1
            assert (
                found[f"{key}_low"] - 1e-9 <= found[key] <= found[f"{key}_high"] + 1e-9
            )
        assert found[f"{side}_r1"] <= found[f"{side}_r5"] <= found[f"{side}_r10"]
        assert 0 < found[f"{side}_ndcg"] <= 1


def test_ndcg_of_fewer_captions():
    """An image with one caption is not measured against five."""
    places = np.array([[1, 0, 0], [2, 3, 0]])
    gained = (1 / math.log2(3) + 1 / math.log2(4)) / (1 + 1 / math.log2(3))
    assert ndcg(places) == pytest.approx([1, gained])


def test_chance_is_that_of_the_protocol():
    """0.02 % and 0.0032 % for MSCOCO-FG; 0.1 % and 0.0146 % for Flickr30K-FG."""
    coco = random_expectation(5000, 25_000, 31_244)
    assert coco["chance_i2t_r1"] == 0.0002
    assert round(coco["chance_t2i_r1"], 6) == 0.000032
    flickr = random_expectation(1000, 5000, 6867)
    assert flickr["chance_i2t_r1"] == 0.001
    assert round(flickr["chance_t2i_r1"], 6) == 0.000146
    assert coco["chance_i2t_r5"] == pytest.approx(1 - (1 - 5 / 25_000) ** 5, rel=1e-3)
    tiny = random_expectation(2, 4, 2)
    assert tiny["chance_i2t_r5"] == 1.0
    assert tiny["chance_t2i_r5"] == 1.0


def test_intervals_resample_images_with_their_captions():
    """Captions of an image stand or fall together: the interval is of images."""
    image = np.repeat(np.arange(40), 5)
    best = np.repeat(np.arange(40) % 2, 5)  # every other image fails with all five
    places = (1 + best)[:, None]
    t2i = direction(best[:, None], np.zeros((200, 1), int), np.zeros((200, 1)), image)
    i2t = direction(
        np.zeros((40, 1), int), np.zeros((40, 1), int), np.zeros((40, 1)), np.arange(40)
    )
    assert (t2i.places == places).all()
    rng = np.random.default_rng(0)
    found = flat(retrieval_figures([(i2t, t2i)], n_resamples=2000, rng=rng))
    half = (found["t2i_r1_high"] - found["t2i_r1_low"]) / 2
    assert half == pytest.approx(1.96 * math.sqrt(0.25 / 40), rel=0.1)
