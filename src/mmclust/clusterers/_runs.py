"""What is run, into how many clusters, and how: the same bytes at any workers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.clusters import Clustering
from mmclust.core.errors import MmclustError
from mmclust.core.features import normalised, view_of, views_of, write_view
from mmclust.core.io import read_array, write_array
from mmclust.core.manifest import read_summary, summary_path
from mmclust.core.numerics import threads
from mmclust.core.plugins import instance_of
from mmclust.core.progress import track
from mmclust.core.seeds import derive, generator
from mmclust.core.workers import in_order
from mmclust.kernels.kmeans import require_k
from mmclust.scoring.label_free import CRITERIA, GRID, Choice, choose_k

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from mmclust.core.features import Features
    from mmclust.core.params import Params
    from mmclust.core.plugins import Instance

Array = np.ndarray[Any, Any]
Result = tuple[Array, Array | None]
"""Labels, int32 (n,), and how sure each is, float32 (n,), where a method says it."""

Rows = Array | tuple[Array, Array]
"""Rows to cluster, (n, d), or the pair (image, text) for a method that takes both."""

BOTH = "both"
"""The view of a method that takes image and text separately."""
PLAIN = ("unit", "evaluate")


@dataclass(frozen=True)
class Task:
    """One run: a clusterer on a view, into k clusters, from one seed.

    ``k`` is 0 for a method that finds the number of clusters itself.
    """

    method: Instance
    view: str
    k: int
    seed: int

    @property
    def data(self) -> str:
        """Which rows it takes: the view, and how its options want them."""
        wanted = rows_wanted(self.method.options)
        return self.view if wanted == PLAIN else " ".join((self.view, *wanted))


def rows_wanted(options: Any) -> tuple[str, str]:
    """Return a clusterer's options ``rows`` and ``fit_on``, where it has them."""
    return getattr(options, "rows", PLAIN[0]), getattr(options, "fit_on", PLAIN[1])


def rows_for(
    features: Features, view: str, options: Any, asked: Array, fitted: Array
) -> tuple[Rows, Array | None]:
    """Return a view's rows as a clusterer's options want them, those asked for first.

    The second are those that it is fitted on, where these are others.

    Parameters
    ----------
    view
        A view, or :data:`BOTH`.
    options
        ``rows``: ``unit`` norm, ``raw`` as encoders give them, or ``raw_if_single``:
        two views side by side have unit norm each. ``fit_on``: ``fit`` or ``evaluate``.
    asked, fitted
        Numbers of the rows to assign, and of those that methods are fitted on.
    """
    if view == BOTH:
        image, text = (normalised(features.views[v])[asked] for v in ("image", "text"))
        return (image, text), None
    kind, fit_on = rows_wanted(options)
    if kind == "unit":
        whole = view_of(features, view)
    elif view != "concat":
        whole = features.views[view]
    else:
        scale = normalised if kind == "raw_if_single" else np.asarray
        whole = np.hstack([scale(array) for array in features.views.values()])
    rows = np.asarray(whole[asked], np.float32)
    return rows, None if fit_on == "evaluate" else whole[fitted]


