"""What the stages before left on disk about one benchmark, read and checked."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.clusters import read_clusters
from mmclust.core.errors import MmclustError
from mmclust.core.features import Features, read_features
from mmclust.core.io import read_table
from mmclust.core.manifest import read_manifest, read_summary
from mmclust.scoring import record
from mmclust.scoring.clustering import contingency, matching

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mmclust.core.clusters import Clustering
    from mmclust.core.manifest import Manifest
    from mmclust.core.params import Params
    from mmclust.scoring.record import Key, Record, Score

Array = np.ndarray[Any, Any]

ABSENT = -2
"""The cluster of an image that a method was not given."""
AGAIN = "run `dvc repro`, which brings every file up to date"


@dataclass(frozen=True)
class Method:
    """Clusters of one method at its main k: the first seed."""

    key: Key  # of a head, with the encoder it read
    head: bool
    k: int
    clusters: Array
    """int32 (n,), in manifest order; :data:`~mmclust.core.clusters.NOISE` for none,
    :data:`ABSENT` for an image that the method was not given."""
    confidence: Array | None  # float32 (n,)
    names: dict[int, tuple[list[str], list[str]]]
    """Cluster to keywords of its captions, and nouns near it."""
    matched: dict[int, str]
    """Cluster to its class in the one-to-one matching, where it has one."""


@dataclass(frozen=True)
class Run:
    """All that the page says about one benchmark."""

    name: str
    manifest: Manifest  # the images that are scored
    summary: dict[str, Any]  # what `build` wrote down about all
    scores: Record
    free: dict[str, Record]  # encoder to its scores without labels; "": of heads
    classes: list[str]  # of each image, empty where hidden
    methods: list[Method]  # of every encoder and head, in the order of params
    primary: Method  # whose clusters are shown first
    encoder: str  # whose views are mapped
    features: Features
    over_k: list[dict[str, str]]
    files: list[Path]  # what was read, for the digests
    references: Record = field(default_factory=record.Record)  # what uses labels
    floors: frozenset[Key] = frozenset()  # methods that look at nothing


@dataclass(frozen=True)
class Searched:
    """What one encoder found in a pool."""

    encoder: str
    settings: dict[str, dict[str, Score]]  # captions and pool to metric to score
    queries: dict[str, list[Any]]  # as in ``t2i_main.parquet``


@dataclass(frozen=True)
class Pool:
    """A retrieval benchmark, what each encoder found in it, and what was read."""

    name: str
    manifest: Manifest
    searched: list[Searched]
    files: list[Path]


def read_run(root: Path, name: str, params: Params) -> Run:
    """Read one benchmark's results."""
    data = root / "data"
    everything = read_manifest(data / "benchmarks" / name / "manifest.parquet")
    encoder = params.model.encoder
    features = read_features(data / "features" / name / encoder, everything)
    rows = features.kept(everything.evaluate_rows)
    manifest = replace(everything, table=everything.table.take(rows))
    views = {view: array[rows] for view, array in features.views.items()}
    outcomes = data / "scores" / f"{name}.parquet"
    classes, main = _outcomes(outcomes, manifest)
    methods, read = _methods(data / "clusters" / name, manifest, classes, params)
    primary = next((one for one in methods if one.key == main), methods[0])
    path = record.path_of(root, "score", name)
    free = {e: record.path_of(root, "cluster", name, e) for e in params.encoders}
    beside = {stage: record.path_of(root, stage, name)
              for stage in ("cluster", "reference")}  # fmt: skip
    more = {
        stage: record.read(path) for stage, path in beside.items() if path.is_file()
    }
    scored = record.read(path)
    return Run(
        name=name,
        manifest=manifest,
        summary=read_summary(data / "benchmarks" / name),
        scores=scored,
        free={each: record.read(path) for each, path in free.items()}
        | {"": more.get("cluster", record.Record())},
        classes=classes,
        methods=methods,
        primary=primary,
        encoder=encoder,
        features=Features(views, features.meta),
        over_k=read_csv(root / "plots" / "k" / f"{name}.csv"),
        files=[
            *read,
            outcomes,
            path,
            *free.values(),
            *(beside[stage] for stage in more),
        ],
        references=more.get("reference", record.Record()),
        floors=frozenset(k for k in scored.methods() if record.is_floor(params, k)),
    )


