"""A folder of one's own: pictures, captions, labels, and what can be wrong."""

from __future__ import annotations

import io
import os
import shutil
import unicodedata

import numpy as np
import pytest
from PIL import Image

from mmclust.benchmarks import _image_places, _own_folder
from mmclust.benchmarks._build import build_benchmark
from mmclust.core.errors import MmclustError
from mmclust.core.images import read_images
from mmclust.core.manifest import read_manifest
from tests.benchmarks.toy_folder import build_folder as build
from tests.benchmarks.toy_folder import jsonl
from tests.benchmarks.toy_imagenet import jpeg
from tests.conftest import ROOT

COMPOSED = "caf\u00e9"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)
PHOTOS = ROOT.parent / "shared/data/coco_mini/val2017"


def test_pictures_alone_are_enough(pictures):
    """No captions, no labels: still a benchmark, in one split."""
    raw = pictures("a.jpg", "deep/er/b.PNG", ".hidden/c.jpg", ".d.jpg")
    summary, captions, labels = build(raw)
    assert captions == {"a": [], "deep/er/b": []}
    assert labels == {}
    assert summary["splits"] == {"train": 2}
    assert (summary["fit"], summary["evaluate"]) == (["train"], ["train"])
    manifest = read_manifest(raw.parent / "out/manifest.parquet")
    assert manifest.table["width"].to_pylist() == [8, 8]
    assert manifest.table["height"].to_pylist() == [6, 6]
    assert len(list(read_images(manifest, [0, 1]))) == 2


LABELS = {"labels": "folders"}
SPLITS = "train/cat/a.jpg train/dog/b.jpg test/cat/a.jpg test/dog/x/c.jpg"
TAKEN = "folders taken for splits, not for classes: test/ (test), train/ (train)"
BESIDE = "folders NOT taken for splits: test/, train/; beside them lie "
MAY_BE = "its 2 folders (c, d) may be classes: labels=folders takes them for such"
ONE_CLASS = "all pictures are of ONE class, roses"
OUTSIDE = "PICTURES outside images/, NOT used: 1 .jpg, 1 .png (masks/b.jpg, c.png)"
UNDECODED = "PICTURES that Pillow cannot decode, NOT used: 2 .heic (b.heic, c.HEIC)"
OTHERS = "other files, NOT used: 2 .pdf (d.pdf, e.PDF)"
CAFES = f"{DECOMPOSED}/a.jpg {COMPOSED}/b.jpg x/{DECOMPOSED}.jpg"


@pytest.mark.parametrize(
    ("names", "block", "found"),
    [
        # Other folders than images/, where there is one, are passed over.
        ("images/a.jpg masks/b.jpg c.png", {}, {"ids": ["a"], "told": [OUTSIDE]}),
        # Two files of one name keep their endings; so does one whose id another has.
        ("a.jpg a.png b.jpg", {}, {"ids": ["a.jpg", "a.png", "b"]}),
        ("a.jpg a.png a.jpg.png", {}, {"ids": ["a.jpg", "a.jpg.png", "a.png"]}),
        # Other files are counted by ending, pictures that cannot be decoded apart.
        ("a.jpg b.heic c.HEIC d.pdf e.PDF", {}, {"told": [UNDECODED, OTHERS]}),
        ("a.jpg README", {}, {"left_out": {"": {"files": 1, "first": "README"}}}),
        # Folders are classes when asked for; by default it is told that they may be.
        ("c/a.jpg d/x/b.jpg", {}, {"per_class": {}, "told": [MAY_BE]}),
        ("c/a.jpg d/x/b.jpg", {"labels": "none"}, {"told": []}),
        ("c/a.jpg d/x/b.jpg", LABELS, {"labels": {"c/a": "c", "d/x/b": "d"}}),
        ("roses/a/1.jpg roses/b/2.jpg", LABELS, {"told": [ONE_CLASS]}),
        # Ids and classes are in NFC, so that other systems' names join.
        (CAFES, LABELS, {"per_class": {COMPOSED: 2, "x": 1}}),
        (CAFES, LABELS, {"ids": [f"{COMPOSED}/a", f"{COMPOSED}/b", f"x/{COMPOSED}"]}),
        # First folders named like splits are splits, and classes the folders below.
        (SPLITS, LABELS, {"parts": {"test": 2, "train": 2}, "told": [TAKEN]}),
        (SPLITS, LABELS, {"fit": ["train"], "evaluate": ["test"]}),
        (SPLITS, LABELS, {"per_class": {"cat": 2, "dog": 2}}),
        (SPLITS, LABELS | {"splits": "none"}, {"parts": {"train": 4}, "n_classes": 2}),
        # A folder or picture beside them makes them folders, as the terminal says.
        ("train/1.jpg test/2.jpg cats/x.jpg", LABELS, {"told": [BESIDE + "cats/"]}),
        ("train/1.jpg test/2.jpg cats/x.jpg", LABELS, {"n_classes": 3}),
        ("train/1.jpg test/2.jpg x.jpg", {}, {"parts": {"train": 3}}),
        ("train/1.jpg test/2.jpg x.jpg", {}, {"told": [BESIDE + "x.jpg"]}),
    ],
)
def test_what_is_taken_of_a_folder(pictures, names, block, found):
    """Pictures, classes and splits, and what the terminal says of them."""
    summary, captions, labels = build(pictures(*names.split()), block)
    facts = {**summary, **summary["notes"], "parts": summary["splits"]}
    facts |= {"ids": list(captions), "labels": labels}
    assert {key: facts[key] for key in found} == found


