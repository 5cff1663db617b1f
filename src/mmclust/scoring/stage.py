"""The `score` stage: the one place where clusters meet labels."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.clusters import Clustering, read_clusters
from mmclust.core.errors import MmclustError, some
from mmclust.core.io import file_digest, write_bytes, write_json, write_table
from mmclust.core.labels import HIDDEN, Labels, read_labels
from mmclust.core.progress import track
from mmclust.core.seeds import generator
from mmclust.scoring.clustering import contingency, matching
from mmclust.scoring.summary import per_run, summarise

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.params import Params

    Scores = dict[str, dict[str, dict[str, dict[str, Any]]]]


def score_benchmark(
    benchmark: str, params: Params, root: Path
) -> tuple[Scores, list[Path]]:
    """Score every clustering of a benchmark.

    Parameters
    ----------
    benchmark
        Its name.
    params
        ``encoders`` say whose clusters are read; ``model`` which method the
        confusion matrix is of; ``score`` and ``seed`` decide the resamples.
    root
        The repository; labels and clusters are read under ``data/``.

    Returns
    -------
    scores
        Encoder → view → clusterer → record; see
        :func:`mmclust.scoring.summary.summarise`.
    paths
        What was written: metrics, the curve over k, the confusion matrix and the
        outcome of each image.

    Raises
    ------
    MmclustError
        When clusters and labels are of different images or all labels are
        hidden.
    """
    built = root / "data/benchmarks" / benchmark
    folder = root / "data/clusters" / benchmark
    clusters = {encoder: folder / f"{encoder}.parquet" for encoder in params.encoders}
    labels = _labels_of(clusters[params.model.encoder], built / "labels.parquet")
    seen = _visible(labels, benchmark)
    truth = np.unique(labels.labels[seen], return_inverse=True)[1]
    runs = {encoder: _read(path, labels) for encoder, path in clusters.items()}
    records: Scores = {}
    curve: list[list[Any]] = []
    todo = [(encoder, method) for encoder, each in runs.items() for method in each]
    main_k: dict[tuple[str, str, str], int] = {}
    for encoder, method in track(todo, f"{benchmark} score", len(todo), "methods"):
        predicted = method.labels[:, seen]
        key = (encoder, method.view, method.clusterer)
        if main_k.setdefault(key, method.k) == method.k:
            record = summarise(
                truth,
                predicted,
                n_resamples=params.score.n_resamples,
                rng=generator(params.seed, "score", benchmark),
            )
            by_view = records.setdefault(encoder, {}).setdefault(method.view, {})
            by_view[method.clusterer] = {"k": method.k, **record}
        if method.clusterer == "kmeans":
            curve += _curve_rows(encoder, method, per_run(truth, predicted))
    primary = _primary(runs[params.model.encoder], params)
    paths = [
        root / "metrics/clustering" / f"{benchmark}.json",
        root / "plots/k" / f"{benchmark}.csv",
        root / "plots/confusion" / f"{benchmark}.csv",
        root / "data/scores" / f"{benchmark}.parquet",
    ]
    write_json(paths[0], records)
    head = ["encoder", "view", "k", "metric", "score"]
    _write_csv(paths[1], head, sorted(curve))
    # The report shows the summary; through this digest it is made anew with it.
    meta = {
        "encoder": params.model.encoder,
        "summary": file_digest(built / "summary.json"),
    }
    _write_outcomes(paths[2], paths[3], labels, primary, meta)
    return records, paths


def _visible(labels: Labels, benchmark: str) -> np.ndarray[Any, Any]:
    seen = np.flatnonzero(labels.labels != HIDDEN)
    if not len(seen):
        raise MmclustError(
            f"All labels of {benchmark} are hidden, so nothing can be scored",
            expected="at least one image with a class",
            do="take the benchmark out of params.yaml, or give it labels",
        )
    return seen


def _labels_of(clusters: Path, path: Path) -> Labels:
    """Return the labels of the images that were clustered, in the clusters' order."""
    _, ids, meta = read_clusters(clusters)
    every = read_labels(path)
    row = {image_id: i for i, image_id in enumerate(every.image_ids)}
    unknown = [i for i in ids if i not in row]
    if unknown:
        raise MmclustError(
            "Clusters and labels are not of the same images",
            where=clusters,
            expected=f"images among the {len(row)} of the labels",
            found=f"{len(unknown)} others: {some(unknown)}",
            do=f"cluster again: mmclust cluster {meta['benchmark']} {meta['encoder']}",
        )
    rows = [row[i] for i in ids]
    return Labels(ids, every.labels[rows], [every.names[i] for i in rows])


