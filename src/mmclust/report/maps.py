"""Maps: each view of a benchmark laid out in two dimensions.

Shapes: n images of the benchmark, p of them on the map, d features.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core import numerics
from mmclust.core.features import view_of, views_of
from mmclust.core.fingerprint import code, libraries
from mmclust.core.io import digest_of, read_array, write_array
from mmclust.core.numerics import threads
from mmclust.core.progress import track
from mmclust.core.seeds import generator
from mmclust.core.workers import in_order
from mmclust.report import tsne

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mmclust.core.params import Params
    from mmclust.report.read import Run

Array = np.ndarray[Any, Any]

COMPONENTS = 50
"""Of the PCA before t-SNE, as its authors do."""
FEWEST = 3
"""Below this there is no neighbourhood to keep."""
GRID = 1000
"""Positions are whole numbers from 0 to this: a screen shows no more."""


def make_maps(
    runs: Sequence[Run], params: Params, workers: int, kept: Path | None = None
) -> list[dict[str, Any] | None]:
    """Lay out each view of each benchmark; None for one of too few images.

    ``kept`` is a folder where maps stay for the next page of the same features.

    ``rows`` of a map are the manifest's rows of its points; ``views`` has for each view
    their ``x`` and ``y``, whole numbers.
    """
    rows = {run.name: _sample(run, params) for run in runs}
    todo = [
        (run, view)
        for run in runs
        for view in views_of(run.features)
        if len(run.manifest) >= FEWEST
    ]
    tasks = [view_of(run.features, view)[rows[run.name]] for run, view in todo]
    placed: dict[str, dict[str, Any]] = {}
    for (run, view), xy in zip(todo, lay_out_all(tasks, workers, kept), strict=True):
        drawn = placed.setdefault(run.name, {})
        drawn[view] = {"x": xy[:, 0].tolist(), "y": xy[:, 1].tolist()}
    return [
        {"rows": rows[run.name], "views": placed[run.name]}
        if run.name in placed
        else None
        for run in runs
    ]


def lay_out_view(run: Run, view: str) -> Array:
    """Lay out all of a benchmark's images, as the page does where it draws them all."""
    return lay_out(np.asarray(view_of(run.features, view)))


def _sample(run: Run, params: Params) -> Array:
    n_samples, most = len(run.manifest), max(params.report.points, FEWEST)
    if n_samples <= most:
        return np.arange(n_samples)
    rng = generator(params.seed, "report", "points", run.name)
    return np.sort(rng.choice(n_samples, most, replace=False))


def lay_out_all(
    views: list[Array], workers: int, kept: Path | None = None
) -> Iterator[Array]:
    """Yield the positions of each view, features (p, d), in order."""
    paths = [kept and kept / f"{_key(each)}.npy" for each in views]
    todo = [
        each
        for each, path in zip(views, paths, strict=True)
        if not (path and path.is_file())
    ]
    made = in_order(lay_out, todo, workers, describe=_describe)
    placed = track(made, "maps", len(todo), unit="views")
    for path in paths:
        if path and path.is_file():
            yield read_array(path)
            continue
        xy = next(placed)
        if path:
            write_array(path, xy)
        yield xy


def _key(features: Array) -> str:
    """Return a digest of all that decides a map."""
    data = hashlib.sha256(np.ascontiguousarray(features).tobytes()).hexdigest()
    own = code(__name__)
    made = [data, features.shape, own, libraries(own), numerics.in_use()]
    return digest_of(made)[:20]


def _describe(features: Array) -> str:
    return f"the map of {len(features):,} points"


def lay_out(features: Array) -> Array:
    """Lay float32 (p, d), p ≥ 3, out in the plane: PCA to 50 dimensions, then t-SNE.

    Positions are int (p, 2) from 0 to :data:`GRID`, one scale for both axes. Nothing is
    drawn at random: points start at their first two components. One thread: sums over
    threads would come out in another order, and t-SNE amplifies the last bit.
    """
    with threads(1):
        reduced, start = _principal(features)
        xy = tsne.lay_out(reduced, start)
    low = xy.min(axis=0)
    extent = max(float((xy - low).max()), 1e-12)
    margin = (extent - (xy.max(axis=0) - low)) / 2  # the short axis is centred
    placed: Array = np.rint((xy - low + margin) / extent * GRID)
    return placed.astype(int)


def _principal(features: Array) -> tuple[Array, Array]:
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