@pytest.mark.parametrize(
    ("folders", "splits", "evaluate"),
    [
        ("Training Validation Testing", {"train", "val", "test"}, "test"),
        ("TRAIN_images dev", {"train", "val"}, "val"),
        ("train2017 val2017", {"train", "val"}, "val"),
        ("training_set eval", {"train", "test"}, "test"),
        ("test", {"test"}, "test"),
        ("train", {"train"}, "train"),
        # An archive may have been unpacked into one folder, or two.
        ("cifar/train cifar/test", {"train", "test"}, "test"),
        ("Images/cifar/train Images/cifar/test", {"train", "test"}, "test"),
    ],
)
def test_splits_have_many_names(pictures, folders, splits, evaluate):
    """Any case, with what people put after them; the classes are below."""
    raw = pictures(*(f"{name}/a/{n}.jpg" for n, name in enumerate(folders.split())))
    summary, _, labels = build(raw, LABELS)
    assert set(summary["splits"]) == splits
    assert summary["evaluate"] == [evaluate]
    assert set(labels.values()) == {"a"}


def test_sidecar_captions_are_one_per_line(pictures):
    """Any line ends, a byte-order mark, empty lines."""
    text = "\ufeffa dog\r\n\r\n  a brown dog \ra\u2028b".encode()
    raw = pictures("x/a.jpg", "b.jpg", **{"x/a.txt": text})
    summary, captions, _ = build(raw)
    assert captions == {"b": [], "x/a": ["a dog", "a brown dog", "a\u2028b"]}
    assert summary["notes"]["caption_files"] == 1
    assert summary["notes"]["images_without_caption"] == 1


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (
            "metadata.csv",
            (
                b"file_name,caption,label\na.jpg, a dog ,dog\n"
                b'a.jpg,"brown, big\nand old",dog\nx/b.jpg,,cat\n'
            ),
        ),
        (
            "metadata.jsonl",
            jsonl(
                {"file_name": "a.jpg", "caption": " a dog ", "label": "dog"},
                {"file_name": "a.jpg", "text": "brown, big\nand old"},
                {"file_name": "x/b.jpg", "caption": None, "label": "cat"},
            ),
        ),
        (
            "metadata.jsonl",
            jsonl(
                {"file_name": "x/b.jpg", "label": "cat", "captions": []},
                {
                    "file_name": "a.jpg",
                    "captions": ["a dog", "brown, big\nand old"],
                    "label": "dog",
                },
            ),
        ),
    ],
)
@pytest.mark.parametrize("place", ["", "images/"])
def test_metadata_give_captions_and_labels(pictures, name, data, place):
    """Several rows, or a list; beside the pictures or beside their folder."""
    raw = pictures(f"{place}a.jpg", f"{place}x/b.jpg", **{name: data})
    _, captions, labels = build(raw)
    assert captions == {"a": ["a dog", "brown, big\nand old"], "x/b": []}
    assert labels == {"a": "dog", "x/b": "cat"}
    assert build(raw, {"labels": "none"})[2] == {}


def test_metadata_name_files_below_their_own_folder(pictures):
    """As the hub's imagefolder; numbers are class names too."""
    data = b"file_name,text,label\nb.jpg,hello,7\n"
    raw = pictures("x/b.jpg", "b.jpg", **{"x/metadata.csv": data})
    assert build(raw, {"labels": "none"})[1] == {"b": [], "x/b": ["hello"]}


