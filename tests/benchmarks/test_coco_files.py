"""What is read from the publisher's files, and what is written."""

from __future__ import annotations

import hashlib
import io
import json
import unicodedata
import zipfile

import pytest

from mmclust.benchmarks._build import build_benchmark
from mmclust.core.images import read_files
from mmclust.core.labels import read_labels
from mmclust.core.manifest import read_manifest
from tests.benchmarks.toy_coco import (
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
    text = (tmp_path / "a/out.json").read_bytes()
    assert text == (tmp_path / "b/out.json").read_bytes()
    assert json.loads(text) == summary
    assert str(tmp_path) not in text.decode()
    assert list(summary["per_class"].items()) == [
        ("giraffe", 2), ("cell phone", 1), ("person", 1), ("stop sign", 1),
    ]  # fmt: skip
    assert summary["captions_per_image"] == {"min": 5, "mean": 5.2, "max": 6}
    assert (summary["images"], summary["n_classes"], summary["captions"]) == (5, 4, 26)
    assert summary["splits"] == {"train": 5}
    assert summary["notes"]["empty_captions_dropped"] == 1
    assert summary["expected"]["matches"] is None
    data = (raw / "annotations/instances_train2017.json").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    assert summary["sources"]["annotations/instances_train2017.json"] == digest


@pytest.mark.parametrize("packing", PACKINGS)
def test_bytes_are_where_the_manifest_says(coco, tmp_path, packing):
    """Reading by offset equals zipfile.read, local headers being longer.

    Where bytes lie makes no other benchmark of it.
    """
    summary = build_benchmark("coco_cross", coco(packing), tmp_path / "out")
    plain = build_benchmark("coco_cross", coco(), tmp_path / "plain")
    assert summary["manifest"] == plain["manifest"]
    manifest = read_manifest(tmp_path / "out/manifest.parquet")
    for row in manifest.table.to_pylist():
        path = manifest.folder / row["container"]
        expected = image_bytes(int(row["image_id"]))
        if packing == "unpacked":
            assert (path / row["member"]).read_bytes() == expected
            continue
        with zipfile.ZipFile(path) as archive:
            assert archive.read(row["member"]) == expected
        start, length = row["offset"], row["length"]
        if packing == "deflated":
            assert (start, length) == (None, None)
        else:
            assert path.read_bytes()[start : start + length] == expected


@pytest.mark.parametrize("packing", ["stored", "deflated"])
@pytest.mark.parametrize("name", ["coco_cross", "coco_all"])
def test_the_archive_of_pictures_is_opened_twice(
    coco, tmp_path, monkeypatch, name, packing
):
    """Once to find them, once to look at them: thumbnails open it no third time."""
    raw, opened, real = coco(packing), [], io.open

    def counted(file, *arguments, **options):
        opened.append(str(file))
        return real(file, *arguments, **options)

    monkeypatch.setattr(io, "open", counted)
    options = {"min_images": 1} if name == "coco_all" else {}
    build_benchmark(name, raw, tmp_path / name, options)
    found = opened.count(str((raw / "train2017.zip").resolve()))
    found += opened.count(str(raw / "train2017.zip"))
    assert 1 < found <= 2


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
    # Fetching says that this is the real thing, and five images are not 7,429.
    summary = build_benchmark("coco_cross", raw, tmp_path / "out", allow_different=True)
    assert summary["notes"]["image_files"]["train2017.zip"]["sha256"] == "ab12"
    assert summary["expected"]["matches"] is False


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


@pytest.mark.parametrize("packing", PACKINGS)
def test_file_names_join_whatever_their_unicode_form(coco, tmp_path, packing):
    """Annotations of one system, files of another: caf\u00e9.jpg is caf\u00e9.jpg."""
    content = instances_content()
    for image in content["images"]:
        image["file_name"] = f"caf\u00e9 {image['id']}.jpg"
    images = {
        unicodedata.normalize("NFD", image["file_name"]): image_bytes(image["id"])
        for image in content["images"]
    }
    raw = coco(packing, instances=content, images=images)
    build_benchmark("coco_cross", raw, tmp_path / "out")
    manifest = read_manifest(tmp_path / "out/manifest.parquet")
    for row, data in read_files(manifest, range(len(manifest))):
        assert data == image_bytes(int(manifest.image_ids[row]))


def test_categories_in_two_unicode_forms_are_one(coco, tmp_path):
    """Two entries of a name that looks the same are one class."""
    forms = [unicodedata.normalize(form, "caf\u00e9") for form in ("NFC", "NFD")]
    content = {
        "images": [{"id": 1}, {"id": 2}],
        "categories": [{"id": n, "name": name} for n, name in enumerate(forms, 1)],
        "annotations": [{"image_id": n, "category_id": n} for n in (1, 2)],
    }
    raw = coco(instances=content, captions=captions_content([(1, []), (2, [])]))
    summary = build_benchmark(
        "coco_all", raw, tmp_path / "out", {"min_images": 1}, images=False
    )
    assert summary["per_class"] == {forms[0]: 2}
