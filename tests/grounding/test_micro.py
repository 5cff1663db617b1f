"""Micro-averages over images, and their intervals."""

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from mmclust.grounding.classes import set_counts
from mmclust.grounding.stage import micro, micro_figures
from mmclust.scoring.intervals import flat


def micro_records(counts, **often):
    """All evaluations' figures in one flat record."""
    return {
        f"{name}_{key}": value
        for name, figures in micro_figures(counts, **often).items()
        for key, value in flat(figures).items()
    }


def test_counts_and_scores_by_hand():
    """Image 0: one right, one wrong; image 1: one missed."""
    predicted = np.array([[1, 1, 0], [0, 0, 0]], bool)
    gold = np.array([[1, 0, 0], [0, 0, 1]], bool)
    counts = set_counts(predicted, gold)
    assert counts.tolist() == [[1, 1, 0], [0, 0, 1]]
    assert {k: float(v) for k, v in micro(counts.sum(0)).items()} == {
        "precision": 0.5, "recall": 0.5, "f1": 0.5,
    }  # fmt: skip


def test_scores_agree_with_scikit_learn():
    """Micro-averages of indicator matrices."""
    rng = np.random.default_rng(1)
    predicted, gold = rng.random((2, 50, 7)) < 0.3
    ours = micro(set_counts(predicted, gold).sum(0))
    theirs = precision_recall_fscore_support(gold, predicted, average="micro")
    np.testing.assert_allclose(list(ours.values()), theirs[:3])


def test_undefined_scores_are_zero_with_a_reason():
    """Nothing predicted; nothing to find; neither."""
    counts = {
        "silent": np.array([[[0, 0, 2], [0, 0, 1]]]),
        "needless": np.array([[[0, 3, 0], [0, 0, 0]]]),
        "empty": np.zeros((1, 2, 3), int),
    }
    record = micro_records(counts, n_resamples=100, rng=np.random.default_rng(0))
    assert record["silent_precision"] == record["needless_recall"] == 0
    assert record["silent_precision_why"] == "nothing was predicted"
    assert record["silent_precision_low"] is None
    assert "silent_recall_why" not in record
    assert record["needless_recall_why"] == "there is nothing to find"
    assert {k for k in record if k.startswith("empty") and k.endswith("why")} == {
        "empty_precision_why", "empty_recall_why", "empty_f1_why",
    }  # fmt: skip
    assert not any(isinstance(v, float) and np.isnan(v) for v in record.values())


def test_intervals_hold_the_estimate_and_are_paired():
    """Equal counts have equal intervals; more images have narrower ones."""
    rng = np.random.default_rng(2)
    counts = rng.integers(0, 3, (1, 400, 3))
    both = {"a": counts, "b": counts}
    record = micro_records(both, n_resamples=500, rng=np.random.default_rng(0))
    assert record["a_f1_low"] == record["b_f1_low"] < record["a_f1"]
    assert record["a_f1"] < record["a_f1_high"]
    few = micro_records({"a": counts[:, :40]}, n_resamples=500, rng=rng)
    assert few["a_f1_high"] - few["a_f1_low"] > record["a_f1_high"] - record["a_f1_low"]


def test_a_constant_score_has_no_spread():
    """Every image has TP 1 and FP 1: precision is 1/2 in every resample."""
    counts = {"a": np.tile([1, 1, 0], (1, 30, 1))}
    record = micro_records(counts, n_resamples=100, rng=np.random.default_rng(0))
    assert record["a_precision_low"] == record["a_precision_high"] == 0.5
    assert record["a_tp"] == 30
    assert record["a_f1"] == pytest.approx(2 / 3, abs=1e-6)


def test_runs_are_averaged_and_their_spread_is_said():
    """F1 is 1 in one run and 0 in the other; a baseline of one run has no spread."""
    right, wrong = np.tile([1, 0, 0], (5, 1)), np.tile([0, 1, 1], (5, 1))
    counts = {"a": np.stack([right, wrong]), "b": right[None]}
    record = micro_records(counts, n_resamples=100, rng=np.random.default_rng(0))
    assert (record["a_f1"], record["a_tp"], record["a_fp"]) == (0.5, 2.5, 2.5)
    assert record["a_f1_std"] == pytest.approx(0.5**0.5, abs=1e-6)
    assert (record["b_f1"], record["b_tp"]) == (1, 5)
    assert "b_f1_std" not in record
