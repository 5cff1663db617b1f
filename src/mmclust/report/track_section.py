"""The track on the page: image against text, a map per feature set, sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.features import read_features, view_of, views_of
from mmclust.core.io import read_json
from mmclust.core.manifest import read_manifest
from mmclust.core.seeds import derive, generator
from mmclust.report.maps import FEWEST, lay_out_all
from mmclust.report.section import Section
from mmclust.report.track import (
    compared_views,
    feature_rows,
    hidden_split,
    read_track,
    results,
    shows,
)

if TYPE_CHECKING:
    from mmclust.report.read import Run
    from mmclust.report.section import Given

POINTS = 1000
"""Images in each map, at most."""


def track_sections(given: Given) -> list[Section]:
    """Return a section for each benchmark of the track: those that hide classes."""
    return [_section(given, run) for run in given.runs if hidden_split(run.summary)]


def _section(given: Given, run: Run) -> Section:
    found = read_track(given.root, run.name, given.params)
    sizes = given.root / "metrics/budget.json"
    classes = sorted(set(run.classes))
    hues = {name: round(360 * i / len(classes)) for i, name in enumerate(classes)}
    return Section(
        f"text-guided-{run.name}",
        f"{run.name}, text-guided",
        "track.html.j2",
        {
            "name": run.name,
            "images": found.images,
            "features": feature_rows(found),
            "results": results(run.scores),
            "views": [
                (row, other, shows(row)) for row, other in compared_views(run.scores)
            ],
            "sizes": read_json(sizes).get(run.name, {}),
            "hues": {name or "not known": hue for name, hue in hues.items()},
            "maps": _maps(given, run, hues),
        },
        tuple((run.name, path) for path in (*run.files, sizes)),
    )


def _maps(given: Given, run: Run, hues: dict[str, int]) -> list[dict[str, Any]]:
    """Return a t-SNE of each view of each encoder: classes, each a path of dots."""
    params, ids = given.params, run.manifest.image_ids
    built = given.root / "data/benchmarks" / run.name / "manifest.parquet"
    everything = read_manifest(built)
    row_of = {image_id: row for row, image_id in enumerate(everything.image_ids)}
    name_of = dict(zip(ids, run.classes, strict=True))
    if len(ids) > POINTS:
        rng = generator(params.seed, "report", "track", run.name)
        ids = sorted(rng.choice(ids, POINTS, replace=False).tolist())
    rows = np.array([row_of[image_id] for image_id in ids])
    told, tasks = [], []
    for encoder in params.encoders:
        folder = given.root / "data/features" / run.name / encoder
        features = read_features(folder, everything)
        kept = features.kept(rows)
        names = [name_of[everything.image_ids[row]] for row in kept]
        for view in views_of(features) if len(kept) >= FEWEST else ():
            seed = derive(params.seed, "report", "track", run.name, encoder, view)
            tasks.append((view_of(features, view)[kept], seed))
            told.append((encoder, view, names))
    return [
        {"encoder": encoder, "view": view, "classes": _dots(xy, names, hues)}
        for (encoder, view, names), xy in zip(
            told, lay_out_all(tasks, given.workers), strict=True
        )
    ]


def _dots(
    xy: np.ndarray[Any, Any], names: list[str], hues: dict[str, int]
) -> list[dict[str, Any]]:
    """Return each class with its colour and dots, as an SVG path."""
    return [
        {
            "name": name or "not known",
            "hue": hue,
            "d": "".join(
                f"M{x} {y}h0"
                for (x, y), own in zip(xy.tolist(), names, strict=True)
                if own == name
            ),
        }
        for name, hue in hues.items()
        if name in names
    ]
