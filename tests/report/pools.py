"""A retrieval benchmark made by hand: four images asked for, two that are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
from PIL import Image

from mmclust.core.io import write_bytes, write_json, write_table
from mmclust.core.manifest import Row, read_manifest, summary_path, write_manifest
from mmclust.core.params import RetrievalParams
from mmclust.scoring.record import Score, path_of, write

IDS = ["a", "b", "c#1", "d", "x", "y"]
CAPTIONS = [
    ("first of a", "<u>second</u> of a"),
    ("of b",),
    ("of c",),
    ("of d",),
    (),
    (),
]
QUERIES = [
    # query, rank, tied, candidates, scores
    ("a#0", 1, 0, ["a", "b", "x"], [0.9, 0.5, 0.1]),
    ("a#1", 1, 0, ["a", "y", "x"], [0.9, 0.2, 0.1]),
    ("b#0", 6, 0, ["x", "y", "a"], [0.9, 0.8, 0.1]),
    ("c#1#0", 1, 1, ["c#1", "b", "x"], [0.7, 0.7, -0.1]),
    ("d#0", 3, 0, ["x", "a", "d"], [0.9, 0.8, 0.1]),
]


def setting(name, n_pool, low=0.1):
    """Return a setting's lines: R@1 of 0.25, R@5 of 0.5, R@10 of 1 both ways."""
    key = ("miniclip", name, "")
    facts = {"n_pool": n_pool, "n_images": 4, "n_captions": 5, "rsum_pessimistic": 325,
             "i2t_tied_queries": 0, "t2i_tied_queries": 1, "shared_captions": 0,
             "shared_caption_queries": 0}  # fmt: skip
    found = [Score(*key, "rsum", 350.0, low=300.0, high=400.0)]
    for side in ("i2t", "t2i"):
        for k, value in ((1, 0.25), (5, 0.5), (10, 1.0)):
            name = f"{side}_r{k}"
            found.append(Score(*key, name, value, low=value - low, high=value))
            facts[f"chance_{name}"] = value / 10
    return found + [Score(*key, name, float(value)) for name, value in facts.items()]


def make_pool(root, params, name="pool"):
    """Write all that the report reads about a retrieval benchmark."""
    images = root / "images" / name
    images.mkdir(parents=True)
    rng = np.random.default_rng(3)
    rows = []
    for i, (image, captions) in enumerate(zip(IDS, CAPTIONS, strict=True)):
        rgb = rng.integers(0, 255, (40, 40, 3)).astype(np.uint8)
        Image.fromarray(rgb).save(images / f"{i}.png")
        rows.append(
            Row(image, images, f"{i}.png", None, None, None, None, captions, "test")
        )
    manifest = root / "data/benchmarks" / name / "manifest.parquet"
    write_manifest(manifest, rows, benchmark=name, protocol="1", sources={})
    write_json(summary_path(manifest.parent), {"taken_from": {"fg": "sample"}})
    keys = ("query", "rank", "tied", "candidates", "scores")
    table = pa.table(
        dict(zip(keys, map(list, zip(*QUERIES, strict=True)), strict=True))
    )
    lists = root / "data/retrieval" / name / "miniclip/t2i_main.parquet"
    write_table(lists, table, {"manifest": read_manifest(manifest).digest})
    settings = {"old_pool": 4, "main": 6, "old_captions_old_pool": 4, "old_captions": 6}
    lines = [line for kind, size in settings.items() for line in setting(kind, size)]
    write(path_of(root, "retrieve", name), lines)
    plots = root / "plots/retrieval" / name
    sides = ("i2t", "t2i")
    recall = [
        f"{kind},{side},{k},{k / 100}"
        for kind in ("main", "original")
        for side in sides
        for k in range(1, 101)
    ]
    _csv(plots / "recall/miniclip.csv", "captions,direction,k,recall", recall)
    ranks = ["i2t,1,3", "i2t,2-3,1", "t2i,1,3", "t2i,2-3,1", "t2i,4-7,1"]
    _csv(plots / "ranks/miniclip.csv", "direction,rank,queries", ranks)
    slope = [f"{name},{side},0.25,0.15,0.25" for name in settings for side in sides]
    _csv(
        plots / "settings/miniclip.csv", "setting,direction,recall_at_1,low,high", slope
    )
    return replace(params, retrieval=RetrievalParams((name,), ("miniclip",)))


def _csv(path, head, rows):
    write_bytes(path, "\n".join([head, *rows, ""]).encode())
