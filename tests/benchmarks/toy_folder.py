"""A folder of one's own pictures, written and built."""

from __future__ import annotations

import json

from mmclust.benchmarks._build import build_benchmark
from mmclust.core.labels import read_labels
from mmclust.core.manifest import read_manifest
from tests.benchmarks.toy_imagenet import jpeg


def write_folder(raw, contents):
    """Write files; ``None`` is a picture of its own."""
    for number, (name, data) in enumerate(contents.items()):
        path = raw / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(number) if data is None else data)
    return raw


def build_folder(raw, block=None, **options):
    """Return the summary, the captions and the classes by id."""
    out = raw.parent / "out"
    summary = build_benchmark("folder", raw, out, block, **options)
    manifest = read_manifest(out / "manifest.parquet")
    captions = dict(zip(manifest.image_ids, manifest.captions, strict=True))
    labels = read_labels(out / "labels.parquet")
    return summary, captions, dict(zip(labels.image_ids, labels.names, strict=True))


def jsonl(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()
