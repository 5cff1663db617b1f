"""Intervals: right width where theory knows it, and always around the estimate."""

import numpy as np
import pytest
from scipy import stats

from mmclust.core.seeds import generator
from mmclust.scoring.intervals import over_images, over_seeds
from mmclust.scoring.summary import summarise


def noisy(n, k, share, seed):
    """Labels of k classes, and a clustering right for a given share of images."""
    rng = np.random.default_rng(seed)
    true = np.arange(n) % k
    wrong = rng.random(n) > share
    return true, np.where(wrong, (true + 1) % k, true)[None]


def test_over_seeds_is_students_interval():
    """The interval equals scipy's t interval."""
    values = np.array([0.50, 0.55, 0.52, 0.60, 0.49])
    expected = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
    assert over_seeds(values) == pytest.approx(expected)


def test_accuracy_interval_has_binomial_width():
    """With the matching beyond doubt, ACC is a proportion: ±1.96 √(p(1-p)/n)."""
    true, pred = noisy(2000, 4, 0.8, seed=3)
    low, high = over_images(true, pred, 4000, generator(1, "t"))["acc"]
    p = (true == pred[0]).mean()
    half = 1.96 * np.sqrt(p * (1 - p) / 2000)
    assert low == pytest.approx(p - half, abs=0.002)
    assert high == pytest.approx(p + half, abs=0.002)


def test_intervals_hold_the_estimate_even_where_resampling_is_biased():
    """Random clusters of few images: resamples lift NMI, the interval must not."""
    rng = np.random.default_rng(0)
    true, pred = rng.integers(0, 20, 80), rng.integers(0, 43, (3, 80))
    record = summarise(true, pred, n_resamples=500, rng=generator(0, "t"))
    for name in ("acc", "nmi", "ari", "purity"):
        assert record[f"{name}_low"] <= record[name] <= record[f"{name}_high"]


def test_coverage_on_simulated_data():
    """The 95 % interval of ACC holds the true value in about 95 % of repetitions."""
    hits = 0
    for repetition in range(200):
        true, pred = noisy(300, 3, 0.75, seed=repetition)
        low, high = over_images(true, pred, 300, generator(repetition, "t"))["acc"]
        hits += low <= 0.75 <= high
    assert 180 <= hits <= 199


def test_equal_generators_give_equal_resamples():
    """Methods are paired: the same generator draws the same images."""
    true, pred = noisy(100, 3, 0.7, seed=0)
    one = over_images(true, pred, 200, generator(5, "t"))
    assert one == over_images(true, pred, 200, generator(5, "t"))
    assert one != over_images(true, pred, 200, generator(6, "t"))


def test_chunks_do_not_matter(monkeypatch):
    """How many tables are held at once changes nothing."""
    true, pred = noisy(60, 3, 0.7, seed=0)
    whole = over_images(true, pred, 100, generator(5, "t"))
    monkeypatch.setattr("mmclust.scoring.intervals._CELLS", 1)
    assert over_images(true, pred, 100, generator(5, "t")) == whole


def test_one_run_has_no_spread_over_seeds():
    """A deterministic method's record makes no claim about seeds."""
    true, pred = noisy(60, 3, 0.7, seed=0)
    record = summarise(true, pred, n_resamples=100, rng=generator(0, "t"))
    assert record["n_seeds"] == 1
    assert not [key for key in record if "std" in key or "seeds_" in key]
    both = summarise(
        true, np.vstack([pred, pred]), n_resamples=100, rng=generator(0, "t")
    )
    assert both["acc_std"] == 0
    assert both["acc_seeds_low"] == both["acc"] == record["acc"]
