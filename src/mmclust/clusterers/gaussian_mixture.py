"""A mixture of Gaussians fitted by EM; scikit-learn's defaults but the covariance.

With as many dimensions as encoders have, full covariances (scikit-learn's default)
have more entries than there are rows per cluster, so ``diag`` is the default here.
Confidence is the posterior probability of the cluster.

Source: Dempster, Laird and Rubin, Maximum Likelihood from Incomplete Data via the EM
Algorithm, JRSS B 39 (1977).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mmclust.core.params import Positive, PositiveFloat  # noqa: TC001
from mmclust.kernels.nearest_centroids import repeated_rows

DETERMINISTIC = False


@dataclass(frozen=True)
class Params:
    """As in scikit-learn; the start is k-means."""

    covariance: Literal["diag", "full", "tied", "spherical"] = "diag"
    """Shape of each component, in scikit-learn's words."""
    max_iter: Positive = 100
    """Iterations of EM, at most."""
    n_init: Positive = 1
    """Starts; the likeliest is kept."""
    reg_covar: PositiveFloat = 1e-6
    """Added to the diagonal of covariances."""


def fit_predict(
    features: np.ndarray[Any, Any], n_clusters: int, params: Params, *, seed: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Cluster float32 (n, d) into int32 (n,), and how sure, float32 (n,)."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    if len(features) == 1:
        return np.zeros(1, np.int32), np.ones(1, np.float32)
    model = GaussianMixture(
        n_clusters,
        covariance_type=params.covariance,
        max_iter=params.max_iter,
        n_init=params.n_init,
        reg_covar=params.reg_covar,
        random_state=seed % 2**32,
    )
    rows = np.ascontiguousarray(features, np.float64)
    with warnings.catch_warnings():
        # Fewer distinct rows than k, and EM cut short, are results, not accidents.
        warnings.simplefilter("ignore", ConvergenceWarning)
        posterior = model.fit(rows).predict_proba(rows)
    # A product of matrices may round equal rows to other last bits.
    again, first = repeated_rows(rows)
    posterior[again] = posterior[first]
    labels = posterior.argmax(axis=1).astype(np.int32)
    return labels, posterior.max(axis=1).astype(np.float32)
