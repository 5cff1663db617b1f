"""What the `score` stage reads: clusters, and the labels of the images they are of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.clusters import Clustering, read_clusters
from mmclust.core.errors import MmclustError, nearest, some
from mmclust.core.labels import HIDDEN, Labels
from mmclust.scoring.record import Key, named

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.params import Params


@dataclass(frozen=True)
class Runs:
    """One file of clusters, and the labels of its images.

    Parameters
    ----------
    encoder
        Whose features were clustered; of a head, those that it read.
    head
        Whether a head made the clusters.
    clusterings
        Each method at its main k comes before the same at other k.
    labels
        Of the images that were clustered, in the clusters' order.
    seen, truth
        Rows whose label is not hidden, int64 (m,); their classes, 0 … c-1. Both are
        empty where the benchmark has no classes.
    """

    encoder: str
    head: bool
    clusterings: list[Clustering]
    labels: Labels
    seen: np.ndarray[Any, Any]
    truth: np.ndarray[Any, Any]

    @property
    def image_ids(self) -> list[str]:
        """The images that are scored."""
        return [self.labels.image_ids[row] for row in self.seen]

    def main(self) -> dict[Key, Clustering]:
        """Return every method at its main k."""
        found: dict[Key, Clustering] = {}
        for one in self.clusterings:
            found.setdefault((self.encoder, one.view, one.clusterer), one)
        return found


def read_all(
    benchmark: str, params: Params, folder: Path, labels: Labels
) -> list[Runs]:
    """Read the clusters of every encoder and head that params name.

    Parameters
    ----------
    benchmark
        Its name.
    params
        ``encoders``, ``model.encoder`` and ``model.heads`` are used.
    folder
        ``data/clusters/<benchmark>``.
    labels
        Of the whole benchmark; of no image where it has no classes.

    Raises
    ------
    MmclustError
        When clusters are of images without labels, or encoders were clustered on
        different images (those that an encoder says it skipped aside), or all
        labels are hidden.
    """
    main = folder / f"{params.model.encoder}.parquet"
    wanted = _asked(main)
    files = {encoder: folder / f"{encoder}.parquet" for encoder in params.encoders}
    for path in files.values():
        differ = _asked(path) ^ wanted
        if differ:
            raise _other_images(
                path, f"the {len(wanted)} images of {main.name}", differ
            )
    every = [_read(benchmark, each, path, labels) for each, path in files.items()]
    # Heads may be evaluated on what they are fitted on, as some papers do.
    for head in params.model.heads:
        path = folder / "heads" / f"{head}.parquet"
        runs = _read(benchmark, params.model.encoder, path, labels, head=True)
        for key in runs.main():
            if any(key in one.main() for one in every):
                raise MmclustError(
                    "A head and another method have the same name",
                    where="params.yaml",
                    expected="one method of each name on a view of an encoder",
                    found=named(key),
                    do="take it out of model.heads or of model.clusterers",
                )
        every.append(runs)
    return every


def baseline_of(methods: dict[Key, Any], params: Params) -> Key | None:
    """Return the method that others are compared with; None where it did not run.

    Raises
    ------
    MmclustError
        When params name its encoder and there is no such method.
    """
    asked = params.score.baseline
    key = (asked.encoder or params.model.encoder, asked.view, asked.clusterer)
    if key in methods:
        return key
    if asked.encoder is not None:
        raise MmclustError(
            "The baseline is not among the methods that ran",
            where="score.baseline in params.yaml",
            expected=nearest(named(key), map(named, methods)),
            found=named(key),
            do="name a method that runs: encoder, view and clusterer",
        )
    return None


def _asked(path: Path) -> set[str]:
    _, ids, meta = read_clusters(path)
    return {*ids, *meta.get("skipped", ())}


def _read(
    benchmark: str, encoder: str, path: Path, every: Labels, *, head: bool = False
) -> Runs:
    clusterings, ids, _ = read_clusters(path)
    if not every.image_ids:  # a benchmark without classes
        hidden = np.full(len(ids), HIDDEN, np.int32)
        none = np.zeros(0, np.int64)
        labels = Labels(ids, hidden, [""] * len(ids))
        return Runs(encoder, head, clusterings, labels, none, none)
    row = {image_id: i for i, image_id in enumerate(every.image_ids)}
    unknown = {i for i in ids if i not in row}
    if unknown:
        expected = f"images among the {len(row)} of the labels"
        raise _other_images(path, expected, unknown)
    rows = [row[i] for i in ids]
    labels = Labels(ids, every.labels[rows], [every.names[i] for i in rows])
    seen = np.flatnonzero(labels.labels != HIDDEN)
    if not len(seen):
        raise MmclustError(
            f"All labels of {benchmark} are hidden, so nothing can be scored",
            expected="at least one image with a class",
            do="take the benchmark out of params.yaml, or give it labels; "
            "`mmclust score benchmark --reveal` reads those that are kept aside",
        )
    truth = np.unique(labels.labels[seen], return_inverse=True)[1]
    return Runs(encoder, head, clusterings, labels, seen, truth)


def _other_images(path: Path, expected: str, differ: set[str]) -> MmclustError:
    return MmclustError(
        "Clusters and labels are not of the same images",
        where=path,
        expected=expected,
        found=f"{len(differ)} others: {some(sorted(differ))}",
        do="cluster again: `dvc repro`, or `mmclust cluster BENCHMARK ENCODER`",
    )
