"""Clustering a user's own features, from file to file."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.clusterers._stage import cluster_array
from mmclust.core.errors import MmclustError
from mmclust.core.features import Features, check_features, view_of, views_of
from mmclust.core.io import read_array, require_file, write_bytes

if TYPE_CHECKING:
    from pathlib import Path


def cluster_files(
    method: str,
    image_features: Path | None,
    text_features: Path | None,
    *,
    k: int,
    ids: Path | None,
    seed: int,
    out: Path,
) -> list[int]:
    """Cluster features from ``.npy`` files and write ``image_id,cluster``.

    Parameters
    ----------
    method
        A file in ``clusterers/``, with its default options.
    image_features, text_features
        Float arrays (n, d) with rows in the same order; one may be absent.
    k
        Number of clusters.
    ids
        One image id per line; rows are numbered from 0 without it.
    seed
        Of the run.
    out
        The CSV file.

    Returns
    -------
    list of int
        Size of each cluster that is not empty.

    Raises
    ------
    MmclustError
        When the arrays differ in length, are not finite, or k is larger than n.
    """
    given = {"image": image_features, "text": text_features}
    views: dict[str, np.ndarray[Any, Any]] = {}
    for view, path in given.items():
        if path is not None:
            array = read_array(path)
            others = [len(other) for other in views.values()]
            check_features(array, path, others[0] if others else None)
            views[view] = array
    features = Features(views, {})
    rows = view_of(features, views_of(features)[-1])
    names = _ids(ids, len(rows))
    labels = cluster_array(rows, method, k, seed=seed)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["image_id", "cluster"])
    writer.writerows(zip(names, labels.tolist(), strict=True))
    write_bytes(out, buffer.getvalue().encode())
    return [int(size) for size in np.unique(labels, return_counts=True)[1]]


def _ids(path: Path | None, n_samples: int) -> list[str]:
    if path is None:
        return [str(i) for i in range(n_samples)]
    data = require_file(path, do="give one image_id per line").read_bytes()
    ids = data.decode("utf-8-sig", errors="replace").splitlines()
    if len(ids) != n_samples or len(set(ids)) != len(ids) or not all(ids):
        raise MmclustError(
            "The ids do not fit the features",
            where=path,
            expected=f"{n_samples} different ids, one per line",
            found=f"{len(ids)} lines, {len(set(ids) - {''})} different ids",
        )
    return ids
