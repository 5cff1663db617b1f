"""COCO: which pictures it has, a list that strains the protocols' rules; its files.

Pascal Sentences, too, which shows COCO's categories: a page of tables, and pictures in
class folders.
"""

from __future__ import annotations

import html
import json
import zipfile
from typing import TYPE_CHECKING, Any

from mmclust.core.io import write_bytes, writing
from mmclust.core.seeds import generator
from mmclust.sample.draw import Picture
from mmclust.sample.scene import Wanted, compose
from mmclust.sample.world import CATEGORIES, VOC

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from mmclust.sample.draw import Drawn

TRAIN, VAL = "train2017", "val2017"
VAL_2014, UNLABELED = "val2014", "unlabeled2017"
ANNOTATIONS = "annotations_trainval2017.zip"
MIXED = {TRAIN: 370, VAL: 60}  # pictures of two to four categories
EMPTY = {TRAIN: 16, VAL: 4}  # pictures without any annotation
VAL_ALONE = 236
LAST_ID = 581_929  # the highest of COCO 2017
# COCO marks large groups as a crowd. The protocols count them as evidence, so some
# pictures fall out of COCO-cross only for a crowd at their edge.
CROWD_ALONE, CROWD_BESIDE = 0.02, 0.15
# Archives carry dates; a fixed one keeps their bytes the same.
DATE = (2017, 9, 1, 0, 0, 0)


LISTED = [
    {"supercategory": c.supercategory, "id": c.id, "name": c.name}
    for c in CATEGORIES.values()
]
"""COCO's ``categories``."""


def plan(seed: int, n_images: int | None = None) -> list[Picture]:
    """List the pictures of the world, sorted by image id."""
    rng = generator(seed, "sample", "plan")
    wanted = [(split, scene) for split in MIXED for scene in _scenes(rng, split)]
    ids = rng.choice(LAST_ID, len(wanted), replace=False) + 1
    chosen = rng.permutation(len(wanted))[:n_images]
    pictures = [
        Picture(wanted[i][0], int(image_id), wanted[i][1])
        for i, image_id in zip(chosen, ids, strict=False)
    ]
    return sorted(pictures, key=lambda picture: picture.image_id)


def _scenes(rng: np.random.Generator, split: str) -> Iterator[tuple[Wanted, ...]]:
    alone = [c.id for c in CATEGORIES.values() for _ in range(c.alone)]
    if split != TRAIN:
        alone = rng.choice(alone, VAL_ALONE, replace=False).tolist()
    for category in alone:
        yield (Wanted(category, crowd=bool(rng.random() < CROWD_ALONE)),)
    everyone = list(CATEGORIES)
    for number in range(MIXED[split]):
        # Every category gets its turn to be the subject.
        if number % len(everyone) == 0:
            turns = rng.permutation(everyone)
        subject = int(turns[number % len(everyone)])
        others = companions(rng, subject, int(rng.integers(1, 4)))
        beside = (Wanted(c, crowd=bool(rng.random() < CROWD_BESIDE)) for c in others)
        yield (Wanted(subject), *beside)
    yield from ((),) * EMPTY[split]


def companions(rng: np.random.Generator, subject: int, number: int) -> list[int]:
    """Return what else may be in a picture, mostly from the subject's places."""
    places = set(CATEGORIES[subject].places)
    near = [c.id for c in CATEGORIES.values() if places & set(c.places)]
    drawn: list[int] = []
    for _ in range(number):
        options = near if rng.random() < 0.8 else list(CATEGORIES)  # noqa: PLR2004
        drawn.append(int(rng.choice(options)))
    others = [c for c in dict.fromkeys(drawn) if c != subject]
    return others or [next(c for c in near if c != subject)]


def write_2017(out: Path, seed: int, drawn: Sequence[Drawn]) -> list[Path]:
    """Write COCO 2017's three archives."""
    splits = {s: [each for each in drawn if each.split == s] for s in (TRAIN, VAL)}
    images = [_write_images(out, split, own) for split, own in splits.items()]
    return [*images, _write_annotations(out / ANNOTATIONS, seed, splits)]


def write_2014(out: Path, seed: int, drawn: Sequence[Drawn]) -> list[Path]:
    """Write the queries' pictures, boxes and original captions."""
    archive = out / "annotations_trainval2014.zip"
    return [
        _write_annotations(archive, seed, {VAL_2014: drawn}),
        _write_images(out, VAL_2014, drawn),
    ]


def write_unlabeled(out: Path, seed: int, drawn: Sequence[Drawn]) -> list[Path]:
    """Write the distractors' pictures."""
    name = f"image_info_{UNLABELED}"
    info = _head(seed, UNLABELED, drawn) | {"categories": LISTED}
    members = {f"annotations/{name}.json": json.dumps(info).encode()}
    return [
        write_archive(out / f"{name}.zip", members, stored=False),
        _write_images(out, UNLABELED, drawn),
    ]


def _write_images(out: Path, split: str, drawn: Sequence[Drawn]) -> Path:
    jpegs = {f"{split}/{file_name(split, d.image_id)}": d.jpeg for d in drawn}
    members = {f"{split}/": b"", **dict(sorted(jpegs.items()))}
    return write_archive(out / f"{split}.zip", members, stored=True)


