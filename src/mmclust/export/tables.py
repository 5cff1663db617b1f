"""Layouts of numbers: ``csv``, of rows and captions or of features, and ``mat``.

The latter are MATLAB v5 files of both views, as multi-view clustering code reads them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError, some
from mmclust.core.features import VIEWS
from mmclust.core.io import write_bytes, write_csv
from mmclust.core.types import SPLITS
from mmclust.export.content import HIDDEN, kept_rows, place

if TYPE_CHECKING:
    from collections.abc import Mapping
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
    target = out / "csv" / "images.csv"
    return target, place(target, lambda path: write_csv(path, [HEAD, *rows]))


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


HEADER = b"MATLAB 5.0 MAT-file, written by mmclust".ljust(116)
"""In place of scipy's, which holds the time."""
MOST = 2**31 - 1  # bytes of a variable that the format can say


def export_mat(
    content: Content, features: Mapping[str, Features], out: Path
) -> tuple[Path, bool]:
    """Write ``<benchmark>_<encoders>.mat``.

    ``X1`` (image) and ``X2`` (text) are float32 (n, d), ``Y`` is int32 (n, 1) and
    counts from 1, ``label_mapping`` has a row ``[id, class name]`` for each class.
    Rows are sorted by class name, then by image id, as by the paths of the raw layout;
    label ids follow the class names. ``….ids.txt`` beside it has the id of each row.
    """
    content.require_classes("mat")
    views = _views(features)
    rows = kept_rows(content, features.values())
    ids = content.manifest.image_ids
    if broken := [repr(each) for each in ids if len(f"{each}.".splitlines()) > 1]:
        raise MmclustError(
            "Image ids have line breaks, and mat has a file of one id a line",
            where=content.manifest.folder,
            found=some(broken),
            do="rename these files and build again, or export as csv",
        )
    rows.sort(key=lambda row: (content.names[row], ids[row]))
    classes = sorted({content.names[row] for row in rows})
    position = {name: i for i, name in enumerate(classes, start=1)}
    mapping = np.empty((len(classes), 2), dtype=object)
    for name, label in position.items():
        mapping[label - 1] = [label, name]
    values = {
        "X1": np.asarray(views["image"][rows], np.float32),
        "X2": np.asarray(views["text"][rows], np.float32),
        "Y": np.array([[position[content.names[row]]] for row in rows], np.int32),
        "label_mapping": mapping,
    }
    target = out / f"{content.manifest.benchmark}_{'_'.join(features)}.mat"
    for name, value in values.items():
        if value.nbytes > MOST:
            raise MmclustError(
                "An array is too large for a MATLAB v5 file",
                where=f"{target}, {name}",
                expected="at most 2 GiB",
                found=f"{value.nbytes:,} bytes",
                do="export as csv, or read the .npy files",
            )
    written = place(target, lambda path: _save(path, values))
    # Once its file is there, these are its ids, whoever was killed before writing them.
    text = "".join(f"{ids[row]}\n" for row in rows)
    write_bytes(target.with_suffix(".ids.txt"), text.encode())
    return target, written


def _views(features: Mapping[str, Features]) -> dict[str, np.ndarray[Any, Any]]:
    chosen: dict[str, np.ndarray[Any, Any]] = {}
    owners = {
        view: [name for name, each in features.items() if view in each.views]
        for view in VIEWS
    }
    for view, names in owners.items():
        if len(names) != 1:
            raise MmclustError(
                f"mat needs one encoder for the {view} view",
                where="--features",
                expected="an encoder of both views, or one for each",
                found=f"{view}: {', '.join(names) or 'none'}",
                do="give --features once or twice, for instance --features hog "
                "--features lsa",
            )
        chosen[view] = features[names[0]].views[view]
    return chosen


def _save(path: Path, values: Mapping[str, np.ndarray[Any, Any]]) -> None:
    from scipy.io import savemat

    with path.open("wb") as file:
        savemat(file, dict(values), format="5")
    with path.open("r+b") as file:
        file.write(HEADER)
