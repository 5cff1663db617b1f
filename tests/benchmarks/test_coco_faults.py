"""Damaged, incomplete and contradictory sources: one clear error, nothing written."""

from __future__ import annotations

import json
import zipfile

import pytest

from mmclust.benchmarks._build import build_benchmark
from mmclust.core import archives
from mmclust.core.errors import MmclustError
from tests.benchmarks.toy_coco import (
    COCO_CROSS,
    captions_content,
    instances_content,
)

PACKINGS = ("unpacked", "stored", "deflated")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"annotations": {}}, r"unexpected shape[\s\S]*Expected `array`, got `object`"),
        ({"images": None}, r"unexpected shape[\s\S]*\$\.images"),
        ({"categories": [{"id": 1}]}, r"unexpected shape[\s\S]*field `name`"),
        ({"annotations": [{"image_id": "7", "category_id": 1}]}, "got `str`"),
        ({"annotations": [{"image_id": 10**12, "category_id": 1}]}, "999999999999"),
        ({"annotations": [{"image_id": 8, "category_id": 1}]},
         r"unknown image id[\s\S]*10 ids[\s\S]*1 unknown: 8[\s\S]*fetch"),
        ({"annotations": [{"image_id": 7, "category_id": 2}]},
         r"unknown category id[\s\S]*6 ids[\s\S]*1 unknown: 2"),
        ({"images": [{"id": 7}, {"id": 7}]}, r"Image ids are listed twice[\s\S]*: +7"),
        ({"categories": [{"id": 1, "name": "a"}] * 2}, "Category ids are listed twice"),
        ({"images": [{"id": i, "file_name": "a.jpg"} for i in (7, 9)]},
         r"Two images have the same file[\s\S]*'a\.jpg'; the first is that.* 7, 9"),
        ({"annotations": []}, r"No image of the ten classes[\s\S]*0 single-category"),
    ],
)  # fmt: skip
def test_instances_that_cannot_be_used_are_explained(coco, tmp_path, change, message):
    """Wrong shapes, unknown and repeated ids: one clear error, nothing written."""
    raw = coco(instances=instances_content() | change)
    with pytest.raises(MmclustError, match=message):
        build_benchmark("coco_cross", raw, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize(
    ("data", "found"),
    [
        (json.dumps(instances_content()).encode()[:-9], "truncated"),
        (b"<html>not found</html>", "malformed"),
        (b" ", "truncated"),
        (b'\xff\xfe{"a": 1}', "malformed"),
        (b'\xff\xfe{"a": 1}', "UTF-16"),
        (b'\xef\xbb\xbf{"a": 1}', "byte order mark"),
        (b"<html>not found</html>", "a web page"),
        (b'{"a": [1, NaN]}', "NaN is no number in JSON"),
        (b'{"a": -Infinity}', "-Infinity is no number"),
        (b'{"a": "\\ud83d x"}', "ud83d is half of a surrogate pair"),
        (b'{"a": "\\udc00"}', "udc00 is half of a surrogate pair"),
        (b'{"images": [{"id": 1, "file_name": "caf\xe9"}]}', "not UTF-8"),
    ],
)
def test_invalid_json_is_explained(coco, tmp_path, packing, data, found):
    """Cut short, a web page, empty, UTF-16: the file and its size are named."""
    raw = coco(packing, instances=data)
    with pytest.raises(MmclustError, match="not valid JSON") as error:
        build_benchmark("coco_cross", raw, tmp_path / "out")
    assert f"{len(data):,} bytes" in str(error.value)
    assert found in str(error.value)
    assert "instances_train2017.json" in str(error.value)


def test_a_file_that_is_empty_or_may_not_be_read_is_named(coco, tmp_path, monkeypatch):
    """A file of no bytes cannot be mapped, and is still told as what it is."""
    raw = coco()
    path = raw / "annotations/instances_train2017.json"
    path.write_bytes(b"")
    with pytest.raises(MmclustError, match=r"not valid JSON[\s\S]*0 bytes"):
        build_benchmark("coco_cross", raw, tmp_path / "out")

    def refuse(path, mode):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "open", refuse)
    with pytest.raises(MmclustError, match=r"2017\.json cannot be opened[\s\S]*denied"):
        build_benchmark("coco_cross", raw, tmp_path / "out")


@pytest.mark.parametrize("images", [True, False])
def test_images_without_captions_are_named(coco, tmp_path, images):
    """Also with --annotations-only, where there is a captions file."""
    entries = captions_content()["annotations"]
    kept = [entry for entry in entries if entry["image_id"] not in (7, 900)]
    blank = {"image_id": 900, "caption": "  "}
    raw = coco(captions={"annotations": [*kept, blank]})
    message = r"no caption[\s\S]*2 without: 000000000007, 000000000900"
    with pytest.raises(MmclustError, match=message):
        build_benchmark("coco_cross", raw, tmp_path / "out", images=images)


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize(
    ("images", "message"),
    [
        ({}, r"have no file[\s\S]*5 image files[\s\S]*5 missing: 000000000007, "),
        ({f"{int(i):012d}.jpg": b"" for i in COCO_CROSS},
         "Image files are empty[\\s\\S]*5 empty: 000000000007, "),
    ],
)  # fmt: skip
def test_missing_and_empty_images_are_counted_and_named(
    coco, tmp_path, packing, images, message
):
    """The reference skips them without a word; here the build stops."""
    with pytest.raises(MmclustError, match=message):
        build_benchmark("coco_cross", coco(packing, images=images), tmp_path / "out")


