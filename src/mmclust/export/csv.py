"""CSV: one file of rows and captions, or features in a file for each split."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.types import SPLITS
from mmclust.export.content import HIDDEN, kept_rows, place

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.features import Features
    from mmclust.export.content import Content


HEAD = ("image_id", "split", "label", "label_name", "captions")
BLOCK = 1024  # rows of features that are written at once


def export_table(content: Content, out: Path) -> tuple[Path, bool]:
    """Write ``csv/images.csv``: ids, splits, labels where visible, captions.

    ``captions`` is a JSON list, so that a caption may hold anything.
    """
    manifest = content.manifest
    rows = zip(
        manifest.image_ids,
        manifest.splits.tolist(),
        ["" if label == HIDDEN else label for label in content.labels.tolist()],
        content.names,
        (json.dumps(each, ensure_ascii=False) for each in manifest.captions),
        strict=True,
    )

    def fill(path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(HEAD)
            writer.writerows(rows)

    target = out / "csv" / "images.csv"
    return target, place(target, fill)


def export_features(
    content: Content, encoder: str, features: Features, out: Path
) -> tuple[Path, bool]:
    """Write ``csv/<encoder>/<view>/<split>.csv``: id, label, f0 … f(d-1).

    ``label`` is the number that ``images.csv`` gives the class, empty where the class
    is not given out; a file in which it would be empty throughout has no such column.
    Numbers are the shortest that read back as the same float32.
    """
    splits = content.manifest.splits
    kept = np.array(kept_rows(content, [features]), dtype=np.int64)

    def fill(folder: Path) -> None:
        for view, array in features.views.items():
            (folder / view).mkdir(parents=True)
            for split in SPLITS:
                rows = kept[splits[kept] == split]
                if len(rows):
                    _write(folder / view / f"{split}.csv", content, array, rows)

    target = out / "csv" / encoder
    return target, place(target, fill)


def _write(
    path: Path,
    content: Content,
    array: np.ndarray[Any, Any],
    rows: np.ndarray[Any, Any],
) -> None:
    import pyarrow as pa
    import pyarrow.csv as pacsv

    ids = np.array(content.manifest.image_ids, dtype=object)
    labels = content.labels[rows]
    labelled = bool((labels != HIDDEN).any())
    dim = array.shape[1]
    names = ["id", *(["label"] if labelled else []), *(f"f{i}" for i in range(dim))]
    special = any(c in image_id for image_id in ids[rows] for c in ',"\r\n')
    options = pacsv.WriteOptions(
        include_header=False, quoting_style="needed" if special else "none"
    )
    with path.open("wb") as file:
        file.write((",".join(names) + "\n").encode())
        for start in range(0, len(rows), BLOCK):
            part = rows[start : start + BLOCK]
            block = np.ascontiguousarray(array[part].T, dtype=np.float32)
            columns = [pa.array(ids[part], pa.string())]
            if labelled:
                known = labels[start : start + BLOCK]
                columns.append(pa.array(known, mask=known == HIDDEN))
            columns += [pa.array(column) for column in block]
            table = pa.table(columns, names=names)
            pacsv.write_csv(table, file, write_options=options)
