"""Training-free TAC: k-means on images beside their text counterparts.

``view`` takes one of the two alone: ``image_kmeans`` and ``counterpart_kmeans``.

Source: TAC, Image Clustering with External Guidance (ICML 2024), released code.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from msgspec import Meta

from mmclust.core.params import Positive  # noqa: TC001
from mmclust.heads._space import spherical_kmeans

if TYPE_CHECKING:
    from mmclust.core.types import HeadInputs

READS_OF = {"image": ("image",), "counterpart": ("text",), "concat": ("image", "text")}
"""What each view is made of."""


@dataclass(frozen=True)
class Params:
    """The published call: see :func:`mmclust.heads._space.spherical_kmeans`."""

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


def offers(params: Params) -> SimpleNamespace:
    """Return the head of a view."""
    return SimpleNamespace(
        __name__=__name__, __doc__=__doc__, VIEW=params.view,
        READS=READS_OF[params.view], Params=Params, cluster=cluster,
    )  # fmt: skip


def cluster(
    inputs: HeadInputs,
    n_clusters: int,
    params: Params,
    *,
    seed: int,
    device: str = "cpu",
) -> np.ndarray[Any, Any]:
    """Cluster n images into int32 (n,)."""
    rows = np.hstack([getattr(inputs, name) for name in READS_OF[params.view]])
    return spherical_kmeans(rows, n_clusters, params, seed=seed, device=device)
