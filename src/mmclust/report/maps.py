"""Maps: each view of a benchmark laid out in two dimensions.

Shapes: n images of the benchmark, p of them on the map, d features.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.features import view_of, views_of
from mmclust.core.numerics import threads
from mmclust.core.progress import track
from mmclust.core.seeds import derive, generator
from mmclust.core.workers import in_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mmclust.core.params import Params
    from mmclust.report.run import Run

Array = np.ndarray[Any, Any]

COMPONENTS = 50
"""Of the PCA before t-SNE, as its authors do."""
PERPLEXITY = 30.0
FEWEST = 3
"""Below this there is no neighbourhood to keep."""
GRID = 1000
"""Positions are whole numbers from 0 to this: a screen shows no more."""


METHODS = {"t-SNE": None, "UMAP": "umap"}
"""How views are laid out, and the package that a method needs to be installed."""


def methods() -> list[str]:
    """Return the ways to lay out that this environment has."""
    return [name for name, needs in METHODS.items() if needs is None or _has(needs)]


def _has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def make_maps(
    runs: Sequence[Run], params: Params, workers: int
) -> list[dict[str, Any] | None]:
    """Lay out each view of each benchmark.

    Parameters
    ----------
    runs
        The benchmarks.
    params
        ``seed``, ``report.points`` and the primary clusterer.
    workers
        Processes; they share the views and change no byte.

    Returns
    -------
    list of (dict or None)
        ``rows``: int64 (p,), the manifest's row of each point; ``views``: for each
        view ``cluster`` (p, or None where the clusterer did not run on it) and for
        each of :func:`methods` its ``x`` and ``y`` (p whole numbers). None for a
        benchmark of too few images.

    Raises
    ------
    MmclustError
        When a worker is killed.
    """
    rows = {run.name: _sample(run, params) for run in runs}
    todo = [
        (run, view, method)
        for run in runs
        for view in views_of(run.features)
        for method in methods()
        if len(run.manifest) >= FEWEST
    ]
    tasks = [
        (
            view_of(run.features, view)[rows[run.name]],
            derive(params.seed, "report", "map", run.name, run.encoder, view),
            method,
        )
        for run, view, method in todo
    ]
    placed: dict[str, dict[str, Any]] = {}
    for (run, view, method), xy in zip(todo, lay_out_all(tasks, workers), strict=True):
        drawn = placed.setdefault(run.name, {}).setdefault(
            view, {"cluster": _clusters(run, params, view, rows[run.name])}
        )
        drawn[method] = {"x": xy[:, 0].tolist(), "y": xy[:, 1].tolist()}
    return [
        {"rows": rows[run.name], "views": placed[run.name]}
        if run.name in placed
        else None
        for run in runs
    ]


def _sample(run: Run, params: Params) -> Array:
    n_samples, most = len(run.manifest), max(params.report.points, FEWEST)
    if n_samples <= most:
        return np.arange(n_samples)
    rng = generator(params.seed, "report", "points", run.name)
    return np.sort(rng.choice(n_samples, most, replace=False))


def _clusters(run: Run, params: Params, view: str, rows: Array) -> list[int] | None:
    clusterer = params.model.clusterers[0]
    # The first of a method is the one at the main k; the rest are the sweep's.
    for one in run.clusterings:
        if (one.clusterer, one.view) == (clusterer, view):
            return [int(label) for label in one.labels[0][rows]]
    return None


def lay_out_all(tasks: list[tuple[Array, int, str]], workers: int) -> Iterator[Array]:
    """Yield the positions of each task (arguments of :func:`lay_out`), in order."""
    placed = in_order(_lay_out, tasks, workers, describe=_describe)
    return track(placed, "maps", len(tasks), unit="views")


def _lay_out(task: tuple[Array, int, str]) -> Array:
    return lay_out(*task)


def _describe(task: tuple[Array, int, str]) -> str:
    return f"the {task[2]} map of {len(task[0]):,} points"


def lay_out(features: Array, seed: int, method: str = "t-SNE") -> Array:
    """Lay points out in the plane: PCA to 50 dimensions, then t-SNE or UMAP.

    Parameters
    ----------
    features
        float32 (p, d), p at least 3.
    seed
        Same seed, same positions, on any number of cores.
    method
        One of :data:`METHODS`.

    Returns
    -------
    numpy.ndarray
        int (p, 2), each from 0 to :data:`GRID`, one scale for both axes.

    Notes
    -----
    van der Maaten & Hinton, Visualizing Data using t-SNE, JMLR 2008; Barnes–Hut
    and the PCA start as in scikit-learn. McInnes, Healy & Melville, UMAP, 2018,
    with its package's defaults and the same start. One thread: sums over threads
    would come out in another order, and both amplify the last bit.
    """
    with threads(1):
        reduced, start = _principal(features)
        xy = (_umap if method == "UMAP" else _tsne)(reduced, start, seed % 2**32)
    low = xy.min(axis=0)
    extent = max(float((xy - low).max()), 1e-12)
    margin = (extent - (xy.max(axis=0) - low)) / 2  # the short axis is centred
    placed: Array = np.rint((xy - low + margin) / extent * GRID)
    return placed.astype(int)


def _tsne(reduced: Array, start: Array, seed: int) -> Array:
    from sklearn.manifold import TSNE

    tsne = TSNE(
        perplexity=min(PERPLEXITY, max(1.0, (len(reduced) - 1) / 3)),
        init=start,
        random_state=seed,
        n_jobs=1,
    )
    placed: Array = tsne.fit_transform(reduced)
    return placed


def _umap(reduced: Array, start: Array, seed: int) -> Array:
    from umap import UMAP

    # It divides by the spread of each column; one without any gets an even one.
    flat = np.ptp(start, axis=0) <= 0
    even = np.linspace(-1, 1, len(start), dtype=np.float32)[:, None]
    start = np.where(flat, even, start)
    umap = UMAP(
        n_neighbors=min(15, len(reduced) - 1),  # 15: its default
        init=start * (10 / max(float(np.abs(start).max()), 1e-12)),  # its own scale
        random_state=seed,
        n_jobs=1,
    )
    placed: Array = umap.fit_transform(reduced)
    return placed


def _principal(
    features: Array,
) -> tuple[Array, Array]:
    """Return scores (p, ≤ 50) and a small two-dimensional start (p, 2), float32."""
    centred = features - features.mean(axis=0)
    left, sizes, right = np.linalg.svd(centred, full_matrices=False)
    # A singular vector's sign is free: make its largest coordinate positive.
    largest = np.abs(right).argmax(axis=1)
    signs = np.sign(right[np.arange(len(right)), largest])
    scores = (left * sizes * signs)[:, :COMPONENTS].astype(np.float32)
    start = np.zeros((len(features), 2), np.float32)
    start[:, : min(2, scores.shape[1])] = scores[:, :2]
    spread = float(start[:, 0].std())
    # 1e-4, as scikit-learn scales its own PCA start.
    return scores, start * (1e-4 / spread) if spread > 0 else start
