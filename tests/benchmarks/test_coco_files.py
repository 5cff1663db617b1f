"""What is read from the publisher's files, and what is written."""

from __future__ import annotations

import hashlib
import json
import zipfile

import pytest

from mmclust.benchmarks import coco_cross
from mmclust.benchmarks._stage import build_benchmark
from mmclust.core.errors import MmclustError
from mmclust.core.manifest import read_labels, read_manifest
from tests.benchmarks.toy_coco import (
    CATEGORIES,
    COCO_CROSS,
    captions_content,
    image_bytes,
    instances_content,
    write_coco,
)

PACKINGS = ("unpacked", "stored", "deflated")


def test_manifest_rows_say_what_the_files_say(coco, tmp_path):
    """Ids have 12 digits and are sorted; captions keep order, all of them."""
    build_benchmark("coco_cross", coco(), tmp_path / "out")
    manifest = read_manifest(tmp_path / "out/manifest.parquet")
    assert manifest.image_ids == sorted(COCO_CROSS)
    rows = {row["image_id"]: row for row in manifest.table.to_pylist()}
    assert rows["000000000101"]["captions"] == [
        *(f"caption {n} of 101" for n in range(5)),
        "a sixth,\nin two lines",
    ]
    assert len(rows["000000000900"]["captions"]) == 5
    sizes = {i: (row["width"], row["height"]) for i, row in rows.items()}
    assert sizes["000000000900"] == (64, 48)
    assert sizes["000000000007"] == (None, None)
    assert rows["000000000007"]["member"] == "000000000007.jpg"
    assert set(manifest.splits) == {"train"}
    labels = read_labels(tmp_path / "out/labels.parquet")
    assert dict(zip(labels.image_ids, labels.names, strict=True)) == COCO_CROSS
    ids = {n: int(i) for n, i in zip(labels.names, labels.labels, strict=True)}
    assert ids == {"cell phone": 0, "giraffe": 1, "person": 2, "stop sign": 3}


def test_summary_counts_and_is_the_same_every_time(coco, tmp_path):
    """Classes by falling count, then name; no path; equal bytes from equal input."""
    raw = coco()
    summary = build_benchmark("coco_cross", raw, tmp_path / "a/out")
    build_benchmark("coco_cross", raw, tmp_path / "b/out")
    text = (tmp_path / "a/out/summary.json").read_bytes()
    assert text == (tmp_path / "b/out/summary.json").read_bytes()
    assert json.loads(text) == summary
    assert str(tmp_path) not in text.decode()
    assert list(summary["per_class"].items()) == [
        ("giraffe", 2), ("cell phone", 1), ("person", 1), ("stop sign", 1),
    ]  # fmt: skip
    assert summary["captions_per_image"] == {"min": 5, "mean": 5.2, "max": 6}
    assert (summary["images"], summary["n_classes"], summary["captions"]) == (5, 4, 26)
    assert summary["splits"] == {"train": 5}
    assert summary["notes"]["empty_captions_dropped"] == 1
    assert summary["notes"]["published"] == {"images": 7429, "classes": 10}
    assert summary["notes"]["matches_published"] is None
    data = (raw / "annotations/instances_train2017.json").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    assert summary["sources"]["annotations/instances_train2017.json"] == digest


def test_every_packing_gives_the_same_manifest_digest(coco, tmp_path):
    """Where bytes lie makes no other benchmark of it."""
    digests = {
        packing: build_benchmark("coco_cross", coco(packing), tmp_path / packing)[
            "manifest"
        ]
        for packing in PACKINGS
    }
    assert len(digests) == 3
    assert len(set(digests.values())) == 1


@pytest.mark.parametrize("packing", PACKINGS)
def test_bytes_are_where_the_manifest_says(coco, tmp_path, packing):
    """Reading by offset equals zipfile.read, local headers being longer."""
    build_benchmark("coco_cross", coco(packing), tmp_path / "out")
    manifest = read_manifest(tmp_path / "out/manifest.parquet")
    for row in manifest.table.to_pylist():
        path = manifest.folder / row["container"]
        expected = image_bytes(int(row["image_id"]))
        if packing == "unpacked":
            assert (path / row["member"]).read_bytes() == expected
            continue
        with zipfile.ZipFile(path) as archive:
            assert archive.read(row["member"]) == expected
        if packing == "deflated":
            assert (row["offset"], row["length"]) == (None, None)
            continue
        start = row["offset"]
        assert path.read_bytes()[start : start + row["length"]] == expected


