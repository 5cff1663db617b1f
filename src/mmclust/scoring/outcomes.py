"""The main method's first run: its clusters beside classes, image by image, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.clusters import NOISE
from mmclust.core.io import read_table, write_table
from mmclust.scoring.clustering import contingency, matching
from mmclust.scoring.names import disjoint_cosine, score_disjoint, score_names
from mmclust.scoring.record import Score

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mmclust.core.clusters import Clustering
    from mmclust.scoring.runs import Runs

Array = np.ndarray[Any, Any]


def match_clusters(runs: Runs, method: Clustering) -> dict[int, str]:
    """Match the clusters of a method's first run to classes, by their names.

    A cluster without a class has an empty name; noise is no cluster and not there.
    """
    if not len(runs.seen):
        return {}
    classes, clusters, table = _counted(runs, method)
    matched = matching(table, noise=bool(clusters[0] == NOISE))
    return {
        int(cluster): str(classes[m]) if m >= 0 else ""
        for cluster, m in zip(clusters, matched, strict=True)
        if cluster != NOISE
    }


def write_outcomes(
    path: Path,
    runs: Runs,
    method: Clustering,
    matched: dict[int, str],
    meta: dict[str, Any],
) -> None:
    """Write what became of each image in the first run of the main method."""
    import pyarrow as pa

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
    of = {"clusterer": method.clusterer, "view": method.view, "k": method.k}
    write_table(path, pa.table(columns), meta | of)


def confusion(
    runs: Runs, method: Clustering, matched: dict[int, str]
) -> list[list[Any]]:
    """Count the images of each class in each cluster, clusters by their titles."""
    if not len(runs.seen):
        return []
    classes, clusters, table = _counted(runs, method)
    title = {c: f"{m or 'unmatched'} (c{c})" for c, m in matched.items()}
    title[NOISE] = "in no cluster"
    return [
        [str(classes[j]), title[int(clusters[i])], int(table[i, j])]
        for j in range(len(classes))
        for i in np.argsort([title[int(c)] for c in clusters], kind="stable")
    ]


def _counted(runs: Runs, method: Clustering) -> tuple[Array, Array, Array]:
    """Return class names, cluster numbers, and the table of what is seen of a run."""
    names = np.array([runs.labels.names[row] for row in runs.seen], dtype=str)
    assigned = method.labels[0][runs.seen]
    return np.unique(names), np.unique(assigned), contingency(names, assigned)


def name_scores(
    path: Path,
    runs: Runs,
    method: Clustering,
    sentences: Callable[[list[str]], Any] | None,
) -> list[Score]:
    """Score the keywords, and the nouns where there are any, of the main method."""
    if not len(runs.seen):
        return []
    of = (method.clusterer, method.view, str(method.k))
    rows = [
        row
        for row in read_table(path)[0].to_pylist()
        if (row["clusterer"], row["view"], str(row["k"])) == of
    ]
    matched = match_clusters(runs, method)
    scored: dict[str, Any] = {}
    for kind in ("keywords", "nouns"):
        names = {row["cluster"]: row[kind] for row in rows}
        if any(names.values()):
            own = score_names(names, matched)
            scored |= {f"{kind}_{metric}": value for metric, value in own.items()}
    names = {row["cluster"]: row.get("disjoint") or () for row in rows}
    if any(names.values()):
        scored |= {
            f"keywords_{metric}": value
            for metric, value in score_disjoint(names, matched).items()
        }
        if sentences is not None:
            cosine = disjoint_cosine(names, matched, sentences)
            scored["keywords_disjoint_cosine"] = cosine
    return [
        Score(runs.encoder, method.view, method.clusterer, metric, value, k=method.k,
              n_seeds=1, definition=_definition(metric))
        for metric, value in scored.items()
    ]  # fmt: skip


def _definition(metric: str) -> str:
    if metric.endswith("_cosine"):
        return "disjoint-cosine-1"
    return "disjoint-1" if "disjoint" in metric else "names-2"
