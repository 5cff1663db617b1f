"""The layouts: ``raw``, ``hf`` and ``map`` with pictures, ``csv`` and ``mat`` bare.

``raw`` is how COCO-cross, COCO-all and Pascal Sentences are handed around. ``hf`` is a
folder that the `datasets` library reads: ``hf/imagefolder`` has the pictures, a folder
for each split, with ``metadata.parquet``; ``hf/data`` has the same as parquet with the
pictures inside, and ``hf/README.md`` is the card that makes ``hf`` a data set
repository. ``map`` is one parquet file for programs that show pictures in the plane
(Embedding Atlas, FiftyOne), the pictures beside it; places and clusters come from
whoever asks for the export. ``csv`` has rows and captions, or features; ``mat`` files
are MATLAB v5 files of both views, as multi-view clustering code reads them.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.clusters import NOISE
from mmclust.core.errors import MmclustError, some
from mmclust.core.features import VIEWS
from mmclust.core.images import read_files
from mmclust.core.io import require_file, write_bytes
from mmclust.core.manifest import SPLITS
from mmclust.core.progress import track
from mmclust.export.content import (
    HIDDEN,
    require_distinct,
    require_plain,
    write_images,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from mmclust.core.features import Features
    from mmclust.export.content import Content, Exported


def _with_endings(table: pa.Table, stems: Iterable[str]) -> list[str]:
    """Return a path for each image, which ends as its own file does."""
    members = table["member"].to_pylist()
    pairs = zip(stems, members, strict=True)
    return [f"{stem}{PurePosixPath(member).suffix}" for stem, member in pairs]


def export_raw(content: Content, out: Path) -> Exported:
    """Write ``raw/images/<class>/<id>.jpg`` and ``raw/texts/<class>/<id>.txt``.

    Images keep their bytes; texts have one stripped caption a line, in UTF-8. An
    inner newline is kept, and makes a line more: so says the layout.
    """
    content.require_images()
    content.require_classes("raw")
    manifest = content.manifest
    require_plain(set(content.names), manifest.folder)
    require_plain(manifest.image_ids, manifest.folder, folders=True)
    stems = [f"{n}/{i}" for n, i in zip(content.names, manifest.image_ids, strict=True)]
    images = _with_endings(manifest.table, (f"images/{stem}" for stem in stems))
    texts = [f"texts/{stem}.txt" for stem in stems]
    require_distinct([*images, *texts], manifest.folder)

    def fill(folder: Path) -> None:
        write_images(manifest, folder, images)
        for text, captions in zip(texts, manifest.captions, strict=True):
            path = folder / text
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes("".join(f"{c.strip()}\n" for c in captions).encode())

    return content.place(out / "raw", fill, [*images, *texts])


NAMES = {"val": "validation"}  # splits that the library calls otherwise
ROWS = 2048  # images in a parquet file
GROUP = 128  # images in a row group, which are read at once


def export_hf(content: Content, out: Path) -> Exported:
    """Write ``hf/``: see the module.

    ``label`` is the class name in ``metadata.parquet``, a ``ClassLabel`` in ``data``;
    null, and −1 there, where it is not given out; no column without classes.
    """
    content.require_images()
    manifest = content.manifest
    require_plain(manifest.image_ids, manifest.folder, folders=True)
    splits = [NAMES.get(split, split) for split in manifest.splits.tolist()]
    stems = (f"{s}/{i}" for s, i in zip(splits, manifest.image_ids, strict=True))
    paths = _with_endings(manifest.table, stems)
    require_distinct(paths, manifest.folder)
    again = f"build it again: mmclust build {manifest.benchmark}"
    card = require_file(manifest.folder / "README.md", again)

    def fill(folder: Path) -> None:
        _write_folders(content, folder / "imagefolder", paths)
        files = _write_parquet(content, folder / "data")
        told = _with_files(card.read_text(encoding="utf-8"), files)
        (folder / "README.md").write_text(told, encoding="utf-8")

    return content.place(out / "hf", fill, paths)


def _write_folders(content: Content, folder: Path, paths: Sequence[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    manifest = content.manifest
    write_images(manifest, folder, paths)
    splits, files = zip(*(path.split("/", 1) for path in paths), strict=True)
    labelled = bool(content.class_names)
    for split in sorted(set(splits)):
        rows = [row for row, each in enumerate(splits) if each == split]
        part = manifest.table.take(rows)
        # Typed, so that a split without labels or captions has the others' columns.
        columns = {
            "file_name": pa.array([files[row] for row in rows], pa.string()),
            "image_id": part["image_id"],
            "captions": part["captions"],
        }
        if labelled:
            names = [content.names[row] or None for row in rows]
            columns["label"] = pa.array(names, pa.string())
        pq.write_table(pa.table(columns), folder / split / "metadata.parquet")


def _write_parquet(content: Content, folder: Path) -> dict[str, str]:
    """Write the splits; return a pattern of its files for each."""
    import pyarrow.parquet as pq

    folder.mkdir(parents=True)
    schema = _schema(content)
    patterns = {}
    for split in SPLITS:
        rows = np.flatnonzero(content.manifest.splits == split)
        name = NAMES.get(split, split)
        n_files = -(-len(rows) // ROWS)
        for number in range(n_files):
            patterns[name] = f"data/{name}-*"
            path = folder / f"{name}-{number:05d}-of-{n_files:05d}.parquet"
            part = rows[number * ROWS : (number + 1) * ROWS].tolist()
            with pq.ParquetWriter(path, schema) as writer:
                for start in track(range(0, len(part), GROUP), f"parquet, {name}"):
                    group = part[start : start + GROUP]
                    writer.write_table(_table(content, group, schema))
    return patterns


def _table(content: Content, rows: list[int], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    table = content.manifest.table.take(rows)
    ids = table["image_id"].to_pylist()
    files = zip(
        _with_endings(table, ids), read_files(content.manifest, rows), strict=True
    )
    columns: dict[str, Any] = {
        "image": [{"bytes": data, "path": path} for path, (_, data) in files],
        "image_id": ids,
        "captions": table["captions"].to_pylist(),
    }
    if "label" in schema.names:
        columns["label"] = content.labels[rows].astype(np.int64)
    return pa.table(columns, schema=schema)


def _schema(content: Content) -> pa.Schema:
    """Return the columns, with what the library wants to know of them."""
    import pyarrow as pa

    string = {"dtype": "string", "_type": "Value"}
    picture = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    fields = {
        "image": (picture, {"_type": "Image"}),
        "image_id": (pa.string(), string),
        "captions": (pa.list_(pa.string()), {"feature": string, "_type": "Sequence"}),
    }
    names = content.class_names
    if names:
        fields["label"] = (pa.int64(), {"names": names, "_type": "ClassLabel"})
    features = {name: feature for name, (_, feature) in fields.items()}
    info = json.dumps({"info": {"features": features}}, ensure_ascii=False)
    columns = [(name, kind) for name, (kind, _) in fields.items()]
    return pa.schema(columns, metadata={"huggingface": info})


def _with_files(card: str, files: dict[str, str]) -> str:
    """Return the card with its data files in the front matter, without pictures."""
    import yaml

    listed = [{"split": split, "path": path} for split, path in files.items()]
    configs = [{"config_name": "default", "data_files": listed}]
    text = card.replace("![Some of its pictures](thumbnails.jpg)\n\n", "")
    head, body = text.removeprefix("---\n").split("---\n", 1)
    return (
        f"---\n{head}{yaml.safe_dump({'configs': configs}, sort_keys=False)}---\n{body}"
    )


@dataclass(frozen=True)
class Points:
    """n images in the plane, and what a clusterer says of them."""

    image_ids: list[str]
    xy: np.ndarray[Any, Any]  # (n, 2)
    clusters: np.ndarray[Any, Any]  # int (n,); NOISE for none, less where not asked
    confidence: np.ndarray[Any, Any] | None  # float32 (n,)


def export_map(content: Content, points: Points, out: Path) -> Exported:
    """Write ``map/map.parquet`` and ``map/images/<id>.jpg``."""
    content.require_images()
    manifest = content.manifest
    row_of = {image_id: row for row, image_id in enumerate(manifest.image_ids)}
    if not row_of.keys() >= set(points.image_ids):
        raise MmclustError(
            "The clusters are of images that the benchmark does not have",
            where=manifest.folder,
            expected=f"images of {manifest.benchmark} as it was built",
            found="others",
            do="run `dvc repro`, which brings every file up to date",
        )
    rows = [row_of[image_id] for image_id in points.image_ids]
    part = replace(manifest, table=manifest.table.take(rows))
    require_plain(points.image_ids, manifest.folder)
    images = _with_endings(part.table, (f"images/{i}" for i in points.image_ids))
    require_distinct(images, manifest.folder)

    def fill(folder: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        write_images(part, folder, images)
        asked = points.clusters >= NOISE
        columns = {
            "id": pa.array(points.image_ids, pa.string()),
            "image": pa.array(images, pa.string()),
            "caption": pa.array(["\n".join(each) for each in part.captions]),
            "cluster": pa.array(points.clusters, pa.int32(), mask=~asked),
            "x": pa.array(points.xy[:, 0], pa.float32()),
            "y": pa.array(points.xy[:, 1], pa.float32()),
        }
        if points.confidence is not None:
            sure = pa.array(points.confidence, pa.float32(), mask=~asked)
            columns["confidence"] = sure
        if content.class_names:
            names = [content.names[row] or None for row in rows]
            columns["class"] = pa.array(names, pa.string())
        pq.write_table(pa.table(columns), folder / "map.parquet", compression="zstd")

    return replace(content, manifest=part).place(out / "map", fill)


HEAD = ("image_id", "split", "label", "label_name", "captions")
BLOCK = 1024  # rows of features that are written at once


def export_table(content: Content, out: Path) -> Exported:
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

    return content.place(out / "csv" / "images.csv", fill)


def _kept_rows(content: Content, features: Iterable[Features]) -> list[int]:
    """Return the rows that all of these encoders could encode, in order."""
    left_out = {int(row) for each in features for row in each.skipped}
    return [row for row in range(len(content.manifest)) if row not in left_out]


def export_features(
    content: Content, encoder: str, features: Features, out: Path
) -> Exported:
    """Write ``csv/<encoder>/<view>/<split>.csv``: id, label, f0 … f(d-1).

    ``label`` is the number that ``images.csv`` gives the class, empty where the class
    is not given out; a file in which it would be empty throughout has no such column.
    Numbers are the shortest that read back as the same float32.
    """
    splits = content.manifest.splits
    kept = np.array(_kept_rows(content, [features]), dtype=np.int64)

    def fill(folder: Path) -> None:
        for view, array in features.views.items():
            (folder / view).mkdir(parents=True)
            for split in SPLITS:
                rows = kept[splits[kept] == split]
                if len(rows):
                    _write(folder / view / f"{split}.csv", content, array, rows)

    return content.place(out / "csv" / encoder, fill)


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
) -> Exported:
    """Write ``<benchmark>_<encoders>.mat``.

    ``X1`` (image) and ``X2`` (text) are float32 (n, d), ``Y`` is int32 (n, 1) and
    counts from 1, ``label_mapping`` has a row ``[id, class name]`` for each class.
    Rows are sorted by class name, then by image id, as by the paths of the raw layout;
    label ids follow the class names. ``….ids.txt`` beside it has the id of each row.
    """
    content.require_classes("mat")
    views = _views(features)
    rows = _kept_rows(content, features.values())
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
    exported = content.place(target, lambda path: _save(path, values))
    # Once its file is there, these are its ids, whoever was killed before writing them.
    text = "".join(f"{ids[row]}\n" for row in rows)
    write_bytes(target.with_suffix(".ids.txt"), text.encode())
    return exported


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
