"""The `cluster` stage: every clusterer, view and seed on one encoder's features."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.clusters import Clustering, write_clusters
from mmclust.core.errors import MmclustError
from mmclust.core.features import read_features, view_of, views_of
from mmclust.core.io import read_json
from mmclust.core.manifest import read_manifest
from mmclust.core.plugins import load, params_of
from mmclust.core.progress import track
from mmclust.core.seeds import derive

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.params import Params


@dataclass(frozen=True)
class Task:
    """One run: a clusterer on a view, into k clusters, from one seed."""

    clusterer: str
    params: Any
    view: str
    k: int
    seed: int


def cluster_benchmark(
    benchmark_folder: Path,
    features_folder: Path,
    out: Path,
    params: Params,
    *,
    workers: int = 1,
) -> list[Clustering]:
    """Cluster one encoder's features of one benchmark.

    Parameters
    ----------
    benchmark_folder
        Holds ``manifest.parquet`` and ``summary.json``, which says how many
        classes there are; labels are not read.
    features_folder
        ``data/features/<benchmark>/<encoder>``.
    out
        ``data/clusters/<benchmark>/<encoder>.parquet``.
    params
        ``seed``, ``model`` and ``clusterers`` are used.
    workers
        Processes. The bytes do not depend on it.

    Returns
    -------
    list of Clustering
        The main runs, then k-means at each further k of ``model.k_sweep`` that
        is neither the main k nor larger than the number of images.

    Raises
    ------
    MmclustError
        When k is larger than the number of images, a clusterer is unknown, or
        the features belong to another manifest.
    """
    manifest = read_manifest(benchmark_folder / "manifest.parquet")
    features = read_features(features_folder, manifest)
    k = params.model.k or _classes(benchmark_folder / "summary.json")
    rows = manifest.evaluate_rows
    tasks = plan(params, views_of(features), k, len(rows))
    encoder = str(features.meta["encoder"])
    seed = derive(params.seed, "cluster", encoder)
    label = f"{manifest.benchmark} {encoder}"
    views = {v: view_of(features, v)[rows] for v in views_of(features)}
    runs = _run(tasks, views, seed, workers, label)
    clusterings = _grouped(tasks, runs)
    meta = {
        "benchmark": manifest.benchmark,
        "encoder": encoder,
        "manifest": manifest.digest,
        "seed": params.seed,
        "params": {t.clusterer: asdict(t.params) for t in tasks},
    }
    ids = manifest.image_ids
    write_clusters(out, clusterings, [ids[row] for row in rows], meta)
    return clusterings


def plan(params: Params, views: list[str], k: int, n_samples: int) -> list[Task]:
    """List every run of the stage, in the order of the output.

    Parameters
    ----------
    params
        ``model`` and ``clusterers`` are used.
    views
        Those that the encoder has.
    k
        The main number of clusters.
    n_samples
        Number of images; a k of the sweep above it is left out.

    Returns
    -------
    list of Task
        Seeds innermost; deterministic clusterers run once.
    """
    model = params.model
    sweep = [j for j in model.k_sweep if j != k and j <= n_samples]
    wanted = [(name, k) for name in model.clusterers]
    if "kmeans" in model.clusterers:
        wanted += [("kmeans", j) for j in sweep]
    tasks = []
    for name, clusters in wanted:
        options = params.block("clusterers", name)
        once = load("clusterers", name).DETERMINISTIC
        seeds = range(1 if once else model.n_seeds)
        tasks += [
            Task(name, options, view, clusters, seed)
            for view in views
            for seed in seeds
        ]
    return tasks


def cluster_array(
    features: np.ndarray[Any, Any],
    method: str,
    k: int,
    *,
    seed: int,
    block: dict[str, Any] | None = None,
) -> np.ndarray[Any, Any]:
    """Cluster one array, as the stage does with a view.

    Parameters
    ----------
    features
        float32 (n, d), rows at unit norm.
    method
        A file in ``clusterers/``.
    k
        Number of clusters.
    seed
        Of this run.
    block
        The clusterer's options; ``None`` for all defaults.

    Returns
    -------
    numpy.ndarray
        int32 (n,).
    """
    module = load("clusterers", method)
    options = params_of("clusterers", method, block, f"clusterers.{method}")
    labels: np.ndarray[Any, Any] = module.fit_predict(features, k, options, seed=seed)
    return labels


def _classes(summary: Path) -> int:
    """Return the number of classes, which is all that is read of them here."""
    n_classes = int(read_json(summary).get("n_classes", 0))
    if n_classes < 1:
        raise MmclustError(
            "The benchmark has no classes, so k must be given",
            where=summary,
            do="set model.k in params.yaml",
        )
    return n_classes


def _run(
    tasks: list[Task],
    views: dict[str, np.ndarray[Any, Any]],
    seed: int,
    workers: int,
    label: str,
) -> list[np.ndarray[Any, Any]]:
    run = partial(_run_one, seed=seed)
    if workers <= 1:
        runs = (run(task, views[task.view]) for task in tasks)
        return list(track(runs, label, len(tasks), "runs"))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        parallel = pool.map(run, tasks, (views[t.view] for t in tasks))
        return list(track(parallel, label, len(tasks), "runs"))


def _run_one(task: Task, features: np.ndarray[Any, Any], seed: int) -> Any:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return load("clusterers", task.clusterer).fit_predict(
            features,
            task.k,
            task.params,
            seed=derive(seed, task.clusterer, task.view, task.k, task.seed),
        )


def _grouped(tasks: list[Task], runs: list[np.ndarray[Any, Any]]) -> list[Clustering]:
    """Stack the seeds of each method, keeping the order."""
    groups: dict[tuple[str, str, int], list[np.ndarray[Any, Any]]] = {}
    for task, labels in zip(tasks, runs, strict=True):
        groups.setdefault((task.clusterer, task.view, task.k), []).append(labels)
    return [Clustering(*key, np.stack(rows)) for key, rows in groups.items()]
