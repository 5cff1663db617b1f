"""UIUC Pascal Sentences as published: one page of tables, pictures in class folders."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from mmclust.core.io import write_bytes
from mmclust.core.seeds import generator
from mmclust.sample.coco import companions, write_archive
from mmclust.sample.draw import Picture
from mmclust.sample.scene import Wanted, compose
from mmclust.sample.world import CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from mmclust.sample.draw import Drawn

SOURCE = "pascal_sentences"
# The classes of PASCAL VOC, and what COCO calls those that it calls differently.
CLASSES = {
    "aeroplane": "airplane", "bicycle": "bicycle", "bird": "bird", "boat": "boat",
    "bottle": "bottle", "bus": "bus", "car": "car", "cat": "cat", "chair": "chair",
    "cow": "cow", "diningtable": "dining table", "dog": "dog", "horse": "horse",
    "motorbike": "motorcycle", "person": "person", "pottedplant": "potted plant",
    "sheep": "sheep", "sofa": "couch", "train": "train", "tvmonitor": "tv",
}  # fmt: skip
EACH = 12  # pictures of a class
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
    rng = generator(seed, "sample", "plan", SOURCE)
    by_name = {category.name: category.id for category in CATEGORIES.values()}
    ids = iter(rng.choice(LAST, len(CLASSES) * each, replace=False) + 1)
    pictures = []
    for name, coco in CLASSES.items():
        mine = sorted(int(next(ids)) for _ in range(each))
        for number in mine:
            subject = by_name[coco]
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
    archive = write_archive(
        out / "images.zip", dict(sorted(members.items())), stored=True
    )
    return [out / "index.html", archive]
