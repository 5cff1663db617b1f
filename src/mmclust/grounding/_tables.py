"""Tables of the stage: what each image and cluster came to, and figures for plots."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.io import write_bytes, write_table
from mmclust.grounding._classes import MAPPINGS, classes_of_names
from mmclust.scoring.cluster_classes import by_names, predicted_classes
from mmclust.scoring.micro import SCORES
from mmclust.scoring.sampled import flat
from mmclust.scoring.summary import rounded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mmclust.core.manifest import Manifest
    from mmclust.grounding._gold import Gold
    from mmclust.grounding._look import Seen
    from mmclust.grounding._model import Model

Array = np.ndarray[Any, Any]


def write_plots(folder: Path, figures: Mapping[str, Mapping[str, Any]]) -> None:
    """Write ``scores.csv``: each evaluation's scores and their intervals."""
    buffer = io.StringIO()
    rows = csv.writer(buffer, lineterminator="\n")
    ends = ("", "_low", "_high")
    rows.writerow(["evaluation", *(f"{s}{end}" for s in SCORES for end in ends)])
    for name, each in figures.items():
        if "f1" in each:
            found = flat(each)
            cells = [found[f"{s}{end}"] for s in SCORES for end in ends]
            rows.writerow(
                [name, *("" if cell is None else rounded(cell) for cell in cells)]
            )
    write_bytes(folder / "scores.csv", buffer.getvalue().encode())


def write_tables(
    folder: Path,
    model: Model,
    manifest: Manifest,
    gold: Gold,
    rows: Array,
    seen: Sequence[Seen],
) -> None:
    """Write ``images.parquet`` and ``clusters.parquet``, of the first run.

    ``images.parquet`` has, by image, the active ``clusters`` with their ``boxes`` and
    ``points`` on the network's square input, the ``predicted`` classes (by names) and
    the ``gold`` ones. ``clusters.parquet`` has each cluster's top ``words``, the number
    of ``images`` it is active in, the classes named in it (``class_name``), and the
    class that each statistic of these images gives it.
    """
    import pyarrow as pa

    run = seen[0]
    active = np.stack(run.active)
    instances = gold.instances[rows]
    named = by_names(classes_of_names(model, 0, gold.classes), model.clusters)
    predicted = predicted_classes(active, named)

    def names(table: Array) -> list[list[str]]:
        return [[gold.classes[k] for k in np.flatnonzero(row)] for row in table]

    images = {
        "image_id": pa.array([manifest.image_ids[r] for r in rows.tolist()]),
        "clusters": pa.array(
            [np.flatnonzero(row).tolist() for row in active], pa.list_(pa.int32())
        ),
        "boxes": pa.array(
            [each.tolist() for each in run.boxes], pa.list_(pa.list_(pa.int32()))
        ),
        "points": pa.array(
            [each.tolist() for each in run.points], pa.list_(pa.list_(pa.int32()))
        ),
        "predicted": pa.array(names(predicted), pa.list_(pa.string())),
        "gold": pa.array(names(instances > 0), pa.list_(pa.string())),
    }
    meta = {
        "model": model.folder.name,
        "seed": 0,
        "manifest": manifest.digest,
        "side": model.size,
    }
    write_table(folder / "images.parquet", pa.table(images), meta)
    clusters = {
        "cluster": pa.array(range(model.clusters), pa.int32()),
        "words": pa.array(model.top_words(0, 10), pa.list_(pa.string())),
        "images": pa.array(active.sum(axis=0), pa.int32()),
        "class_name": pa.array(names(named), pa.list_(pa.string())),
        **{
            name: pa.array(
                [gold.classes[k] if k >= 0 else "" for k in mapping(active, instances)],
                pa.string(),
            )
            for name, mapping in MAPPINGS.items()
        },
    }
    write_table(folder / "clusters.parquet", pa.table(clusters), meta)
