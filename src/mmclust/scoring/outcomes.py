"""What became of each image under the main method, and the matrix that counts it."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.clusters import NOISE
from mmclust.core.io import write_bytes, write_table
from mmclust.scoring.clustering import contingency
from mmclust.scoring.matching import matching

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.clusters import Clustering
    from mmclust.scoring.runs import Runs


def match_clusters(runs: Runs, method: Clustering) -> dict[int, str]:
    """Match the clusters of a method's first run to classes, by their names.

    Returns
    -------
    dict
        Cluster to class, empty for none; noise is no cluster and not in it. Nothing
        where no class is known.
    """
    if not len(runs.seen):
        return {}
    classes, truth, clusters, assigned = _codes(runs, method)
    noise = bool(clusters[0] == NOISE)
    matched = matching(contingency(truth, assigned), noise=noise)
    return {
        int(cluster): str(classes[m]) if m >= 0 else ""
        for cluster, m in zip(clusters, matched, strict=True)
        if cluster != NOISE
    }


def write_outcomes(
    confusion: Path,
    outcomes: Path,
    runs: Runs,
    method: Clustering,
    meta: dict[str, Any],
) -> None:
    """Write each image's class and cluster, and the matrix that counts them.

    Parameters
    ----------
    confusion
        CSV: ``class``, ``cluster`` and ``count``.
    outcomes
        Parquet, one row per image: ``label``, ``label_name``, ``cluster``,
        ``matched`` (a class's name) and ``correct``.
    runs, method
        The main method, whose first run is taken.
    meta
        To go with the parquet file.
    """
    import pyarrow as pa

    matched = match_clusters(runs, method)
    predicted, labels = method.labels[0], runs.labels
    visible = set(runs.seen.tolist())
    # The number of clusters may exceed those that hold a visible image.
    text = [matched.get(int(cluster), "") for cluster in predicted]
    columns = {
        "image_id": pa.array(labels.image_ids, pa.string()),
        "label": pa.array(labels.labels, pa.int32()),
        "label_name": pa.array(labels.names, pa.string()),
        "cluster": pa.array(predicted, pa.int32()),
        "matched": pa.array(text, pa.string()),
        "correct": pa.array(
            [row in visible and text[row] == n for row, n in enumerate(labels.names)]
        ),
    }
    meta = {
        **meta,
        "clusterer": method.clusterer,
        "view": method.view,
        "k": method.k,
    }
    write_table(outcomes, pa.table(columns), meta)
    write_csv(
        confusion, ["class", "cluster", "count"], _confusion(runs, method, matched)
    )


def _confusion(
    runs: Runs, method: Clustering, matched: dict[int, str]
) -> list[list[Any]]:
    """Count the images of each class in each cluster, clusters by their titles."""
    if not len(runs.seen):
        return []
    classes, truth, clusters, assigned = _codes(runs, method)
    table = contingency(truth, assigned)
    title = {c: f"{m or 'unmatched'} (c{c})" for c, m in matched.items()}
    title[NOISE] = "in no cluster"
    return [
        [str(classes[j]), title[int(clusters[i])], int(table[i, j])]
        for j in range(len(classes))
        for i in np.argsort([title[int(c)] for c in clusters], kind="stable")
    ]


def write_csv(path: Path, head: list[str], rows: list[list[Any]]) -> None:
    """Write a CSV file with Unix line ends, atomically."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([head, *rows])
    write_bytes(path, buffer.getvalue().encode())


def _codes(runs: Runs, method: Clustering) -> tuple[np.ndarray[Any, Any], ...]:
    """Return class names, classes, cluster numbers and clusters of what is seen."""
    names = np.array([runs.labels.names[row] for row in runs.seen], dtype=str)
    classes, truth = np.unique(names, return_inverse=True)
    clusters, assigned = np.unique(method.labels[0][runs.seen], return_inverse=True)
    return classes, truth, clusters, assigned