def test_a_file_missing_from_the_folder_is_taken_from_the_archive(coco, tmp_path):
    """Half-unpacked sources work: the folder first, the archive for the rest."""
    raw = coco("stored")
    (raw / "train2017").mkdir()
    (raw / "train2017/000000000007.jpg").write_bytes(image_bytes(7))
    summary = build_benchmark("coco_cross", raw, tmp_path / "out")
    size = (raw / "train2017.zip").stat().st_size
    expected = {"train2017/": "a folder", "train2017.zip": {"bytes": size}}
    assert summary["notes"]["image_files"] == expected


def test_a_linked_archive_keeps_its_own_name(coco, tmp_path):
    """Where DVC links from its cache, the manifest names the link."""
    raw = coco("stored")
    (tmp_path / "cache").mkdir()
    (raw / "train2017.zip").rename(tmp_path / "cache/ab12")
    (raw / "train2017.zip").symlink_to(tmp_path / "cache/ab12")
    build_benchmark("coco_cross", raw, tmp_path / "out")
    manifest = read_manifest(tmp_path / "out/manifest.parquet")
    containers = set(manifest.table["container"].to_pylist())
    assert containers == {"../raw_stored/train2017.zip"}


def test_an_archives_digest_comes_from_fetching(coco, tmp_path):
    """source.json's sha256 is repeated, not computed again."""
    raw = coco("stored")
    facts = {"mirror": "upstream", "files": {"train2017.zip": {"sha256": "ab12"}}}
    (raw / "source.json").write_text(json.dumps(facts))
    notes = build_benchmark("coco_cross", raw, tmp_path / "out")["notes"]
    assert notes["image_files"]["train2017.zip"]["sha256"] == "ab12"
    # Fetching says that this is the real thing, and five images are not 7,429.
    assert notes["matches_published"] is False


def test_annotations_only_needs_neither_images_nor_captions(coco, tmp_path):
    """Counting works on the instances file alone; the summary says so."""
    raw = coco(captions=b"", images={})
    summary = build_benchmark("coco_cross", raw, tmp_path / "out", images=False)
    assert summary["images"] == 5
    assert summary["captions"] == 0
    assert summary["notes"]["captions"].startswith("none: no captions file")
    assert summary["notes"]["image_files"] == "not looked for"
    manifest = read_manifest(tmp_path / "out/manifest.parquet")
    assert manifest.table["container"].null_count == 5


def test_train_and_val_keep_their_splits(tmp_path):
    """Both files are read, and the thresholds see both."""
    write_coco(tmp_path / "raw")
    content = instances_content([(8, [(25, 0)])])
    captions = captions_content([(8, [])])
    write_coco(
        tmp_path / "raw", split="val2017", instances=content, captions=captions,
        images={"000000000008.jpg": b"x"},
    )  # fmt: skip
    summary = build_benchmark(
        "coco_all", tmp_path / "raw", tmp_path / "out", {"min_images": 3},
        split="train2017+val2017",
    )  # fmt: skip
    assert summary["per_class"] == {"giraffe": 3}
    assert summary["splits"] == {"train": 2, "val": 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"annotations": {}}, r"unexpected shape[\s\S]*Expected `array`, got `object`"),
        ({"images": None}, r"unexpected shape[\s\S]*\$\.images"),
        ({"categories": [{"id": 1}]}, r"unexpected shape[\s\S]*field `name`"),
        ({"annotations": [{"image_id": "7", "category_id": 1}]}, "got `str`"),
        ({"annotations": [{"image_id": 10**12, "category_id": 1}]}, "999999999999"),
        (
            {"annotations": [{"image_id": 8, "category_id": 1}]},
            r"unknown image id[\s\S]*10 ids[\s\S]*1 unknown: 8[\s\S]*fetch",
        ),
        (
            {"annotations": [{"image_id": 7, "category_id": 2}]},
            r"unknown category id[\s\S]*6 ids[\s\S]*1 unknown: 2",
        ),
        ({"images": [{"id": 7}, {"id": 7}]}, r"Image ids are listed twice[\s\S]*: +7"),
        ({"categories": [{"id": 1, "name": "a"}] * 2}, "Category ids are listed twice"),
        ({"annotations": []}, r"No image of the ten classes[\s\S]*0 single-category"),
    ],
)
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