def plan(params: Params, views: list[str], k: int, n_samples: int) -> list[Task]:
    """List every run of the stage, in the order of the output."""
    model = params.model
    wanted = [(name, k) for name in model.clusterers]
    if swept := params.swept:
        wanted += [(swept, j) for j in model.k_sweep if j != k and j <= n_samples]
    both = [BOTH] if {"image", "text"} <= set(views) else []
    tasks = []
    for name, clusters in wanted:
        method = params.instance("clusterers", name)
        found = 0 if finds_k(method) else clusters
        tasks += [
            Task(method, view, found, seed)
            for view in (both if takes_both(method) else views)
            for seed in range(1 if method.module.DETERMINISTIC else model.n_seeds)
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


def finds_k(method: Instance) -> bool:
    """Whether a clusterer finds the number of clusters itself."""
    return bool(getattr(method.module, "FINDS_K", False))


def takes_both(method: Instance) -> bool:
    """Whether a clusterer takes image and text rows separately."""
    return getattr(method.module, "VIEWS", None) == BOTH


def run_tasks(
    tasks: list[Task], folder: Path, seed: int, workers: int, label: str
) -> list[Clustering]:
    """Run all tasks and stack the seeds of each method, keeping the order.

    ``folder`` has the rows of each task, see :func:`spool`: workers map them.
    """
    run = partial(_run_one, folder, seed)
    results = in_order(run, tasks, workers, describe=_describe)
    runs: dict[tuple[str, str, int], list[Result]] = {}
    for task, result in zip(
        tasks, track(results, label, len(tasks), "runs"), strict=True
    ):
        runs.setdefault((task.method.name, task.view, task.k), []).append(result)
    clusterings = []
    for key, each in runs.items():
        labels = np.stack([labels for labels, _ in each])
        sure = [confidence for _, confidence in each if confidence is not None]
        clusterings.append(Clustering(*key, labels, np.stack(sure) if sure else None))
    return clusterings


def _run_one(folder: Path, seed: int, task: Task) -> Result:
    purpose = (task.method.name, task.view, task.k, task.seed)
    rows, fit = spooled(folder, task)
    return assign(task.method, rows, task.k, derive(seed, *purpose), fit)


def _describe(task: Task) -> str:
    number = f"k {task.k}" if task.k else "its own k"
    return f"{task.method.name} on {task.view}, {number}, seed {task.seed}"


def spool(
    tasks: Sequence[Task],
    features: Features,
    asked: Array,
    fitted: Array,
    folder: Path,
) -> dict[str, Array]:
    """Write the rows of all tasks, and return those of each view, mapped.

    Workers map them, too, so that there is no copy for each.
    """
    views = views_of(features)
    for view in views:
        write_view(folder / f"{view}.npy", features, view, asked)
    for key, task in {task.data: task for task in tasks}.items():
        if key not in (*views, BOTH):
            options = task.method.options
            rows, fit = rows_for(features, task.view, options, asked, fitted)
            write_array(folder / f"{key}.npy", np.asarray(rows))
            if fit is not None:
                write_array(folder / f"{key}.fit.npy", fit)
    return {view: read_array(folder / f"{view}.npy") for view in views}


def spooled(folder: Path, task: Task) -> tuple[Rows, Array | None]:
    """Return what :func:`rows_for` does, mapped, from where :func:`spool` wrote it."""
    if task.view == BOTH:
        return (read_array(folder / "image.npy"), read_array(folder / "text.npy")), None
    fit = folder / f"{task.data}.fit.npy"
    rows = read_array(folder / f"{task.data}.npy")
    return rows, read_array(fit) if fit.is_file() else None


def assign(
    method: Instance, rows: Rows, k: int, seed: int, fit: Array | None = None
) -> Result:
    """Run a clusterer once, on one thread; see :data:`Result`."""
    if not finds_k(method):
        require_k(k, len(rows[0] if takes_both(method) else rows))
    more = {} if fit is None else {"fit": fit}
    with method.telling(), threads(1):
        found = method.module.fit_predict(rows, k, method.options, seed=seed, **more)
    return found if isinstance(found, tuple) else (found, None)


def decide_k(
    params: Params, features: Features, fitted: Array, built: Path, seed: int
) -> tuple[int, Choice | None]:
    """Return the main number of clusters, and why where it was chosen.

    ``auto`` looks at the rows that methods are fitted on, ``fitted``; all that is read
    of classes is their number.
    """
    model = params.model
    if model.k == "auto":
        choice = auto_k(
            features, fitted, params.clusterers.get("kmeans"), seed=seed,
            grid=model.k_grid, by=model.k_by, criteria=CRITERIA,
        )  # fmt: skip
        return choice.k, choice
    k = model.k or read_summary(built).get("n_classes") or 0
    if k < 1:
        raise MmclustError(
            "The benchmark has no classes, so k must be given",
            where=summary_path(built),
            do="set model.k in params.yaml: a number, or auto",
        )
    return k, None


def auto_k(
    features: Features,
    rows: Array | slice = slice(None),
    block: Any = None,
    *,
    seed: int,
    grid: Sequence[int] = (),
    by: str = "silhouette",
    criteria: Iterable[str] | None = None,
) -> Choice:
    """Choose k by :func:`mmclust.scoring.label_free.choose_k` with k-means.

    It runs on some rows of the widest view, with ``block`` as its options; ``grid``
    has the k to try, empty for the default.
    """
    method = instance_of("clusterers", "kmeans", block, "clusterers.kmeans")

    def cluster(rows: Array, k: int) -> Array:
        return assign(method, rows, k, derive(seed, "auto_k", k))[0]

    return choose_k(
        view_of(features, views_of(features)[-1], rows), cluster,
        rng=generator(seed, "auto_k"), grid=grid or GRID, by=by, criteria=criteria,
        spaces=[array[rows] for array in features.views.values()], seed=seed,
    )  # fmt: skip


def require_several(k: int, n_samples: int) -> None:
    """Refuse one cluster, and more clusters than images."""
    require_k(k, n_samples)
    if k == 1:
        raise MmclustError(
            "One cluster holds everything: there is nothing to find",
            where="k (model.k in params.yaml, or --k)",
            expected=f"between 2 and {n_samples}, or auto",
            found=k,
            do="choose a larger k",
        )
