"""Training-free TAC: k-means on images beside their text counterparts.

``view`` takes one of the two alone: ``image_kmeans`` and ``counterpart_kmeans``.

Source: TAC, Image Clustering with External Guidance (ICML 2024), released code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta

from mmclust.core.params import Positive  # noqa: TC001
from mmclust.kernels.kmeans import kmeans


def view(params: Params) -> str:
    """Return the view that is clustered."""
    return params.view


@dataclass(frozen=True)
class Params:
    """The published call: see :func:`mmclust.kernels.kmeans.kmeans`."""

    view: Literal["concat", "image", "counterpart"] = "concat"
    """Images beside counterparts, or one of them alone."""
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
    image: np.ndarray[Any, Any],
    text: np.ndarray[Any, Any],
    n_clusters: int,
    params: Params,
    *,
    seed: int,
    device: str = "cpu",
) -> np.ndarray[Any, Any]:
    """Cluster n images, float32 (n, d) at unit norm, into int32 (n,)."""
    views = {"image": [image], "counterpart": [text], "concat": [image, text]}
    return kmeans(
        np.hstack(views[params.view]),
        n_clusters,
        seed=seed if params.faiss_seed is None else params.faiss_seed,
        n_init=params.n_init,
        max_iter=params.max_iter,
        spherical=True,
        init="random",
        max_points_per_centroid=params.max_points_per_centroid,
        device=device,
    ).labels
