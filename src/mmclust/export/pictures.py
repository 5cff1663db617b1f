"""Layouts with pictures: ``raw``, ``hf`` and ``map``.

``raw`` is how COCO-cross, COCO-all and Pascal Sentences are handed around. ``hf`` is a
folder that the `datasets` library reads: ``hf/imagefolder`` has the pictures, a folder
for each split, with ``metadata.parquet``; ``hf/data`` has the same as parquet with the
pictures inside, and ``hf/README.md`` is the card that makes ``hf`` a data set
repository. ``map`` is one parquet file for programs that show pictures in the plane
(Embedding Atlas, FiftyOne), the pictures beside it; places and clusters come from
whoever asks for the export.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.clusters import NOISE
from mmclust.core.errors import MmclustError
from mmclust.core.images import read_files
from mmclust.core.progress import track
from mmclust.core.types import SPLITS
from mmclust.export.content import place, require_distinct, require_plain, write_images

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pyarrow as pa

    from mmclust.export.content import Content


def _with_endings(table: pa.Table, stems: Iterable[str]) -> list[str]:
    """Return a path for each image, which ends as its own file does."""
    members = table["member"].to_pylist()
    pairs = zip(stems, members, strict=True)
    return [f"{stem}{PurePosixPath(member).suffix}" for stem, member in pairs]


def raw_paths(content: Content) -> tuple[list[str], list[str]]:
    """Return where images and texts go, below ``raw``."""
    content.require_images()
    content.require_classes("raw")
    manifest = content.manifest
    require_plain(set(content.names), manifest.folder)
    require_plain(manifest.image_ids, manifest.folder, folders=True)
    stems = [f"{n}/{i}" for n, i in zip(content.names, manifest.image_ids, strict=True)]
    images = _with_endings(manifest.table, (f"images/{stem}" for stem in stems))
    texts = [f"texts/{stem}.txt" for stem in stems]
    require_distinct([*images, *texts], manifest.folder)
    return images, texts


def export_raw(
    content: Content, images: Sequence[str], texts: Sequence[str], out: Path
) -> tuple[Path, bool]:
    """Write ``raw/images/<class>/<id>.jpg`` and ``raw/texts/<class>/<id>.txt``.

    Images keep their bytes; texts have one stripped caption a line, in UTF-8. An
    inner newline is kept, and makes a line more: so says the layout.
    """

    def fill(folder: Path) -> None:
        write_images(content.manifest, folder, images)
        for text, captions in zip(texts, content.manifest.captions, strict=True):
            path = folder / text
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes("".join(f"{c.strip()}\n" for c in captions).encode())

    return out / "raw", place(out / "raw", fill)


NAMES = {"val": "validation"}  # splits that the library calls otherwise
ROWS = 2048  # images in a parquet file
GROUP = 128  # images in a row group, which are read at once


def hf_paths(content: Content) -> list[str]:
    """Return where images go below ``imagefolder``: a folder for each split."""
    content.require_images()
    manifest = content.manifest
    require_plain(manifest.image_ids, manifest.folder, folders=True)
    splits = [NAMES.get(split, split) for split in manifest.splits.tolist()]
    stems = (f"{s}/{i}" for s, i in zip(splits, manifest.image_ids, strict=True))
    paths = _with_endings(manifest.table, stems)
    require_distinct(paths, manifest.folder)
    return paths


def export_hf(
    content: Content, paths: Sequence[str], card: str, out: Path
) -> tuple[Path, bool]:
    """Write ``hf/``: see the module.

    ``label`` is the class name in ``metadata.parquet``, a ``ClassLabel`` in ``data``;
    null, and −1 there, where it is not given out; no column without classes.
    """

    def fill(folder: Path) -> None:
        _write_folders(content, folder / "imagefolder", paths)
        files = _write_parquet(content, folder / "data")
        (folder / "README.md").write_text(_with_files(card, files), encoding="utf-8")

    return out / "hf", place(out / "hf", fill)


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


def export_map(content: Content, points: Points, out: Path) -> tuple[Path, bool]:
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

    return out / "map", place(out / "map", fill)
