"""Intervals: right width where theory knows it, and always around the estimate."""

import numpy as np
import pytest
from scipy import stats

from mmclust.core.seeds import generator
from mmclust.scoring.intervals import difference, over_images, over_seeds, resample
from mmclust.scoring.summary import per_run, score_runs, summarise


def noisy(n, k, share, seed):
    """Labels of k classes, and a clustering right for a given share of images."""
    rng = np.random.default_rng(seed)
    true = np.arange(n) % k
    wrong = rng.random(n) > share
    return true, np.where(wrong, (true + 1) % k, true)[None]


def intervals(true, pred, n_resamples, rng):
    means = {name: values.mean() for name, values in per_run(true, pred).items()}
    return over_images(means, resample(true, pred, n_resamples, rng))


def record_of(true, pred, n_resamples, baseline=None):
    def scored(labels):
        rng = generator(0, "t")
        return score_runs(true, labels, n_resamples=n_resamples, rng=rng)

    return summarise(scored(pred), None if baseline is None else scored(baseline))


def test_over_seeds_is_students_interval():
    """The interval equals scipy's t interval."""
    values = np.array([0.50, 0.55, 0.52, 0.60, 0.49])
    expected = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
    assert over_seeds(values) == pytest.approx(expected)


def test_accuracy_interval_has_binomial_width():
    """With the matching beyond doubt, ACC is a proportion: ±1.96 √(p(1-p)/n)."""
    true, pred = noisy(2000, 4, 0.8, seed=3)
    low, high = intervals(true, pred, 4000, generator(1, "t"))["acc"]
    p = (true == pred[0]).mean()
    half = 1.96 * np.sqrt(p * (1 - p) / 2000)
    assert low == pytest.approx(p - half, abs=0.002)
    assert high == pytest.approx(p + half, abs=0.002)


def test_intervals_hold_the_estimate_even_where_resampling_is_biased():
    """Random clusters of few images: resamples lift NMI, the interval must not."""
    rng = np.random.default_rng(0)
    true, pred = rng.integers(0, 20, 80), rng.integers(0, 43, (3, 80))
    record = record_of(true, pred, 500)
    for name in ("acc", "nmi", "ari", "purity", "f1"):
        assert record[f"{name}_low"] <= record[name] <= record[f"{name}_high"]


def test_coverage_on_simulated_data():
    """The 95 % interval of ACC holds the true value in about 95 % of repetitions."""
    hits = 0
    for repetition in range(200):
        true, pred = noisy(300, 3, 0.75, seed=repetition)
        low, high = intervals(true, pred, 300, generator(repetition, "t"))["acc"]
        hits += low <= 0.75 <= high
    assert 180 <= hits <= 199


def test_equal_generators_give_equal_resamples():
    """Methods are paired: the same generator draws the same images."""
    true, pred = noisy(100, 3, 0.7, seed=0)
    one = intervals(true, pred, 200, generator(5, "t"))
    assert one == intervals(true, pred, 200, generator(5, "t"))
    assert one != intervals(true, pred, 200, generator(6, "t"))


def test_chunks_do_not_matter(monkeypatch):
    """How many tables are held at once changes nothing."""
    true, pred = noisy(60, 3, 0.7, seed=0)
    whole = intervals(true, pred, 100, generator(5, "t"))
    monkeypatch.setattr("mmclust.scoring.intervals._CELLS", 1)
    assert intervals(true, pred, 100, generator(5, "t")) == whole


def test_one_run_has_no_spread_over_seeds():
    """A deterministic method's record makes no claim about seeds."""
    true, pred = noisy(60, 3, 0.7, seed=0)
    record = record_of(true, pred, 100)
    assert record["n_seeds"] == 1
    assert not [key for key in record if "std" in key or "seeds_" in key]
    both = record_of(true, np.vstack([pred, pred]), 100)
    assert both["acc_std"] == 0
    assert both["acc_seeds_low"] == both["acc"] == record["acc"]


def test_a_difference_has_mcnemars_width():
    """Two methods right on 80 % and 70 %, paired: the interval of a difference of
    proportions on the same images, and a p-value far below the interval's."""
    true = np.arange(2000) % 4
    good, fair = noisy(2000, 4, 0.8, seed=1)[1], noisy(2000, 4, 0.7, seed=2)[1]
    record = record_of(true, good, 4000, fair)
    right = (good[0] == true).astype(float) - (fair[0] == true)
    half = 1.96 * right.std() / np.sqrt(2000)
    assert record["acc_diff"] == pytest.approx(right.mean(), abs=1e-6)
    assert record["acc_diff_low"] == pytest.approx(right.mean() - half, abs=0.003)
    assert record["acc_diff_high"] == pytest.approx(right.mean() + half, abs=0.003)
    assert record["acc_diff_p"] == pytest.approx(1 / 4001, abs=1e-6)
    assert "acc_diff_seeds_p" not in record


def test_p_values_are_uniform_where_nothing_differs():
    """Equally good methods: p below 0.05 in about 5 % of repetitions."""
    below = 0
    for repetition in range(200):
        true, one = noisy(300, 3, 0.75, seed=2 * repetition)
        other = noisy(300, 3, 0.75, seed=2 * repetition + 1)[1]
        rng = [generator(repetition, "t") for _ in range(2)]
        pair = [
            score_runs(true, labels, n_resamples=200, rng=r)
            for labels, r in zip((one, other), rng, strict=True)
        ]
        below += summarise(*pair)["acc_diff_p"] < 0.05
    assert 3 <= below <= 20


def test_a_method_against_itself():
    """No difference: p is 1, over images and over seeds."""
    true, one = noisy(60, 3, 0.7, seed=0)
    pred = np.vstack([one, np.roll(one, 1)])
    record = record_of(true, pred, 100, pred)
    for name in ("acc", "nmi", "ari", "purity", "f1"):
        assert record[f"{name}_diff"] == 0
        assert record[f"{name}_diff_p"] == record[f"{name}_diff_seeds_p"] == 1


def test_seeds_are_paired_by_students_t():
    """Equal to scipy's paired test; one run is held against every other."""
    mine = np.array([0.61, 0.58, 0.66, 0.60])
    theirs = np.array([0.55, 0.57, 0.60, 0.52])
    flat = (np.zeros(10), np.zeros(10))
    found = difference((mine, theirs), flat)
    expected = stats.ttest_rel(mine, theirs).pvalue
    assert found["diff_seeds_p"] == pytest.approx(expected)
    found = difference((np.array([0.7]), theirs), flat)
    expected = stats.ttest_1samp(theirs, 0.7).pvalue
    assert found["diff_seeds_p"] == pytest.approx(expected)


def test_noise_is_noise_in_resamples():
    """All noise: the interval of ACC is 0, and its share is 1."""
    true = np.arange(30) % 3
    record = record_of(true, np.full((2, 30), -1), 100)
    assert (record["acc"], record["acc_high"], record["noise"]) == (0, 0, 1)
    assert record["n_clusters"] == 0
