"""A folder that the `datasets` library reads, as images or as parquet.

``hf/imagefolder`` has the pictures, a folder for each split, with ``metadata.parquet``;
``hf/data`` has the same as parquet with the pictures inside, and ``hf/README.md`` is
the card that makes ``hf`` a data set repository.
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.images import read_files
from mmclust.core.progress import track
from mmclust.core.types import SPLITS
from mmclust.export.content import place, require_distinct, require_plain, write_images

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

    from mmclust.export.content import Content


NAMES = {"val": "validation"}  # splits that the library calls otherwise
ROWS = 2048  # images in a parquet file
GROUP = 128  # images in a row group, which are read at once


def export_hf(content: Content, card: str, out: Path) -> tuple[Path, bool]:
    """Write ``hf/``: see the module.

    ``label`` is the class name in ``metadata.parquet``, a ``ClassLabel`` in ``data``;
    null, and −1 there, where it is not given out; no column without classes.
    """
    paths = hf_paths(content)

    def fill(folder: Path) -> None:
        _write_folders(content, folder / "imagefolder", paths)
        files = _write_parquet(content, folder / "data")
        (folder / "README.md").write_text(_with_files(card, files), encoding="utf-8")

    return out / "hf", place(out / "hf", fill)


def hf_paths(content: Content) -> list[str]:
    """Return where images go below ``imagefolder``: a folder for each split."""
    content.require_images()
    manifest = content.manifest
    require_plain(manifest.image_ids, manifest.folder, folders=True)
    members = manifest.table["member"].to_pylist()
    files = [
        f"{i}{PurePosixPath(m).suffix}"
        for i, m in zip(manifest.image_ids, members, strict=True)
    ]
    splits = [NAMES.get(split, split) for split in manifest.splits.tolist()]
    paths = [f"{s}/{f}" for s, f in zip(splits, files, strict=True)]
    require_distinct(paths, manifest.folder)
    return paths


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
    ids, members = table["image_id"].to_pylist(), table["member"].to_pylist()
    columns: dict[str, Any] = {
        "image": [
            {"bytes": data, "path": f"{i}{PurePosixPath(member).suffix}"}
            for i, member, (_, data) in zip(
                ids, members, read_files(content.manifest, rows), strict=True
            )
        ],
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
