"""Intervals: right width where theory knows it, and always around the estimate."""

import numpy as np
import pytest
from scipy import stats

from mmclust.core.seeds import generator
from mmclust.scoring.clustering import METRICS, score_runs, summarise
from mmclust.scoring.intervals import difference, holm, interval


def noisy(n, k, share, seed):
    """Labels of k classes, and a clustering right for a given share of images."""
    rng = np.random.default_rng(seed)
    true = np.arange(n) % k
    wrong = rng.random(n) > share
    return true, np.where(wrong, (true + 1) % k, true)[None]


def intervals(true, pred, n_resamples, rng):
    figures = score_runs(true, pred, n_resamples=n_resamples, rng=rng)
    return {name: figures[name].range() for name in METRICS}


def record_of(true, pred, n_resamples, baseline=None):
    def scored(labels):
        rng = generator(0, "t")
        return score_runs(true, labels, n_resamples=n_resamples, rng=rng)

    return summarise(scored(pred), None if baseline is None else scored(baseline))


def test_seeds_alone_give_students_interval():
    """Where images make no difference, the interval equals scipy's t interval."""
    values = np.array([0.50, 0.55, 0.52, 0.60, 0.49])
    flat = np.tile(values, (100, 1))
    expected = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
    assert interval(values, flat, 1000) == pytest.approx(expected)


def test_images_and_seeds_add_up():
    """Variances of 1e-4 of the images and 4e-4 / 4 of the seeds: by hand.

    Satterthwaite: (2e-4)² / ((1e-4)² / 999 + (1e-4)² / 3) = 11.96 degrees.
    """
    offsets = np.array([-1, 1, -1, 1]) * np.sqrt(3) / 100
    runs = 0.5 + offsets  # variance 4e-4
    common = np.resize([-0.01, 0.01], 1000) * np.sqrt(999 / 1000)  # variance 1e-4
    drawn = runs + common[:, None]
    low, high = interval(runs, drawn, 1000)
    df = 4e-8 / (1e-8 / 999 + 1e-8 / 3)
    half = stats.t.ppf(0.975, df) * np.sqrt(2e-4)
    assert (low, high) == pytest.approx((0.5 - half, 0.5 + half), rel=1e-9)


def test_the_runs_own_part_of_the_resamples_counts_once():
    """Runs that err on images of their own: that is the seeds' part, not the images'.

    Resamples whose columns are independent have no variance in common; what is left
    of it is noise around 0.
    """
    rng = np.random.default_rng(0)
    runs = 0.6 + 0.02 * rng.standard_normal(10)
    drawn = runs + 0.02 * rng.standard_normal((4000, 10))
    low, high = interval(runs, drawn, 500)
    students = stats.t.interval(0.95, 9, runs.mean(), stats.sem(runs))
    assert high - low == pytest.approx(students[1] - students[0], rel=0.05)


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
    monkeypatch.setattr("mmclust.scoring.clustering._CELLS", 1)
    assert intervals(true, pred, 100, generator(5, "t")) == whole


def test_one_run_has_no_spread_over_seeds():
    """A deterministic method's record makes no claim about seeds; equal runs add
    nothing to its interval."""
    true, pred = noisy(60, 3, 0.7, seed=0)
    record = record_of(true, pred, 100)
    assert record["n_seeds"] == 1
    assert not [key for key in record if "std" in key]
    both = record_of(true, np.vstack([pred, pred]), 100)
    assert both["acc_std"] == 0
    assert both["acc_low"] == record["acc_low"]


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
    assert record["acc_diff_p"] == 1e-4  # never below


def test_a_method_against_itself():
    """No difference: p is 1, or there is none where no run differs either."""
    true, one = noisy(60, 3, 0.7, seed=0)
    pred = np.vstack([one, noisy(60, 3, 0.9, seed=1)[1]])
    record = record_of(true, pred, 100, pred)
    for name in ("acc", "nmi", "ari", "purity", "f1"):
        assert record[f"{name}_diff"] == 0
        assert record[f"{name}_diff_p"] in {1, None}
    assert record["acc_diff_p"] == 1
    alone = record_of(true, one, 100, one)
    assert alone["acc_diff_p"] is None
    assert (alone["acc_diff_low"], alone["acc_diff_high"]) == (0, 0)


def test_seeds_alone_give_welchs_test():
    """Where images make no difference: scipy's t-test of unequal variances."""
    mine = np.array([0.61, 0.58, 0.66, 0.60])
    theirs = np.array([0.55, 0.57, 0.63, 0.52, 0.60])
    flat = (np.tile(mine, (50, 1)), np.tile(theirs, (50, 1)))
    found = difference((mine, theirs), flat, 1000)
    expected = stats.ttest_ind(mine, theirs, equal_var=False).pvalue
    assert found["diff_p"] == pytest.approx(expected, rel=0.005)  # three digits


def test_one_run_against_many():
    """A deterministic method is a constant: scipy's one-sample test."""
    theirs = np.array([0.55, 0.57, 0.60, 0.52])
    flat = (np.full((50, 1), 0.62), np.tile(theirs, (50, 1)))
    found = difference((np.array([0.62]), theirs), flat, 1000)
    expected = stats.ttest_1samp(theirs, 0.62).pvalue
    assert found["diff_p"] == pytest.approx(expected, rel=0.005)


def test_holm_by_hand():
    """.01 × 4, .02 × 3, .03 × 2 (not below the one before), .5; none stays none."""
    assert holm([0.03, 0.01, None, 0.5, 0.02]) == [0.06, 0.04, None, 0.5, 0.06]
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_noise_is_noise_in_resamples():
    """All noise: the interval of ACC is 0, and its share is 1."""
    true = np.arange(30) % 3
    record = record_of(true, np.full((2, 30), -1), 100)
    assert (record["acc"], record["acc_high"], record["noise"]) == (0, 0, 1)
    assert record["n_clusters"] == 0
