"""MSCOCO-FG and Flickr30K-FG: pools and captions joined by name, and their checks."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmclust.benchmarks import fine_grained
from mmclust.benchmarks._build import build_benchmark
from mmclust.benchmarks.fine_grained import flickr30k_fg, mscoco_fg, text_notes
from mmclust.core.errors import MmclustError
from mmclust.core.images import read_images
from mmclust.core.io import read_table
from mmclust.core.manifest import read_manifest
from tests.benchmarks.toy_captions import (
    DISTRACTORS,
    POOL,
    QUERIES,
    as_sample,
    fine_captions,
    flickr_captions,
    pack,
    pictures,
    write_fg,
    write_hub,
    write_mscoco_fg,
)

EXCERPTS = Path(__file__).parents[3] / "shared/data/fg"


def build(raw, out, name="mscoco_fg", **options):
    return build_benchmark(name, as_sample(raw), out, **options)


def by_hand(raw, out, name="mscoco_fg"):
    return build(raw, out, name, images=False)


def write_captions2014(raw, captions):
    entries = [
        {"image_id": int(stem[-12:]), "id": n, "caption": text}
        for stem, texts in captions.items()
        for n, text in enumerate(texts)
    ]
    content = json.dumps({"annotations": entries}).encode()
    files = {"annotations/captions_val2014.json": content}
    pack(raw, "annotations_trainval2014", files, "deflated")


def alternatives(out):
    table, _ = read_table(out / "captions_original.parquet")
    columns = (table[name].to_pylist() for name in ("image_id", "captions"))
    return dict(zip(*columns, strict=True))


def test_the_four_files_are_enough_without_images(tmp_path):
    """Queries have five captions, distractors none; joined by name."""
    summary = by_hand(write_mscoco_fg(tmp_path / "raw"), tmp_path / "out")
    assert (summary["images"], summary["captions"]) == (6, 15)
    assert (summary["splits"], summary["n_classes"]) == ({"test": 6}, 0)
    assert (summary["fit"], summary["evaluate"]) == (["train"], ["test"])
    assert summary["notes"]["original_captions"] is None
    assert summary["notes"]["pool"] == {
        "images": 6, "queries": 3, "distractors": 3, "distractors_per_query": 1.0,
        "queries_first": True, "same_order": False,
    }  # fmt: skip
    manifest = read_manifest(tmp_path / "out/manifest.parquet")
    assert manifest.image_ids == sorted(QUERIES + DISTRACTORS)
    found = dict(zip(manifest.image_ids, manifest.captions, strict=True))
    assert {i: c for i, c in found.items() if c} == fine_captions(QUERIES)
    assert not (tmp_path / "out/captions_original.parquet").exists()


def test_the_pool_may_be_in_any_order(tmp_path):
    """The same images and captions: the same rows."""
    by_hand(write_mscoco_fg(tmp_path / "a"), tmp_path / "out_a")
    raw = write_mscoco_fg(tmp_path / "b", pool=POOL[::-1])
    notes = by_hand(raw, tmp_path / "out_b")["notes"]["pool"]
    assert notes["queries_first"] is False
    a, b = (read_manifest(tmp_path / f"out_{x}/manifest.parquet") for x in "ab")
    assert a.table.equals(b.table)


@pytest.mark.parametrize("packing", ["stored", "unpacked", "tar.gz"])
def test_images_and_original_captions(tmp_path, packing):
    """Queries from val2014, distractors from unlabeled2017; the first five captions."""
    raw = tmp_path / "raw"
    write_mscoco_fg(raw / "fine_grained")
    originals = {q: [f"old {n} of {q}" for n in range(6)] for q in QUERIES[::-1]}
    others = {"COCO_val2014_000000000001": ["of no query"]}
    write_captions2014(raw / "coco2014", originals | others)
    files = pictures([f"val2014/{q}.jpg" for q in QUERIES])
    pack(raw / "coco2014", "val2014", files, packing)
    files = pictures([f"unlabeled2017/{d}.jpg" for d in DISTRACTORS])
    pack(raw / "coco2017_unlabeled", "unlabeled2017", files, packing)
    summary = build(raw, tmp_path / "out")
    manifest = read_manifest(tmp_path / "out/manifest.parquet")
    shades = {i: int(rgb.mean()) for i, rgb in read_images(manifest, range(6))}
    stems = [*QUERIES, *DISTRACTORS]
    assert [shades[stem] for stem in stems] == [0, 10, 20] * 2
    assert alternatives(tmp_path / "out") == {q: t[:5] for q, t in originals.items()}
    notes = summary["notes"]
    assert notes["original_captions"]["captions"] == 15
    assert notes["original_captions"]["left_out"] == 3
    assert notes["original_text"]["captions"] == 15
    # The originals are no part of what the benchmark is, and do not outlive a build.
    (raw / "coco2014/annotations_trainval2014.zip").unlink()
    assert build(raw, tmp_path / "out")["manifest"] == summary["manifest"]
    assert not (tmp_path / "out/captions_original.parquet").exists()


def test_flickrs_originals_come_from_flickrs_files(tmp_path):
    """Whichever file of Flickr30K is there; its test images are the queries."""
    raw = tmp_path / "raw"
    pool = ["1007129816.jpg", "000000000077.jpg"]
    write_fg(raw / "fine_grained", "Flickr30K", fine_captions(["1007129816"]), pool)
    write_hub(raw / "flickr30k")
    files = pictures(["unlabeled2017/000000000077.jpg"])
    pack(raw / "coco2017_unlabeled", "unlabeled2017", files, "stored")
    summary = build(raw, tmp_path / "out", "flickr30k_fg")
    assert summary["notes"]["pool"]["same_order"] is True
    found = alternatives(tmp_path / "out")
    assert found == {"1007129816": flickr_captions("1007129816")}
    manifest = read_manifest(tmp_path / "out/manifest.parquet")
    assert len(list(read_images(manifest, range(2)))) == 2


def test_queries_without_original_captions_are_refused(tmp_path):
    """Some have them, some not: the files do not belong together."""
    raw = write_mscoco_fg(tmp_path / "raw")
    write_captions2014(raw, {QUERIES[0]: ["old"]})
    with pytest.raises(MmclustError, match=r"no original caption[\s\S]*2 without"):
        by_hand(raw, tmp_path / "out")


FIVE = ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("captions", "pool", "message"),
    [
        (b"{", None, r"not JSON[\s\S]*MSCOCO_FG_ann"),
        (b'{"a": "caf\xe9"}', None, r"not UTF-8[\s\S]*MSCOCO_FG_ann[\s\S]*0xe9"),
        (b'["x"]', None, r"unexpected shape[\s\S]*'x'"),
        (b"3", None, r"unexpected shape[\s\S]*int"),
        (b'{"x": "a"}', None, r"unexpected shape[\s\S]*'x': 'a'"),
        (b'{"x": [1]}', None, "unexpected shape"),
        (b"{}", None, r"of no image"),
        (b'{"x": ["a"], "x": ["b"]}', None, r"two entries[\s\S]*x"),
        ({QUERIES[0]: FIVE[:4]}, None, r"not five captions[\s\S]*000900 \(4\)"),
        ({QUERIES[0]: [*FIVE, "f"]}, None, r"not five captions[\s\S]*000900 \(6\)"),
        ({QUERIES[0]: [*FIVE[:4], " "]}, None, r"not five captions[\s\S]*000900 \(4\)"),
        ({"x": FIVE}, None, r"not the data set's[\s\S]*1 others: x"),
        (None, POOL[1:], r"lacks images[\s\S]*1 missing: COCO_val2014_000000000005"),
        (None, [*POOL, POOL[0]], r"lists images twice[\s\S]*000000000005\.jpg"),
        (None, [*POOL, "x.png"], r"no file names[\s\S]*'x\.png'"),
        (None, [*POOL, "../x.jpg"], r"no file names[\s\S]*'\.\./x\.jpg'"),
        (None, [*POOL, "x.jpg"], r"no distractors[\s\S]*1 others: x"),
        (None, [1, 2], r"no list of file names[\s\S]*<i8 \(2,\)"),
        (None, [POOL, POOL], r"no list of file names[\s\S]*\(2, 6\)"),
        (None, np.array([], "<U9"), r"no list of file names[\s\S]*\(0,\)"),
    ],
)
def test_files_that_break_a_rule_are_refused(tmp_path, captions, pool, message):
    """With the file and what is wrong; nothing is written."""
    captions = fine_captions(QUERIES) if captions is None else captions
    raw = write_fg(tmp_path / "raw", "MSCOCO", captions, POOL if pool is None else pool)
    with pytest.raises(MmclustError, match=message):
        by_hand(raw, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_pickled_pools_are_refused(tmp_path):
    """An array of objects would run code on reading."""
    raw = write_mscoco_fg(tmp_path / "raw")
    path = raw / "MSCOCO_FG_img_filenames.npy"
    np.save(path, np.array(POOL, object), allow_pickle=True)
    with pytest.raises(MmclustError, match=r"readable \.npy[\s\S]*Python objects"):
        by_hand(raw, tmp_path / "out")
    path.write_bytes(path.read_bytes()[:90])
    with pytest.raises(MmclustError, match=r"not a readable \.npy"):
        by_hand(raw, tmp_path / "out")


def test_missing_files_and_images_are_named(tmp_path):
    """Captions, pool, pictures."""
    with pytest.raises(MmclustError, match=r"MSCOCO_FG_ann\.json is missing"):
        by_hand(tmp_path / "raw", tmp_path / "out")
    raw = write_mscoco_fg(tmp_path / "raw")
    message = r"such as [\s\S]*unlabeled2017.zip or .tar\(.gz\) or val2014.zip or .tar"
    with pytest.raises(MmclustError, match=message + r"[\s\S]*6 missing: 000000000003"):
        build(raw, tmp_path / "out")
    (raw / "MSCOCO_FG_img_filenames.npy").unlink()
    with pytest.raises(MmclustError, match=r"img_filenames\.npy is missing"):
        by_hand(raw, tmp_path / "out")
    with pytest.raises(MmclustError, match="Unknown split 'train'"):
        build(raw, tmp_path / "out", split="train")


@pytest.mark.parametrize("folder", ["", "fine_grained/"])
@pytest.mark.parametrize(
    ("name", "stem", "ids"),
    [("mscoco_fg", "MSCOCO", QUERIES), ("flickr30k_fg", "Flickr30K", ["11", "12"])],
)
def test_a_clone_of_the_publishers_repository_is_taken(
    tmp_path, name, stem, ids, folder
):
    """Annotations/ and Images/, as the repository has them; same digest as flat."""
    captions = fine_captions(ids)
    pool = [f"{i}.jpg" for i in (*ids, *DISTRACTORS)]
    write_fg(tmp_path / "flat", stem, captions, pool)
    clone = tmp_path / "clone"
    for end, part in (("ann.json", "Annotations"), ("img_filenames.npy", "Images")):
        (path,) = (tmp_path / "flat").rglob(f"{stem}_FG_{end}")
        (clone / folder / part).mkdir(parents=True)
        shutil.copy(path, clone / folder / part)
    (clone / folder / "README.md").write_text("# the publisher's")
    flat = build(tmp_path / "flat", tmp_path / "one", name, images=False)
    cloned = build(clone, tmp_path / "two", name, images=False)
    assert cloned["images"] == len(pool)
    assert cloned["captions"] == 5 * len(ids)
    assert cloned["manifest"] == flat["manifest"]


def test_text_counts_by_hand():
    """One shared string with two captions; one repeat inside an image."""
    notes = text_notes({
        "1": ["a dog runs", "a dog runs", "A cat.", "two  blanks", "x"],
        "2": ["a dog runs", "no-one, 3", "café", "y", "z"],
    })  # fmt: skip
    assert notes == {
        "captions": 10, "distinct": 8, "shared_strings": 1, "shared_captions": 2,
        "repeats_within_image": 1,
        "words": {"min": 1, "mean": 1.9, "max": 3, "median": 2.0},
        "characters": {"min": 1, "mean": 6.3, "max": 11},
        "distinct_words": 13,
        "with_final_full_stop": 1, "with_upper_case": 1, "with_double_blank": 1,
        "with_digit": 1, "with_comma": 1, "with_hyphen": 1, "with_non_ascii": 1,
        "with_line_break": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "stem", "key", "caption"),
    [
        ("mscoco_fg", "MSCOCO", "COCO_val2014_000000452113",
         "a group of people posing with half a dozen large cupcakes on a counter"),
        ("flickr30k_fg", "Flickr30K", "1007129816",
         "the man with pierced ears is wearing glasses and an orange hat on his head"),
    ],
)  # fmt: skip
def test_excerpts_of_the_published_files(tmp_path, name, stem, key, caption):
    """Twenty queries, sixty distractors, read as published."""
    if not EXCERPTS.is_dir():
        pytest.skip("the excerpts are not on this machine")
    raw = tmp_path / "raw"
    raw.mkdir()
    for end in ("ann.json", "img_filenames.npy"):
        start, ending = end.split(".")
        excerpt = EXCERPTS / f"{stem}_FG_{start}.excerpt.{ending}"
        shutil.copy(excerpt, raw / f"{stem}_FG_{end}")
    summary = by_hand(raw, tmp_path / "out", name)
    assert (summary["images"], summary["captions"]) == (80, 100)
    assert summary["notes"]["pool"]["queries_first"] is True
    manifest = read_manifest(tmp_path / "out/manifest.parquet")
    assert manifest.captions[manifest.image_ids.index(key)][0] == caption


def test_a_pool_of_the_published_size_has_the_published_captions(tmp_path, monkeypatch):
    """Five captions of each of so many images, no more and no fewer."""
    assert mscoco_fg.expected(mscoco_fg.Params(), "test") == {"": 31_244}
    assert flickr30k_fg.expected(flickr30k_fg.Params(), "test") == {"": 6_867}
    raw = write_mscoco_fg(tmp_path / "raw")
    monkeypatch.setattr(fine_grained, "mscoco_fg", replace(mscoco_fg, published=(3, 6)))
    assert by_hand(raw, tmp_path / "out")["images"] == 6
    monkeypatch.setattr(fine_grained, "mscoco_fg", replace(mscoco_fg, published=(4, 6)))
    with pytest.raises(MmclustError, match="published size, and the captions have not"):
        by_hand(raw, tmp_path / "out")
