"""A folder of one's own: pictures, captions, labels, and what can be wrong."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from mmclust.benchmarks._stage import build_benchmark
from mmclust.core.errors import MmclustError
from mmclust.core.images import read_images
from mmclust.core.labels import read_labels
from mmclust.core.manifest import read_manifest
from tests.benchmarks.toy_imagenet import jpeg
from tests.conftest import ROOT

PHOTOS = ROOT.parent / "shared/data/coco_mini/val2017"


@pytest.fixture
def pictures(tmp_path):
    """Write files below ``mine``; ``None`` is a picture."""

    def write(*names, **contents):
        raw = tmp_path / "mine"
        for name in names:
            contents[name] = None
        for number, (name, data) in enumerate(contents.items()):
            path = raw / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg(number) if data is None else data)
        return raw

    return write


def build(raw, block=None, **options):
    out = raw.parent / "out"
    summary = build_benchmark("folder", raw, out, block, **options)
    manifest = read_manifest(out / "manifest.parquet")
    captions = dict(zip(manifest.image_ids, manifest.captions, strict=True))
    labels = read_labels(out / "labels.parquet")
    return summary, captions, dict(zip(labels.image_ids, labels.names, strict=True))


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


def test_an_images_folder_is_taken_where_there_is_one(pictures):
    """What lies beside it is not."""
    raw = pictures("images/x/a.jpg", "other/b.jpg")
    assert list(build(raw)[1]) == ["x/a"]


def test_two_files_of_one_name_keep_their_endings(pictures):
    """Only those two; other ids stay as they are."""
    raw = pictures("a.jpg", "a.png", "b.jpg")
    assert list(build(raw)[1]) == ["a.jpg", "a.png", "b"]


def test_other_files_are_listed(pictures):
    """By ending; captions and metadata are not among them."""
    raw = pictures("a.jpg", **{
        "a.txt": b"one", "b.pdf": b"", "c.PDF": b"", "README": b"", "z.txt": b"",
    })  # fmt: skip
    left = build(raw)[0]["notes"]["left_out"]
    assert left == {
        "": {"files": 1, "first": "README"},
        ".pdf": {"files": 2, "first": "b.pdf, c.PDF"},
        ".txt": {"files": 1, "first": "z.txt"},
    }


def test_sidecar_captions_are_one_per_line(pictures):
    """Any line ends, a byte-order mark, empty lines."""
    text = "\ufeffa dog\r\n\r\n  a brown dog \ra\u2028b".encode()
    raw = pictures("x/a.jpg", "b.jpg", **{"x/a.txt": text})
    summary, captions, _ = build(raw)
    assert captions == {"b": [], "x/a": ["a dog", "a brown dog", "a\u2028b"]}
    assert summary["notes"]["caption_files"] == 1
    assert summary["notes"]["images_without_caption"] == 1


def jsonl(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


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


def test_folders_are_classes_when_asked(pictures):
    """The first folder on the way; by default they are folders only."""
    raw = pictures("cat/a.jpg", "dog/x/b.jpg")
    assert build(raw)[2] == {}
    assert build(raw, {"labels": "folders"})[2] == {"cat/a": "cat", "dog/x/b": "dog"}


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
        (
            {"a.jpg": b"<html>", "b.jpg": None},
            {},
            r"2 image files[\s\S]*a\.jpg \(6 byt",
        ),
        (
            {"a.jpg": None, "a.txt": b"fine\ncaf\xe9"},
            {},
            r"not UTF-8[\s\S]*a\.txt, line 2[\s\S]*0xe9",
        ),
        (
            {"a.jpg": None, "metadata.csv": b"file_name\na.jpg\n\xff"},
            {},
            r"not UTF-8[\s\S]*metadata\.csv, line 3",
        ),
        (
            {"a.jpg": None, "metadata.csv": b"name,caption\na.jpg,x\n"},
            {},
            r"cannot be used[\s\S]*csv[\s\S]*file_name or [\s\S]*name,caption",
        ),
        (
            {"a.jpg": None, "metadata.csv": b'file_name,caption\na.jpg,"x\n'},
            {},
            r"cannot be used",
        ),
        (
            {"a.jpg": None, "metadata.jsonl": b'{"file_name": "a.jpg"}\n{"'},
            {},
            r"jsonl, line 2",
        ),
        (
            {"a.jpg": None, "metadata.jsonl": b'["a.jpg"]'},
            {},
            r"jsonl, line 1[\s\S]*\[\"a\.jpg\"\]",
        ),
        (
            {"a.jpg": None, "metadata.jsonl": jsonl({"file_name": 7})},
            {},
            r"jsonl, line 1",
        ),
        (
            {"a.jpg": None, "metadata.jsonl": jsonl({"file_name": "a.jpg", "text": 7})},
            {},
            r"not text[\s\S]*found: +7",
        ),
        (
            {"a.jpg": None, "metadata.csv": b"file_name,caption\nb.jpg,x\n../c.jpg,y"},
            {},
            r"not there[\s\S]*1 pictures[\s\S]*2 others: b\.jpg, \.\./c\.jpg",
        ),
        (
            {"a.jpg": None, "metadata.csv": b"file_name,label\na.jpg,x\na.jpg,y\n"},
            {},
            r"two classes[\s\S]*x, y",
        ),
        (
            {"a.jpg": None, "b.jpg": None, "metadata.csv": b"file_name,label\na.jpg,x"},
            {},
            r"no label[\s\S]*1 of 2 without: b\.jpg",
        ),
        (
            {"c/a.jpg": None, "b.jpg": None},
            {"labels": "folders"},
            r"no class folder[\s\S]*b\.jpg",
        ),
        (
            {"c/a.jpg": None, "d/b.txt": b""},
            {"labels": "folders"},
            r"Class folders are empty[\s\S]*found: +d",
        ),
        (
            {"a.jpg": None},
            {"labels": "folder"},
            r"Unknown value 'folder'[\s\S]*Did you mean 'folders'",
        ),
    ],
)
def test_bad_input_is_explained(pictures, contents, block, message):
    """One clear error that names file and line; nothing is written."""
    raw = pictures(**contents)
    with pytest.raises(MmclustError, match=message):
        build(raw, block)
    assert not (raw.parent / "out").exists()


def test_names_that_are_not_utf8_are_refused(pictures):
    """A manifest is text."""
    raw = pictures("a.jpg")
    (raw / "b\udcff.jpg").write_bytes(jpeg(0))
    with pytest.raises(MmclustError, match=r"not UTF-8[\s\S]*\\udcff"):
        build(raw)


def test_a_directory_that_is_not_there_is_refused(tmp_path):
    """Before anything else."""
    with pytest.raises(MmclustError, match="folder is missing"):
        build(tmp_path / "mine")


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
