"""COCO on the Karpathy split: parts, five captions, folds, pictures of two folders."""

from __future__ import annotations

import json

import pytest

from mmclust.benchmarks._build import build_benchmark
from mmclust.benchmarks.coco_karpathy import Params, expected, folds
from mmclust.core.errors import MmclustError
from mmclust.core.images import read_images
from mmclust.core.io import read_table
from mmclust.core.manifest import read_manifest
from tests.benchmarks.toy_captions import (
    COCO,
    as_sample,
    coco_entries,
    entry,
    write_coco2014,
    write_karpathy,
)


def build(raw, out, block=None, **options):
    return build_benchmark("coco_karpathy", as_sample(raw), out, block, **options)


@pytest.fixture
def raw(tmp_path):
    write_karpathy(tmp_path / "raw/karpathy_splits", coco=coco_entries())
    write_coco2014(tmp_path / "raw/coco2014", coco_entries())
    return tmp_path / "raw"


def test_the_test_part(raw, tmp_path):
    """Five captions each, in order, stripped; ids as in MSCOCO-FG; folds by order."""
    out = tmp_path / "out"
    summary = build(raw, out)
    tests = [i for i, split in COCO.items() if split == "test"]
    assert (summary["images"], summary["captions"]) == (5, 25)
    assert summary["notes"]["captions_left_out"] == 1
    assert (summary["fit"], summary["evaluate"]) == (["train"], ["test"])
    manifest = read_manifest(out / "manifest.parquet")
    assert manifest.image_ids == [f"COCO_val2014_{i:012d}" for i in sorted(tests)]
    assert manifest.captions[1] == [f"caption {n} of 42" for n in range(5)]
    table, _ = read_table(out / "folds.parquet")
    found = dict(
        zip(*(table[c].to_pylist() for c in ("image_id", "fold")), strict=True)
    )
    assert [found[f"COCO_val2014_{i:012d}"] for i in tests] == [0, 1, 2, 3, 4]
    assert len(list(read_images(manifest, range(5)))) == 5
    assert build(raw, out, {"captions_per_image": None})["captions"] == 26
    assert (
        build(raw, tmp_path / "bare", images=False)["manifest"] == summary["manifest"]
    )


def test_all_parts(raw, tmp_path):
    """restval is trained on; each picture is found in its folder; no folds stay."""
    summary = build(raw, tmp_path / "out", split="all")
    assert summary["splits"] == {"test": 5, "train": 2, "val": 1}
    assert summary["notes"]["parts"] == {"restval": 1, "test": 5, "train": 1, "val": 1}
    manifest = read_manifest(tmp_path / "out/manifest.parquet")
    assert manifest.image_ids[0] == "COCO_train2014_000000000012"
    assert len(list(read_images(manifest, range(8)))) == 8
    assert (tmp_path / "out/folds.parquet").is_file()
    build(raw, tmp_path / "out", split="train")
    assert not (tmp_path / "out/folds.parquet").exists()


def test_folds_are_blocks_of_a_thousand():
    """Consecutive in the order given."""
    found = folds([str(i) for i in range(5_000)])
    assert list(found.values()) == [i // 1_000 for i in range(5_000)]


def test_published_counts():
    """5,000 / 5,000 / 30,504 / 82,783."""
    assert expected(Params(), "test") == {"": 5_000}
    assert expected(Params(), "all") == {"": 123_287}


TEST = {"split": "test", "filepath": "val2014"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", r"dataset_coco\.json cannot be read[\s\S]*truncated"),
        (b"[]", r"cannot be read[\s\S]*Expected `object`, got `array`"),
        (b'{"images": [{"filename": "1.jpg"}]}', "missing required field `split`"),
        (b'{"images": [{"filename": "\xff"}]}', "cannot be read"),
        ([entry("a/1.jpg", "test", "12345")], r"plain name[\s\S]*a/1\.jpg"),
        ([entry("1.jpg", "dev", "12345")], r"split does not exist[\s\S]*dev"),
        ([entry("1.jpg", "test", "12345")] * 2, r"listed twice[\s\S]*1"),
        ([entry("1.jpg", "test", "12345")],
         r"no folder of COCO 2014[\s\S]*1.jpg in ''"),
        ([entry("1.jpg", "test", "1234 ", filepath="val2014")],
         r"few capt[\s\S]*1 \(4\)"),
    ],
)  # fmt: skip
def test_files_that_break_a_rule_are_refused(tmp_path, content, message):
    """With the file and what is wrong with it."""
    raw = tmp_path / "raw"
    raw.mkdir()
    if not isinstance(content, bytes):
        content = json.dumps({"images": content}).encode()
    (raw / "dataset_coco.json").write_bytes(content)
    with pytest.raises(MmclustError, match=message) as error:
        build(raw, tmp_path / "out")
    assert "dataset_coco.json" in str(error.value)


def test_missing_files_are_named(raw, tmp_path):
    """The splits, and pictures."""
    (raw / "coco2014/val2014.zip").unlink()
    with pytest.raises(MmclustError, match=r"5 missing: COCO_val2014_000000000005"):
        build(raw, tmp_path / "out")
    (raw / "karpathy_splits/caption_datasets.zip").unlink()
    with pytest.raises(MmclustError, match=r"dataset_coco\.json is missing") as error:
        build(raw, tmp_path / "out")
    assert "caption_datasets.zip with it" in str(error.value)
