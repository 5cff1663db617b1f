"""Submissions: a cluster for each image whose class is hidden. No label is read.

``id,cluster``, one line per hidden image, in the benchmark's order when written here.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError, some
from mmclust.core.io import require_file, write_bytes
from mmclust.core.manifest import read_manifest, read_summary, summary_path
from mmclust.core.text import look_alikes
from mmclust.scoring.record import csv_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mmclust.core.manifest import Manifest

HEAD = ["id", "cluster"]
WHOLE = re.compile(r"-1|[0-9]{1,9}")
"""A cluster: an integer from 0, or -1 for an image that is in none."""


@dataclass(frozen=True)
class Asked:
    """What a submission has to hold: a benchmark's hidden images, rows ascending.

    As many clusters as classes may be handed in, if nothing else is said.
    """

    manifest: Manifest
    rows: np.ndarray[Any, Any]
    n_classes: int

    @property
    def ids(self) -> list[str]:
        """The hidden images, in the benchmark's order."""
        ids = self.manifest.image_ids
        return [ids[row] for row in self.rows]


def read_asked(root: Path, benchmark: str) -> Asked:
    """Return what a benchmark hides; labels are not read."""
    folder = root / "data/benchmarks" / benchmark
    manifest = read_manifest(folder / "manifest.parquet")
    summary = read_summary(folder)
    notes = summary.get("notes") or {}
    rows = np.flatnonzero(manifest.splits == notes.get("hidden_split", ""))
    if not len(rows):
        raise MmclustError(
            f"{benchmark} hides no class, so there is nothing to submit",
            where=summary_path(folder),
            expected="a benchmark such as food30 or imagenet30, whose test labels are "
            "kept aside",
            found=f"splits {', '.join(sorted(set(manifest.splits.tolist())))}",
            do="score it: mmclust score benchmark; or build it again if it was built "
            "by an earlier version",
        )
    return Asked(manifest, rows, int(summary["n_classes"]))


def write_submission(
    path: Path, ids: Sequence[str], labels: np.ndarray[Any, Any], max_clusters: int
) -> None:
    """Write a submission that :func:`read_submission` accepts; else write nothing."""
    text = csv_text([HEAD, *zip(ids, labels.tolist(), strict=True)])
    _check(path, text, ids, max_clusters)
    write_bytes(path, text.encode())


def read_submission(
    path: Path, ids: Sequence[str], max_clusters: int
) -> dict[str, int]:
    """Read the cluster of each hidden image; name every kind of fault at once.

    Images in no cluster (-1) are not counted among ``max_clusters``.
    """
    data = require_file(path, do="give the path of the submission").read_bytes()
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _not_csv(path, error) from error
    return _check(path, text, ids, max_clusters)


def _check(
    path: Path, text: str, ids: Sequence[str], max_clusters: int
) -> dict[str, int]:
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise _not_csv(path, error) from error
    faults = list(_faults(rows, ids, max_clusters))
    if faults:
        raise MmclustError(
            f"{path.name} is no valid submission",
            where=path,
            expected=f"the header id,cluster and {len(ids):,} lines, one for each "
            f"hidden image, in at most {max_clusters:,} clusters",
            found="; ".join(faults),
            do="correct the file, or write one: mmclust submit BENCHMARK; where more "
            "clusters are meant: --max-clusters",
        )
    return {image_id: int(cluster) for image_id, cluster in rows[1:]}


def _faults(
    rows: list[list[str]], ids: Sequence[str], max_clusters: int
) -> Iterator[str]:
    """Yield each kind of fault, with the first ids or lines that have it."""
    head = rows[0] if rows else []
    if head != HEAD:
        yield f"the header is {','.join(head) or 'missing'!r}"
    body = list(enumerate(rows[1:], start=2))
    pairs = [(n, row[0], row[1]) for n, row in body if len(row) == len(HEAD)]
    counts = Counter(image_id for _, image_id, _ in pairs)
    wanted = set(ids)
    for what, found in (
        (
            "lines without exactly two values",
            [f"line {number}" for number, row in body if len(row) != len(HEAD)],
        ),
        ("missing ids", [i for i in ids if i not in counts]),
        ("ids that are not hidden images", [i for i in counts if i not in wanted]),
        ("ids there more than once", [i for i, n in counts.items() if n > 1]),
        (
            "clusters that are no integers from 0 (or -1)",
            [f"line {n}: {c!r}" for n, _, c in pairs if not WHOLE.fullmatch(c)],
        ),
    ):
        if found:
            yield f"{len(found):,} {what} ({some(found)})"
    if alike := look_alikes(wanted ^ counts.keys()):
        yield f"some {alike}"
    clusters = {int(c) for _, _, c in pairs if WHOLE.fullmatch(c)} - {-1}
    if len(clusters) > max_clusters:
        yield f"{len(clusters):,} clusters"


def _not_csv(path: Path, error: Exception) -> MmclustError:
    return MmclustError(
        f"{path.name} is not a readable CSV file",
        where=path,
        expected="UTF-8, values separated by commas",
        found=error,
    )
