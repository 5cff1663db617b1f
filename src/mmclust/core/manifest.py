"""Manifests: one row per image, sorted by ``image_id``.

Every later array keeps that order. Labels live in a file, and a module, of their own
(:mod:`mmclust.core.labels`), so that it shows who reads them.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError, some
from mmclust.core.io import canonical, read_record, read_table, write_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

SPLITS = ("train", "val", "test")
PLACES = ("image_id", "container", "member", "offset", "length", "crc32")
"""Columns that say where the bytes of an image lie."""
_ROWS = 8192  # that are text at once where a digest is taken


@dataclass(frozen=True)
class Row:
    """One image of a benchmark, by an id that is unique in it.

    ``member`` is its path in ``container``, a folder or an archive, which is ``None``
    when images were not looked for; ``offset`` and ``length`` say where an archive
    stores the bytes uncompressed, and ``crc32`` what a zip holds them to. ``width`` and
    ``height`` are ``None`` when the publisher does not say. Captions are in the
    publisher's order, ``split`` is one of ``SPLITS``.
    """

    image_id: str
    container: Path | None
    member: str
    offset: int | None = None
    length: int | None = None
    width: int | None = None
    height: int | None = None
    captions: tuple[str, ...] = ()
    split: str = "train"
    crc32: int | None = None


@dataclass(frozen=True)
class Manifest:
    """A benchmark's images, sorted by ``image_id``, with their captions.

    Containers are relative to ``folder``. ``meta`` has ``benchmark``, ``protocol``,
    ``sources`` (name to digest), ``fit`` and ``evaluate`` (names of splits) and
    ``digest``.
    """

    folder: Path
    table: pa.Table
    meta: dict[str, Any]

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def digest(self) -> str:
        """sha256 of the canonical rows."""
        return str(self.meta["digest"])

    @property
    def benchmark(self) -> str:
        """Name of the benchmark."""
        return str(self.meta["benchmark"])

    @property
    def image_ids(self) -> list[str]:
        """All ids, in order."""
        return list(self.table["image_id"].to_pylist())

    @property
    def captions(self) -> list[list[str]]:
        """The captions of each image, in order."""
        return list(self.table["captions"].to_pylist())

    @property
    def splits(self) -> np.ndarray[Any, Any]:
        """The split of each image: an array of str, shape (n,)."""
        return np.asarray(self.table["split"].to_pylist(), dtype=str)

    @property
    def fit_rows(self) -> np.ndarray[Any, Any]:
        """Rows that encoders and heads are fitted on: int64, ascending."""
        return self._rows_of("fit")

    @property
    def evaluate_rows(self) -> np.ndarray[Any, Any]:
        """Rows that are clustered and scored: int64, ascending."""
        return self._rows_of("evaluate")

    def _rows_of(self, role: str) -> np.ndarray[Any, Any]:
        rows = np.flatnonzero(np.isin(self.splits, self.meta[role]))
        if not len(rows):
            raise MmclustError(
                f"{self.benchmark} has no image to {role}",
                where=self.folder,
                expected=f"images of the splits {', '.join(self.meta[role])}",
                found=f"splits {', '.join(sorted(set(self.splits.tolist())))}",
                do="build the benchmark with the split that is missing",
            )
        return rows


def canonical_digest(meta: Mapping[str, Any], rows: pa.Table) -> str:
    """Return the sha256 of what a manifest means, not of where its bytes lie.

    It is :func:`mmclust.core.io.digest_of` the metadata and the columns, of which some
    rows at a time are text.
    """
    names = ("benchmark", "protocol", "sources", "fit", "evaluate")
    total = hashlib.sha256(f"[{canonical([meta[name] for name in names])},[".encode())
    for i, name in enumerate(("image_id", "width", "height", "captions", "split")):
        total.update(b",[" if i else b"[")
        for start in range(0, len(rows), _ROWS):
            part = canonical(rows[name].slice(start, _ROWS).to_pylist())[1:-1]
            total.update(f"{',' if start else ''}{part}".encode())
        total.update(b"]")
    total.update(b"]]")
    return total.hexdigest()


def write_manifest(
    path: Path,
    rows: Sequence[Row],
    *,
    benchmark: str,
    protocol: str,
    sources: Mapping[str, str],
    fit: Sequence[str] = SPLITS,
    evaluate: Sequence[str] = SPLITS,
    containers: Mapping[str, Any] | None = None,
) -> str:
    """Write a manifest and return its digest."""
    ordered = sorted(rows, key=lambda row: row.image_id)
    counts = Counter(row.image_id for row in ordered)
    if twice := [image_id for image_id, count in counts.items() if count > 1]:
        raise MmclustError(
            "An image id occurs twice",
            where=path,
            expected="each image once",
            found=some(twice),
            do="remove the duplicates from the source's annotations",
        )
    if not ordered:
        raise MmclustError(
            f"{benchmark} has no image",
            where=path,
            do="check that the source is the one the benchmark is built from, "
            "or lower its min_images",
        )
    table = _table(path, ordered)
    meta: dict[str, Any] = {
        "benchmark": benchmark,
        "protocol": protocol,
        "sources": dict(sorted(sources.items())),
        "fit": list(fit),
        "evaluate": list(evaluate),
    }
    meta["digest"] = canonical_digest(meta, table)
    write_table(path, table, meta | {"containers": containers or {}})
    return str(meta["digest"])


def _table(path: Path, rows: Sequence[Row]) -> pa.Table:
    """Return the table of a manifest, which names containers as seen from ``path``."""
    import pyarrow as pa

    folder = path.parent.resolve()
    schema = pa.schema(
        {
            "image_id": pa.string(),
            "container": pa.string(),
            "member": pa.string(),
            "offset": pa.int64(),
            "length": pa.int64(),
            "crc32": pa.uint32(),
            "width": pa.int32(),
            "height": pa.int32(),
            "captions": pa.list_(pa.string()),
            "split": pa.string(),
        }
    )
    columns = {name: [getattr(row, name) for row in rows] for name in schema.names}
    relative = {
        # The container itself may be a link into DVC's cache, which is not its name.
        c: os.path.relpath(c.parent.resolve() / c.name, folder)
        for c in set(columns["container"])
        if c is not None
    }
    columns["container"] = [relative.get(c) for c in columns["container"]]
    try:
        return pa.table(columns, schema=schema)
    except (pa.ArrowException, OverflowError) as error:
        raise MmclustError(
            "A value of the source does not fit a manifest",
            where=path,
            expected="text, and widths and heights below 2,147,483,648",
            found=error,
            do="look for it in the source's annotations",
        ) from error


def read_manifest(path: Path, columns: Sequence[str] = ()) -> Manifest:
    """Read a manifest and check that its rows are the ones its digest names.

    Of ``columns`` alone, which workers ask for, rows are not checked: whoever starts
    them has done it.
    """
    table, meta = read_table(path, columns)
    if "digest" not in meta or "image_id" not in table.column_names:
        raise MmclustError(
            f"{path.name} is not a manifest",
            where=path,
            expected="a parquet file written by `mmclust build`",
            found=f"columns {some(table.column_names)}",
        )
    found = meta["digest"] if columns else canonical_digest(meta, table)
    if found != meta["digest"]:
        raise MmclustError(
            "The rows of the manifest are not those it was written with",
            where=path,
            expected=meta["digest"],
            found=found,
            do=f"build it again: mmclust build {meta['benchmark']}",
        )
    return Manifest(path.parent, table, meta)


def summary_path(folder: Path) -> Path:
    """Return where the summary of a build is: beside its folder, for git to track."""
    folder = folder if folder.name.strip(".") else folder.resolve()
    return folder.with_name(f"{folder.name}.json")


def read_summary(folder: Path) -> dict[str, Any]:
    """Read the summary of the build in a folder."""
    return read_record(summary_path(folder), {}, n_classes=int, notes=dict)
