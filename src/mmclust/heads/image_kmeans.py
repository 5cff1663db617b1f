"""k-means on images alone: what the papers call CLIP (k-means).

Source: the baseline of TAC, Image Clustering with External Guidance (ICML 2024).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.heads.concat_kmeans import Params, kmeans_of

if TYPE_CHECKING:
    import numpy as np

__all__ = ["VIEW", "Params", "cluster"]

VIEW = "image"


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
    del text
    return kmeans_of(image, n_clusters, params, seed, device)
