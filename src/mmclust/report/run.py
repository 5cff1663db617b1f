"""What the stages before left on disk about one benchmark, read and checked."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mmclust.core.clusters import read_clusters
from mmclust.core.errors import MmclustError
from mmclust.core.features import Features, read_features
from mmclust.core.io import read_json, read_table
from mmclust.core.manifest import read_manifest
from mmclust.report.layout import refuse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np

    from mmclust.core.clusters import Clustering
    from mmclust.core.manifest import Manifest
    from mmclust.core.params import Params


@dataclass(frozen=True)
class Scored:
    """The primary method's assignment, image by image, in manifest order.

    Parameters
    ----------
    method
        Encoder, view, clusterer.
    k
        Clusters asked for.
    names
        The class name of each image, empty where hidden.
    clusters
        int32 (n,).
    matched
        The class that each image's cluster stands for, empty for none.
    """

    method: tuple[str, str, str]
    k: int
    names: list[str]
    clusters: np.ndarray[Any, Any]
    matched: list[str]


@dataclass(frozen=True)
class Run:
    """All that the page says about one benchmark.

    Parameters
    ----------
    name
        The benchmark.
    manifest, summary
        The images that are scored, and what `build` wrote down about all.
    metrics
        encoder → view → clusterer → figures, and likewise for heads.
    internal
        encoder → scores that need no labels.
    names
        Cluster of the primary method → keywords of its captions, and nouns near it.
    scored
        The primary method.
    encoder, features, clusterings
        The encoder whose views are mapped, and what was made with it.
    over_k, confusion
        Rows of the CSV files under ``plots/``; empty when there are none.
    files
        What was read, for the digests.
    """

    name: str
    manifest: Manifest
    summary: dict[str, Any]
    metrics: dict[str, Any]
    internal: dict[str, Any]
    names: dict[int, tuple[list[str], list[str]]]
    scored: Scored
    encoder: str
    features: Features
    clusterings: list[Clustering]
    over_k: list[dict[str, str]]
    confusion: list[dict[str, str]]
    files: list[Path]


def read_run(root: Path, name: str, params: Params) -> Run:
    """Read one benchmark's results.

    Parameters
    ----------
    root
        The root of the repository.
    name
        The benchmark.
    params
        Says which encoder to map, and which there are.

    Raises
    ------
    MmclustError
        When a file is missing or damaged, or belongs to another manifest.
    """
    data = root / "data"
    everything = read_manifest(data / "benchmarks" / name / "manifest.parquet")
    encoder = params.model.encoder
    features = read_features(data / "features" / name / encoder, everything)
    rows = features.kept(everything.evaluate_rows)
    manifest = replace(everything, table=everything.table.take(rows))
    clusters = data / "clusters" / name / f"{encoder}.parquet"
    scores = data / "scores" / f"{name}.parquet"
    named = data / "clusters" / name / "names" / f"{encoder}.parquet"
    metrics = root / "metrics" / "clustering" / f"{name}.json"
    internal = {
        each: root / "metrics" / "internal" / name / f"{each}.json"
        for each in params.encoders
    }
    clusterings, ids, _ = read_clusters(clusters)
    views = {view: array[rows] for view, array in features.views.items()}
    _check_rows(ids, manifest, clusters)
    scored = _read_scored(scores, manifest)
    return Run(
        name=name,
        manifest=manifest,
        summary=read_json(data / "benchmarks" / name / "summary.json"),
        metrics=checked(read_json(metrics), metrics),
        internal={
            each: checked(read_json(path), path, _INTERNAL)
            for each, path in internal.items()
        },
        names=_read_names(named, scored),
        scored=scored,
        encoder=encoder,
        features=Features(views, features.meta),
        clusterings=clusterings,
        over_k=read_csv(root / "plots" / "k" / f"{name}.csv"),
        confusion=read_csv(root / "plots" / "confusion" / f"{name}.csv"),
        files=[clusters, named, scores, metrics, *internal.values()],
    )


_INTERNAL = ("definition", "auto_k")
"""Keys of ``metrics/internal`` that are no views."""


def checked(
    record: Any, path: Path, beside: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """Return metrics if they are laid out as this version writes them.

    Parameters
    ----------
    record
        The contents of a file: encoder (only in ``metrics/clustering``) → view →
        clusterer → figures with numbers of clusters.
    path
        The file, for the message.
    beside
        Keys at the top that hold something else.

    Raises
    ------
    MmclustError
        When it was written by a version that lays metrics out in another way.
    """
    depth = 2 if beside else 3
    needed = {"k", "n_clusters"} | (set() if beside else {"n_classes"})
    try:
        level = [value for key, value in record.items() if key not in beside]
        for _ in range(depth - 1):
            level = [value for each in level for value in each.values()]
        wrong = [each for each in level if not needed <= each.keys()]
        found = f"figures with {', '.join(sorted(wrong[0])[:5])}" if wrong else None
    except (AttributeError, TypeError):
        found = "another layout"
    if found:
        levels = f"view, clusterer, and figures with {', '.join(sorted(needed))}"
        refuse(path, levels if beside else f"encoder, {levels}", found)
    return dict(record)


def _read_scored(path: Path, manifest: Manifest) -> Scored:
    table, meta = read_table(path)
    _check_rows(table["image_id"].to_pylist(), manifest, path)
    labels = table["label"].to_pylist()
    names = table["label_name"].to_pylist()
    return Scored(
        (meta["encoder"], meta["view"], meta["clusterer"]),
        int(meta["k"]),
        ["" if label < 0 else name for label, name in zip(labels, names, strict=True)],
        table["cluster"].to_numpy(),
        [name or "" for name in table["matched"].to_pylist()],
    )


def _read_names(path: Path, scored: Scored) -> dict[int, tuple[list[str], list[str]]]:
    _, view, clusterer = scored.method
    return {
        row["cluster"]: (row["keywords"], row["nouns"])
        for row in read_table(path)[0].to_pylist()
        if (row["clusterer"], row["view"], row["k"]) == (clusterer, view, scored.k)
    }


def _check_rows(ids: Sequence[str], manifest: Manifest, path: Path) -> None:
    if list(ids) != manifest.image_ids:
        raise MmclustError(
            f"{path.name} was made from another manifest",
            where=path,
            expected=f"the {len(manifest)} images of {manifest.benchmark}, in order",
            found=f"{len(ids)} images",
            do="run `dvc repro`, which brings every file up to date",
        )


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file, none where there is no file."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
