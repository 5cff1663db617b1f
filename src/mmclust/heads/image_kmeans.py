"""k-means on images alone: what the papers call CLIP (k-means).

Source: the baseline of TAC, Image Clustering with External Guidance (ICML 2024).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.heads.concat_kmeans import Params, kmeans_of

if TYPE_CHECKING:
    import numpy as np

    from mmclust.core.types import HeadInputs

__all__ = ["READS", "VIEW", "Params", "cluster"]

VIEW = "image"
READS = ("image",)


def cluster(
    inputs: HeadInputs,
    n_clusters: int,
    params: Params,
    *,
    seed: int,
    device: str = "cpu",
) -> np.ndarray[Any, Any]:
    """Cluster n images into int32 (n,)."""
    return kmeans_of(inputs.image, n_clusters, params, seed, device)
