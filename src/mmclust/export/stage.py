"""The command `export`: a built benchmark in a layout that other programs read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mmclust.core.errors import MmclustError, nearest
from mmclust.core.features import VIEWS, read_features
from mmclust.core.labels import read_labels
from mmclust.core.manifest import read_manifest
from mmclust.export.content import HIDDEN, Content
from mmclust.export.layouts import (
    export_features,
    export_hf,
    export_map,
    export_mat,
    export_raw,
    export_table,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mmclust.export.content import Exported
    from mmclust.export.layouts import Points


LAYOUTS = ("raw", "csv", "mat", "hf", "map")
WITH_FEATURES = ("csv", "mat")


def export_benchmark(
    benchmark: str,
    folder: Path,
    layout: str,
    out: Path,
    features: Mapping[str, Path] | None = None,
    points: Points | None = None,
    clusters: Mapping[str, tuple[int, str]] | None = None,
) -> list[Exported]:
    """Write a built benchmark in another layout; ``map`` needs its points.

    ``clusters``, number and name of each image's, take the place of its class.
    """
    features = features or {}
    _check(layout, features)
    content = _read(benchmark, folder)
    if clusters is not None:
        ids = content.manifest.image_ids
        found = [clusters.get(each, (HIDDEN, "")) for each in ids]
        numbers = np.array([number for number, _ in found], np.int32)
        content = replace(content, labels=numbers, names=[name for _, name in found])
    read = {n: read_features(path, content.manifest) for n, path in features.items()}
    if layout == "csv" and read:
        return [export_features(content, name, read[name], out) for name in read]
    if layout == "csv":
        return [export_table(content, out)]
    if layout == "mat":
        return [export_mat(content, read, out)]
    if layout == "map":
        assert points is not None
        return [export_map(content, points, out)]
    return [export_hf(content, out) if layout == "hf" else export_raw(content, out)]


def of_both_views(folder: Path) -> list[Path]:
    """Return the encoders' folders that hold features of both views, by name."""
    return [
        path.parent
        for path in sorted(folder.glob("*/features.json"))
        if all(path.with_name(f"{view}.npy").is_file() for view in VIEWS)
    ]


def _check(layout: str, features: Mapping[str, Path]) -> None:
    if layout not in LAYOUTS:
        raise MmclustError(
            f"Unknown layout {layout!r}",
            where="--as",
            expected=nearest(layout, LAYOUTS),
            found=layout,
            do="choose one of them",
        )
    if features and layout not in WITH_FEATURES:
        raise MmclustError(
            f"{layout} has no place for features",
            where="--features",
            expected=f"--as {' or --as '.join(WITH_FEATURES)}",
            found=f"--as {layout} --features {next(iter(features))}",
            do="leave --features out, or choose another layout",
        )
    if layout == "mat" and not features:
        raise MmclustError(
            "mat needs features",
            where="--features",
            expected="an encoder of both views, or one for each",
            found="none",
            do="encode first, then name the encoder, for instance --features miniclip",
        )


def _read(benchmark: str, folder: Path) -> Content:
    manifest = read_manifest(folder / "manifest.parquet")
    labels = read_labels(folder / "labels.parquet")
    if manifest.benchmark != benchmark:
        raise MmclustError(
            "The folder holds another benchmark",
            where=folder,
            expected=benchmark,
            found=manifest.benchmark,
            do="correct the name or --benchmark-dir",
        )
    row_of = {image_id: row for row, image_id in enumerate(manifest.image_ids)}
    if not row_of.keys() >= set(labels.image_ids):
        raise MmclustError(
            "Labels and manifest do not list the same images",
            where=folder,
            expected=f"{len(manifest):,} ids",
            found=f"{len(labels.image_ids):,} ids",
            do=f"build it again: mmclust build {benchmark}",
        )
    rows = [row_of[image_id] for image_id in labels.image_ids]
    # An image that labels do not list has no class, as one whose class is hidden.
    numbers = np.full(len(manifest), HIDDEN, np.int32)
    numbers[rows] = labels.labels
    names = dict(zip(rows, labels.names, strict=True))
    every = [names.get(row, "") for row in range(len(manifest))]
    return Content(manifest, numbers, every)
