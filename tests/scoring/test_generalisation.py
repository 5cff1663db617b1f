"""The generalisation score and its solver, against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mmclust.core.seeds import generator
from mmclust.scoring import generalisation
from mmclust.scoring.generalisation import (
    cross_predicted,
    fit_logistic,
    generalisation_score,
)


def blobs(n=200, k=2, d=6, apart=12.0, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % k
    rows = apart * np.eye(k, d)[labels] + rng.standard_normal((n, d))
    return rows.astype(np.float32), labels


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_the_minimum_is_scikit_learns(scale):
    """C = 1, the intercept free; rows off centre and of unlike spreads."""
    rng = np.random.default_rng(1)
    rows = scale * (rng.standard_normal((150, 7)) * np.geomspace(0.1, 3, 7) + 2)
    labels = (rows[:, 6] > 0).astype(int) + (rng.random(150) < 0.4)
    ours = fit_logistic(rows, labels, tol=1e-8)
    theirs = LogisticRegression(C=1, max_iter=10_000, tol=1e-9).fit(rows, labels)
    found = ours.weights - ours.weights.mean(axis=1, keepdims=True)
    assert pytest.approx(theirs.coef_, abs=2e-4, rel=1e-3) == found.T
    assert ours.predict(rows).tolist() == theirs.predict(rows).tolist()


def test_more_features_than_rows_have_the_same_minimum():
    """Which lies in the span of the rows."""
    rng = np.random.default_rng(2)
    rows = rng.standard_normal((40, 90)) + 1
    labels = (rows[:, 0] > 1).astype(int) + (rng.random(40) < 0.3)
    ours = fit_logistic(rows, labels, tol=1e-8)
    theirs = LogisticRegression(C=1, max_iter=10_000, tol=1e-9).fit(rows, labels)
    found = ours.weights - ours.weights.mean(axis=1, keepdims=True)
    assert pytest.approx(theirs.coef_, abs=2e-4, rel=1e-3) == found.T
    assert ours.predict(rows).tolist() == theirs.predict(rows).tolist()


@pytest.mark.parametrize("shape", [(90, 12), (60, 100)])
def test_folds_share_their_axes_and_nothing_else(shape):
    """Each is predicted as a fit of its own predicts; rows of any length."""
    rng = np.random.default_rng(3)
    rows = 20 * np.maximum(rng.standard_normal(shape) + 1, 0)
    labels = rows[:, :4].argmax(axis=1)
    order = rng.permutation(len(rows))
    found = cross_predicted(rows, labels, order)
    assert [*np.concatenate([fold for fold, _ in found])] == [*order]
    for fold, predicted in found:
        others = np.setdiff1d(order, fold)
        alone = fit_logistic(rows[others], labels[others], tol=1e-8)
        theirs = LogisticRegression(C=1, max_iter=50_000, tol=1e-9)
        theirs.fit(rows[others], labels[others])
        expected = theirs.predict(rows[fold]).tolist()
        assert predicted.tolist() == alone.predict(rows[fold]).tolist() == expected


def test_two_separate_blobs_are_learned_whole():
    """The specification's check value: 1; in two spaces the mean of both."""
    rows, labels = blobs()
    assert generalisation_score([rows], labels, seed=3) == 1
    other = np.random.default_rng(5).standard_normal((200, 4))
    alone = generalisation_score([other], labels, seed=3)
    assert alone < 0.7
    both = generalisation_score([rows, other], labels, seed=3)
    assert both == pytest.approx((1 + alone) / 2)


def test_folds_are_those_of_the_specification():
    """array_split of a seeded permutation; accuracy is the mean over the folds."""
    rows, labels = blobs(53, 3, apart=1.5)
    order = generator(7, "generalisation").permutation(53)
    right = []
    for fold in np.array_split(order, 10):
        others = np.setdiff1d(order, fold)
        model = LogisticRegression(C=1, max_iter=1000, tol=1e-9)
        model.fit(rows[others].astype(float), labels[others])
        right.append(np.mean(model.predict(rows[fold]) == labels[fold]))
    found = generalisation_score([rows], labels, seed=7)
    assert found == pytest.approx(np.mean(right))
    assert 0.5 < found < 1


def test_random_clusters_are_not_learned():
    """About one in k; the share of the largest where one holds nearly all."""
    rows, _ = blobs(600)
    rng = np.random.default_rng(2)
    assert generalisation_score([rows], rng.integers(4, size=600), seed=0) < 0.4
    most = (rng.random(600) < 0.02).astype(int)
    share = np.mean(most == 0)
    assert generalisation_score([rows], most, seed=0) == pytest.approx(share, abs=0.01)


def test_noise_and_what_cannot_be_judged():
    """-1 takes no part; one cluster, or fewer than ten rows: None."""
    rows, labels = blobs(60)
    noisy = np.where(np.arange(60) < 20, -1, labels)
    order = generator(0, "generalisation").permutation(60)
    order = order[noisy[order] >= 0]
    assert sorted(np.concatenate([f for f, _ in cross_predicted(rows, noisy, order)])
                  ) == list(range(20, 60))  # fmt: skip
    assert generalisation_score([rows], noisy, seed=0) == 1
    for few in (np.zeros(60, int), np.where(np.arange(60) < 52, -1, labels)):
        assert generalisation_score([rows], few, seed=0) is None


def test_a_cluster_that_no_other_fold_holds():
    """Of one image: always wrong, and no error; a fold may teach one cluster alone."""
    rows, labels = blobs(40, 2)
    labels = np.where(np.arange(40) == 7, 9, 0)
    assert generalisation_score([rows], labels, seed=0) == pytest.approx(39 / 40)


def test_no_more_rows_than_said(monkeypatch):
    """A seeded sample: the first of the permutation."""
    monkeypatch.setattr(generalisation, "ROWS", 50)
    rows, labels = blobs(200, 3, apart=1.5)
    kept = generator(4, "generalisation").permutation(200)[:50]
    right = [np.mean(predicted == labels[fold])
             for fold, predicted in cross_predicted(rows, labels, kept)]  # fmt: skip
    found = generalisation_score([rows], labels, seed=4)
    assert found == pytest.approx(np.mean(right))
