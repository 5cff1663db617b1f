"""Flickr30K: the hub's layout and the publisher's hold the same."""

from __future__ import annotations

import csv
import json
import tarfile
import zipfile
from collections import Counter

import pytest


@pytest.fixture(scope="module")
def rows(world):
    path = world / "flickr30k/flickr_annotations_30k.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_hubs_table(rows):
    """The hub's columns; five captions each; ids count up; the splits."""
    assert list(rows[0]) == ["raw", "sentids", "split", "filename", "img_id"]
    assert Counter(row["split"] for row in rows) == {
        "train": 300, "val": 40, "test": 60,
    }  # fmt: skip
    assert [int(row["img_id"]) for row in rows] == list(range(400))
    sentids = [i for row in rows for i in json.loads(row["sentids"])]
    assert sentids == list(range(2000))
    assert {len(json.loads(row["raw"])) for row in rows} == {5}
    stems = [row["filename"].removesuffix(".jpg") for row in rows]
    assert all(stem.isdecimal() for stem in stems)
    assert stems == sorted(set(stems))


def test_the_layouts_agree(world, rows):
    """The same pictures, byte for byte, and the same captions under `#0` to `#4`."""
    publisher = world / "flickr30k_publisher"
    with tarfile.open(publisher / "flickr30k.tar.gz") as archive:
        token = archive.extractfile("results_20130124.token").read().decode()
    said = dict(line.split("\t") for line in token.splitlines())
    assert said == {
        f"{row['filename']}#{n}": caption
        for row in rows
        for n, caption in enumerate(json.loads(row["raw"]))
    }
    with (
        zipfile.ZipFile(world / "flickr30k/flickr30k-images.zip") as hub,
        tarfile.open(publisher / "flickr30k-images.tar.gz") as archive,
    ):
        names = [f"flickr30k-images/{row['filename']}" for row in rows]
        infos = [info for info in hub.infolist() if not info.is_dir()]
        assert [info.filename for info in infos] == names
        assert {info.compress_type for info in infos} == {zipfile.ZIP_STORED}
        members = [m for m in archive.getmembers() if m.isfile()]
        assert [m.name for m in members] == names
        for member in members:
            assert archive.extractfile(member).read() == hub.read(member.name)


def test_most_pictures_show_people(streets):
    """As in Flickr30K, which is about people and what they do."""
    shown = [{g.category.name for g in p.scene.groups} for p in streets]
    assert 0.85 < sum("person" in names for names in shown) / len(shown) < 0.98
    assert sum(len(p.scene.groups) > 1 for p in streets) > 250
    assert len({p.scene.place for p in streets}) > 5
