"""Training-free TAC: k-means on images beside their text counterparts.

Source: TAC, Image Clustering with External Guidance (ICML 2024), released code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from msgspec import Meta

from mmclust.core.params import Positive  # noqa: TC001
from mmclust.kernels.kmeans import kmeans

if TYPE_CHECKING:
    from mmclust.core.types import HeadInputs

VIEW = "concat"
READS = ("image", "text")


@dataclass(frozen=True)
class Params:
    """The published call: see :func:`mmclust.kernels.kmeans.kmeans`."""

    n_init: Positive = 20
    """Starts of k-means; the one with the best objective is kept."""
    max_iter: Positive = 300
    """Iterations of each start, at most."""
    max_points_per_centroid: Positive | None = 256
    """Rows per cluster that centroids are made of, at most; ``None``: all rows."""
    faiss_seed: Annotated[int, Meta(ge=0)] | None = None
    """Where every run starts (the release: faiss's 1234), so that runs do not
    differ; ``None``: each from its own seed."""
    evaluate_on: Literal["evaluate", "fit"] = "evaluate"
    """Which images are assigned: the benchmark's protocol's, or those fitted on."""


def cluster(
    inputs: HeadInputs,
    n_clusters: int,
    params: Params,
    *,
    seed: int,
    device: str = "cpu",
) -> np.ndarray[Any, Any]:
    """Cluster n images into int32 (n,)."""
    both = np.hstack([inputs.image, inputs.text])
    return kmeans_of(both, n_clusters, params, seed, device)


def kmeans_of(
    rows: np.ndarray[Any, Any], n_clusters: int, params: Params, seed: int, device: str
) -> np.ndarray[Any, Any]:
    """Cluster rows, float32 (n, d), by the published call."""
    return kmeans(
        rows,
        n_clusters,
        seed=seed if params.faiss_seed is None else params.faiss_seed,
        n_init=params.n_init,
        max_iter=params.max_iter,
        spherical=True,
        init="random",
        max_points_per_centroid=params.max_points_per_centroid,
        device=device,
    ).labels
