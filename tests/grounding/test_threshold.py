"""The threshold search: the published check value, and a quadratic reference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmclust.core.errors import MmclustError
from mmclust.grounding.classes import best_threshold


def test_the_published_check_value():
    """.1F .35F .4T .4F .8T .9T gives .4: TP 3, FP 1."""
    scores = np.array([0.9, 0.1, 0.4, 0.8, 0.35, 0.4])
    right = np.array([True, False, True, True, False, False])
    threshold, f1 = best_threshold(scores, right)
    assert threshold == 0.4
    assert f1 == pytest.approx(3 / 3.5)


def test_the_lowest_of_several_as_good_wins():
    """F1 is 2/3 at 0.1 (TP 1, FP 1) and at 0.3 (TP 1, FN 0, FP 1): the first."""
    assert best_threshold(np.array([0.1, 0.3]), np.array([True, False]))[0] == 0.1
    # At .2: TP 2 FP 2, F1 2/3; at .4: TP 1 FN 1, F1 2/3.
    scores, right = np.array([0.2, 0.3, 0.35, 0.4]), np.array([1, 0, 0, 1], bool)
    assert best_threshold(scores, right) == (0.2, pytest.approx(2 / 3))


def slow(scores, right):
    best = (None, -1.0)
    for t in sorted(set(scores)):
        yes = [s >= t for s in scores]
        tp = sum(y and r for y, r in zip(yes, right, strict=True))
        wrong = sum(y != r for y, r in zip(yes, right, strict=True))
        f1 = tp / (tp + 0.5 * wrong) if tp + wrong else 0.0
        if f1 > best[1]:
            best = (t, f1)
    return best


pairs = st.lists(
    st.tuples(st.integers(-4, 4), st.booleans(), st.integers(1, 4)),
    min_size=1,
    max_size=25,
)


@given(pairs)
def test_it_agrees_with_every_threshold_tried(drawn):
    """Also where pairs count several times: as if they were repeated."""
    scores, right, times = map(list, zip(*drawn, strict=True))
    assert best_threshold(np.array(scores), np.array(right)) == slow(scores, right)
    repeated = [(s, r) for s, r, n in drawn for _ in range(n)]
    expected = slow(*map(list, zip(*repeated, strict=True)))
    found = best_threshold(np.array(scores), np.array(right), np.array(times))
    assert found == expected


def test_without_right_pairs_f1_is_zero():
    """Nothing is divided by zero."""
    assert best_threshold(np.array([2.0, 1.0]), np.zeros(2, bool)) == (1.0, 0.0)


@pytest.mark.parametrize("scores", [[], [0.5, np.nan]])
def test_no_scores_and_nan_are_refused(scores):
    """With how many there are."""
    with pytest.raises(MmclustError, match="similarities that are numbers"):
        best_threshold(np.array(scores), np.zeros(len(scores), bool))
