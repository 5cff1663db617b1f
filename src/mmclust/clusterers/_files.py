"""Clustering a user's own features, from file to file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.clusterers._runs import (
    BOTH,
    Task,
    assign,
    auto_k,
    finds_k,
    require_several,
    spool,
    spooled,
    takes_both,
)
from mmclust.core.errors import MmclustError, some
from mmclust.core.features import Features, check_features, views_of
from mmclust.core.io import in_blocks, private, read_array, read_ids, write_csv
from mmclust.core.plugins import instance_of, parse_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mmclust.scoring.label_free import Choice


@dataclass(frozen=True)
class Clustered:
    """The sizes of clusters, rows in none, and how k was chosen, if ``auto``."""

    sizes: list[int]
    noise: int
    choice: Choice | None


def cluster_files(
    method: str,
    image_features: Path | None,
    text_features: Path | None,
    *,
    k: int | str | None,
    ids: Path | None,
    seed: int,
    out: Path,
    options: Sequence[str] = (),
) -> Clustered:
    """Cluster features from ``.npy`` files and write ``image_id,cluster``."""
    found = instance_of("clusterers", method, parse_options(options), "", "--set")
    views = _read_views({"image": image_features, "text": text_features})
    features = Features(views, {})
    widest = views_of(features)[-1]
    n = len(next(iter(views.values())))
    names = read_ids(ids, n)
    view = BOTH if takes_both(found) else widest
    if view == BOTH and len(views) == 1:
        raise MmclustError(
            f"{method} needs image and text features",
            found=f"{next(iter(views))} features alone",
            do=f"give --{'text' if 'image' in views else 'image'}-features, too",
        )
    choice = None
    if finds_k(found):
        number = 0
    elif k is None:
        raise MmclustError(
            f"{found.name} needs the number of clusters",
            where="--k",
            expected=f"between 2 and {n}, or auto",
            found="nothing",
        )
    else:
        choice = auto_k(features, seed=seed) if k == "auto" else None
        number = choice.k if choice else int(k)
        require_several(number, n)
    with private(out) as folder:  # the rows at unit norm lie there, and are mapped
        task = Task(found, view, number, seed)
        every = np.arange(n)
        spool([task], features, every, every, folder)
        rows, fit = spooled(folder, task)
        labels, confidence = assign(found, rows, number, seed, fit)
    columns: dict[str, Sequence[Any]] = {"image_id": names, "cluster": labels.tolist()}
    if confidence is not None:
        columns["confidence"] = [f"{value:.4f}" for value in confidence]
    write_csv(out, [columns, *zip(*columns.values(), strict=True)])
    kept = labels[labels >= 0]
    sizes = [int(size) for size in np.unique(kept, return_counts=True)[1]]
    return Clustered(sizes, len(labels) - len(kept), choice)


def _read_views(given: Mapping[str, Path | None]) -> dict[str, np.ndarray[Any, Any]]:
    views: dict[str, np.ndarray[Any, Any]] = {}
    for view, path in given.items():
        if path is not None:
            array = read_array(path)
            n = len(next(iter(views.values()))) if views else None
            check_features(array, path, n)
            views[view] = np.asarray(array, np.float32)
    empty = np.logical_and.reduce([
        np.concatenate([~part.any(axis=1) for part in in_blocks(array)])
        for array in views.values()
    ])  # fmt: skip
    if empty.any():
        rows = np.flatnonzero(empty)
        raise MmclustError(
            "Features hold rows of zeros, which have no direction",
            where=" and ".join(str(path) for path in given.values() if path),
            expected="a number other than 0 in every row (of one view at least)",
            found=f"{len(rows)} such rows: {some(rows.tolist())}",
            do="leave these images out",
        )
    return views
