"""Concreteness: against scipy, and what must not become NaN."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mmclust.cognition.metrics import THRESHOLDS, concreteness, pearson, spearman
from mmclust.scoring.intervals import flat


def record(ratings, estimates, counts, n_resamples=100):
    return flat(
        concreteness(
            np.asarray(ratings, float),
            np.atleast_2d(np.asarray(estimates, float)),
            np.asarray(counts),
            n_resamples=n_resamples,
            rng=np.random.default_rng(0),
        )
    )


def test_all_thresholds_count_strictly_more():
    """A count of 5 is over 1 and not over 5; n is beside every correlation."""
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 12000, 500)
    counts[:6] = [0, 1, 5, 10, 10000, 10001]
    ratings, estimates = rng.uniform(1, 5, 500), rng.uniform(0, 1, 500)
    found = record(ratings, estimates, counts)
    assert len(THRESHOLDS) == 13
    for m in THRESHOLDS:
        kept = counts > m
        name = f"prediction_correlation_over_{m}"
        expected = stats.pearsonr(ratings[kept], estimates[kept]).statistic
        assert found[name] == pytest.approx(expected, abs=1e-12)
        assert found[f"{name}_n"] == kept.sum()
        rho = stats.spearmanr(ratings[kept], estimates[kept]).statistic
        assert found[f"spearman_over_{m}"] == pytest.approx(rho, abs=1e-12)
        assert found[f"{name}_low"] <= found[name] <= found[f"{name}_high"]
    # Words that never occur are in the error all the same.
    assert found["concreteness_prediction_mae"] == pytest.approx(
        np.abs(ratings - estimates).mean()
    )
    assert found["n_words"] == 500


@pytest.mark.parametrize(
    ("ratings", "estimates", "counts", "why"),
    [
        ([3.0], [0.5], [9], "fewer than two words"),
        ([3.0, 2.0], [0.5, 0.1], [0, 9], "fewer than two words"),
        ([3.0, 2.0], [0.5, 0.5], [9, 9], "are equal"),
        ([2.0, 2.0], [0.5, 0.1], [9, 9], "are equal"),
        ([0.1] * 3, [0.1, 0.2, 0.3], [9, 9, 9], "are equal"),
        ([], [[]], [], "fewer than two words"),
    ],
)
def test_null_has_a_reason(ratings, estimates, counts, why):
    found = record(ratings, estimates, counts)
    for name in ("prediction_correlation_over_0", "spearman_over_0"):
        assert found[name] is None
        assert why in found[f"{name}_why"]
    json.dumps(found, allow_nan=False)


def test_two_words_correlate_perfectly():
    found = record([1.0, 5.0], [0.2, 0.3], [9, 9])
    assert found["prediction_correlation_over_0"] == pytest.approx(1)
    assert found["prediction_correlation_over_0_low"] is None
    assert found["prediction_correlation_over_0_interval_why"] == "too few words"


def test_the_bootstrap_is_the_plain_one():
    """Weighted sums give what scoring drawn words one by one gives."""
    rng = np.random.default_rng(3)
    y, x = rng.uniform(1, 5, 40), rng.uniform(0, 1, 40)
    found = record(y, x, np.full(40, 7), n_resamples=200)
    draws = np.random.default_rng(0).integers(40, size=(200, 40))
    r = np.array([stats.pearsonr(x[d], y[d]).statistic for d in draws])
    half = stats.t.ppf(0.975, 39) * r.std(ddof=1)
    low, high = pearson(x, y) - half, pearson(x, y) + half
    assert found["prediction_correlation_over_0_low"] == pytest.approx(low)
    assert found["prediction_correlation_over_0_high"] == pytest.approx(high)


numbers = st.floats(0, 5, allow_subnormal=False)


@given(st.lists(st.tuples(numbers, numbers), min_size=2, max_size=30))
def test_symmetric_and_bounded(pairs):
    x, y = np.array(pairs).T
    for measure in (pearson, spearman):
        r = measure(x, y)
        if np.isnan(r):
            assert np.ptp(x) == 0 or np.ptp(y) == 0
        else:
            assert -1 <= r <= 1
            assert r == pytest.approx(measure(y, x), abs=1e-9)
