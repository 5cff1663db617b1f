"""The publishers' raw layout, as COCO-cross and COCO-all are handed around."""

from __future__ import annotations

import errno
import os
import unicodedata

import numpy as np
import pytest

from mmclust.benchmarks._build import build_benchmark
from mmclust.core.errors import MmclustError
from mmclust.core.io import read_table
from mmclust.export import content
from mmclust.export.layouts import Points
from mmclust.export.stage import export_benchmark
from tests.benchmarks import toy_pictures
from tests.benchmarks.toy_coco import (
    CATEGORIES,
    COCO_CROSS,
    image_bytes,
    instances_content,
)

PACKINGS = ("unpacked", "stored", "deflated")


@pytest.fixture
def build(coco, tmp_path):
    """Build COCO-cross, or COCO-all where a threshold is given, of a tiny COCO."""

    def run(packing="unpacked", min_images=None, **contents):
        raw = coco(packing, **contents)
        name = "coco_cross" if min_images is None else "coco_all"
        options = {} if min_images is None else {"min_images": min_images}
        build_benchmark(name, raw, tmp_path / "built", options)
        return raw

    return run


@pytest.fixture
def export(tmp_path):
    """Write what was built in a layout, the publishers' if none is said."""

    def run(layout="raw", name="coco_cross", out="out", folder="built", **options):
        (done,) = export_benchmark(
            name, tmp_path / folder, layout, tmp_path / out, **options
        )
        return done

    return run


def files_below(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def lines_of(image_id):
    lines = [f"caption {n} of {image_id}" for n in range(5)]
    if image_id == 101:
        # An inner newline is kept and makes a line more: so says the layout.
        lines += ["a sixth,", "in two lines"]
    return "".join(f"{line}\n" for line in lines).encode()


EXPECTED = {
    f"images/{name}/{i}.jpg": image_bytes(int(i)) for i, name in COCO_CROSS.items()
} | {f"texts/{name}/{i}.txt": lines_of(int(i)) for i, name in COCO_CROSS.items()}


@pytest.mark.parametrize("packing", PACKINGS)
def test_raw_layout_is_the_publishers(build, export, tmp_path, packing):
    """Original bytes, one stripped caption a line; again it is left alone.

    An empty folder is filled, and images that are files are hard-linked.
    """
    raw = build(packing)
    (tmp_path / "out/raw").mkdir(parents=True)
    done = export()
    assert files_below(tmp_path / "out/raw") == EXPECTED
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["raw"]
    assert (done.images, done.written) == (5, True)
    if packing == "unpacked":
        image = tmp_path / "out/raw/images/giraffe/000000000007.jpg"
        assert image.samefile(raw / "train2017/000000000007.jpg")
    before = (tmp_path / "out/raw").stat().st_ino
    assert export().written is False
    assert (tmp_path / "out/raw").stat().st_ino == before


def test_images_are_copied_where_links_cannot_be(build, export, tmp_path, monkeypatch):
    """Another device gives copies; any other failure is an error, nothing left."""
    raw = build()

    def refuse(code):
        def link(source, target):
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(content.os, "link", link)

    refuse(errno.EXDEV)
    export()
    assert files_below(tmp_path / "out/raw") == EXPECTED
    image = tmp_path / "out/raw/images/giraffe/000000000007.jpg"
    assert not image.samefile(raw / "train2017/000000000007.jpg")
    refuse(errno.ENOSPC)
    with pytest.raises(MmclustError, match="Cannot write raw"):
        export(out="full")
    assert [p.name for p in (tmp_path / "full").iterdir()] == []

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("mmclust.export.layouts.csv.writer", full)
    with pytest.raises(
        MmclustError, match=r"Cannot write images\.csv\s+where: .*full/"
    ):
        export("csv", out="full")


@pytest.mark.parametrize(
    "name",
    [
        "images/giraffe/000000000007.jpg",
        "texts/giraffe/000000000007.txt",
        "images/giraffe/000000000008.jpg",
        "notes.txt",
    ],
)
def test_anything_else_in_the_way_is_left_alone(build, export, tmp_path, name):
    """A file that is not of this export stops it, and stays as it is."""
    build("stored")
    export()
    (tmp_path / "out/raw" / name).write_bytes(b"mine")
    with pytest.raises(MmclustError, match=rf"is taken[\s\S]*1 differ: {name}"):
        export()
    assert (tmp_path / "out/raw" / name).read_bytes() == b"mine"


def test_a_file_in_the_way_is_left_alone(build, export, tmp_path):
    """Also one that is called as the folder would be."""
    build()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/raw").write_bytes(b"mine")
    with pytest.raises(MmclustError, match="is taken"):
        export()
    assert (tmp_path / "out/raw").read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["../up", "a/b", "a\\b", "..", ".", "", "a..b"])
def test_class_names_that_are_no_folder_names_are_refused(
    build, export, tmp_path, name
):
    """Labels cannot write outside of the export."""
    content = instances_content(categories={**CATEGORIES, 3: (name, "vehicle")})
    build(min_images=1, instances=content)
    with pytest.raises(MmclustError, match="cannot be the name of a folder") as error:
        export(name="coco_all")
    assert repr(name) in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("packing", PACKINGS)
