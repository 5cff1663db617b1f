"""Benchmarks of any size, as the stages find them: manifest, labels and features.

No pixels: what comes after ``encode`` needs none. Rows lie around class centres;
captions name the class among other words. To try commands on one:

    PYTHONPATH=src python perf/synthetic.py FOLDER --n 118287
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from mmclust.core.features import write_features
from mmclust.core.io import write_json
from mmclust.core.labels import write_labels
from mmclust.core.manifest import Row, read_manifest, summary_path, write_manifest
from mmclust.core.seeds import generator

PARAMS = """
seed: 782
benchmarks: {{folder: {{}}}}
encoders: {{random: {{}}}}
model:
  encoder: random
  clusterers: [kmeans]
  heads: []
  n_seeds: {seeds}
  k: {k}
clusterers: {{kmeans: {{n_init: {starts}, max_iter: {steps}}}}}
score: {{baseline: {{encoder: random, view: image, clusterer: kmeans}}}}
"""


def make(
    root: Path,
    *,
    n: int,
    dim: int = 64,
    k: int = 43,
    captions: int = 5,
    views: tuple[str, ...] = ("image", "text"),
    seeds: int = 3,
    starts: int = 1,
    steps: int = 10,
) -> None:
    """Write ``data/`` and ``params.yaml`` of one benchmark of n images of k classes."""
    rng = generator(782, "perf", "synthetic")
    built = root / "data/benchmarks/folder"
    own = rng.integers(k, size=n)
    words = np.array([f"word{i}" for i in range(2000)])
    drawn = words[rng.integers(len(words), size=(n, captions, 4))]
    rows = [
        Row(
            f"{i:012d}", built / "images.zip", f"{i:012d}.jpg", i * 1000, 1000, 64, 64,
            tuple(f"a class{own[i]} {' '.join(each)}" for each in drawn[i]),
            "train", crc32=i,
        )
        for i in range(n)
    ]  # fmt: skip
    write_manifest(
        built / "manifest.parquet", rows, benchmark="folder", protocol="1",
        sources={"perf": "0" * 64},
    )  # fmt: skip
    manifest = read_manifest(built / "manifest.parquet")
    labels = {row.image_id: f"class{c}" for row, c in zip(rows, own, strict=True)}
    write_labels(built / "labels.parquet", labels)
    write_json(summary_path(built), {"n_classes": k, "notes": {}, "images": n})
    centres = rng.standard_normal((k, dim), dtype=np.float32)
    arrays = {}
    for view in views:
        array = rng.standard_normal((n, dim), dtype=np.float32)
        for start in range(0, n, 4096):
            array[start : start + 4096] += centres[own[start : start + 4096]] / 2
        arrays[view] = array
    meta = {"encoder": "random", "params": {}, "seed": 782}
    write_features(root / "data/features/folder/random", arrays, meta, manifest)
    (root / "params.yaml").write_text(
        PARAMS.format(seeds=seeds, k=k, starts=starts, steps=steps)
    )


def main() -> None:
    """Make one where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    for name, default in (
        ("n", 118_287),
        ("dim", 64),
        ("k", 43),
        ("captions", 5),
        ("seeds", 3),
        ("starts", 1),
        ("steps", 10),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--view", action="append", choices=("image", "text"))
    given = vars(parser.parse_args())
    views = tuple(given.pop("view") or ("image", "text"))
    make(given.pop("folder"), views=views, **given)


if __name__ == "__main__":
    main()