def test_metadata_beside_the_images_folder_may_name_it(pictures):
    """images/a.jpg as well as a.jpg."""
    data = jsonl({"file_name": "images/a.jpg", "caption": "x", "label": 3})
    raw = pictures("images/a.jpg", **{"metadata.jsonl": data})
    assert build(raw)[1:] == ({"a": ["x"]}, {"a": "3"})


def test_another_picture_is_another_benchmark(pictures):
    """Contents count, and captions; where the directory lies does not."""
    raw = pictures("a.jpg", **{"metadata.csv": b"file_name,caption\na.jpg,one\n"})
    first = build(raw)[0]["manifest"]
    shutil.copytree(raw, raw.parent / "elsewhere")
    assert build(raw.parent / "elsewhere")[0]["manifest"] == first
    (raw / "a.jpg").write_bytes(jpeg(99))
    second = build(raw)[0]["manifest"]
    (raw / "metadata.csv").write_bytes(b"file_name,caption\na.jpg,two\n")
    assert len({first, second, build(raw)[0]["manifest"]}) == 3


def test_annotations_only_reads_no_picture(pictures):
    """Captions are counted without a look at the files."""
    raw = pictures(**{"a.jpg": b"no picture", "a.txt": b"one\ntwo"})
    assert build(raw, images=False)[0]["captions"] == 2


@pytest.mark.parametrize(
    ("contents", "block", "message"),
    [
        ({"a.txt": b"x"}, {}, r"no picture[\s\S]*1 others: a\.txt"),
        ({"x/a.jpg": b""}, {}, r"1 others: x/a\.jpg \(an empty file\)"),
        ({"a.jpg": b"<html>", "b.jpg": None}, {},
         r"2 image files[\s\S]*a\.jpg \(6 byt"),
        ({"a.jpg": None, "a.txt": b"fine\ncaf\xe9"}, {},
         r"not UTF-8[\s\S]*a\.txt, line 2[\s\S]*0xe9"),
        ({"a.jpg": None, "metadata.csv": b"name,caption\na.jpg,x\n"}, {},
         r"cannot be used[\s\S]*csv[\s\S]*file_name or [\s\S]*name,caption"),
        ({"a.jpg": None, "metadata.jsonl": b'{"file_name": "a.jpg"}\n{"'}, {},
         r"jsonl, line 2"),
        ({"a.jpg": None, "metadata.jsonl": b'["a.jpg"]'}, {},
         r"jsonl, line 1[\s\S]*\[\"a\.jpg\"\]"),
        ({"a.jpg": None, "metadata.jsonl": jsonl({"file_name": 7})}, {},
         r"jsonl, line 1"),
        ({"a.jpg": None, "metadata.jsonl": jsonl({"file_name": "a.jpg", "text": 7})},
         {}, r"not text[\s\S]*found: +7"),
        ({"a.jpg": None, "metadata.csv": b"file_name,caption\nb.jpg,x\n../c.jpg,y"}, {},
         r"not there[\s\S]*1 pictures[\s\S]*2 others: b\.jpg, \.\./c\.jpg"),
        ({"a.jpg": None, "metadata.csv": b"file_name,label\na.jpg,x\na.jpg,y\n"}, {},
         r"two classes[\s\S]*x, y"),
        ({"a.jpg": None, "b.jpg": None, "metadata.csv": b"file_name,label\na.jpg,x"},
         {}, r"no label[\s\S]*1 of 2 without: b\.jpg"),
        ({"c/a.jpg": None, "b.jpg": None}, {"labels": "folders"},
         r"no class folder[\s\S]*b\.jpg"),
        ({"c/a.jpg": None, "d/b.txt": b""}, {"labels": "folders"},
         r"Class folders are empty[\s\S]*found: +d"),
        ({"train/a/1.jpg": None, "test/2.jpg": None}, {"labels": "folders"},
         r"no class folder[\s\S]*below test, train"),
        ({f"{DECOMPOSED}.jpg": None, f"{COMPOSED}.jpg": None}, {},
         "look the same and differ in Unicode form"),
        ({"a.jpg": None, "b\udcff.jpg": None}, {}, r"not UTF-8[\s\S]*\\udcff"),
        ({"a.jpg": None}, {"labels": "folder"},
         r"Unknown value 'folder'[\s\S]*Did you mean 'folders'"),
    ],
)  # fmt: skip
def test_bad_input_is_explained(pictures, contents, block, message):
    """One clear error that names file and line; nothing is written."""
    raw = pictures(**contents)
    with pytest.raises(MmclustError, match=message):
        build(raw, block)
    with pytest.raises(MmclustError, match="folder is missing"):
        build(raw / "not there")
    assert not (raw.parent / "out").exists()