def _write_annotations(
    path: Path, seed: int, drawn: Mapping[str, Sequence[Drawn]]
) -> Path:
    """Write two annotation files of each split: boxes, and captions."""
    members = {}
    for split, pictures in drawn.items():
        order = generator(seed, "sample", "order", split)
        head = _head(seed, split, pictures)
        boxes = [{**a, "image_id": p.image_id} for p in pictures for a in p.annotations]
        captions = [
            {"image_id": p.image_id, "caption": c} for p in pictures for c in p.captions
        ]
        annotations = {"annotations": _numbered(boxes, order)}
        members[f"instances_{split}"] = head | annotations | {"categories": LISTED}
        annotations = {"annotations": _numbered(captions, order)}
        members[f"captions_{split}"] = head | annotations
    files = {
        f"annotations/{name}.json": json.dumps(members[name]).encode()
        for name in sorted(members)
    }
    return write_archive(path, files, stored=False)


def file_name(split: str, image_id: int) -> str:
    """Return what COCO calls an image: in 2014 its split is a part of the name."""
    prefix = f"COCO_{split}_" if split.endswith("2014") else ""
    return f"{prefix}{image_id:012d}.jpg"


def _head(seed: int, split: str, drawn: Sequence[Drawn]) -> dict[str, Any]:
    return {
        "info": {
            "description": f"Drawn by mmclust, seed {seed}: no photograph, no human "
            "caption",
            "url": "", "version": "1.0", "year": int(split[-4:]),
            "contributor": "mmclust sample", "date_created": f"{split[-4:]}/09/01",
        },
        "licenses": [
            {"url": "https://www.apache.org/licenses/LICENSE-2.0", "id": 1,
             "name": "Apache License 2.0"},
        ],
        "images": [
            {"license": 1, "file_name": file_name(split, picture.image_id),
             "coco_url": "", "height": picture.height, "width": picture.width,
             "date_captured": f"{split[-4:]}-09-01 00:00:00", "flickr_url": "",
             "id": picture.image_id}
            for picture in drawn
        ],
    }  # fmt: skip


def _numbered(
    annotations: list[dict[str, Any]], order: np.random.Generator
) -> list[dict[str, Any]]:
    """Give ids in order, then shuffle."""
    numbered = [{**a, "id": number} for number, a in enumerate(annotations, start=1)]
    return [numbered[i] for i in order.permutation(len(numbered))]


def write_archive(path: Path, members: Mapping[str, bytes], *, stored: bool) -> Path:
    """Write a zip."""
    method = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with writing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, DATE)
            info.create_system = 3  # Unix, whatever system this is
            info.external_attr = (0o40755 if name.endswith("/") else 0o100644) << 16
            archive.writestr(info, content, method)
    return path


EACH = 12  # pictures of a class of Pascal Sentences
BESIDE = 0.3  # how often something else is in the picture, too
YEAR = 2008
LAST = 8_773  # the highest number of that year's pictures

PAGE = """<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN">
<html>
<head>
<meta http-equiv="Content-Type" content="text/html; charset=utf-8">
<title>Pascal Sentences (the built-in sample)</title>
</head>
<body>
<h1>Pascal Sentences (the built-in sample)</h1>
<p>Drawn by mmclust, seed {seed}: no photograph, no human caption.</p>
<table>
{rows}
</table>
</body>
</html>
"""
ROW = """<tr>
<td><img src="{src}"></td>
<td><table>
{captions}
</table></td>
</tr>"""
CAPTION = "<tr><td> {} </td></tr>"


def plan_pascal(seed: int, each: int = EACH) -> list[Picture]:
    """List the pictures: ``each`` of the 20 classes, in the order of the page."""
    rng = generator(seed, "sample", "plan", "pascal_sentences")
    by_name = {category.name: category.id for category in CATEGORIES.values()}
    ids = iter(rng.choice(LAST, len(VOC) * each, replace=False) + 1)
    pictures = []
    for name, cocos in VOC.items():
        mine = sorted(int(next(ids)) for _ in range(each))
        for number in mine:
            subject = by_name[cocos]
            others = companions(rng, subject, 1) if rng.random() < BESIDE else []
            scene = compose(rng, [Wanted(subject), *map(Wanted, others)])
            pictures.append(Picture(name, YEAR * 10**6 + number, scene=scene))
    return pictures


def write_pascal(out: Path, seed: int, drawn: Iterable[Drawn]) -> list[Path]:
    """Write the page and its pictures."""
    rows, members = [], {}
    for picture in drawn:
        src = f"{picture.split}/{YEAR}_{picture.image_id % 10**6:06d}.jpg"
        captions = "\n".join(CAPTION.format(html.escape(c)) for c in picture.captions)
        rows.append(ROW.format(src=src, captions=captions))
        members[src] = picture.jpeg
    page = PAGE.format(seed=seed, rows="\n".join(rows))
    write_bytes(out / "index.html", page.encode())
    images = dict(sorted(members.items()))
    return [out / "index.html", write_archive(out / "images.zip", images, stored=True)]
