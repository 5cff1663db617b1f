"""Clusters of a benchmark beside the labels of its images: what is scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.clusters import Clustering, read_clusters
from mmclust.core.errors import MmclustError, some
from mmclust.core.labels import HIDDEN, Labels, read_labels
from mmclust.scoring.record import Key, named

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.params import Params

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Runs:
    """One file of clusters, and the labels of its images, in the clusters' order.

    Parameters
    ----------
    encoder
        Whose features were clustered; of a head, those that it read.
    clusterings
        Each method at its main k comes before the same at other k.
    seen, truth
        Rows whose label is not hidden, int64 (m,); their classes, 0 … c-1. Both are
        empty where the benchmark has no classes.
    """

    encoder: str
    head: bool
    clusterings: list[Clustering]
    labels: Labels
    seen: Array
    truth: Array

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


def read_all(benchmark: str, params: Params, root: Path, *, reveal: bool) -> list[Runs]:
    """Read the clusters of every encoder and head that params name, and labels.

    Encoders are clustered on the same images, but for those that one says it skipped.
    """
    labels = root / "data/benchmarks" / benchmark / "labels.parquet"
    folder = root / "data/clusters" / benchmark
    known = read_labels(labels, reveal=reveal)
    main = folder / f"{params.model.encoder}.parquet"
    wanted = _asked(main)
    files = {encoder: folder / f"{encoder}.parquet" for encoder in params.encoders}
    for path in files.values():
        differ = _asked(path) ^ wanted
        if differ:
            raise _other_images(
                path, f"the {len(wanted)} images of {main.name}", differ
            )
    every = [_read(benchmark, each, path, known) for each, path in files.items()]
    # Heads may be evaluated on what they are fitted on, as some papers do.
    for head in params.model.heads:
        path = folder / "heads" / f"{head}.parquet"
        runs = _read(benchmark, params.model.encoder, path, known, head=True)
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
