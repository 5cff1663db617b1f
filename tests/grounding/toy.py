"""A benchmark of six pictures with objects, and a word model with a small network."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from mmclust.core.clusters import WordClusters, write_words
from mmclust.core.io import write_json
from mmclust.core.manifest import Row, read_manifest, write_manifest
from mmclust.core.objects import write_objects
from mmclust.core.types import Objects
from mmclust.models.backbones import build

SIDE = 32
CATEGORIES = ("dog", "hot dog", "cat")
WORDS = ("dog", "cat", "a", ".", "rare")
# word: dog -> 0, cat -> 1, a -> 1, "." unknown, rare -> 2 below the text threshold
CLUSTERS = np.array([[0, 1, 1, -1, 2]] * 2, np.int32)
CONFIDENCE = np.array([[0.9, 0.8, 0.3, 0.0, 0.02]] * 2)
# (split, captions, objects (name, box, crowd, outline))
SQUARE = "[[16,0,32,0,32,24,16,24]]"
IMAGES = [
    ("train", ("A dog.",), [("dog", (0, 0, 10, 10), 0, "")]),
    ("val", ("A dog.", "a"), [("dog", (16, 0, 32, 24), 0, SQUARE)]),
    ("val", ("a cat",), [("cat", (0, 0, 32, 48), 1, ""), ("cat", (1, 1, 2, 2), 0, "")]),
    ("val", ("A dog",), []),
    ("val", ("a", "Cat rare"), [("hot dog", (5, 5, 50, 40), 0, "")]),
    ("val", ("dog",), [("dog", (0, 0, 64, 48), 0, "[[0,0,64,0,64,48,0,48]]")]),
]


def ids():
    return [f"p{at}" for at in range(len(IMAGES))]


def write_benchmark(root, *, masks=True):
    """Write pictures of 64 x 48, manifest and objects."""
    folder = root / "data/benchmarks/coco_words"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(folder / "pictures.zip", "w") as archive:
        for name in ids():
            rough = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)
            file = io.BytesIO()
            Image.fromarray(rough).resize((64, 48)).save(file, "PNG")
            archive.writestr(f"{name}.png", file.getvalue())
    rows = [
        Row(
            name,
            folder / "pictures.zip",
            f"{name}.png",
            None,
            None,
            64,
            48,
            texts,
            split,
        )
        for name, (split, texts, _) in zip(ids(), IMAGES, strict=True)
    ]
    write_manifest(
        folder / "manifest.parquet", rows, benchmark="coco_words", protocol="1",
        sources={}, fit=("train",), evaluate=("val",),
    )  # fmt: skip
    each = [(i, *o) for i, (_, _, os) in zip(ids(), IMAGES, strict=True) for o in os]
    objects = Objects(
        CATEGORIES,
        [e[0] for e in each],
        [e[1] for e in each],
        np.array([e[2] for e in each]),
        np.array([e[3] for e in each], bool),
        [e[4] if masks else "" for e in each],
    )
    write_objects(folder / "objects.parquet", objects)
    return read_manifest(folder / "manifest.parquet"), objects


def write_model(root, built, *, clusters=3, threshold=0.0, seeds=2, **facts):
    """Write a word model whose networks are random."""
    folder = root / "data/words/joint_model"
    folder.mkdir(parents=True)
    for seed in range(seeds):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = build("small", clusters)
        (folder / f"seed_{seed}").mkdir()
        save_file(module.state_dict(), folder / f"seed_{seed}/visual.safetensors")
    learned = WordClusters(
        WORDS, np.array([9, 8, 30, 40, 1]), CLUSTERS[:seeds], CONFIDENCE[:seeds]
    )
    write_words(folder / "words.parquet", learned)
    known = {
        "kind": "joint", "backbone": "small", "size": SIDE, "clusters": clusters,
        "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25],
        "visual_threshold": threshold, "text_threshold": 0.03,
        "benchmark": "coco_words", "manifest": built.digest,
    }  # fmt: skip
    write_json(
        folder / "model.json",
        {k: v for k, v in (known | facts).items() if v is not None},
    )
    return folder
