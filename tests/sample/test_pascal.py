"""Pascal Sentences: the page's structure, as the published one is read."""

from __future__ import annotations

import zipfile
from collections import Counter
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from mmclust.sample.coco import CLASSES
from mmclust.sample.world import CATEGORIES
from mmclust.sources.fetch import listed_members

VOC = [
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep",
    "sofa", "train", "tvmonitor",
]  # fmt: skip


class Reader(HTMLParser):
    """Rows of the outer table: the image's src and the cells of the nested table."""

    def __init__(self):
        super().__init__()
        self.depth, self.rows, self.cell, self.path = 0, [], None, []

    def handle_starttag(self, tag, attrs):
        self.depth += tag == "table"
        if tag not in {"meta", "img"}:
            self.path.append(tag)
        if tag == "tr" and self.depth == 1:
            self.rows.append([None, []])
        if tag == "img":
            assert self.depth == 1
            self.rows[-1][0] = dict(attrs)["src"]
        if tag == "td" and self.depth == 2:
            self.cell = ""

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data

    def handle_endtag(self, tag):
        assert self.path.pop() == tag  # well-formed
        self.depth -= tag == "table"
        if tag == "td" and self.cell is not None:
            self.rows[-1][1].append(self.cell.strip())
            self.cell = None


@pytest.fixture(scope="module")
def rows(world):
    reader = Reader()
    reader.feed((world / "pascal_sentences/index.html").read_text("utf-8"))
    assert not reader.path
    return reader.rows


def test_twenty_classes_of_twelve_with_five_captions(rows):
    """One row per picture, captions one per cell, ids unique over the classes."""
    counts = Counter(src.partition("/")[0] for src, _ in rows)
    assert list(counts) == VOC
    assert set(counts.values()) == {12}
    assert {len(captions) for _, captions in rows} == {5}
    assert all(caption for _, captions in rows for caption in captions)
    assert len({src.partition("/")[2] for src, _ in rows}) == 240


def test_the_archive_holds_what_the_page_lists(world, rows):
    """The fetcher's own reader of the page finds the same members."""
    folder = world / "pascal_sentences"
    listed = listed_members(folder / "index.html")
    assert listed == sorted(src for src, _ in rows)
    with zipfile.ZipFile(folder / "images.zip") as archive:
        assert archive.namelist() == listed
        infos = archive.infolist()
        assert {info.compress_type for info in infos} == {zipfile.ZIP_STORED}
        for name in listed[::40]:
            image = cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), 1)
            assert image.shape[2] == 3


def test_classes_are_cocos_under_other_names():
    """Each class stands for a category of the world."""
    assert list(CLASSES) == VOC
    assert set(CLASSES.values()) <= {category.name for category in CATEGORIES.values()}
    assert len(set(CLASSES.values())) == 20
