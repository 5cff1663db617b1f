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
from mmclust.export.pictures import Points
from mmclust.export.stage import export_benchmark
from tests.benchmarks import toy_pictures
from tests.benchmarks.toy_coco import (
    CATEGORIES,
    COCO_CROSS,
    image_bytes,
    instances_content,
)

PACKINGS = ("unpacked", "stored", "deflated")


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
def test_raw_layout_is_the_publishers(coco, tmp_path, packing):
    """Original bytes, one stripped caption a line, class folders with blanks."""
    build_benchmark("coco_cross", coco(packing), tmp_path / "built")
    (done,) = export_benchmark(
        "coco_cross", tmp_path / "built", "raw", tmp_path / "out"
    )
    assert files_below(tmp_path / "out/raw") == EXPECTED
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["raw"]
    assert (done.images, done.written) == (5, True)


def test_images_that_are_files_are_hard_linked(coco, tmp_path):
    """No second copy of the bytes where one file system holds both."""
    raw = coco()
    build_benchmark("coco_cross", raw, tmp_path / "built")
    export_benchmark("coco_cross", tmp_path / "built", "raw", tmp_path / "out")
    image = tmp_path / "out/raw/images/giraffe/000000000007.jpg"
    assert image.samefile(raw / "train2017/000000000007.jpg")


def test_images_are_copied_where_links_cannot_be(coco, tmp_path, monkeypatch):
    """Another device gives copies; any other failure is an error, nothing left."""
    raw = coco()
    build_benchmark("coco_cross", raw, tmp_path / "built")

    def refuse(code):
        def link(source, target):
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(content.os, "link", link)

    refuse(errno.EXDEV)
    export_benchmark("coco_cross", tmp_path / "built", "raw", tmp_path / "out")
    assert files_below(tmp_path / "out/raw") == EXPECTED
    image = tmp_path / "out/raw/images/giraffe/000000000007.jpg"
    assert not image.samefile(raw / "train2017/000000000007.jpg")
    refuse(errno.ENOSPC)
    with pytest.raises(MmclustError, match="Cannot write raw"):
        export_benchmark("coco_cross", tmp_path / "built", "raw", tmp_path / "full")
    assert [p.name for p in (tmp_path / "full").iterdir()] == []


@pytest.mark.parametrize("packing", PACKINGS)
def test_the_same_export_again_does_nothing(coco, tmp_path, packing):
    """An equal export is left alone; an empty folder is filled."""
    build_benchmark("coco_cross", coco(packing), tmp_path / "built")
    (tmp_path / "out/raw").mkdir(parents=True)
    (first,) = export_benchmark(
        "coco_cross", tmp_path / "built", "raw", tmp_path / "out"
    )
    before = (tmp_path / "out/raw").stat().st_ino
    (again,) = export_benchmark(
        "coco_cross", tmp_path / "built", "raw", tmp_path / "out"
    )
    assert (first.written, again.written) == (True, False)
    assert (tmp_path / "out/raw").stat().st_ino == before


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("images/giraffe/000000000007.jpg", b"another picture"),
        ("texts/giraffe/000000000007.txt", b"another text\n"),
        ("images/giraffe/000000000008.jpg", b"one more"),
        ("notes.txt", b"mine"),
    ],
)
def test_anything_else_in_the_way_is_left_alone(coco, tmp_path, name, data):
    """A file that is not of this export stops it, and stays as it is."""
    build_benchmark("coco_cross", coco("stored"), tmp_path / "built")
    export_benchmark("coco_cross", tmp_path / "built", "raw", tmp_path / "out")
    (tmp_path / "out/raw" / name).write_bytes(data)
    with pytest.raises(MmclustError, match=r"is taken[\s\S]*1 differ") as error:
        export_benchmark("coco_cross", tmp_path / "built", "raw", tmp_path / "out")
    assert name in str(error.value)
    assert (tmp_path / "out/raw" / name).read_bytes() == data


def test_a_file_in_the_way_is_left_alone(coco, tmp_path):
    """Also one that is called as the folder would be."""
    build_benchmark("coco_cross", coco(), tmp_path / "built")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/raw").write_bytes(b"mine")
    with pytest.raises(MmclustError, match="is taken"):
        export_benchmark("coco_cross", tmp_path / "built", "raw", tmp_path / "out")
    assert (tmp_path / "out/raw").read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["../up", "a/b", "a\\b", "..", ".", "", "a..b"])
def test_class_names_that_are_no_folder_names_are_refused(coco, tmp_path, name):
    """Labels cannot write outside of the export."""
    content = instances_content(categories={**CATEGORIES, 3: (name, "vehicle")})
    raw = coco(instances=content)
    build_benchmark("coco_all", raw, tmp_path / "built", {"min_images": 1})
    with pytest.raises(MmclustError, match="cannot be the name of a folder") as error:
        export_benchmark("coco_all", tmp_path / "built", "raw", tmp_path / "out")
    assert repr(name) in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("packing", PACKINGS)
def test_an_image_that_is_gone_leaves_nothing_behind(coco, tmp_path, packing):
    """The image is named; no half export appears."""
    raw = coco(packing)
    build_benchmark("coco_cross", raw, tmp_path / "built")
    if packing == "unpacked":
        (raw / "train2017/000000000900.jpg").unlink()
    else:
        data = bytearray((raw / "train2017.zip").read_bytes())
        name = b"train2017/000000000900.jpg"
        data[data.index(name) + len(name) + 21] ^= 255
        (raw / "train2017.zip").write_bytes(data)
    with pytest.raises(MmclustError, match="cannot be read") as error:
        export_benchmark("coco_cross", tmp_path / "built", "raw", tmp_path / "out")
    assert "000000000900.jpg" in str(error.value)
    assert [p.name for p in (tmp_path / "out").iterdir()] == []


