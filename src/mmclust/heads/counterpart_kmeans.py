"""k-means on text counterparts alone.

Source: this project's own, beside the k-means of TAC's released code (ICML 2024).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.heads.concat_kmeans import Params, kmeans_of

if TYPE_CHECKING:
    import numpy as np

__all__ = ["VIEW", "Params", "cluster"]

VIEW = "counterpart"


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
    del image
    return kmeans_of(text, n_clusters, params, seed, device)
