"""Flickr30K in both of its layouts: the publisher's two archives, and the hub's."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

from mmclust.core.io import write_csv, writing
from mmclust.core.seeds import generator
from mmclust.sample.captions import pick
from mmclust.sample.coco import write_archive
from mmclust.sample.draw import Picture
from mmclust.sample.fine_grained import facts, fine_scene
from mmclust.sample.world import PHRASES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from mmclust.sample.draw import Drawn
    from mmclust.sample.scene import Scene

HUB, PUBLISHER = "flickr30k", "flickr30k_publisher"
FOLDER = "flickr30k-images"
SPLITS = {"train": 300, "val": 40, "test": 60}
IDS = (36_979, 8_254_992_500)  # the range of Flickr30K's
EPOCH = 1_504_224_000  # the date of archives, as tar counts
PEOPLE = 0.92  # how many pictures show people
GROUPS = (0.2, 0.2, 0.6)  # people alone, two groups of them, people and things
ELSEWHERE = 0.6  # how often people are not where they usually are
PLACES = ("street", "field", "beach", "snow", "water", "savanna", "room")


def plan_flickr(seed: int, splits: dict[str, int]) -> list[Picture]:
    """List the pictures in the order of the files, which is that of their names."""
    rng = generator(seed, "sample", "plan", HUB)
    order = rng.permutation([s for s, n in splits.items() for _ in range(n)])
    ids: set[int] = set()
    while len(ids) < len(order):
        ids.add(int(rng.integers(*IDS)))
    pictures = []
    shown: set[tuple[object, ...]] = set()
    for image_id, split in zip(sorted(ids, key=str), order, strict=True):
        scene, exact = _scene(rng), bool(split == "test")
        while exact and facts(scene) in shown:
            scene = _scene(rng)
        shown.add(facts(scene))
        pictures.append(Picture(str(split), image_id, scene=scene, exact=exact))
    return pictures


def _scene(rng: np.random.Generator) -> Scene:
    kind = rng.choice(len(GROUPS), p=GROUPS)
    who = ["person", "person"][: 1 + int(kind == 1)]
    things = [pick(rng, PHRASES["street_things"])] if kind > 1 else []
    if rng.random() > PEOPLE:
        who, things = [], [pick(rng, PHRASES["street_things"])]
    scene = fine_scene(rng, [*who, *things])
    if who and rng.random() < ELSEWHERE:
        scene = replace(scene, place=pick(rng, PLACES))
    return scene


def write_hub(out: Path, drawn: Sequence[Drawn]) -> list[Path]:
    """Write the hub's layout."""
    rows = []
    first = 0
    for number, picture in enumerate(drawn):
        sentids = list(range(first, first := first + len(picture.captions)))
        raw, name = json.dumps(picture.captions), f"{picture.image_id}.jpg"
        rows.append((raw, json.dumps(sentids), picture.split, name, number))
    table = out / "flickr_annotations_30k.csv"
    write_csv(table, [("raw", "sentids", "split", "filename", "img_id"), *rows])
    return [write_archive(out / f"{FOLDER}.zip", _images(drawn), stored=True), table]


def write_publisher(out: Path, drawn: Sequence[Drawn]) -> list[Path]:
    """Write the publisher's layout of the same pictures and captions."""
    lines = "".join(
        f"{picture.image_id}.jpg#{number}\t{caption}\n"
        for picture in drawn
        for number, caption in enumerate(picture.captions)
    )
    return [
        write_tar(out / f"{FOLDER}.tar.gz", _images(drawn)),
        write_tar(out / "flickr30k.tar.gz", {"results_20130124.token": lines.encode()}),
    ]


def _images(drawn: Sequence[Drawn]) -> dict[str, bytes]:
    jpegs = {f"{FOLDER}/{picture.image_id}.jpg": picture.jpeg for picture in drawn}
    return {f"{FOLDER}/": b"", **jpegs}


def write_tar(path: Path, members: Mapping[str, bytes]) -> Path:
    """Write a tar compressed with gzip; a name that ends in ``/`` is a folder."""
    with (
        writing(path) as temporary,
        temporary.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=EPOCH) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for name, content in members.items():
            info = tarfile.TarInfo(name.rstrip("/"))
            folder = name.endswith("/")
            info.type = tarfile.DIRTYPE if folder else tarfile.REGTYPE
            info.mode, info.mtime = 0o755 if folder else 0o644, EPOCH
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path