def test_what_cannot_be_exported_is_explained(coco, tmp_path):
    """Unknown layout, another benchmark, no images, labels of another build."""
    build_benchmark("coco_cross", coco(), tmp_path / "built", images=False)

    def refused(message, name="coco_cross", layout="raw", folder="built"):
        with pytest.raises(MmclustError, match=message):
            export_benchmark(name, tmp_path / folder, layout, tmp_path / "out")
        assert not (tmp_path / "out").exists()

    refused(r"Unknown layout 'cvs'[\s\S]*one of: csv, hf, map, mat, raw", layout="cvs")
    refused(r"another benchmark[\s\S]*coco_all[\s\S]*coco_cross", name="coco_all")
    refused(r"built without images[\s\S]*--annotations-only")
    refused("manifest.parquet is missing", folder="elsewhere")
    build_benchmark("coco_all", coco(), tmp_path / "all", {"min_images": 2})
    labels = tmp_path / "all/labels.parquet"
    (tmp_path / "built/labels.parquet").write_bytes(labels.read_bytes())
    refused(r"do not list the same images[\s\S]*5 ids[\s\S]*4 ids")


def test_a_map_has_the_images_it_is_given(coco, tmp_path):
    """Joined by id; null where a method was not asked; no confidence without one."""
    build_benchmark("coco_cross", coco(), tmp_path / "built")
    ids = list(COCO_CROSS)[::-1][:3]
    points = Points(ids, np.arange(6).reshape(3, 2), np.array([4, -1, -2]), None)

    def export(points):
        folders = tmp_path / "built", "map", tmp_path / "out"
        return export_benchmark("coco_cross", *folders, points=points)

    (done,) = export(points)
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
        export(Points(["other"], np.zeros((1, 2)), np.zeros(1, int), None))


COMPOSED = "caf\u00e9"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)


def built(tmp_path, monkeypatch, **options):
    toy_pictures.install(monkeypatch, **options)
    build_benchmark(toy_pictures.NAME, tmp_path / "source", tmp_path / "built")


@pytest.mark.parametrize("pair", [("Crane", "crane"), ("crane.", "crane")])
def test_classes_that_are_one_folder_elsewhere_are_refused(tmp_path, monkeypatch, pair):
    """On Windows and macOS two classes would be one; csv holds them."""
    labels = {f"p{i}": pair[i % 2] for i in range(6)}
    built(tmp_path, monkeypatch, labels=labels)
    with pytest.raises(MmclustError, match="one on other systems") as error:
        export_benchmark(toy_pictures.NAME, tmp_path / "built", "raw", tmp_path / "x")
    assert f"{pair[0]} and {pair[1]}" in str(error.value.parts["found"]) or (
        f"{pair[1]} and {pair[0]}" in str(error.value.parts["found"])
    )
    assert not (tmp_path / "x/raw").exists()
    export_benchmark(toy_pictures.NAME, tmp_path / "built", "csv", tmp_path / "x")


def test_one_class_in_two_unicode_forms_is_one_folder(tmp_path, monkeypatch):
    """Building makes one class of them, so that the export writes one."""
    forms = (COMPOSED, DECOMPOSED)
    built(tmp_path, monkeypatch, labels={f"p{i}": forms[i % 2] for i in range(6)})
    export_benchmark(toy_pictures.NAME, tmp_path / "built", "raw", tmp_path / "x")
    assert [path.name for path in (tmp_path / "x/raw/images").iterdir()] == [COMPOSED]


@pytest.mark.parametrize("layout", ["raw", "hf"])
@pytest.mark.parametrize("pair", [("P1", "p1"), (COMPOSED, DECOMPOSED)])
def test_images_that_are_one_file_elsewhere_are_refused(
    tmp_path, monkeypatch, layout, pair
):
    """Files, too, in both layouts that name files by their ids."""
    data = {name: toy_pictures.jpeg(toy_pictures.picture(9)) for name in pair}
    labels = dict.fromkeys([*(f"p{i}" for i in range(6)), *pair], "a")
    built(tmp_path, monkeypatch, files=data, labels=labels)
    with pytest.raises(MmclustError, match="one on other systems"):
        export_benchmark(toy_pictures.NAME, tmp_path / "built", layout, tmp_path / "x")


@pytest.mark.parametrize("name", ["con", "Aux.x", "a?b", "crane.", "dot ", "a:b"])
def test_names_that_windows_cannot_hold_are_told(tmp_path, monkeypatch, name):
    """They are written: here they are names. The terminal says which."""
    built(tmp_path, monkeypatch, labels={f"p{i}": name for i in range(6)})
    (done,) = export_benchmark(
        toy_pictures.NAME, tmp_path / "built", "raw", tmp_path / "x"
    )
    assert done.told == (f"names that Windows cannot hold: {name!r}",)
    assert (tmp_path / "x/raw/images" / name).is_dir()


@pytest.mark.parametrize("name", ["contents", "nulls", "a.b", "com", "lpt10"])
def test_usual_names_are_not_told(tmp_path, monkeypatch, name):
    """Names that only begin as a reserved one does."""
    built(tmp_path, monkeypatch, labels={f"p{i}": name for i in range(6)})
    (done,) = export_benchmark(
        toy_pictures.NAME, tmp_path / "built", "raw", tmp_path / "x"
    )
    assert done.told == ()