def _methods(
    folder: Path, manifest: Manifest, classes: list[str], params: Params
) -> tuple[list[Method], list[Path]]:
    """Read every method at its main k, and say which files were read."""
    encoder = params.model.encoder
    sources = [(each, folder / f"{each}.parquet", False) for each in params.encoders]
    sources += [
        (encoder, folder / "heads" / f"{head}.parquet", True)
        for head in params.model.heads
    ]
    row_of = {image_id: row for row, image_id in enumerate(manifest.image_ids)}
    found: dict[Key, Method] = {}
    read = []
    for own, path, head in sources:
        clusterings, ids, _ = read_clusters(path)
        if own == encoder and not head:
            check_rows(ids, manifest, path)
        named = folder / "names" / f"{own}.parquet"
        names = [] if head or not named.is_file() else read_table(named)[0].to_pylist()
        read += [path, *([named] if names else [])]
        places = [(row_of[each], i) for i, each in enumerate(ids) if each in row_of]
        at = np.array(places, np.int64).reshape(-1, 2)
        for one in clusterings:
            key = (own, one.view, one.clusterer)
            # The first of a method is the one at its main k; the rest are the sweep's.
            if key not in found and len(at):
                found[key] = _method(key, head, one, at, classes, names)
    return list(found.values()), read


def _method(
    key: Key,
    head: bool,
    one: Clustering,
    at: Array,
    classes: list[str],
    names: list[dict[str, Any]],
) -> Method:
    clusters = np.full(len(classes), ABSENT, np.int32)
    clusters[at[:, 0]] = one.labels[0][at[:, 1]]
    sure = None
    if one.confidence is not None:
        sure = np.zeros(len(classes), np.float32)
        sure[at[:, 0]] = one.confidence[0][at[:, 1]]
    own = (one.clusterer, one.view, one.k)
    return Method(
        key, head, one.k, clusters, sure,
        {
            row["cluster"]: (row["keywords"], row["nouns"])
            for row in names
            if (row["clusterer"], row["view"], row["k"]) == own
        },
        matched_classes(clusters, classes),
    )  # fmt: skip


def matched_classes(clusters: Array, classes: list[str]) -> dict[int, str]:
    """Match clusters to classes one to one, as ACC does, over images of a known class.

    ``classes`` has the class of each image, empty where it is not known.
    """
    names = np.array(classes, dtype=str)
    seen = (names != "") & (clusters > ABSENT)
    if not seen.any():
        return {}
    known, truth = np.unique(names[seen], return_inverse=True)
    found, assigned = np.unique(clusters[seen], return_inverse=True)
    places = matching(contingency(truth, assigned), noise=bool(found[0] < 0))
    return {
        int(cluster): str(known[place])
        for cluster, place in zip(found, places, strict=True)
        if cluster >= 0 and place >= 0
    }


def _outcomes(path: Path, manifest: Manifest) -> tuple[list[str], Key]:
    """Return the class of each image, and the method that is shown first."""
    table, meta = read_table(path)
    check_rows(table["image_id"].to_pylist(), manifest, path)
    labels, names = table["label"].to_pylist(), table["label_name"].to_pylist()
    classes = [
        "" if label < 0 else name for label, name in zip(labels, names, strict=True)
    ]
    return classes, (meta["encoder"], meta["view"], meta["clusterer"])


def check_rows(ids: Sequence[str], manifest: Manifest, path: Path) -> None:
    """Refuse results that are not of the manifest's images, in order."""
    if list(ids) != manifest.image_ids:
        images = f"the {len(manifest)} images of {manifest.benchmark}, in order"
        raise _other_manifest(path, images, f"{len(ids)} images")


def check_manifest(found: object, manifest: Manifest, path: Path) -> None:
    """Refuse results whose digest of a manifest is not this one's."""
    if found != manifest.digest:
        expected, other = (f"manifest {str(d)[:16]}…" for d in (manifest.digest, found))
        raise _other_manifest(path, expected, other)


def _other_manifest(path: Path, expected: str, found: str) -> MmclustError:
    what = f"{path.name} was made from another manifest"
    return MmclustError(what, where=path, expected=expected, found=found, do=AGAIN)


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file, none where there is no file."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