def test_an_image_that_is_gone_leaves_nothing_behind(build, export, tmp_path, packing):
    """The image is named; no half export appears."""
    raw = build(packing)
    if packing == "unpacked":
        (raw / "train2017/000000000900.jpg").unlink()
    else:
        data = bytearray((raw / "train2017.zip").read_bytes())
        name = b"train2017/000000000900.jpg"
        data[data.index(name) + len(name) + 21] ^= 255
        (raw / "train2017.zip").write_bytes(data)
    with pytest.raises(MmclustError, match=r"cannot be read[\s\S]*000000000900\.jpg"):
        export()
    assert [p.name for p in (tmp_path / "out").iterdir()] == []


def test_what_cannot_be_exported_is_explained(coco, build, export, tmp_path):
    """Unknown layout, another benchmark, no images, labels of another build."""
    build_benchmark("coco_cross", coco(), tmp_path / "built", images=False)

    def refused(message, **options):
        with pytest.raises(MmclustError, match=message):
            export(**options)
        assert not (tmp_path / "out").exists()

    refused(r"Unknown layout 'cvs'[\s\S]*one of: csv, hf, map, mat, raw", layout="cvs")
    refused(r"another benchmark[\s\S]*coco_all[\s\S]*coco_cross", name="coco_all")
    refused(r"built without images[\s\S]*--annotations-only")
    refused("manifest.parquet is missing", folder="elsewhere")
    build_benchmark("coco_all", coco(), tmp_path / "all", {"min_images": 2})
    labels = tmp_path / "all/labels.parquet"
    (tmp_path / "built/labels.parquet").write_bytes(labels.read_bytes())
    refused(r"do not list the same images[\s\S]*5 ids[\s\S]*4 ids")


def test_a_map_has_the_images_it_is_given(build, export, tmp_path):
    """Joined by id; null where a method was not asked; no confidence without one."""
    build()
    ids = list(COCO_CROSS)[::-1][:3]
    points = Points(ids, np.arange(6).reshape(3, 2), np.array([4, -1, -2]), None)
    done = export("map", points=points)
    assert (done.images, done.written) == (3, True)
    rows = read_table(tmp_path / "out/map/map.parquet")[0].to_pylist()
    assert [row["id"] for row in rows] == ids
    assert [row["cluster"] for row in rows] == [4, -1, None]
    assert [(row["x"], row["y"]) for row in rows] == [(0, 1), (2, 3), (4, 5)]
    for row in rows:
        assert row.keys() == {"id", "image", "caption", "cluster", "x", "y", "class"}
        assert row["class"] == COCO_CROSS[row["id"]]
        assert row["caption"].startswith("caption 0 of")
        picture = tmp_path / "out/map" / row["image"]
        assert picture.read_bytes() == image_bytes(int(row["id"]))
    with pytest.raises(MmclustError, match="images that the benchmark does not have"):
        export("map", points=Points(["x"], np.zeros((1, 2)), np.zeros(1, int), None))


COMPOSED = "caf\u00e9"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)


@pytest.fixture
def toys(tmp_path, monkeypatch, export):
    """Build pictures under some classes, and return what exports them."""

    def run(classes, **options):
        labels = {f"p{i}": classes[i % len(classes)] for i in range(6)}
        toy_pictures.install(monkeypatch, **{"labels": labels} | options)
        build_benchmark(toy_pictures.NAME, tmp_path / "source", tmp_path / "built")
        return lambda layout="raw": export(layout, toy_pictures.NAME)

    return run


@pytest.mark.parametrize("pair", [("Crane", "crane"), ("crane.", "crane")])
def test_classes_that_are_one_folder_elsewhere_are_refused(tmp_path, toys, pair):
    """On Windows and macOS two classes would be one; csv holds them."""
    export = toys(pair)
    with pytest.raises(MmclustError, match="one on other systems") as error:
        export()
    assert {*str(error.value.parts["found"]).split(" and ")} == {*pair}
    assert not (tmp_path / "out/raw").exists()
    export("csv")


def test_one_class_in_two_unicode_forms_is_one_folder(tmp_path, toys):
    """Building makes one class of them, so that the export writes one."""
    toys((COMPOSED, DECOMPOSED))()
    assert [path.name for path in (tmp_path / "out/raw/images").iterdir()] == [COMPOSED]


@pytest.mark.parametrize("layout", ["raw", "hf"])
@pytest.mark.parametrize("pair", [("P1", "p1"), (COMPOSED, DECOMPOSED)])
def test_images_that_are_one_file_elsewhere_are_refused(toys, layout, pair):
    """Files, too, in both layouts that name files by their ids."""
    data = {name: toy_pictures.jpeg(toy_pictures.picture(9)) for name in pair}
    labels = dict.fromkeys([*(f"p{i}" for i in range(6)), *pair], "a")
    export = toys("a", files=data, labels=labels)
    with pytest.raises(MmclustError, match="one on other systems"):
        export(layout)


@pytest.mark.parametrize("name", ["con", "Aux.x", "a?b", "crane.", "dot ", "a:b"])
def test_names_that_windows_cannot_hold_are_told(tmp_path, toys, name):
    """They are written: here they are names. The terminal says which."""
    done = toys([name])()
    assert done.told == (f"names that Windows cannot hold: {name!r}",)
    assert (tmp_path / "out/raw/images" / name).is_dir()


@pytest.mark.parametrize("name", ["contents", "nulls", "a.b", "com", "lpt10"])
def test_usual_names_are_not_told(toys, name):
    """Names that only begin as a reserved one does."""
    assert toys([name])().told == ()