@pytest.mark.parametrize(
    ("ending", "kind"),
    [("jfif", "JPEG"), ("JPE", "JPEG"), ("avif", "AVIF"), ("JP2", "JPEG2000"),
     ("webp", "WEBP"), ("tga", "TGA"), ("pcx", "PCX"), ("dib", "DIB")],
)  # fmt: skip
def test_what_pillow_decodes_is_a_picture(pictures, ending, kind):
    """Whatever its ending; it decodes to the pixels that Pillow sees."""
    image = Image.new("RGB", (8, 6), "red")
    buffer = io.BytesIO()
    image.save(buffer, kind)
    raw = pictures(**{f"a.{ending}": buffer.getvalue()})
    summary, captions, _ = build(raw)
    assert list(captions) == ["a"]
    assert summary["notes"]["left_out"] == {}
    manifest = read_manifest(raw.parent / "out/manifest.parquet")
    ((_, rgb),) = read_images(manifest, [0])
    assert rgb.shape == (6, 8, 3)


def test_avif_is_left_out_where_pillow_lacks_it(pictures, monkeypatch):
    """A Pillow without the library: named, not a failure of the build."""
    monkeypatch.setattr(_image_places, "_pillow_has", lambda feature: feature != "avif")
    told = build(pictures("a.jpg", "b.avif"))[0]["notes"]["told"]
    assert told == ["PICTURES that Pillow cannot decode, NOT used: 1 .avif (b.avif)"]


def test_a_folder_that_cannot_be_listed_is_no_empty_folder(pictures, monkeypatch):
    """What is not seen would silently be missing."""
    raw = pictures("a.jpg", "locked/b.jpg")
    scandir = os.scandir

    def refuse(path):
        if str(path).rstrip("/").endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(_own_folder.os, "scandir", refuse)
    with pytest.raises(MmclustError, match=r"cannot be listed[\s\S]*locked"):
        build(raw)


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the sample of COCO is not here")
def test_real_photographs(tmp_path):
    """79 of them, sizes from their headers."""
    build_benchmark("folder", PHOTOS, tmp_path / "out")
    manifest = read_manifest(tmp_path / "out/manifest.parquet")
    table = manifest.table
    assert len(manifest) == 79
    for row, (_, rgb) in enumerate(read_images(manifest, range(8))):
        size = (table["height"][row].as_py(), table["width"][row].as_py())
        assert rgb.shape == (*size, 3)
        assert rgb.dtype == np.uint8


def test_strays_may_be_left_out(pictures):
    """Pictures in no class folder, files that are none, empty folders: counted."""
    raw = pictures("c/a.jpg", "d/b.jpg", "loose.jpg", **{
        "c/bad.jpg": b"", "e/notes.txt": b"",
    })  # fmt: skip
    block = {"labels": "folders", "strays": "leave_out"}
    summary, _, labels = build(raw, block)
    assert labels == {"c/a": "c", "d/b": "d"}
    told = "; ".join(summary["notes"]["told"])
    assert "pictures in no class folder, NOT used: 1 (loose.jpg)" in told
    assert "cannot be read as a picture, NOT used: 1 (c/bad.jpg)" in told
    assert "other files, NOT used: 1 .txt (e/notes.txt)" in told
    with pytest.raises(MmclustError, match="cannot be read as one"):
        build(raw, {"labels": "folders"})


def test_tables_and_columns_of_any_name(pictures, tmp_path):
    """A table elsewhere, a column that is named; rows of strays are no fault."""
    raw = pictures("a.jpg", "b.jpg", **{"bad.jpg": b""})
    table = tmp_path / "words.csv"
    table.write_text("file,alt,caption\na.jpg,one,x\nb.jpg,two,y\nbad.jpg,three,z\n")
    block = {"tables": [str(table)], "captions": "alt", "strays": "leave_out"}
    summary, captions, _ = build(raw, block)
    assert captions == {"a": ["one"], "b": ["two"]}
    assert "captions from alt" in "; ".join(summary["notes"]["told"])
    with pytest.raises(MmclustError, match="No table has the column of captions"):
        build(raw, block | {"captions": "title"})