def test_empty_file_is_invalid_json(coco, tmp_path):
    """A file of no bytes cannot be mapped, and is still told as what it is."""
    raw = coco()
    (raw / "annotations/instances_train2017.json").write_bytes(b"")
    with pytest.raises(MmclustError, match=r"not valid JSON[\s\S]*0 bytes"):
        build_benchmark("coco_cross", raw, tmp_path / "out")


def test_captions_in_another_encoding_are_explained(coco, tmp_path):
    """A caption that is not UTF-8 is refused, not guessed at."""
    text = json.dumps(captions_content(), ensure_ascii=False)
    captions = text.replace("caption 3", "caf\u00e9").encode("latin-1")
    with pytest.raises(MmclustError, match=r"not valid JSON[\s\S]*UTF-8"):
        build_benchmark("coco_cross", coco(captions=captions), tmp_path / "out")


@pytest.mark.parametrize("images", [True, False])
def test_images_without_captions_are_named(coco, tmp_path, images):
    """Also with --annotations-only, where there is a captions file."""
    entries = captions_content()["annotations"]
    kept = [entry for entry in entries if entry["image_id"] not in (7, 900)]
    blank = {"image_id": 900, "caption": "  "}
    raw = coco(captions={"annotations": [*kept, blank]})
    with pytest.raises(
        MmclustError, match="2 without: 000000000007, 000000000900"
    ) as error:
        build_benchmark("coco_cross", raw, tmp_path / "out", images=images)
    assert "no caption" in str(error.value)


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize(
    ("images", "message"),
    [
        ({}, r"have no file[\s\S]*5 image files[\s\S]*5 missing: 000000000007, "),
        (
            {f"{int(i):012d}.jpg": b"" for i in COCO_CROSS},
            "Image files are empty[\\s\\S]*5 empty: 000000000007, ",
        ),
    ],
)
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
    with pytest.raises(MmclustError, match=r"plain name[\s\S]*\.\./\.\./secret"):
        build_benchmark("coco_cross", coco(instances=content), tmp_path / "out")


def test_missing_annotations_name_the_places_looked_at(tmp_path):
    """Both the unpacked file and the archive are named; so is what is there."""
    with pytest.raises(MmclustError, match="folder is missing"):
        build_benchmark("coco_cross", tmp_path / "raw", tmp_path / "out")
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/notes.txt").touch()
    with pytest.raises(
        MmclustError, match=r"instances_train2017\.json is mis"
    ) as error:
        build_benchmark("coco_cross", tmp_path / "raw", tmp_path / "out")
    text = str(error.value)
    assert str(tmp_path / "raw/annotations/instances_train2017.json") in text
    assert str(tmp_path / "raw/annotations_trainval2017.zip") in text
    assert "notes.txt" in text


def test_captions_are_needed_with_images(coco, tmp_path):
    """Only --annotations-only does without a captions file."""
    with pytest.raises(MmclustError, match=r"captions_train2017\.json is missing"):
        build_benchmark("coco_cross", coco(captions=b""), tmp_path / "out")


@pytest.mark.parametrize("packing", ["stored", "deflated"])
@pytest.mark.parametrize("archive", ["annotations_trainval2017.zip", "train2017.zip"])
def test_truncated_archives_are_named(coco, tmp_path, packing, archive):
    """An archive cut short has no directory: refused with its size."""
    raw = coco(packing)
    data = (raw / archive).read_bytes()[:-40]
    (raw / archive).write_bytes(data)
    with pytest.raises(MmclustError, match="truncated or damaged") as error:
        build_benchmark("coco_cross", raw, tmp_path / "out")
    assert archive in str(error.value)
    assert f"{len(data):,} bytes" in str(error.value)


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


@pytest.mark.parametrize("split", ["train", "train2017+train2017", ""])
def test_unknown_splits_are_refused(coco, tmp_path, split):
    """The three that exist are listed."""
    with pytest.raises(MmclustError, match="Unknown split") as error:
        build_benchmark("coco_cross", coco(), tmp_path / "out", split=split)
    assert "train2017, train2017+val2017, val2017" in str(error.value)


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
        ("[]", "source.json is not an object"),
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


def test_the_ten_classes_are_ten():
    """A misspelt class would go unnoticed on a tiny source."""
    assert len(set(coco_cross.CLASSES)) == 10
    known = {name for name, _ in CATEGORIES.values()}
    assert known - set(coco_cross.CLASSES) == {"car", "motorcycle"}