def _read(path: Path, labels: Labels) -> list[Clustering]:
    clusterings, image_ids, meta = read_clusters(path)
    if image_ids != labels.image_ids:
        differ = set(image_ids) ^ set(labels.image_ids)
        raise MmclustError(
            "Clusters and labels are not of the same images",
            where=path,
            expected=f"the {len(labels.image_ids)} images of the labels",
            found=f"{len(image_ids)} images; in one of the two only: "
            f"{some(sorted(differ)) or 'none, but the order differs'}",
            do=f"cluster again: mmclust cluster {meta['benchmark']} {meta['encoder']}",
        )
    return clusterings


def _curve_rows(
    encoder: str, method: Clustering, runs: dict[str, np.ndarray[Any, Any]]
) -> list[list[Any]]:
    return [
        [encoder, method.view, method.k, name, round(float(values.mean()), 6)]
        for name, values in runs.items()
    ]


def _primary(runs: list[Clustering], params: Params) -> Clustering:
    """Return the first clusterer on the widest view: chosen by params, not by score."""
    first = [c for c in runs if c.clusterer == params.model.clusterers[0]]
    return next((c for c in first if c.view == "concat"), first[0])


def _write_outcomes(
    confusion: Path,
    outcomes: Path,
    labels: Labels,
    method: Clustering,
    meta: dict[str, Any],
) -> None:
    """Write each image's class and cluster, and the matrix that counts them."""
    import pyarrow as pa

    seen = labels.labels != HIDDEN
    predicted = method.labels[0]
    names = np.array(labels.names, dtype=object)
    classes, truth = np.unique(names[seen].astype(str), return_inverse=True)
    clusters, assigned = np.unique(predicted[seen], return_inverse=True)
    table = contingency(truth, assigned)
    matched = {
        int(cluster): str(classes[m]) if m >= 0 else ""
        for cluster, m in zip(clusters, matching(table), strict=True)
    }
    # The number of clusters may exceed those that hold a visible image.
    text = [matched.get(int(c), "") for c in predicted]
    columns = {
        "image_id": pa.array(labels.image_ids, pa.string()),
        "label": pa.array(labels.labels, pa.int32()),
        "label_name": pa.array(labels.names, pa.string()),
        "cluster": pa.array(predicted, pa.int32()),
        "matched": pa.array(text, pa.string()),
        "correct": pa.array(
            [m == n and bool(s) for m, n, s in zip(text, names, seen, strict=True)]
        ),
    }
    meta |= {"clusterer": method.clusterer, "view": method.view, "k": method.k}
    write_table(outcomes, pa.table(columns), meta)
    title = {c: f"{m or 'unmatched'} (c{c})" for c, m in matched.items()}
    rows = [
        [str(classes[j]), title[int(clusters[i])], int(table[i, j])]
        for j in range(len(classes))
        for i in np.argsort([title[int(c)] for c in clusters], kind="stable")
    ]
    _write_csv(confusion, ["class", "cluster", "count"], rows)


def _write_csv(path: Path, head: list[str], rows: list[list[Any]]) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([head, *rows])
    write_bytes(path, buffer.getvalue().encode())