def test_file_names_with_folders_are_refused(coco, tmp_path):
    """An annotation file cannot point outside of its source."""
    content = instances_content()
    content["images"][0]["file_name"] = "../../secret.jpg"
    with pytest.raises(MmclustError, match="have no file"):
        build_benchmark("coco_cross", coco(instances=content), tmp_path / "out")


def test_missing_annotations_name_the_places_looked_at(coco, tmp_path):
    """Both the unpacked file and the archive are named; so is what is there."""
    with pytest.raises(MmclustError, match="folder is missing"):
        build_benchmark("coco_cross", tmp_path / "raw", tmp_path / "out")
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/notes.txt").touch()
    message = (
        r"instances_train2017\.json is missing[\s\S]*raw/annotations/instances_train"
        r"2017\.json, [\s\S]*raw/annotations_trainval2017\.zip[\s\S]*notes\.txt"
    )
    with pytest.raises(MmclustError, match=message):
        build_benchmark("coco_cross", tmp_path / "raw", tmp_path / "out")
    # Only --annotations-only does without a captions file.
    with pytest.raises(MmclustError, match=r"captions_train2017\.json is missing"):
        build_benchmark("coco_cross", coco(captions=b""), tmp_path / "out")


@pytest.mark.parametrize("packing", ["stored", "deflated"])
@pytest.mark.parametrize("archive", ["annotations_trainval2017.zip", "train2017.zip"])
def test_truncated_archives_are_named(coco, tmp_path, packing, archive):
    """An archive cut short has no directory: refused with its size."""
    raw = coco(packing)
    data = (raw / archive).read_bytes()[:-40]
    (raw / archive).write_bytes(data)
    message = rf"truncated or damaged[\s\S]*{archive}[\s\S]*{len(data):,} bytes"
    with pytest.raises(MmclustError, match=message):
        build_benchmark("coco_cross", raw, tmp_path / "out")


@pytest.mark.parametrize("packing", ["stored", "deflated"])
def test_a_changed_byte_in_the_annotations_is_noticed(coco, tmp_path, packing):
    """The archive's checksum is compared in either packing."""
    raw = coco(packing)
    path = raw / "annotations_trainval2017.zip"
    data = bytearray(path.read_bytes())
    where = data.index(b"2017", 100) if packing == "stored" else 200
    data[where] ^= 1
    path.write_bytes(data)
    with pytest.raises(MmclustError, match="truncated or damaged"):
        build_benchmark("coco_cross", raw, tmp_path / "out")


def test_an_archive_with_overwritten_headers_is_noticed(coco, tmp_path):
    """Offsets are trusted only where a member's own header is."""
    raw = coco("stored")
    path = raw / "train2017.zip"
    path.write_bytes(path.read_bytes().replace(b"PK\3\4", b"PK\0\0"))
    with pytest.raises(MmclustError, match=r"damaged[\s\S]*no header for train2017/"):
        build_benchmark("coco_cross", raw, tmp_path / "out")


def test_sizes_that_are_not_the_members_are_noticed(coco):
    """A directory that promises other bytes than there are is damage."""
    path = coco("deflated") / "annotations_trainval2017.zip"
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("annotations/instances_train2017.json")
        info.file_size += 1
        info.compress_size = path.stat().st_size
        with pytest.raises(MmclustError, match=r"it ends inside annotations/inst"):
            archives.data_offset(path, archive, info)


@pytest.mark.parametrize("split", ["train", "train2017+train2017", ""])
def test_unknown_splits_are_refused(coco, tmp_path, split):
    """Those that exist are listed."""
    with pytest.raises(MmclustError, match="Unknown split") as error:
        build_benchmark("coco_cross", coco(), tmp_path / "out", split=split)
    assert "all, train2017, val2017" in str(error.value)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"min_images": 0}, r"out of range[\s\S]*at least 1[\s\S]*: +0"),
        ({"min_images": "many"}, r"wrong type[\s\S]*'many'"),
        ({"min_image": 5}, r"Unknown key 'benchmarks.coco_all.min_image'"),
        ({"min_images": 99}, "No image of a category with at least 99"),
    ],
)
def test_options_are_checked(coco, tmp_path, block, message):
    """Wrong values and unknown keys stop before anything is read or written."""
    with pytest.raises(MmclustError, match=message):
        build_benchmark("coco_all", coco(), tmp_path / "out", block)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "source.json is not a record"),
        ('{"protocol": {"coco_all.min_images": "20"}}', r"wrong type[\s\S]*'20'"),
        ('{"protocol": [1]}', "wrong type"),
        ("{", "not valid JSON"),
    ],
)
def test_a_damaged_source_json_is_refused(coco, tmp_path, text, message):
    """What fetching wrote is checked before it is believed."""
    raw = coco()
    (raw / "source.json").write_text(text)
    with pytest.raises(MmclustError, match=message):
        build_benchmark("coco_all", raw, tmp_path / "out")


def test_unknown_benchmark_is_refused(tmp_path):
    """The names that exist are listed, helpers not among them."""
    with pytest.raises(MmclustError, match="Did you mean 'coco_all'") as error:
        build_benchmark("coco_al", tmp_path, tmp_path / "out")
    assert "_coco" not in str(error.value).replace("coco_", "")
