"""The generalisation score: how well clusters are learned by a linear classifier.

The accuracy, over ten folds, of logistic regression that predicts the *found* clusters
of images it has not seen. No class is read, so it may choose between settings of any
method. One cluster that holds nearly all is learned well by itself: read it beside the
share of the largest.

Source: Gadetsky, Jiang and Brbić, Let Go of Your Labels with Unsupervised Transfer
(TURTLE), ICML 2024.

Shapes: n rows; d features; k clusters or classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.numerics import threads
from mmclust.core.seeds import generator

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = np.ndarray[Any, Any]

FOLDS = 10
ROWS = 5000
"""Rows that the score looks at, at most: a seeded sample of them."""
MAX_ITER = 1000
PENALTY = 1.0
"""scikit-learn's C is 1."""
TOL = 1e-5
"""Of the gradient's largest entry; the objective is a sum over rows. At 1e-3 the score
of features with rows of length 50 was off by .01."""


def generalisation_score(
    spaces: Sequence[Array], labels: Array, *, seed: int
) -> float | None:
    """Return the mean accuracy over :data:`FOLDS` folds and over spaces.

    Folds are numpy's ``array_split`` of a seeded permutation, the same for all that is
    judged with one seed.

    Parameters
    ----------
    spaces
        One or more float (n, d), as encoders give them, not scaled.
    labels
        int (n,), one run's clusters; -1 is left out.
    seed
        Of sample and folds.

    Returns
    -------
    float or None
        In [0, 1]; None where there are fewer than two clusters or ten rows.
    """
    order = generator(seed, "generalisation").permutation(len(labels))
    order = order[labels[order] >= 0][:ROWS]
    if len(order) < FOLDS or len(np.unique(labels[order])) < 2:  # noqa: PLR2004
        return None
    right = [
        np.mean(predicted == labels[fold])
        for space in spaces
        for fold, predicted in cross_predicted(space, labels, order)
    ]
    return float(np.mean(right))


def cross_predicted(
    rows: Array, labels: Array, order: Array, *, tol: float = TOL
) -> list[tuple[Array, Array]]:
    """Predict each fold by what the others teach: its rows, and their labels.

    ``order``, int (m,), are the rows that take part, permuted.
    """
    axes = principal_axes(rows[order])
    found = []
    for held in np.array_split(np.arange(len(order)), FOLDS):
        others = np.delete(np.arange(len(order)), held)
        model = _fit(axes, others, labels[order[others]], PENALTY, tol)
        found.append((order[held], model.predict(axes.rows[held])))
    return found


@dataclass(frozen=True)
class Axes:
    """Rows in their principal axes, from their mean.

    Parameters
    ----------
    rows
        float64 (n, r), with r the smaller of n and d.
    squares
        Their sums of squares, float64 (r,).
    axes, mean
        float64 (d, r) and (d,): ``rows = (given - mean) @ axes``.
    """

    rows: Array
    squares: Array
    axes: Array
    mean: Array


@threads(1)
def principal_axes(rows: Array) -> Axes:
    """Turn float (n, d) rows; where d > n they are turned in their own span."""
    mean = rows.mean(axis=0, dtype=np.float64)
    centred = rows - mean
    span = None
    if len(mean) > len(rows):  # any minimum below lies in it
        span = np.linalg.qr(centred.T)[0]
        centred = centred @ span
    squares, axes = np.linalg.eigh(centred.T @ centred)
    turned = axes if span is None else span @ axes
    return Axes(centred @ axes, np.maximum(squares, 0), turned, mean)


@dataclass(frozen=True)
class Logistic:
    """A fitted model: weights float64 (d, k), intercepts (k,), and the k labels."""

    weights: Array
    intercepts: Array
    classes: Array

    def predict(self, rows: Array) -> Array:
        """Return the label of each of (n, d) rows; of equals the lowest."""
        scores = rows @ self.weights + self.intercepts
        return np.asarray(self.classes[scores.argmax(axis=1)])


def fit_logistic(
    rows: Array, labels: Array, *, penalty: float = PENALTY, tol: float = TOL
) -> Logistic:
    """Fit multinomial logistic regression, as scikit-learn's objective with C has it.

    The sum over rows of the cross-entropy, plus the squared weights over 2 C;
    intercepts are free. L-BFGS in float64, from zero, in principal axes of the rows
    that are scaled by the curvature there: the same minimum in a fraction of
    scikit-learn's iterations.

    Parameters
    ----------
    rows
        float (n, d).
    labels
        (n,), of any kind that sorts.
    penalty
        1 / C.
    tol
        Of the gradient's largest entry, in the scaled axes.
    """
    axes = principal_axes(rows)
    model = _fit(axes, np.arange(len(rows)), labels, penalty, tol)
    weights = axes.axes @ model.weights
    intercepts = model.intercepts - axes.mean @ weights
    return Logistic(weights, intercepts, model.classes)


@threads(1)
def _fit(
    axes: Axes, among: Array, labels: Array, penalty: float, tol: float
) -> Logistic:
    """Fit the rows ``among``, int (n,), of all that the axes are of, in these axes.

    Axes of more rows than are fitted are as good: they change the way to the minimum
    and not where it lies. So folds share one factorisation.
    """
    from scipy.optimize import minimize

    classes, codes = np.unique(labels, return_inverse=True)
    n, k = len(labels), len(classes)
    if k == 1:
        return Logistic(np.zeros((len(axes.squares), 1)), np.zeros(1), classes)
    scale = 1 / np.sqrt(axes.squares * (n / len(axes.rows)) / k + penalty)
    z = axes.rows[among] * scale
    weight = penalty * scale[:, None] ** 2
    free = np.sqrt(k / n)
    at = np.arange(n)

    def loss(flat: Array) -> tuple[float, Array]:
        w = flat.reshape(-1, k)
        scores = z @ w[:-1]
        scores += free * w[-1]
        scores -= scores.max(axis=1, keepdims=True)
        own = scores[at, codes]
        shares = np.exp(scores, out=scores)
        sums = shares.sum(axis=1)
        shrunk = weight * w[:-1]
        value = float((np.log(sums) - own).sum() + (shrunk * w[:-1]).sum() / 2)
        shares /= sums[:, None]
        shares[at, codes] -= 1
        gradient = np.empty_like(w)
        np.matmul(z.T, shares, out=gradient[:-1])
        gradient[:-1] += shrunk
        gradient[-1] = free * shares.sum(axis=0)
        return value / n, gradient.ravel() / n

    options = {"maxiter": MAX_ITER, "maxfun": 2 * MAX_ITER, "gtol": tol / n, "ftol": 0}
    start = np.zeros((z.shape[1] + 1) * k)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
    w = found.x.reshape(-1, k)
    return Logistic(scale[:, None] * w[:-1], free * w[-1], classes)
