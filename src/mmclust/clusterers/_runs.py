"""What is run, and running it: over processes, one thread each, the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.clusters import Clustering
from mmclust.core.errors import MmclustError
from mmclust.core.numerics import threads
from mmclust.core.plugins import load, params_of
from mmclust.core.progress import track
from mmclust.core.seeds import derive
from mmclust.core.workers import in_order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmclust.core.params import Params

Array = np.ndarray[Any, Any]
Rows = Array | tuple[Array, Array]
"""One view, or the pair (image, text) of a method that takes both."""

BOTH = "both"
"""The view of a method that takes image and text separately."""


@dataclass(frozen=True)
class Task:
    """One run: a clusterer on a view, into k clusters, from one seed.

    ``k`` is 0 for a method that finds the number of clusters itself.
    """

    clusterer: str
    params: Any
    view: str
    k: int
    seed: int


def plan(params: Params, views: list[str], k: int, n_samples: int) -> list[Task]:
    """List every run of the stage, in the order of the output."""
    model = params.model
    sweep = [j for j in model.k_sweep if j != k and j <= n_samples]
    wanted = [(name, k) for name in model.clusterers]
    if "kmeans" in model.clusterers:
        wanted += [("kmeans", j) for j in sweep]
    tasks = []
    for name, clusters in wanted:
        options = params.block("clusterers", name)
        module = load("clusterers", name)
        found = 0 if finds_k(name) else clusters
        tasks += [
            Task(name, options, view, found, seed)
            for view in _views_for(name, views)
            for seed in range(1 if module.DETERMINISTIC else model.n_seeds)
        ]
    if not tasks:
        raise MmclustError(
            "No clusterer of model.clusterers takes what this encoder has",
            where="model.clusterers",
            expected="one that clusters a single view, such as kmeans",
            found=f"{', '.join(model.clusterers)}, which need image and text; the "
            f"encoder has {' and '.join(views)}",
            do="add kmeans, or take the encoder out of encoders",
        )
    return tasks


def finds_k(clusterer: str) -> bool:
    """Whether a clusterer finds the number of clusters itself."""
    return bool(getattr(load("clusterers", clusterer), "FINDS_K", False))


def takes_both(clusterer: str) -> bool:
    """Whether a clusterer takes image and text rows separately."""
    return getattr(load("clusterers", clusterer), "VIEWS", None) == BOTH


def _views_for(clusterer: str, views: list[str]) -> list[str]:
    if not takes_both(clusterer):
        return views
    return [BOTH] if {"image", "text"} <= set(views) else []


def run_tasks(
    tasks: list[Task], views: Mapping[str, Rows], seed: int, workers: int, label: str
) -> list[Clustering]:
    """Run all tasks and stack the seeds of each method, keeping the order."""
    run = partial(_run_one, dict(views), seed)
    runs = in_order(run, tasks, workers, describe=_describe)
    return _grouped(tasks, list(track(runs, label, len(tasks), "runs")))


def _run_one(
    views: Mapping[str, Rows], seed: int, task: Task
) -> tuple[Array, Array | None]:
    purpose = (task.clusterer, task.view, task.k, task.seed)
    rows = views[task.view]
    return assign(task.clusterer, rows, task.k, task.params, derive(seed, *purpose))


def _describe(task: Task) -> str:
    number = f"k {task.k}" if task.k else "its own k"
    return f"{task.clusterer} on {task.view}, {number}, seed {task.seed}"


def assign(
    clusterer: str, rows: Rows, k: int, options: Any, seed: int
) -> tuple[Array, Array | None]:
    """Run a clusterer once, on one thread.

    Returns
    -------
    labels, confidence
        int32 (n,), and float32 (n,) or None.
    """
    with threads(1):
        found = load("clusterers", clusterer).fit_predict(rows, k, options, seed=seed)
    return found if isinstance(found, tuple) else (found, None)


def cluster_array(
    rows: Rows,
    method: str,
    k: int,
    *,
    seed: int,
    block: dict[str, Any] | None = None,
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any] | None]:
    """Cluster one array, as the stage does with a view: one thread.

    Parameters
    ----------
    rows
        float32 (n, d), rows at unit norm; a pair for a method that takes both.
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
    labels, confidence
        int32 (n,), and float32 (n,) or None.
    """
    options = params_of("clusterers", method, block, f"clusterers.{method}")
    return assign(method, rows, k, options, seed)


def _grouped(
    tasks: list[Task], runs: list[tuple[Array, Array | None]]
) -> list[Clustering]:
    groups: dict[tuple[str, str, int], list[tuple[Array, Array | None]]] = {}
    for task, run in zip(tasks, runs, strict=True):
        groups.setdefault((task.clusterer, task.view, task.k), []).append(run)
    clusterings = []
    for key, each in groups.items():
        sure = [confidence for _, confidence in each if confidence is not None]
        labels = np.stack([labels for labels, _ in each])
        clusterings.append(Clustering(*key, labels, np.stack(sure) if sure else None))
    return clusterings
