"""What nouns and heads ask of arrays of embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.features import check_features, normalised
from mmclust.core.io import read_array, read_record
from mmclust.core.manifest import read_summary, summary_path
from mmclust.kernels.kmeans import require_k

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.params import Params

HALF = (0.25, 250.0)
"""Lengths of rows whose squares float16 holds well enough to scale them."""


def unit_rows(
    array: np.ndarray[Any, Any],
    where: Path,
    n_rows: int | None = None,
    skipped: np.ndarray[Any, Any] | None = None,
) -> np.ndarray[Any, Any]:
    """Return rows at unit norm: float32 (n, d); float16 is scaled as float16.

    Rows of images that have no features, ``skipped``, are NaN and stay it; a row of
    zeros, which points nowhere, is refused.
    """
    check_features(array, where, n_rows, skipped)
    zero = np.flatnonzero(~np.asarray(array != 0).any(axis=1))
    if len(zero):
        raise MmclustError(
            "An embedding is all zeros and points nowhere",
            where=f"{where}, row {zero[0]}",
            expected="rows with a direction",
            found=f"{len(zero)} rows of zeros",
            do="leave these rows out, or find out why they were not encoded",
        )
    if array.dtype != np.float16:
        return normalised(array)
    # Another rounding than the papers' codes have may send k-means elsewhere. Lengths
    # whose squares float16 cannot hold (the papers' are about 10) are left to float32.
    with np.errstate(over="ignore"):
        norms = np.linalg.norm(array, axis=1, keepdims=True)
    low, high = HALF
    if norms.min() < low or norms.max() > high:
        return normalised(array.astype(np.float32))
    return np.asarray((array / norms).astype(np.float32))


def read_rows(
    path: Path,
    n_rows: int | None = None,
    skipped: np.ndarray[Any, Any] | None = None,
) -> np.ndarray[Any, Any]:
    """Read an ``.npy`` file of embeddings; see :func:`unit_rows`."""
    return unit_rows(read_array(path), path, n_rows, skipped)


def require_same_space(image: int, other: int, what: str) -> None:
    """Refuse arrays whose columns are not the same features."""
    if image != other:
        raise MmclustError(
            f"Images and {what} are not embedded in the same space",
            expected=f"{image} features each",
            found=f"{image} and {other}",
            do="take both from one encoder of images and text, such as clip",
        )


def n_clusters(params: Params, root: Path, benchmark: str) -> int:
    """Return ``model.k``, or the number of classes (all that is read of them)."""
    built = root / "data/benchmarks" / benchmark
    if params.model.k == "auto":
        chosen = root / f"data/clusters/{benchmark}/k/{params.model.encoder}.json"
        k: int = read_record(chosen, {"k": int})["k"]
        return k
    if isinstance(params.model.k, int):
        return params.model.k
    n_classes: int = read_summary(built).get("n_classes") or 0
    if n_classes < 1:
        raise MmclustError(
            "The benchmark has no classes, so k must be given",
            where=summary_path(built),
            do="set model.k in params.yaml",
        )
    return n_classes


def require_batch(batch: int, n_images: int) -> None:
    """Refuse a batch that no epoch could fill: there would be no step at all."""
    if not 2 <= batch <= n_images:  # noqa: PLR2004
        raise MmclustError(
            f"A batch of {batch} cannot be drawn from {n_images} images",
            where="batch (heads in params.yaml, or --set batch=…)",
            expected=f"between 2 and {n_images}",
            found=batch,
            do=f"lower the batch, for instance to {max(n_images // 4, 2)} "
            "(a quarter of the images)",
        )


def require_clusters(n_clusters: int, n_images: int) -> None:
    """Refuse a k that a head cannot learn: contrast needs a second cluster."""
    require_k(n_clusters, n_images)
    if n_clusters == 1:
        raise MmclustError(
            "A head cannot be trained for a single cluster",
            where="k (model.k in params.yaml, or --k)",
            expected="at least 2",
            found=1,
            do="choose a larger k",
        )


def require_at_most(most: int, n_images: int, head: str) -> None:
    """Refuse more images than a head can hold all pairs of."""
    if n_images > most:
        raise MmclustError(
            f"{head} holds the similarities of all pairs of images, which are too many",
            where="model.heads in params.yaml",
            expected=f"at most {most:,} images",
            found=f"{n_images:,}: {4e-9 * n_images**2:.1f} GB for each of several "
            "matrices",
            do=f"take {head} out of model.heads, or cluster a part of the images",
        )
